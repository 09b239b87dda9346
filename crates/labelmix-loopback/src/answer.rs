//! An answer before it is written, and how faults and ranges change what is written.

use std::io::{self, Write};
use std::sync::Arc;

use crate::fault::Fault;
use crate::request::LoggedRequest;

/// What a server answers.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Arc<[u8]>,
}

impl Answer {
    /// A status and a body, without further headers.
    pub fn new(status: u16, body: impl Into<Arc<[u8]>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// Status 200, with a body of JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string().into_bytes()).with("Content-Type", "application/json")
    }

    /// A refusal as the Hub words it: the code in a header, the message in a header and in the body.
    pub(crate) fn refusal(status: u16, code: Option<&str>, message: &str) -> Self {
        let body = serde_json::json!({ "error": message }).to_string().into_bytes();
        let answer = Self::new(status, body).with("X-Error-Message", message);
        match code {
            Some(code) => answer.with("X-Error-Code", code),
            None => answer,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn write(
        mut self,
        stream: &mut impl Write,
        request: &LoggedRequest,
        fault: Option<&Fault>,
    ) -> io::Result<()> {
        if let Some(Fault::Status(status, headers)) = fault {
            self = Self { headers: headers.clone(), ..Self::new(*status, Vec::new()) };
        }
        let mut body = &self.body[..];
        if let Some(Fault::Truncate(length)) = fault {
            body = &body[..body.len().min(*length)];
        }
        if let Some(start) = request.range_start()
            && self.status == 200
            && fault != Some(&Fault::IgnoreRange)
        {
            if start < body.len() {
                let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                self.headers.push(("Content-Range".to_owned(), range));
                self.status = 206;
                body = &body[start..];
            } else {
                self.headers.push(("Content-Range".to_owned(), format!("bytes */{}", body.len())));
                self.status = 416;
                body = &[];
            }
        }
        let corrupt: Vec<u8>;
        if fault == Some(&Fault::Corrupt) {
            corrupt = body.iter().map(|byte| !byte).collect();
            body = &corrupt;
        }

        let mut head = Vec::new();
        write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        stream.write_all(&head)?;
        if request.method == "HEAD" {
            return Ok(());
        }
        if let Some(Fault::DropAfter(length)) = fault {
            body = &body[..body.len().min(*length)];
        }
        stream.write_all(body)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
