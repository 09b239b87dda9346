//! What kind of file it is, by its first bytes, and by its name where these do not tell.

use std::path::Path;

use super::TableFile;
use super::text::is_utf_16;
use crate::error::DataError;

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Parquet,
    /// Arrow's file format, which is Feather 2.
    ArrowFile,
    ArrowStream,
    Spreadsheet,
    Text,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Json,
    Separated,
}

/// Beginnings of files that are no tables: what they are, and what to do.
const OTHER_FILES: [(&[u8], &str, &str); 20] = [
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself", GIT_LFS),
    (b"PK\x05\x06", "an empty ZIP archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", "decompress it, for instance with `lz4 -d`"),
    (b"\x1f\x9d", "compressed with compress", "decompress it with `uncompress`"),
    (b"LZIP", "compressed with lzip", "decompress it with `lzip -d`"),
    (b"FEA1", "in the first version of Feather", "read it with pandas and write it again with `to_parquet`"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.xls or protected by a password)", SAVE_SHEET),
    (b"{\\rtf", "an RTF document", SAVE_TEXT),
    (b"%PDF-", "a PDF document", SAVE_TEXT),
    (b"ORC", "an ORC file", TO_PARQUET),
    (b"Obj\x01", "an Avro file", TO_PARQUET),
    (b"SQLite format 3\0", "an SQLite database", TO_PARQUET),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", TO_PARQUET),
    (b"\x93NUMPY", "a NumPy array", TO_PARQUET),
    (b"\x80\x03", "a pickle of Python, which is not read because it may contain programs", TO_PARQUET),
    (b"\x80\x04\x95", "a pickle of Python, which is not read because it may contain programs", TO_PARQUET),
    (b"\x80\x05\x95", "a pickle of Python, which is not read because it may contain programs", TO_PARQUET),
    (b"RIFF", "a sound or a picture", TO_PARQUET),
];

const GIT_LFS: &str =
    "run `git lfs pull` in its repository to get the file (`git lfs install` first, if Git does not know `lfs`)";
const UNPACK: &str = "unpack it, and name the table that was in it";
const SAVE_SHEET: &str = "save it as .xlsx without a password, or as CSV";
const SAVE_TEXT: &str = "name a table, such as a CSV file, with a column of texts";
const TO_PARQUET: &str =
    "read it with the program that wrote it, and write a table as Parquet or CSV (`to_parquet` of pandas)";

/// The kind of a file that begins with `head`.
pub(super) fn kind_of(file: TableFile<'_>, head: &[u8]) -> Result<Kind, DataError> {
    let (file, encoding) = (file.path(), file.encoding());
    let other = |found: &str, advice: &str| Err(DataError::no_table(file, found, advice));
    match head {
        [b'P', b'A', b'R', b'1', ..] => return Ok(Kind::Parquet),
        [b'P', b'A', b'R', b'E', ..] => return other("an encrypted Parquet file", "write it without encryption"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => return Ok(Kind::ArrowFile),
        [0xff, 0xff, 0xff, 0xff, ..] => return Ok(Kind::ArrowStream),
        [b'P', b'K', 3, 4, ..]
            if named(file, &["xlsx", "xlsm"]) || holds(head, b"[Content_Types].xml") || holds(head, b"xl/") =>
        {
            return Ok(Kind::Spreadsheet);
        }
        [b'P', b'K', 3, 4, ..] if holds(head, b"opendocument.spreadsheet") => {
            return other("an OpenDocument spreadsheet", SAVE_SHEET);
        }
        [b'P', b'K', 3, 4, ..] => return other("a ZIP archive", UNPACK),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return other("a text in UTF-32", "save it as UTF-8, for instance with `iconv -f utf-32 -t utf-8`");
        }
        _ => {}
    }
    // A header may begin with `ORC` too; what has no zero in 64 KiB is a text.
    let is_text = |magic: &[u8]| magic.len() < 5 && magic.iter().all(u8::is_ascii_graphic) && !head.contains(&0);
    let found = OTHER_FILES.iter().find(|(magic, ..)| head.starts_with(magic) && !is_text(magic));
    if let Some((_, found, advice)) = found {
        return other(found, advice);
    }
    if head.get(257..262) == Some(b"ustar") {
        return other("a tar archive", UNPACK);
    }
    if is_binary(head) && encoding.is_none() && !is_utf_16(head) {
        // Old streams of Arrow begin with a length, and files may be damaged where they are to say what they are.
        return match extension(file).as_str() {
            "arrow" => Ok(Kind::ArrowStream),
            "parquet" => Ok(Kind::Parquet),
            _ => Err(DataError::UnknownFormat { file: file.to_path_buf() }),
        };
    }
    Ok(Kind::Text)
}

/// What kind of text begins so.
pub(super) fn text_kind_of(file: &Path, text: &str) -> Result<TextKind, DataError> {
    let text = text.trim_start_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
    let start: String = text.chars().take(1000).collect::<String>().to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head") {
        let advice =
            "a server sent this page in place of the file, to ask for a login for instance: download the file again";
        return Err(DataError::no_table(file, "a page of a website (HTML)", advice));
    }
    if start.starts_with("<?xml") {
        return Err(DataError::no_table(file, "an XML document", "write the table as CSV or JSON Lines"));
    }
    let mut after_bracket = text.chars().skip(1).skip_while(|character| character.is_whitespace());
    let is_json = match (text.chars().next(), after_bracket.next()) {
        (Some('{'), next) => matches!(next, None | Some('"' | '}')),
        (Some('['), next) => matches!(next, None | Some('{' | '[' | ']' | '"')),
        _ => false,
    };
    let first_line = text.lines().next().unwrap_or_default();
    let may_be_json = named(file, &["json", "jsonl", "ndjson"]) && !first_line.contains([',', ';', '\t', '|']);
    let is_named_json = named(file, &["json", "jsonl", "ndjson"]) && text.starts_with(['{', '[']);
    Ok(if is_json || is_named_json || may_be_json { TextKind::Json } else { TextKind::Separated })
}

/// Whether the file's name ends so, apart from the ending of a compression.
pub(super) fn named(file: &Path, extensions: &[&str]) -> bool {
    extensions.contains(&extension(file).as_str())
}

fn extension(file: &Path) -> String {
    let last = |file: &Path| file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match last(file).as_str() {
        "gz" | "zst" | "xz" | "bz2" => last(file.file_stem().unwrap_or_default().as_ref()),
        extension => extension.to_owned(),
    }
}

/// Whether bytes are no text in any encoding but UTF-16: a text may hold a zero, but not many, and not among bytes that are
/// no characters.
fn is_binary(head: &[u8]) -> bool {
    let zeros = memchr::memchr_iter(0, head).count();
    let is_utf_8 = std::str::from_utf8(head).err().is_none_or(|error| error.error_len().is_none());
    zeros > 0 && (!is_utf_8 || zeros * 20 > head.len())
}

fn holds(head: &[u8], name: &[u8]) -> bool {
    memchr::memmem::find(head, name).is_some()
}
