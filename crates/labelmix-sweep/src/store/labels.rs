//! Weak labels that a labeler made.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use labelmix_data::ExampleId;
use labelmix_models::Adapter;
use serde::{Deserialize, Serialize};

use super::files::{read_json, write_json};
use super::manifest::{self, Scrutiny};
use super::{OUTCOME_FILE, Store, save_adapter};
use crate::error::{Error, Result};
use crate::weak_labels::{LabelsKey, LabelsOutcome};

const LABELS_FILE: &str = "labels.jsonl";

/// The weak labels of a pool and of a test set; what is not there has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeptLabels {
    pub(crate) pool: Vec<(ExampleId, f32)>,
    pub(crate) test: Vec<(ExampleId, f32)>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct KeptLabel {
    id: ExampleId,
    split: Split,
    weak: f32,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Split {
    Pool,
    Test,
}

/// The name of the checkpoint of a labeler that is being trained.
pub(crate) fn labeler_checkpoint(key: &LabelsKey) -> String {
    format!("{LABELER}{key}")
}

/// What tells the checkpoints of labelers from those of stages.
pub(super) const LABELER: &str = "labeler-";

impl Store {
    /// The folder of the weak labels that a labeler made.
    #[must_use]
    pub fn labels_folder(&self, key: &LabelsKey) -> PathBuf {
        self.root.join("labelers").join(key.to_string())
    }

    /// Weak labels and how they were made, if they are there.
    pub(crate) fn weak_labels(&self, key: &LabelsKey) -> Result<Option<(LabelsOutcome, KeptLabels)>> {
        let folder = self.labels_folder(key);
        if folder.exists()
            && let Some(damage) = manifest::damage(&folder, Scrutiny::Texts)?
        {
            return Err(damage.into());
        }
        let Some(outcome) = read_json::<LabelsOutcome>(&folder.join(OUTCOME_FILE))? else { return Ok(None) };
        let path = folder.join(LABELS_FILE);
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|error| damaged(error.to_string()))?;
        let mut labels = KeptLabels::default();
        for (line, number) in text.lines().zip(1..) {
            let KeptLabel { id, split, weak } =
                serde_json::from_str(line).map_err(|error| damaged(format!("line {number}: {error}")))?;
            match split {
                Split::Pool => labels.pool.push((id, weak)),
                Split::Test => labels.test.push((id, weak)),
            }
        }
        let (have, want) = ([labels.pool.len(), labels.test.len()], [outcome.pool_labels, outcome.test_labels]);
        if have != want {
            return Err(damaged(format!("{have:?} labels of pool and test, where {want:?} were written")));
        }
        Ok(Some((outcome, labels)))
    }

    /// Keeps weak labels, and the labeler's adapter if there is one, trained on the model of this name.
    pub(crate) fn write_weak_labels(
        &self,
        outcome: &LabelsOutcome,
        labels: &KeptLabels,
        adapter: Option<(&Adapter, &str)>,
    ) -> Result<()> {
        let labelers = self.root.join("labelers");
        fs::create_dir_all(&labelers).map_err(Error::store(&labelers))?;
        self.write_folder(&outcome.key.to_string(), self.labels_folder(&outcome.key), |folder| {
            if let Some((adapter, base_model)) = adapter {
                save_adapter(adapter, folder, base_model)?;
            }
            let path = folder.join(LABELS_FILE);
            write_labels(&path, labels).map_err(Error::store(&path))?;
            write_json(&folder.join(OUTCOME_FILE), outcome)
        })
    }
}

fn write_labels(path: &std::path::Path, labels: &KeptLabels) -> io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    for (split, labels) in [(Split::Pool, &labels.pool), (Split::Test, &labels.test)] {
        for &(id, weak) in labels {
            serde_json::to_writer(&mut file, &KeptLabel { id, split, weak })?;
            file.write_all(b"\n")?;
        }
    }
    file.flush()
}
