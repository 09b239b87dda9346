use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::unfinished::{clear_leftovers, write_whole};

/// In a folder of results: the names of what labelmix wrote there, a line each.
const LIST: &str = ".labelmix-files";

/// A file or folder that cannot be written.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {source}", path.display())]
#[diagnostic(help("choose a place that you may write to, on a disk with space"))]
pub struct WriteError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Makes a folder, if need be, in which these names are labelmix's to write: they are written down there.
///
/// # Errors
/// [`WriteError`] if there is something of such a name that is not written down, or is a link; nothing is changed then. Or if the
/// folder cannot be written.
pub fn own<'a>(folder: &Path, names: impl Iterator<Item = &'a str> + Clone) -> Result<(), WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| WriteError { path, source }
    };
    let list = folder.join(LIST);
    clear_leftovers(&list);
    let mut owned: BTreeSet<String> = match fs::read_to_string(&list) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        // What stands in the way of the folder is named below.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => BTreeSet::new(),
        Err(error) => return Err(failed(&list)(error)),
    };
    for name in names.clone() {
        let path = folder.join(name);
        clear_leftovers(&path);
        let wrong = match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => "it is a link",
            Ok(_) if !owned.contains(name) => "it is there already, and labelmix did not write it",
            _ => continue,
        };
        let remedy = "move it away, or write to another folder";
        return Err(failed(&path)(io::Error::new(io::ErrorKind::AlreadyExists, format!("{wrong}; {remedy}"))));
    }
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let before = owned.len();
    owned.extend(names.map(str::to_owned));
    if owned.len() > before {
        let names: Vec<String> = owned.into_iter().collect();
        write_whole(&list, names.join("\n") + "\n").map_err(failed(&list))?;
    }
    Ok(())
}

/// Writes files of these names and contents into a folder, which is made if need be; each replaces the one that labelmix
/// wrote there before.
///
/// # Errors
/// [`WriteError`] as [`own`], and for the first file that cannot be written.
pub fn write_files(
    folder: &Path,
    files: impl IntoIterator<Item = (String, impl AsRef<[u8]>)>,
) -> Result<Vec<PathBuf>, WriteError> {
    let files: Vec<_> = files.into_iter().collect();
    own(folder, files.iter().map(|(name, _)| name.as_str()))?;
    let write = |(name, content): (String, _)| {
        let path = folder.join(name);
        match write_whole(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(WriteError { path, source }),
        }
    };
    files.into_iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(content: &str) -> [(String, &str); 2] {
        ["a", "b"].map(|name| (name.to_owned(), content))
    }

    #[test]
    fn what_was_written_is_replaced_and_nothing_foreign() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("new/folder");
        for content in ["first", "second"] {
            assert_eq!(write_files(&folder, files(content)).unwrap(), [folder.join("a"), folder.join("b")]);
            assert_eq!(fs::read_to_string(folder.join("b")).unwrap(), content);
        }
        let foreign = root.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("b"), "mine").unwrap();
        fs::write(foreign.join("c"), "mine").unwrap();
        let error = write_files(&foreign, files("")).unwrap_err();
        assert!(error.to_string().contains("foreign/b: it is there already, and labelmix did not write it"), "{error}");
        assert_eq!(fs::read_dir(&foreign).unwrap().count(), 2, "nothing is written");
        fs::remove_file(foreign.join("b")).unwrap();
        write_files(&foreign, files("")).unwrap();
        assert_eq!(fs::read_to_string(foreign.join("c")).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        write_files(&folder, files("")).unwrap();
        fs::remove_file(folder.join("a")).unwrap();
        std::os::unix::fs::symlink(root.path(), folder.join("a")).unwrap();
        assert!(own(&folder, ["a"].into_iter()).unwrap_err().to_string().contains("it is a link"));
    }
}
