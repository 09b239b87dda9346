//! The records of a text of separated values, as spreadsheets and pandas read it, with the lines on which they stand.
//!
//! A reader of our own because of the lines: errors name them, and what is to be said of a quote that is never closed is
//! where it was opened. rust-csv counts records and bytes, but not lines that end with CR, or are blank.

use std::io;

use memchr::{memchr, memchr3};

use crate::read::line_count::LineCount;
use crate::read::text::Text;

/// A record: its fields, and where it stands.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The fields' texts, one behind the other.
    text: String,
    /// Where in it each field ends.
    ends: Vec<usize>,
    /// The line on which it begins, and the one on which it ends; from 1.
    pub(super) lines: (u64, u64),
    /// Of the last field over several lines: the lines of its quotes.
    pub(super) quoted_lines: Option<(u64, u64)>,
    has_quotes: bool,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.quoted_lines = None;
        self.has_quotes = false;
    }

    fn is_blank(&self) -> bool {
        self.len() == 1 && !self.has_quotes && self.text.trim().is_empty()
    }
}

/// What ends the reading of records.
#[derive(Debug)]
pub(super) enum RecordError {
    Io(io::Error),
    /// A quote that is never closed, or closed where another opens: the line on which it opens, and the line on which a
    /// text follows its end.
    Quote {
        opened: u64,
        followed: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote in a quoted field: its end, unless another follows.
    QuoteInQuoted,
}

/// The records of a text.
pub(super) struct Records<'a> {
    text: Text<'a>,
    separator: u8,
    piece: String,
    position: usize,
    lines: LineCount,
    /// The line of the quote that was opened last.
    quote_line: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: Text<'a>, separator: u8) -> Self {
        Self { text, separator, piece: String::new(), position: 0, lines: LineCount::new(), quote_line: 0 }
    }

    /// Skips the first line.
    pub(super) fn skip_line(&mut self) -> Result<(), RecordError> {
        let separator = std::mem::replace(&mut self.separator, 0);
        let skipped = self.read(&mut Record::default());
        self.separator = separator;
        skipped.map(|_| ())
    }

    /// Reads the next record; `false` at the text's end. Lines that are empty or blank are skipped.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, RecordError> {
        record.clear();
        let mut state = State::RecordStart;
        loop {
            if self.position == self.piece.len() {
                self.piece.clear();
                self.position = 0;
                if !self.text.read_into(&mut self.piece).map_err(RecordError::Io)? {
                    return self.at_end(state, record);
                }
            }
            let rest = &self.piece.as_bytes()[self.position..];
            let next = rest[0];
            match state {
                State::RecordStart if next == b'\n' || next == b'\r' => self.pass(1),
                State::RecordStart => {
                    record.lines.0 = self.lines.line();
                    state = State::FieldStart;
                }
                State::FieldStart if next == b'"' => {
                    self.quote_line = self.lines.line();
                    record.has_quotes = true;
                    self.pass(1);
                    state = State::Quoted;
                }
                State::FieldStart => state = State::Unquoted,
                State::Unquoted => {
                    let end = memchr3(self.separator, b'\n', b'\r', rest);
                    let is_separator = end.is_some_and(|end| rest[end] == self.separator);
                    let length = end.unwrap_or(rest.len());
                    record.text.push_str(&self.piece[self.position..self.position + length]);
                    self.position += length;
                    self.lines.pass_within_line();
                    if end.is_none() {
                        continue;
                    }
                    record.ends.push(record.text.len());
                    record.lines.1 = self.lines.line();
                    self.pass(1);
                    if is_separator {
                        state = State::FieldStart;
                    } else if record.is_blank() {
                        record.clear();
                        state = State::RecordStart;
                    } else {
                        return Ok(true);
                    }
                }
                State::Quoted => {
                    let end = memchr(b'"', rest);
                    self.push(end.unwrap_or(rest.len()), record);
                    if end.is_some() {
                        self.pass(1);
                        state = State::QuoteInQuoted;
                    }
                }
                State::QuoteInQuoted if next == b'"' => {
                    self.push(1, record);
                    state = State::Quoted;
                }
                State::QuoteInQuoted => {
                    let line = self.lines.line();
                    if line > self.quote_line {
                        record.quoted_lines = Some((self.quote_line, line));
                        // In a field of one line this is how some write a text that begins with a quotation; over several,
                        // the quote was a mark in a text, and what follows is the beginning of another.
                        if next != self.separator && next != b'\n' && next != b'\r' {
                            return Err(RecordError::Quote { opened: self.quote_line, followed: Some(line) });
                        }
                    }
                    state = State::Unquoted;
                }
            }
        }
    }

    fn at_end(&self, state: State, record: &mut Record) -> Result<bool, RecordError> {
        match state {
            State::RecordStart => return Ok(false),
            State::Quoted => return Err(RecordError::Quote { opened: self.quote_line, followed: None }),
            State::FieldStart | State::Unquoted | State::QuoteInQuoted => {}
        }
        record.ends.push(record.text.len());
        record.lines.1 = self.lines.line();
        Ok(!record.is_blank())
    }

    /// Passes this many bytes.
    fn pass(&mut self, length: usize) {
        let end = self.position + length;
        self.lines.pass(&self.piece[self.position..end]);
        self.position = end;
    }

    /// Passes this many bytes, which belong to a field.
    fn push(&mut self, length: usize, record: &mut Record) {
        record.text.push_str(&self.piece[self.position..self.position + length]);
        self.pass(length);
    }
}
