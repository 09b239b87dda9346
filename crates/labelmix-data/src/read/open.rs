//! Opening a file: through its compression, to the kind of table that is in it.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};

use super::TableFile;
use super::compression::Compression;
use super::kind::{Kind, TextKind, kind_of, text_kind_of};
use super::progress::Counted;
use super::stream_fault::refused;
use super::text::Text;
use crate::error::DataError;

/// How much of a file is looked at to see what it is.
const HEAD_BYTES: u64 = 1 << 16;

/// How often a file may be compressed, one compression inside the other.
const MAX_COMPRESSIONS: usize = 3;

/// What a file holds, ready to be read.
pub(super) enum Table<'a> {
    Json(Text<'a>),
    Separated(Text<'a>),
    Parquet(File),
    ArrowFile(Box<dyn Read + 'a>),
    ArrowStream(Box<dyn Read + 'a>),
    Spreadsheet(File),
}

/// Opens a file, whatever its kind and its compression.
pub(super) fn open(file: TableFile<'_>) -> Result<Table<'_>, DataError> {
    let path = file.path();
    let refuse = |error| refused(path, &error);
    let metadata = std::fs::metadata(path).map_err(refuse)?;
    if metadata.is_dir() {
        return Err(DataError::no_table(path, "a folder", "name the file in it"));
    }
    let mut bytes: Box<dyn Read + '_> = Box::new(Counted::new(path, File::open(path).map_err(refuse)?, metadata.len()));
    let mut head = take_head(&mut bytes).map_err(refuse)?;
    let mut is_as_stored = metadata.is_file();
    for _ in 0..MAX_COMPRESSIONS {
        let Some(compression) = Compression::of(&head) else { break };
        is_as_stored = false;
        bytes = compression.reader(Box::new(Cursor::new(head).chain(bytes))).map_err(refuse)?;
        head = take_head(&mut bytes).map_err(refuse)?;
    }
    // An empty file is an empty table in every format, even in those that would miss their header.
    if head.is_empty() {
        return Err(DataError::NoRows { file: path.to_path_buf() });
    }
    let kind = kind_of(file, &head)?;
    let whole = Box::new(Cursor::new(head.clone()).chain(bytes));
    let seekable = |mut whole| if is_as_stored { File::open(path) } else { spooled(&mut whole) }.map_err(refuse);
    Ok(match kind {
        Kind::Parquet => Table::Parquet(seekable(whole)?),
        Kind::ArrowFile => Table::ArrowFile(whole),
        Kind::Spreadsheet => Table::Spreadsheet(seekable(whole)?),
        Kind::ArrowStream => Table::ArrowStream(whole),
        Kind::Text => {
            let mut text = Text::new(whole, &head, file.encoding()).map_err(refuse)?;
            match text_kind_of(path, text.peek().map_err(refuse)?)? {
                TextKind::Json => Table::Json(text),
                TextKind::Separated => Table::Separated(text),
            }
        }
    })
}

/// Whether the file's rows are JSON values, in whatever layout.
pub(crate) fn is_json<'a>(file: impl Into<TableFile<'a>>) -> Result<bool, DataError> {
    Ok(matches!(open(file.into())?, Table::Json(_)))
}

fn take_head(bytes: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    bytes.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// The bytes in a file without a name, for formats that are not read from front to back.
fn spooled(bytes: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(bytes, &mut file)?;
    file.rewind()?;
    Ok(file)
}
