//! The answer as a folder of files.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::{Answer, Style, accuracy_by_weak_fraction, cost_accuracy, render};

/// A file or folder of the report that cannot be written.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {source}", path.display())]
#[diagnostic(help("choose a folder that you may write to, on a disk with space"))]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: std::io::Error,
}

/// Writes the answer into a folder, which is made if need be, and returns the paths of the files:
/// - `answer.json`, the answer as data;
/// - `table.txt`, as text;
/// - `accuracy_by_weak_fraction.svg`, with the method's name before the ending if there are several methods;
/// - `cost_accuracy.svg`.
///
/// Files of these names are replaced, each at one stroke: a reader never sees half a file.
///
/// # Errors
/// [`WriteError`] for the first file or folder that cannot be written.
pub fn write_report(answer: &Answer, folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    write_files(files(answer), folder)
}

/// Writes files of these names and contents into a folder, which is made if need be.
pub(crate) fn write_files(files: Vec<(String, String)>, folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    files.into_iter().map(|(name, content)| write_whole(folder.join(name), &content)).collect()
}

/// The names and contents of the files.
fn files(answer: &Answer) -> Vec<(String, String)> {
    let mut files = vec![
        ("answer.json".to_owned(), answer.to_json()),
        ("table.txt".to_owned(), render(answer, Style::PLAIN)),
        ("cost_accuracy.svg".to_owned(), cost_accuracy(answer)),
    ];
    let methods = answer.methods();
    for method in &methods {
        let suffix = if methods.len() > 1 { format!("_{method}") } else { String::new() };
        let name = format!("accuracy_by_weak_fraction{suffix}.svg");
        files.push((name, accuracy_by_weak_fraction(answer, method)));
    }
    files
}

/// Writes beside the final place, then renames.
fn write_whole(path: PathBuf, content: &str) -> Result<PathBuf, WriteError> {
    let mut beside = path.clone().into_os_string();
    beside.push(".partial");
    match fs::write(&beside, content).and_then(|()| fs::rename(&beside, &path)) {
        Ok(()) => Ok(path),
        Err(source) => Err(WriteError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example;

    #[test]
    fn writes_every_file_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("made/on/the/way");
        let answer = worked_example::answer();
        let mut written = write_report(&answer, &folder).unwrap();
        assert_eq!(write_report(&answer, &folder).unwrap(), written, "a second report replaces the first");

        let mut found: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        written.sort();
        assert_eq!(found, written);
        let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        insta::assert_debug_snapshot!(names, @r#"
        [
            "accuracy_by_weak_fraction_few-shot.svg",
            "accuracy_by_weak_fraction_seq-sft.svg",
            "answer.json",
            "cost_accuracy.svg",
            "table.txt",
        ]
        "#);
        assert_eq!(fs::read_to_string(folder.join("answer.json")).unwrap(), answer.to_json());
    }

    #[test]
    fn one_method_needs_no_suffix() {
        let mut answer = worked_example::answer();
        answer.budgets.retain(|split| split.method == "seq-sft");
        answer.not_affordable.retain(|missed| missed.method == "seq-sft");
        assert!(files(&answer).iter().any(|(name, _)| name == "accuracy_by_weak_fraction.svg"));
    }

    #[test]
    fn says_which_path_cannot_be_written() {
        let scratch = tempfile::tempdir().unwrap();
        let in_the_way = scratch.path().join("report");
        fs::write(&in_the_way, "a file").unwrap();
        let error = write_report(&worked_example::answer(), &in_the_way).unwrap_err();
        assert_eq!(error.path, in_the_way);
        assert!(error.to_string().starts_with(&format!("{}: ", in_the_way.display())), "{error}");
    }
}
