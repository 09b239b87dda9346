//! Weak labels that a labeler made.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use labelmix_data::{ExampleId, weak_class};
use labelmix_methods::{StageHistory, TargetStop};
use labelmix_stats::auroc;
use labelmix_study::LabelerTable;
use serde::{Deserialize, Serialize};

use crate::bought::Tally;
use crate::error::{Result, StoreError};
use crate::files::{read_json, write_json};
use crate::key::StageKey;
use crate::manifest::{self, Scrutiny};
use crate::prompt_file::PromptFile;
use crate::store::{OUTCOME_FILE, PROMPT_FILE, Store};

const LABELS_FILE: &str = "labels.jsonl";

/// The weak labels of a pool and of a test set; what is not there has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptLabels {
    pub pool: Vec<(ExampleId, f32)>,
    /// Of the test set.
    pub test: Vec<(ExampleId, f32)>,
}

/// How weak labels were made, and how good they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelsOutcome {
    pub key: StageKey,
    /// What made them.
    pub labeler: LabelerTable,
    /// How the labeler's model was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<StageHistory>,
    /// Where training stopped, if it aimed at an accuracy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_stop: Option<TargetStop>,
    /// The temperature of the noise, if flips depend on the margin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// What was added to a language model's log-odds, if something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<f64>,
    /// What a language model's labels took, if one gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bought: Option<Tally>,
    /// Weak labels of the pool.
    pub pool_labels: usize,
    /// Weak labels of the test set.
    pub test_labels: usize,
    /// How good those of the pool are.
    pub pool: LabelAccuracy,
    /// How good those of the test set are.
    pub test: LabelAccuracy,
}

/// How good weak labels are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelAccuracy {
    /// Examples with a weak and a gold label.
    pub labels: usize,
    /// The share of them whose weak label, hardened, is the gold one; none of none.
    pub accuracy: Option<f64>,
    /// Area under the ROC curve of the weak labels against the gold ones; none if those are all of one class.
    pub auroc: Option<f64>,
}

impl LabelAccuracy {
    /// Compares pairs of a weak and a gold label.
    pub fn of(labels: &[(f32, bool)]) -> Self {
        let right = labels.iter().filter(|(weak, gold)| weak_class(*weak) == *gold).count();
        let scores: Vec<f64> = labels.iter().map(|(weak, _)| f64::from(*weak)).collect();
        let gold: Vec<bool> = labels.iter().map(|(_, gold)| *gold).collect();
        Self {
            labels: labels.len(),
            accuracy: (!labels.is_empty()).then(|| right as f64 / labels.len() as f64),
            auroc: auroc(&scores, &gold),
        }
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct KeptLabel {
    id: ExampleId,
    split: DataSplit,
    weak: f32,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DataSplit {
    Pool,
    Test,
}

/// The name of the checkpoint of a labeler that is being trained.
pub fn labeler_checkpoint(key: &StageKey) -> String {
    format!("{LABELER}{key}")
}

/// What tells the checkpoints of labelers from those of stages.
pub(crate) const LABELER: &str = "labeler-";

impl Store {
    /// The folder of the weak labels that a labeler made.
    pub fn labels_folder(&self, key: &StageKey) -> PathBuf {
        self.root.join("labelers").join(key.to_string())
    }

    /// The file of a language model's answers to a question, whose hash this is.
    pub fn answers_file(&self, question: &str) -> PathBuf {
        self.root.join("answers").join(format!("{question}.jsonl"))
    }

    /// The name of the file of a prompt, and what stands in it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_prompt(folder: &Path, prompt: &PromptFile) -> Result<String> {
        fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
        write_json(&folder.join(PROMPT_FILE), prompt)?;
        Ok(PROMPT_FILE.to_owned())
    }

    /// Weak labels and how they were made, if they are there.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn weak_labels(&self, key: &StageKey) -> Result<Option<(LabelsOutcome, KeptLabels)>> {
        let folder = self.labels_folder(key);
        if folder.exists()
            && let Some(damage) = manifest::damage(&folder, Scrutiny::Texts)?
        {
            return Err(damage.into());
        }
        let Some(outcome) = read_json::<LabelsOutcome>(&folder.join(OUTCOME_FILE))? else { return Ok(None) };
        let path = folder.join(LABELS_FILE);
        let damaged = |reason: String| StoreError::Damaged { path: path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|error| damaged(error.to_string()))?;
        let mut labels = KeptLabels::default();
        for (line, number) in text.lines().zip(1..) {
            let KeptLabel { id, split, weak } =
                serde_json::from_str(line).map_err(|error| damaged(format!("line {number}: {error}")))?;
            match split {
                DataSplit::Pool => labels.pool.push((id, weak)),
                DataSplit::Test => labels.test.push((id, weak)),
            }
        }
        let (have, want) = ([labels.pool.len(), labels.test.len()], [outcome.pool_labels, outcome.test_labels]);
        if have != want {
            return Err(damaged(format!("{have:?} labels of pool and test, where {want:?} were written")));
        }
        Ok(Some((outcome, labels)))
    }

    /// Takes away what is no longer needed once weak labels are kept: their labeler's checkpoint, and why it failed before.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn remove_labeler_traces(&self, key: &StageKey) -> Result<()> {
        self.remove_checkpoint(&labeler_checkpoint(key))?;
        self.remove_failure(key)
    }

    /// Keeps the weak labels that `work` makes, beside what it writes to their folder; it names the files of
    /// that.
    ///
    /// # Errors
    /// If they cannot be made, or not be written.
    pub fn write_weak_labels<E: From<StoreError>>(
        &self,
        key: &StageKey,
        work: impl FnOnce(&Path) -> std::result::Result<(LabelsOutcome, KeptLabels, Vec<String>), E>,
    ) -> std::result::Result<(LabelsOutcome, KeptLabels), E> {
        let labelers = self.root.join("labelers");
        fs::create_dir_all(&labelers).map_err(StoreError::io(&labelers))?;
        self.write_folder(&key.to_string(), &self.labels_folder(key), |folder| {
            let (outcome, labels, mut written) = work(folder)?;
            fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
            let path = folder.join(LABELS_FILE);
            write_labels(&path, &labels).map_err(StoreError::io(&path))?;
            write_json(&folder.join(OUTCOME_FILE), &outcome)?;
            written.extend([LABELS_FILE, OUTCOME_FILE].map(str::to_owned));
            Ok(((outcome, labels), written))
        })
    }
}

fn write_labels(path: &Path, labels: &KeptLabels) -> io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    for (split, labels) in [(DataSplit::Pool, &labels.pool), (DataSplit::Test, &labels.test)] {
        for &(id, weak) in labels {
            serde_json::to_writer(&mut file, &KeptLabel { id, split, weak })?;
            file.write_all(b"\n")?;
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quality_of_labels() {
        let quality = LabelAccuracy::of(&[(0.5, true), (0.9, false), (0.1, false), (0.7, true)]);
        assert_eq!(quality, LabelAccuracy { labels: 4, accuracy: Some(0.75), auroc: Some(0.5) });
        assert_eq!(LabelAccuracy::of(&[]), LabelAccuracy { labels: 0, accuracy: None, auroc: None });
    }
}
