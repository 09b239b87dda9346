//! One HTTP request as it was read and as it is logged.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

/// Which server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The Hub: its API and the files kept in git.
    Hub,
    /// The host of large files, which a client must not show its token to.
    Storage,
    /// A service of a language model.
    Model,
}

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// The server that was asked.
    pub server: Server,
    /// `GET`, `HEAD` or `POST`.
    pub method: String,
    /// The path as it was sent: still percent-encoded, and with its query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
    /// What was sent along.
    pub body: Vec<u8>,
}

impl LoggedRequest {
    /// What was sent along, where it is JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The token, if one was sent.
    pub(crate) fn token(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// The first byte asked for, of a range of the form `bytes=N-`, the only one that downloads need.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.range.as_deref()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }

    /// Reads one request; `None` where the connection ends before it, as the one does that wakes the listener to stop.
    pub(crate) fn read(server: Server, stream: &TcpStream) -> io::Result<Option<Self>> {
        const LONGEST_HEAD: u64 = 64 * 1024;
        const LONGEST_BODY: u64 = 64 * 1024 * 1024;
        let mut reader = BufReader::new(stream.take(LONGEST_HEAD + LONGEST_BODY));
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an HTTP request"));
        };
        let mut request = Self { server, method, path, authorization: None, range: None, body: Vec::new() };
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
                reader.take(length).read_to_end(&mut request.body)?;
                return Ok(Some(request));
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => request.authorization = Some(value.trim().to_owned()),
                "range" => request.range = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}
