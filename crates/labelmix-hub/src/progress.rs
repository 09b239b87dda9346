//! How a download tells its caller how far it is.

use std::time::Duration;

/// Who is told how far downloads are. The calls come from the thread that downloads, between pieces of a file.
///
/// A closure `|file, done, total|` is one that listens to the bytes alone.
pub trait Progress {
    /// So many bytes of a file are on the disk, of so many. The first call for a file has what an earlier download
    /// left, the last one has `done == total`; where a server starts a file again, `done` falls back.
    fn bytes(&self, file: &str, done: u64, total: u64);

    /// Another process or thread downloads the file, and is waited for.
    fn queued(&self, file: &str) {
        let _ = file;
    }

    /// Something failed that may pass, and is tried again after this delay.
    fn waiting(&self, reason: &str, delay: Duration) {
        let _ = (reason, delay);
    }
}

impl<F: Fn(&str, u64, u64)> Progress for F {
    fn bytes(&self, file: &str, done: u64, total: u64) {
        self(file, done, total);
    }
}

/// For callers that show nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn bytes(&self, _file: &str, _done: u64, _total: u64) {}
}
