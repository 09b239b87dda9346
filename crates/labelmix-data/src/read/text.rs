//! The text of a file, decoded piece by piece.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16BE, UTF_16LE};

use super::Encoding;
use super::line_count::LineCount;
use super::stream_fault::{BadText, StreamFault};

/// How many bytes are decoded at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A file's text, without a byte order mark.
pub(super) struct Text<'a> {
    bytes: Box<dyn Read + 'a>,
    encoding: Encoding,
    /// `None` for UTF-8, which is only checked.
    decoder: Option<Decoder>,
    /// Bytes that were read and not yet decoded.
    raw: Vec<u8>,
    is_ended: bool,
    /// Text that was looked at, and not yet handed out.
    peeked: String,
    lines: LineCount,
    /// The bytes that were decoded.
    offset: u64,
    is_ascii: bool,
}

impl<'a> Text<'a> {
    /// The text of these bytes, which begin with `head`. Its encoding is what its byte order mark says, else the one
    /// that is `named`, else UTF-16 where that is evident, else UTF-8.
    pub(super) fn new(bytes: Box<dyn Read + 'a>, head: &[u8], named: Option<Encoding>) -> io::Result<Self> {
        let marked = encoding_rs::Encoding::for_bom(head);
        let found = marked.map(|(encoding, _)| encoding).or(named.map(|named| named.0)).or_else(|| utf_16(head));
        let encoding = found.unwrap_or(UTF_8);
        let mut text = Self {
            bytes,
            encoding: Encoding(encoding),
            decoder: (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling()),
            raw: Vec::new(),
            is_ended: false,
            peeked: String::new(),
            lines: LineCount::new(),
            offset: 0,
            is_ascii: true,
        };
        let mark_bytes = marked.map_or(0, |(_, length)| length as u64);
        text.offset = io::copy(&mut text.bytes.by_ref().take(mark_bytes), &mut io::sink())?;
        Ok(text)
    }

    /// The text's beginning: a piece that is not empty unless the text is.
    pub(super) fn peek(&mut self) -> io::Result<&str> {
        if self.peeked.is_empty() {
            let mut piece = String::new();
            self.read_into(&mut piece)?;
            self.peeked = piece;
        }
        Ok(&self.peeked)
    }

    /// Appends the next piece of the text; `false` at its end.
    pub(super) fn read_into(&mut self, text: &mut String) -> io::Result<bool> {
        if !self.peeked.is_empty() {
            text.push_str(&std::mem::take(&mut self.peeked));
            return Ok(true);
        }
        let before = text.len();
        while text.len() == before && !self.is_ended {
            let kept = self.raw.len();
            self.raw.resize(kept + CHUNK_BYTES, 0);
            let read = loop {
                match self.bytes.read(&mut self.raw[kept..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            self.raw.truncate(kept + *read.as_ref().unwrap_or(&0));
            self.is_ended = read? == 0;
            let decoded = self.decode(text);
            self.lines.pass(&text[before..]);
            decoded.map_err(|at| self.not_text(at))?;
            self.is_ascii &= text[before..].is_ascii();
        }
        Ok(text.len() > before)
    }

    /// Decodes what was read. The error says where among the raw bytes the fault is.
    fn decode(&mut self, text: &mut String) -> Result<(), usize> {
        let Some(decoder) = &mut self.decoder else { return self.check_utf_8(text) };
        let mut decoded = 0;
        loop {
            let rest = &self.raw[decoded..];
            text.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()));
            let (result, read) = decoder.decode_to_string_without_replacement(rest, text, self.is_ended);
            decoded += read;
            match result {
                DecoderResult::InputEmpty => {
                    self.offset += decoded as u64;
                    self.raw.clear();
                    return Ok(());
                }
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    return Err(decoded.saturating_sub(usize::from(length) + usize::from(after)));
                }
            }
        }
    }

    fn check_utf_8(&mut self, text: &mut String) -> Result<(), usize> {
        let (valid, is_fault) = match std::str::from_utf8(&self.raw) {
            Ok(all) => (all, false),
            Err(error) => {
                let valid = std::str::from_utf8(&self.raw[..error.valid_up_to()]).expect("it was checked up to there");
                (valid, error.error_len().is_some() || self.is_ended)
            }
        };
        text.push_str(valid);
        let valid = valid.len();
        if is_fault {
            return Err(valid);
        }
        self.offset += valid as u64;
        self.raw.drain(..valid);
        Ok(())
    }

    /// The fault at this position among the raw bytes.
    fn not_text(&self, at: usize) -> io::Error {
        let is_utf_8 = self.decoder.is_none() && !(self.is_ascii && self.raw[..at].is_ascii());
        let likely = Some(likely_encoding(&self.raw)).filter(|likely| !is_utf_8 && *likely != self.encoding);
        StreamFault::NotText(BadText {
            encoding: self.encoding,
            line: self.lines.line(),
            byte: self.raw.get(at).copied().unwrap_or_default(),
            offset: self.offset + at as u64,
            likely,
        })
        .into()
    }
}

/// Whether bytes among which there are zeros are UTF-16.
pub(super) fn is_utf_16(head: &[u8]) -> bool {
    encoding_rs::Encoding::for_bom(head).is_some_and(|(encoding, _)| encoding != UTF_8) || utf_16(head).is_some()
}

/// UTF-16 without a byte order mark: every other byte of what is written in ASCII, as separators and keys are, is zero.
fn utf_16(head: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    const SHARE_OF_ZEROS: usize = 20;
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let is_evident = |many: usize, few: usize| many * SHARE_OF_ZEROS >= head.len() && many > 8 * few;
    match (is_evident(odd, even), is_evident(even, odd)) {
        (true, _) => Some(UTF_16LE),
        (_, true) => Some(UTF_16BE),
        _ => None,
    }
}

/// The encoding that bytes that are no UTF-8 are probably in.
fn likely_encoding(bytes: &[u8]) -> Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    Encoding(detector.guess(None, Utf8Detection::Deny))
}
