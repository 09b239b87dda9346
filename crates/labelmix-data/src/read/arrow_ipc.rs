//! Arrow's own format: what `save_to_disk` of Hugging Face's `datasets` writes, and Feather 2.
//!
//! A file is a stream between a mark and a table of contents, so both are read as streams, message by message. What a
//! message says of its sizes is checked before memory is set apart for it: damaged files ask for more than there is.

use std::io::{self, Read};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::root_as_message;
use arrow_schema::SchemaRef;

use super::columnar::{batch_rows, check_schema};
use super::guard::guarded;
use super::stream_fault::{StreamFault, refused};
use super::{BLOCK_ROWS, Block, WantedColumn};
use crate::error::DataError;

/// What a stream ends with.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// What stands before the size of a message, but for old streams.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The description of a message is no larger than this.
const MAX_DESCRIPTION_BYTES: u32 = 1 << 28;

/// How many bytes one byte can become when it is decompressed (Zstandard: 128 KiB from a block of four), and no buffer is
/// larger than the latter.
const MAX_EXPANSION: i64 = 1 << 16;
const MAX_BUFFER_BYTES: i64 = 1 << 33;

/// The batches of a file or of a stream.
pub(super) struct Batches<'a> {
    path: &'a Path,
    stream: Box<dyn Read + 'a>,
    decoder: StreamDecoder,
    schema: SchemaRef,
    /// The first batch, if it was decoded together with the columns' names.
    first: Option<RecordBatch>,
}

impl<'a> Batches<'a> {
    /// Opens an Arrow file, which is Feather 2: a mark, which writers fill up with zeros, and a stream.
    pub(super) fn of_file(path: &'a Path, mut file: Box<dyn Read + 'a>) -> Result<Self, DataError> {
        let mut read_word = || {
            let mut word = Vec::new();
            file.by_ref().take(8).read_to_end(&mut word).map_err(|error| refused(path, &error)).map(|_| word)
        };
        read_word()?;
        let mut word = read_word()?;
        while word == [0; 8] {
            word = read_word()?;
        }
        Self::of_stream(path, Box::new(io::Cursor::new(word).chain(file)))
    }

    /// Opens an Arrow stream, as `datasets` writes it.
    pub(super) fn of_stream(path: &'a Path, stream: Box<dyn Read + 'a>) -> Result<Self, DataError> {
        let schema = SchemaRef::new(arrow_schema::Schema::empty());
        let mut batches = Self { path, stream, decoder: StreamDecoder::new(), schema, first: None };
        loop {
            let message = batches.next_message()?;
            let is_end = message.is_none();
            // The decoder comes to a message without a body when it is given the next.
            batches.first = batches.decode(message.unwrap_or_else(|| Buffer::from(END)))?;
            match batches.decoder.schema() {
                Some(schema) => {
                    batches.schema = schema;
                    return Ok(batches);
                }
                None if is_end => return Err(batches.malformed("it ends before it says which columns there are")),
                None => {}
            }
        }
    }

    /// The columns and their types.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads every row.
    pub(super) fn read<E: From<DataError>>(
        mut self,
        wanted: &[WantedColumn],
        mut take: impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        check_schema(self.path, &self.schema, wanted)?;
        let mut n_rows = 0;
        loop {
            let batch = match self.first.take() {
                Some(first) => first,
                None => match self.next_message()?.map(|message| self.decode(message)).transpose()? {
                    Some(Some(batch)) => batch,
                    Some(None) => continue,
                    None => return Ok(()),
                },
            };
            for start in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
                let part = batch.slice(start, BLOCK_ROWS.min(batch.num_rows() - start));
                take(Block::Rows(batch_rows(self.path, &part, wanted, n_rows)?))?;
                n_rows += part.num_rows() as u64;
            }
        }
    }

    fn decode(&mut self, mut message: Buffer) -> Result<Option<RecordBatch>, DataError> {
        let decoded = guarded(|| self.decoder.decode(&mut message)).map_err(|panic| self.malformed(&panic))?;
        let batch = decoded.map_err(|error| self.malformed(&error.to_string()))?;
        match batch {
            Some(batch) if i32::try_from(batch.num_rows()).is_err() => {
                Err(self.malformed("more rows than a batch may have"))
            }
            batch => Ok(batch),
        }
    }

    /// The next message with what stands before it; `None` at the stream's end.
    fn next_message(&mut self) -> Result<Option<Buffer>, DataError> {
        let mut message = Vec::new();
        if self.append(4, &mut message)? == 0 {
            return Ok(None);
        }
        if message == CONTINUATION {
            self.append(4, &mut message)?;
        }
        let size = message.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
        if size == 0 {
            return Ok(None);
        }
        if size > MAX_DESCRIPTION_BYTES {
            return Err(self.malformed("a message's size is absurd"));
        }
        let start = message.len();
        self.append_all(u64::from(size), &mut message)?;
        let length = {
            let parsed = guarded(|| root_as_message(&message[start..]).map(|parsed| parsed.bodyLength()));
            let length = parsed.map_err(|panic| self.malformed(&panic))?;
            length.map_err(|error| self.malformed(&format!("a message is none ({error})")))?
        };
        let length = u64::try_from(length).map_err(|_| self.malformed("a message's size is absurd"))?;
        let body = message.len();
        self.append_all(length, &mut message)?;
        let sizes = guarded(|| are_possible(&message[start..body], &message[body..])).unwrap_or(false);
        if !sizes {
            return Err(self.malformed("a compressed column's size is absurd"));
        }
        Ok(Some(Buffer::from_vec(message)))
    }

    /// Appends up to this many bytes, and says how many.
    fn append(&mut self, length: u64, message: &mut Vec<u8>) -> Result<usize, DataError> {
        let read = self.stream.by_ref().take(length).read_to_end(message);
        read.map_err(|error| match StreamFault::of(&error) {
            None if error.raw_os_error().is_none() => self.malformed(&error.to_string()),
            _ => refused(self.path, &error),
        })
    }

    fn append_all(&mut self, length: u64, message: &mut Vec<u8>) -> Result<(), DataError> {
        if self.append(length, message)? as u64 == length {
            return Ok(());
        }
        Err(self.malformed("it is cut short"))
    }

    fn malformed(&self, reason: &str) -> DataError {
        DataError::MalformedArrow { file: self.path.to_path_buf(), reason: reason.to_owned() }
    }
}

/// Whether the compressed columns of a message can be as large as they say.
fn are_possible(description: &[u8], body: &[u8]) -> bool {
    let Ok(message) = root_as_message(description) else { return false };
    let dictionary = || message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let Some(batch) = message.header_as_record_batch().or_else(dictionary) else { return true };
    let (Some(_), Some(buffers)) = (batch.compression(), batch.buffers()) else { return true };
    let mut compressed = buffers.iter().filter(|buffer| buffer.length() > 0);
    compressed.all(|buffer| {
        let start = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
        let size = body.get(start..).and_then(<[u8]>::first_chunk).map_or(0, |size| i64::from_le_bytes(*size));
        size <= buffer.length().saturating_mul(MAX_EXPANSION).min(MAX_BUFFER_BYTES)
    })
}
