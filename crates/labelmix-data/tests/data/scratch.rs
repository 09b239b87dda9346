//! A scratch folder with data files, and what loading them gives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use labelmix_data::{
    CleaningOptions, Contradictions, DataError, Dataset, TestTexts, TextColumns, TextFiles, TextOptions,
};
use miette::Diagnostic;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// Two test examples that no training text repeats.
pub(crate) const TEST_JSONL: &str =
    "{\"text\": \"held out one\", \"gold\": 1}\n{\"text\": \"held out zero\", \"gold\": 0}\n";

pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn write_parquet(
        &self,
        name: &str,
        compression: Compression,
        columns: Vec<(&str, ArrayRef)>,
    ) -> PathBuf {
        let path = self.path(name);
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, Arc::clone(&array), true)),
        )
        .unwrap();
        let file = std::fs::File::create(&path).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    /// Loads `train` against [`TEST_JSONL`].
    pub(crate) fn load(&self, train: &str, options: &CleaningOptions) -> Result<Dataset, DataError> {
        self.write("test.jsonl", TEST_JSONL);
        load_files(&self.path(train), &self.path("test.jsonl"), &columns(), options)
    }

    /// An error as the command line shows it, without the scratch folder's name.
    pub(crate) fn report(&self, error: &impl Diagnostic) -> String {
        let help = error.help().expect("every error says what to do");
        let folder = format!("{}/", self.0.path().display());
        format!("{error}\nhint: {help}").replace(&folder, "")
    }
}

pub(crate) fn columns() -> TextColumns {
    TextColumns::default()
}

/// Loads two files of texts.
pub(crate) fn load_files(
    train: &Path,
    test: &Path,
    columns: &TextColumns,
    cleaning: &CleaningOptions,
) -> Result<Dataset, DataError> {
    load_with_fields(train, test, columns, cleaning, &[])
}

/// The same, with these fields of the rows.
pub(crate) fn load_with_fields(
    train: &Path,
    test: &Path,
    columns: &TextColumns,
    cleaning: &CleaningOptions,
    fields: &[String],
) -> Result<Dataset, DataError> {
    let files = TextFiles {
        train: train.to_path_buf(),
        test: TestTexts::File(test.to_path_buf()),
        columns: columns.clone(),
        contradictions: Contradictions::Refuse,
    };
    Dataset::load(&files, &TextOptions { cleaning: *cleaning, fields, ..TextOptions::default() })
}
