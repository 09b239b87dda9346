//! Compressed files: which compression it is, by the first bytes, and reading through it.

use std::fmt;
use std::io::{self, BufReader, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::guard::guarded;
use super::stream_fault::StreamFault;

/// How much memory the dictionary of an xz file may take, in KiB: four times what `xz -9` needs, and no more because
/// the number stands in the file and may be damaged.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// A compression of whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstandard,
    Xz,
    Bzip2,
}

impl Compression {
    /// The compression of a file that begins with these bytes.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // The second is a skippable frame, as parallel compressors write in front.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstandard),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', block @ ..]
                if BZIP2_BLOCKS.iter().any(|magic| block.starts_with(magic)) =>
            {
                Some(Self::Bzip2)
            }
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// The bytes that were compressed.
    pub(super) fn reader<'a>(self, compressed: Box<dyn Read + 'a>) -> io::Result<Box<dyn Read + 'a>> {
        let compressed = BufReader::with_capacity(1 << 17, compressed);
        let bytes: Box<dyn Read + 'a> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstandard => Box::new(zstd::Decoder::with_buffer(compressed)?),
            Self::Xz => Box::new(XzReader::new_mem_limit(compressed, true, XZ_MEMORY_KIB)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(compressed)),
        };
        Ok(Box::new(Decompressed { compression: self, bytes }))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells what a decompressor complains of from what the file itself does.
struct Decompressed<'a> {
    compression: Compression,
    bytes: Box<dyn Read + 'a>,
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let compression = self.compression;
        let read = guarded(|| self.bytes.read(buffer));
        read.unwrap_or_else(|reason| Err(StreamFault::Damaged { compression, reason }.into())).map_err(|error| {
            if error.raw_os_error().is_some() || StreamFault::of(&error).is_some() {
                return error;
            }
            match error.kind() {
                io::ErrorKind::Interrupted => error,
                io::ErrorKind::UnexpectedEof => StreamFault::CutShort(compression).into(),
                _ => StreamFault::Damaged { compression, reason: error.to_string() }.into(),
            }
        })
    }
}
