//! Scripted misbehaviour: what goes wrong, for which requests, how often.

use crate::request::LoggedRequest;

/// What goes wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status and these headers instead of the answer.
    Status(u16, Vec<(String, String)>),
    /// The answer promises its whole body, and the connection ends after so many bytes of it.
    DropAfter(usize),
    /// The connection ends before any answer.
    Close,
    /// There is no answer until the Hub stops.
    Stall,
    /// A range is asked for and the whole file is given, with status 200.
    IgnoreRange,
    /// Every byte of the body is another one.
    Corrupt,
    /// The answer is whole and in order, but only the beginning of the file, of so many bytes.
    Truncate(usize),
}

impl Fault {
    /// A status without further headers.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    /// Status 429, to be asked again after so many seconds.
    pub fn rate_limited(retry_after_seconds: u64) -> Self {
        Self::Status(429, vec![("Retry-After".to_owned(), retry_after_seconds.to_string())])
    }
}

/// A fault and the requests it befalls: all of them, until it is narrowed.
#[derive(Debug, Clone)]
pub struct Script {
    fault: Fault,
    method: Option<&'static str>,
    path_part: String,
    times_left: Option<u32>,
}

impl Script {
    /// This fault for every request to both servers, forever.
    pub fn always(fault: Fault) -> Self {
        Self { fault, method: None, path_part: String::new(), times_left: None }
    }

    /// This fault for the next so many requests.
    pub fn times(times: u32, fault: Fault) -> Self {
        Self { times_left: Some(times), ..Self::always(fault) }
    }

    /// Only for requests whose path contains this text.
    pub fn at(self, path_part: &str) -> Self {
        Self { path_part: path_part.to_owned(), ..self }
    }

    /// Only for requests of this method, `GET` or `HEAD`.
    pub fn method(self, method: &'static str) -> Self {
        Self { method: Some(method), ..self }
    }

    fn fits(&self, request: &LoggedRequest) -> bool {
        self.times_left != Some(0)
            && self.method.is_none_or(|method| method == request.method)
            && request.path.contains(&self.path_part)
    }
}

/// The fault that befalls this request, counted against its script.
pub(crate) fn take(scripts: &mut [Script], request: &LoggedRequest) -> Option<Fault> {
    let script = scripts.iter_mut().find(|script| script.fits(request))?;
    script.times_left = script.times_left.map(|times| times - 1);
    Some(script.fault.clone())
}
