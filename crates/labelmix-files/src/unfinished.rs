use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Distinguishes this process from all that may write to the same place, on this machine and on others, which may have a
/// process of the same number.
pub fn process_tag() -> &'static str {
    static TAG: OnceLock<String> = OnceLock::new();
    TAG.get_or_init(|| {
        let random = RandomState::new().hash_one(0) as u32;
        format!("{}-{random:08x}", std::process::id())
    })
}

/// Whether a name is what [`process_tag`] gave some process.
pub fn is_process_tag(name: &str) -> bool {
    let is_hex = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(process, random)| process.parse::<u32>().is_ok() && is_hex(random))
}

/// A file or folder beside its place: `NAME.TAG-NUMBER`, until it is put there. One that is not put is removed.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    place: PathBuf,
    /// Held so that others see that somebody writes.
    _lock: Option<File>,
}

impl Unfinished {
    /// A new file beside `place`, for writing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn file(place: &Path) -> io::Result<(Self, File)> {
        Self::make(place, |path| File::create(path))
    }

    /// A new folder beside `place`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(place: &Path) -> io::Result<Self> {
        Ok(Self::make(place, |path| fs::create_dir_all(path))?.0)
    }

    fn make<T>(place: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(Self, T)> {
        loop {
            let path = place.with_added_extension(unique());
            let made = make(&path)?;
            // Where a folder cannot be opened, or a file system knows no locks, a leftover stays.
            let lock = File::open(&path).ok();
            match lock.as_ref().map(File::try_lock) {
                // Between making and locking somebody may have taken it for a leftover.
                Some(Err(TryLockError::WouldBlock)) => {}
                Some(Ok(())) if !path.exists() => {}
                _ => return Ok((Self { path, place: place.to_owned(), _lock: lock }, made)),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what was written into its place, over a file or an empty folder that is there.
    ///
    /// # Errors
    /// If it cannot be synced or renamed; it is removed then.
    pub fn put(self) -> io::Result<()> {
        put(&self.path, &self.place)
    }

    /// Puts a file into its place, if nothing is there.
    ///
    /// # Errors
    /// If something is there ([`io::ErrorKind::AlreadyExists`]), or it cannot be synced or put; it is removed then.
    pub fn put_new(self) -> io::Result<()> {
        sync_all(&self.path)?;
        // A renaming would replace a file.
        fs::hard_link(&self.path, &self.place)?;
        sync_parent(&self.place)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is no longer there if it was put.
        let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
    }
}

/// A part of a name that no other thread, process or machine uses: `TAG-NUMBER`.
pub fn unique() -> String {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", process_tag(), GIVEN.fetch_add(1, Ordering::Relaxed))
}

/// Writes a file beside its place, syncs it and renames it.
///
/// # Errors
/// If it cannot be written; then there is no half of it.
pub fn write_whole(place: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let (unfinished, mut file) = Unfinished::file(place)?;
    file.write_all(bytes.as_ref())?;
    unfinished.put()
}

/// Removes what killed processes left beside `place`. What a process is writing stays.
pub fn clear_leftovers(place: &Path) {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let name = format!("{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let tag = file.strip_prefix(&name).and_then(|rest| rest.rsplit_once('-')).map_or("", |(tag, _)| tag);
        if is_process_tag(tag) && tag != process_tag() {
            remove_if_abandoned(&entry.path());
        }
    }
}

/// Whether a name is that of something beside its place: `NAME.TAG-NUMBER`.
pub fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('.').and_then(|(_, rest)| rest.rsplit_once('-')).is_some_and(|(tag, _)| is_process_tag(tag))
}

/// Whether nobody is writing a file or folder that was being written. Where there are no locks nobody knows.
pub fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Removes a file or folder that was being written, unless somebody is writing it; whether it is gone.
pub fn remove_if_abandoned(path: &Path) -> bool {
    // The lock is held until it is gone: its writer sees that.
    let Ok(file) = File::open(path) else { return false };
    file.try_lock().is_ok() && fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)).is_ok()
}

/// Puts a file or folder, which is whole, into a place on the same disk.
///
/// # Errors
/// If it cannot be synced or renamed.
pub fn put(path: &Path, place: &Path) -> io::Result<()> {
    sync_all(path)?;
    fs::rename(path, place)?;
    sync_parent(place)
}

/// Syncs a file, or a folder with all that is in it.
fn sync_all(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            sync_all(&entry?.path())?;
        }
        sync_folder(path)
    } else {
        File::open(path)?.sync_all()
    }
}

fn sync_parent(place: &Path) -> io::Result<()> {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => sync_folder(Path::new(".")),
    }
}

/// Syncs the names in a folder, on systems that can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.json");
        write_whole(&place, "old").unwrap();
        let (unfinished, mut file) = Unfinished::file(&place).unwrap();
        file.write_all(b"ne").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        drop(unfinished);
        assert_eq!(names(folder.path()), ["a.json"], "what is not put is gone");
        write_whole(&place, "new").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert!(write_whole(&folder.path().join("none/a.json"), "").is_err());
    }

    #[test]
    fn what_is_there_stays_where_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.json");
        let put = |text: &[u8]| {
            let (unfinished, mut file) = Unfinished::file(&place).unwrap();
            file.write_all(text).unwrap();
            unfinished.put_new()
        };
        put(b"first").unwrap();
        assert_eq!(put(b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&place).unwrap(), "first");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn leftovers_of_killed_processes_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("out");
        for foreign in ["out.1-0000000a", "out.1-0000000g-1", "other.1-0000000a-1", "out.csv"] {
            fs::write(folder.path().join(foreign), "").unwrap();
        }
        let before = names(folder.path());
        fs::write(folder.path().join("out.1-0000000a-1"), "").unwrap();
        fs::create_dir_all(folder.path().join("out.2-0000000b-0/figures")).unwrap();
        let held = folder.path().join("out.3-0000000c-0");
        let lock = File::create(&held).unwrap();
        lock.lock().unwrap();
        clear_leftovers(&place);
        assert!(held.exists());
        drop(lock);
        clear_leftovers(&place);
        assert_eq!(names(folder.path()), before);
    }

    #[test]
    fn a_folder_is_put_over_an_empty_one_only() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("out");
        let put = || {
            let unfinished = Unfinished::folder(&place).unwrap();
            fs::write(unfinished.path().join("a"), "").unwrap();
            unfinished.put()
        };
        fs::create_dir(&place).unwrap();
        put().unwrap();
        assert!(put().is_err());
        assert_eq!(names(root.path()), ["out"]);
    }
}
