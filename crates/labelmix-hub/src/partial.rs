//! A content that is being written: what is there of it, and whether it is the right one.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Bytes read or written at once.
pub(crate) const PIECE: usize = 256 * 1024;

/// The file `<etag>.incomplete`, written from where an earlier download left it.
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    size: u64,
    done: u64,
    /// The SHA-256 of what is there, where the content's name says what it should be.
    digest: Option<Sha256>,
    expected: String,
    /// Whether bytes of an earlier download are among those that are there.
    inherits: bool,
}

/// What became of a content that is all there.
pub(crate) enum Verdict {
    Right,
    /// It is not, and part of it came from an earlier download: a new start may help.
    Stale,
    /// It is not, though this download fetched all of it.
    Wrong(String),
}

impl Partial {
    /// Opens or makes the file for a content of this name and size. What is there already is read, not believed.
    pub(crate) fn open(path: PathBuf, etag: &str, size: u64) -> io::Result<Self> {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        let done = file.metadata()?.len();
        // 64 digits are the SHA-256 of a large file; git's own names for the others are not checked.
        let is_sha256 = etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut partial = Self {
            path,
            file,
            size,
            done,
            digest: is_sha256.then(Sha256::new),
            expected: etag.to_ascii_lowercase(),
            inherits: done > 0,
        };
        if done > size {
            partial.restart()?;
        } else if done > 0 {
            partial.read_through()?;
        }
        Ok(partial)
    }

    fn read_through(&mut self) -> io::Result<()> {
        let Some(digest) = &mut self.digest else { return Ok(()) };
        let mut piece = vec![0; PIECE];
        let mut left = self.done;
        while left > 0 {
            let read = self.file.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            digest.update(&piece[..read]);
            left = left.saturating_sub(read as u64);
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.done == self.size
    }

    /// Throws away what is there.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.done = 0;
        self.inherits = false;
        if let Some(digest) = &mut self.digest {
            digest.reset();
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.done += piece.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(piece);
        }
        Ok(())
    }

    /// Judges the whole content. The size is the file's own and not the count of what was appended: where a file
    /// system's locks do not work, two downloads may have written to it.
    pub(crate) fn verdict(&mut self) -> io::Result<Verdict> {
        let on_disk = self.file.metadata()?.len();
        let what = if on_disk != self.size {
            format!("{on_disk} bytes are on the disk, where the Hub has {}", self.size)
        } else if let Some(digest) = &self.digest {
            let found = digest.clone().finalize().iter().fold(String::new(), |mut digits, byte| {
                write!(digits, "{byte:02x}").expect("a string takes everything");
                digits
            });
            if found == self.expected {
                return Ok(Verdict::Right);
            }
            format!("its SHA-256 is {found}, where the Hub has {}", self.expected)
        } else {
            return Ok(Verdict::Right);
        };
        Ok(if self.inherits { Verdict::Stale } else { Verdict::Wrong(what) })
    }

    /// Moves the content to its place.
    pub(crate) fn keep_as(self, content: &Path) -> io::Result<()> {
        // Some systems rename no file that is open.
        drop(self.file);
        fs::rename(&self.path, content)
    }

    /// Removes the file.
    pub(crate) fn discard(self) -> io::Result<()> {
        drop(self.file);
        fs::remove_file(&self.path)
    }
}
