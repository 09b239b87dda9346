//! A server of a store, asked as any client can ask: with bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::workplace::Workplace;

/// A running `labelmix serve`, which ends with the test.
pub(crate) struct Served {
    process: Child,
    /// What it printed.
    pub(crate) url: String,
    port: u16,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Json {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Served {
    /// Serves with these arguments, on a free port.
    pub(crate) fn start(workplace: &Workplace, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let mut process = workplace.process(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        let rest = url.strip_prefix("http://127.0.0.1:").unwrap_or_else(|| panic!("no address: {url:?}"));
        let port = rest.split('/').next().unwrap().parse().unwrap();
        Self { process, url, port }
    }

    /// Its name in requests.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A connection that waits no longer than a minute.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// The answer to these bytes; one of status 0 if there is none.
    pub(crate) fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // It may hang up before it has heard everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The answer to a request with these headers beside the host's.
    pub(crate) fn get(&self, path: &str, headers: &[&str]) -> Reply {
        let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host()).as_bytes())
    }

    /// What `status.json` says of a study once it says this.
    pub(crate) fn status_when(&self, study: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        let until = Instant::now() + Duration::from_mins(2);
        loop {
            let reply = self.get(&format!("/study/{study}/status.json"), &[]);
            let status = if reply.status == 200 { reply.json() } else { Json::Null };
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < until, "never so: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The same, once its results are of so many runs.
    pub(crate) fn status_of_runs(&self, study: &str, runs: usize) -> Json {
        self.status_when(study, |status| status["results"]["runs"] == runs && status["results"]["state"] == "current")
    }

    /// Sends a signal and says with which status the server ends.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        Command::new("kill").args([&format!("-{signal}"), &self.process.id().to_string()]).status().unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
