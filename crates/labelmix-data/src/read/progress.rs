//! How far the reading of files is.

use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

/// How far the reading of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingProgress<'a> {
    pub file: &'a Path,
    /// Bytes of the file that were read, as it is stored.
    pub done: u64,
    /// Bytes of the file. `done` is equal to it when the file is read.
    pub total: u64,
}

type Observer = Box<dyn Fn(ReadingProgress<'_>) + Send + Sync>;

/// One for the process, as a logger is: files are read behind many faces, and who is told of it changes no result.
static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Tells `observer` how far the reading of files is, several times for each megabyte, from whichever thread reads. The
/// first observer of a process stays.
pub fn observe_reading(observer: impl Fn(ReadingProgress<'_>) + Send + Sync + 'static) {
    let _ = OBSERVER.set(Box::new(observer));
}

/// Reports that a part of the file was read.
pub(super) fn report(file: &Path, done: u64, total: u64) {
    if let Some(observer) = OBSERVER.get() {
        observer(ReadingProgress { file, done: done.min(total), total });
    }
}

/// Counts the bytes that are read of a file.
pub(super) struct Counted<'a, R> {
    path: &'a Path,
    file: R,
    done: u64,
    total: u64,
}

impl<'a, R> Counted<'a, R> {
    /// Reads `total` bytes of `file`.
    pub(super) fn new(path: &'a Path, file: R, total: u64) -> Self {
        Self { path, file, done: 0, total }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done += read as u64;
        report(self.path, self.done, self.total);
        Ok(read)
    }
}
