//! A scratch folder with a small study on the example's data and checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use assert_cmd::Command;
use tempfile::TempDir;

/// The example that the repository carries.
pub(crate) fn example() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews")).unwrap()
}

/// A Python that imports these packages; none, with a word about it, where there is not.
pub(crate) fn python_with(packages: &str) -> Option<String> {
    let python = std::env::var("LABELMIX_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports = process::Command::new(&python).args(["-c", &format!("import {packages}")]).output();
    let found = imports.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: {python} has not all of {packages} (LABELMIX_TEST_PYTHON names another)");
    }
    found.then_some(python)
}

/// A temporary folder that holds a study.
pub(crate) struct Workplace {
    folder: TempDir,
}

impl Workplace {
    /// A study of two budgets that trains in a second or two.
    pub(crate) fn new() -> Self {
        let workplace = Self { folder: TempDir::new().unwrap() };
        workplace.write("study.toml", Self::study());
        workplace
    }

    /// The text of the small study.
    pub(crate) fn study() -> String {
        let example = example();
        let example = example.display();
        format!(
            "name = \"small\"\n\
             [task]\n\
             train = \"{example}/train.jsonl\"\n\
             test = \"{example}/test.jsonl\"\n\
             max_test = 100\n\
             [model]\n\
             path = \"{example}/checkpoint\"\n\
             [grid]\n\
             budgets = [8, 16]\n\
             weak_fractions = [0.0, 0.5, 1.0]\n\
             seeds = [0, 1]\n\
             [recipe]\n\
             schedule = \"early-stopping\"\n\
             total_examples = 600\n\
             learning_rate = 5e-3\n"
        )
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder, or a folder in it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Puts the example's checkpoint into the folder, as `checkpoint`.
    pub(crate) fn own_checkpoint(&self) -> PathBuf {
        for file in fs::read_dir(example().join("checkpoint")).unwrap() {
            let file = file.unwrap();
            self.write(&format!("checkpoint/{}", file.file_name().display()), fs::read(file.path()).unwrap());
        }
        self.path().join("checkpoint")
    }

    /// `labelmix` with the folder as the current one.
    pub(crate) fn labelmix(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("labelmix").unwrap();
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// `labelmix` with the folder as the current one, to be started and disturbed. It says nothing.
    pub(crate) fn process(&self, arguments: &[&str]) -> process::Command {
        let mut command = process::Command::new(assert_cmd::cargo::cargo_bin!("labelmix"));
        command.current_dir(self.path()).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Standard error of a command that fails with status 1, with the paths of this machine replaced, and without the lines
    /// of progress that a slow machine shows.
    pub(crate) fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.labelmix(arguments).assert().code(1).get_output().clone();
        assert!(output.stdout.is_empty(), "nothing but data goes to standard output");
        let said = String::from_utf8(output.stderr).unwrap();
        let said: Vec<&str> = said.lines().filter(|line| !line.ends_with(" elapsed")).collect();
        self.without_paths(&said.join("\n")).trim_end().to_owned()
    }

    /// A text with the paths of this machine replaced.
    pub(crate) fn without_paths(&self, text: &str) -> String {
        let folder = fs::canonicalize(self.path()).unwrap();
        text.replace(&example().display().to_string(), "[example]").replace(&folder.display().to_string(), "[folder]")
    }

    /// Standard output of a command that succeeds.
    pub(crate) fn output_of(&self, arguments: &[&str]) -> String {
        let output = self.labelmix(arguments).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    }

    /// Standard output and standard error of a command that ends with this status.
    pub(crate) fn said(&self, arguments: &[&str], status: i32) -> [String; 2] {
        let output = self.labelmix(arguments).assert().code(status).get_output().clone();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// Every file of a store's stages, by stage and name.
    pub(crate) fn stages(&self, store: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let Ok(stages) = fs::read_dir(self.path().join(store).join("stages")) else { return files };
        for stage in stages {
            let stage = stage.unwrap();
            for file in fs::read_dir(stage.path()).unwrap() {
                let file = file.unwrap().path();
                let name = format!("{}/{}", stage.file_name().display(), file.file_name().unwrap().display());
                files.insert(name, fs::read(&file).unwrap());
            }
        }
        files
    }
}
