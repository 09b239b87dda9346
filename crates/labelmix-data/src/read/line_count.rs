//! Line numbers, as editors count them.

use memchr::memchr_iter;

/// Counts the lines of a text that goes by in pieces. A line ends with LF, CR LF, or CR alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineCount {
    line: u64,
    is_after_cr: bool,
}

impl LineCount {
    pub(super) fn new() -> Self {
        Self { line: 1, is_after_cr: false }
    }

    /// The number of the line on which the text stands that comes next, from 1.
    pub(super) fn line(self) -> u64 {
        self.line
    }

    /// Passes a piece of the text in which no line ends.
    pub(super) fn pass_within_line(&mut self) {
        self.is_after_cr = false;
    }

    /// Passes a piece of the text.
    pub(super) fn pass(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let Some(last) = bytes.last() else { return };
        let pairs = memchr_iter(b'\r', bytes).filter(|cr| bytes.get(cr + 1) == Some(&b'\n')).count();
        let divided_pair = self.is_after_cr && bytes[0] == b'\n';
        let ends = memchr_iter(b'\n', bytes).count() + memchr_iter(b'\r', bytes).count() - pairs;
        self.line += ends as u64;
        self.line -= u64::from(divided_pair);
        self.is_after_cr = *last == b'\r';
    }
}
