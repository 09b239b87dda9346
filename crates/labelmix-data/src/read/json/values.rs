//! Where in a JSON file its rows are: a value on each line, values one after the other, or the items of a list.

use std::ops::Range;
use std::path::Path;

use crate::error::DataError;
use crate::place::{Place, RowNumber};
use crate::read::line_count::LineCount;
use crate::read::stream_fault::refused;
use crate::read::text::Text;

/// Values are handed on in pieces of about this size: large enough to be shared among threads.
const BLOCK_BYTES: usize = 4 << 20;

/// Some consecutive values of a file, still to be parsed.
pub(crate) struct ValueTexts {
    pub(super) text: String,
    /// The line on which each value begins, and where in the text it is.
    pub(super) places: Vec<(u64, Range<usize>)>,
}

/// How the values of a file stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One on each line.
    Lines,
    /// One after the other, over any number of lines, or as the items of a list.
    Free,
}

/// The values of a JSON file, block by block.
pub(super) struct Values<'a> {
    path: &'a Path,
    text: Text<'a>,
    layout: Layout,
    /// The text that was read and is not yet handed on.
    buffer: String,
    /// The number of the line on which the buffer begins.
    lines: LineCount,
    scan: Scan,
    /// The line of the bracket of the list in which the values are.
    list: Option<u64>,
    is_ended: bool,
}

impl<'a> Values<'a> {
    pub(super) fn new(path: &'a Path, mut text: Text<'a>) -> Result<Self, DataError> {
        let layout = layout_of(text.peek().map_err(|error| refused(path, &error))?);
        let (buffer, lines) = (String::new(), LineCount::new());
        Ok(Self { path, text, layout, buffer, lines, scan: Scan::default(), list: None, is_ended: false })
    }

    /// The next values; `None` behind the last.
    pub(super) fn next_block(&mut self) -> Result<Option<ValueTexts>, DataError> {
        loop {
            self.fill()?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let block = match self.layout {
                Layout::Lines => self.lines_block(),
                Layout::Free => self.free_block()?,
            };
            if !block.places.is_empty() {
                return Ok(Some(block));
            }
        }
    }

    /// Reads at least one piece more of the text, and up to the size of a block.
    fn fill(&mut self) -> Result<(), DataError> {
        while !self.is_ended {
            self.is_ended = !self.text.read_into(&mut self.buffer).map_err(|error| refused(self.path, &error))?;
            if self.buffer.len() >= BLOCK_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Takes the text up to `end` out of the buffer.
    fn take(&mut self, end: usize) -> String {
        let rest = self.buffer.split_off(end);
        std::mem::replace(&mut self.buffer, rest)
    }

    fn lines_block(&mut self) -> ValueTexts {
        let new = &self.buffer.as_bytes()[self.scan.position..];
        let last_end = memchr::memrchr(b'\n', new).map(|end| self.scan.position + end + 1);
        let text = self.take(if self.is_ended { self.buffer.len() } else { last_end.unwrap_or(0) });
        self.scan.position = self.buffer.len();
        let mut places = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = memchr::memchr(b'\n', &text.as_bytes()[start..]).map_or(text.len(), |end| start + end + 1);
            let line = &text[start..end];
            // Files that were put together may have byte order marks inside.
            let value = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
            if !value.trim().is_empty() {
                let value_start = end - line.trim_start_matches('\u{feff}').len();
                places.push((self.lines.line(), value_start..value_start + value.len()));
            }
            self.lines.pass(line);
            start = end;
        }
        ValueTexts { text, places }
    }

    /// The values that end in the buffer. What comes behind the last of them stays there.
    fn free_block(&mut self) -> Result<ValueTexts, DataError> {
        let mut places: Vec<(u64, Range<usize>)> = Vec::new();
        let mut passed = 0;
        let mut lines = self.lines;
        let mut line_of = |position: usize, buffer: &str| {
            lines.pass(&buffer[passed..position]);
            passed = position;
            lines.line()
        };
        let mut taken = 0;
        loop {
            if self.scan.start.is_none() {
                let Some((position, byte)) = self.scan.next_token(&self.buffer) else {
                    taken = self.scan.position;
                    break;
                };
                match byte {
                    b'[' if self.list.is_none() => {
                        self.list = Some(line_of(position, &self.buffer));
                        self.scan.position += 1;
                        continue;
                    }
                    b']' if self.list.is_some() => {
                        self.list = None;
                        self.scan.position += 1;
                        continue;
                    }
                    b']' | b'}' => {
                        let line = line_of(position, &self.buffer);
                        let reason = format!("a `{}` that closes nothing", char::from(byte));
                        return Err(self.malformed(line, reason));
                    }
                    _ => self.scan.start = Some(position),
                }
            }
            let start = self.scan.start.expect("a value has begun");
            match self.scan.value_end(&self.buffer, self.is_ended) {
                Ok(Some(end)) => {
                    places.push((line_of(start, &self.buffer), start..end));
                    self.scan.start = None;
                    taken = end;
                }
                Ok(None) if self.is_ended => {
                    let line = line_of(start, &self.buffer);
                    return Err(self.malformed(line, "the file ends in the middle of it".to_owned()));
                }
                Ok(None) => break,
                Err(position) => {
                    let line = line_of(position, &self.buffer);
                    return Err(self.malformed(line, "a line ends inside a string".to_owned()));
                }
            }
        }
        if let (true, Some(line)) = (self.is_ended, self.list) {
            return Err(self.malformed(line, "the file ends before the list that begins here does".to_owned()));
        }
        let text = self.take(taken);
        self.lines.pass(&text);
        self.scan.position -= taken;
        self.scan.start = self.scan.start.map(|start| start - taken);
        Ok(ValueTexts { text, places })
    }

    fn malformed(&self, line: u64, reason: String) -> DataError {
        DataError::MalformedJson { place: Place::row(self.path, RowNumber::Line(line)), reason }
    }
}

/// Lines if the first line is a whole value, or is broken in a way that no value over several lines is.
fn layout_of(text: &str) -> Layout {
    let mut scan = Scan::default();
    let Some((start, byte)) = scan.next_token(text) else { return Layout::Lines };
    match byte {
        b'[' => return Layout::Free,
        b'{' => {}
        _ => return Layout::Lines,
    }
    scan.start = Some(start);
    let rest_of_line = |end: usize| text[end..].lines().next().unwrap_or_default();
    let is_one_line = |end: usize| !text[start..end].contains('\n');
    match scan.value_end(text, false) {
        Ok(Some(end)) if is_one_line(end) && rest_of_line(end).trim().is_empty() => Layout::Lines,
        Ok(None) if is_one_line(text.len()) => Layout::Lines,
        Err(position) if is_one_line(position) => Layout::Lines,
        Ok(_) | Err(_) => Layout::Free,
    }
}

/// A walk through JSON that looks at nothing but brackets and strings.
#[derive(Debug, Default)]
struct Scan {
    /// Where in the buffer the walk is.
    position: usize,
    /// Where the value began in which it is.
    start: Option<usize>,
    depth: usize,
    is_in_string: bool,
}

impl Scan {
    /// Goes to the next byte that is neither white space nor a comma.
    fn next_token(&mut self, text: &str) -> Option<(usize, u8)> {
        let rest = text[self.position..].trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        self.position = text.len() - rest.len();
        rest.bytes().next().map(|byte| (self.position, byte))
    }

    /// Goes to the end of the value; `None` if the text ends before. The error is the place of a line end in a string.
    fn value_end(&mut self, text: &str, is_whole: bool) -> Result<Option<usize>, usize> {
        let bytes = text.as_bytes();
        while let Some(&byte) = bytes.get(self.position) {
            if self.is_in_string {
                let Some(next) = memchr::memchr3(b'"', b'\\', b'\n', &bytes[self.position..]) else {
                    self.position = bytes.len();
                    break;
                };
                self.position += next;
                match bytes[self.position] {
                    b'\n' => return Err(self.position),
                    b'\\' if self.position + 1 == bytes.len() => break,
                    b'\\' => self.position += 1,
                    _ => self.is_in_string = false,
                }
                self.position += 1;
                if self.depth == 0 && !self.is_in_string {
                    return Ok(Some(self.position));
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.position += 1;
                        return Ok(Some(self.position));
                    }
                }
                b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => return Ok(Some(self.position)),
                _ => {}
            }
            self.position += 1;
        }
        let is_end_of_scalar = is_whole && self.depth == 0 && !self.is_in_string;
        Ok(is_end_of_scalar.then_some(self.position))
    }
}
