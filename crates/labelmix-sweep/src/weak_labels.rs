//! The weak labels of a study that has a `[labeler]`: a stage like any other, which the store keeps under a hash of all
//! that determines it.
//!
//! Everything is decided by ids, gold labels, texts and the seed. An example that the labeler was trained on gets no
//! weak label unless the study asks for it; those it is only validated on do: they decide one number, when to stop.

mod making;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use labelmix_data::{Dataset, Example, ExampleId, ValidationSplit, labeler_split};
use labelmix_elicit::{LabelQuality, StageHistory, StageProgress, TargetStop};
use serde::{Deserialize, Serialize};

use self::making::LoadedLabeler;
use crate::error::{Error, Result};
use crate::key::{HashedParts, SharedInputs};
use crate::store::{KeptLabels, Store};
use crate::study::{LabelerTable, Study};
use crate::sweep::PrepareOptions;

/// Raised when the meaning of a labeler changes, so that older labels are not mistaken for newer ones.
const SCHEMA: &str = "labelmix weak labels 2";

/// What is needed to find the weak labels of a study, and to make them.
#[derive(Clone, Copy)]
pub struct WeakLabeling<'a> {
    store: &'a Store,
    /// The folder of the labeler's model: must be there if the study has a labeler that trains one.
    model_folder: Option<&'a Path>,
    if_missing: IfMissing,
    observe: &'a (dyn Fn(LabelerProgress) + Sync),
}

impl<'a> WeakLabeling<'a> {
    /// Labels that are made if the store lacks them; `observe` hears of every step that takes time.
    #[must_use]
    pub fn made(
        store: &'a Store,
        model_folder: Option<&'a Path>,
        observe: &'a (dyn Fn(LabelerProgress) + Sync),
    ) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Make, observe }
    }

    /// Labels that the store must have: nothing is trained.
    #[must_use]
    pub fn kept(store: &'a Store, model_folder: Option<&'a Path>) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Refuse, observe: &|_| () }
    }
}

/// What to do if weak labels are not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfMissing {
    /// Make them.
    Make,
    /// Say so.
    Refuse,
}

/// Where the making of weak labels is.
#[derive(Clone, Copy, Debug)]
pub enum LabelerProgress {
    /// The labeler is being trained.
    Training(StageProgress),
    /// It labels.
    Labeling {
        /// Texts that are labelled.
        done: usize,
        /// Texts in all.
        total: usize,
    },
}

/// The name of weak labels: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelsKey(String);

impl fmt::Display for LabelsKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How weak labels were made, and how good they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelsOutcome {
    /// Their name.
    pub key: LabelsKey,
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
    /// Weak labels of the pool.
    pub pool_labels: usize,
    /// Weak labels of the test set.
    pub test_labels: usize,
    /// How good those of the pool are.
    pub pool: LabelQuality,
    /// How good those of the test set are.
    pub test: LabelQuality,
}

/// Whether weak labels were found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// They were in the store.
    Found,
    /// They were made now.
    Made,
}

/// A study's data with the weak labels of its labeler.
pub struct LabeledData {
    /// The data.
    pub dataset: Dataset,
    /// How the labels were made.
    pub outcome: LabelsOutcome,
    /// Whether they were found or made.
    pub origin: Origin,
}

/// Gives a study's data the weak labels of the study's labeler.
///
/// # Errors
/// If the study has no labeler, its model cannot be used, or the labels cannot be made.
pub fn label_data(
    study: &Study,
    mut dataset: Dataset,
    options: &PrepareOptions,
    labeling: &WeakLabeling<'_>,
) -> Result<LabeledData> {
    let (outcome, origin) = set_weak_labels(study, &mut dataset, options, labeling)?
        .ok_or_else(|| Error::NoLabeler { study: study.name.clone() })?;
    Ok(LabeledData { dataset, outcome, origin })
}

/// Gives data the weak labels of the study's labeler, if it has one.
pub(crate) fn set_weak_labels(
    study: &Study,
    dataset: &mut Dataset,
    options: &PrepareOptions,
    labeling: &WeakLabeling<'_>,
) -> Result<Option<(LabelsOutcome, Origin)>> {
    let Some(table) = &study.labeler else { return Ok(None) };
    if table.proxy && dataset.train.iter().all(|example| example.proxy.is_none()) {
        return Err(Error::NoProxyTexts);
    }
    let gold_file = study.load_labeler_gold(&dataset.test)?;
    let labeler = if table.kind.trains() {
        let folder =
            labeling.model_folder.expect("who prepares a study with a labeler that trains has found its model");
        Some(LoadedLabeler::load(table, folder, dataset, gold_file.as_deref(), options)?)
    } else {
        None
    };
    let own_examples = gold_file.as_deref().unwrap_or(&dataset.train);
    let split = match &labeler {
        Some(labeler) => {
            let readable = |index: usize| labeler.own_tokens()[index].is_some();
            labeler_split(own_examples, readable, table.train(), table.validation(), table.seed)
        }
        None => ValidationSplit { train: Vec::new(), validation: Vec::new() },
    };
    if table.kind.trains() && split.train.len().min(split.validation.len()) < 2 {
        return Err(Error::LabelerStarves { train: split.train.len(), validation: split.validation.len() });
    }
    let own = OwnExamples { examples: own_examples, split, from_file: gold_file.is_some() };
    let inputs = Inputs { labeler: labeler.as_ref(), own: &own, dataset };
    let (outcome, labels, origin) = inputs.find_or_make(table, labeling)?;
    let KeptLabels { pool, test } = labels;
    let (train_labels, test_labels) = (in_order(&dataset.train, &pool), in_order(&dataset.test, &test));
    dataset.set_weak_labels(&train_labels, &test_labels);
    Ok(Some((outcome, origin)))
}

/// What labels are made from.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    /// There if the kind trains a model.
    labeler: Option<&'a LoadedLabeler>,
    own: &'a OwnExamples<'a>,
    dataset: &'a Dataset,
}

/// The examples that a labeler is trained and validated on.
struct OwnExamples<'a> {
    /// The training examples, or those of a file.
    examples: &'a [Example],
    /// Which of them.
    split: ValidationSplit,
    from_file: bool,
}

impl Inputs<'_> {
    /// The labels that a table asks for. Those with shuffled errors are made from those without, which are kept too: a
    /// labeler is trained once for both.
    fn find_or_make(
        &self,
        table: &LabelerTable,
        labeling: &WeakLabeling<'_>,
    ) -> Result<(LabelsOutcome, KeptLabels, Origin)> {
        let (key, store) = (self.key(table)?, labeling.store);
        if let Some((outcome, labels)) = store.weak_labels(&key)? {
            return Ok((outcome, labels, Origin::Found));
        }
        if labeling.if_missing == IfMissing::Refuse {
            return Err(Error::NoWeakLabels { path: store.labels_folder(&key) });
        }
        let dataset = self.dataset;
        let made = if table.shuffle_errors {
            let as_they_fall = LabelerTable { shuffle_errors: false, ..table.clone() };
            let (outcome, labels, _) = self.find_or_make(&as_they_fall, labeling)?;
            making::shuffle(table.seed, dataset, outcome, &labels)?
        } else {
            making::make(table, *self, labeling.observe)?
        };
        let outcome = LabelsOutcome {
            key,
            labeler: table.clone(),
            history: made.history,
            target_stop: made.target_stop,
            temperature: made.temperature,
            pool_labels: made.labels.pool.len(),
            test_labels: made.labels.test.len(),
            pool: quality(&dataset.train, &made.labels.pool),
            test: quality(&dataset.test, &made.labels.test),
        };
        let base_model = table.model.as_ref().map(|model| model.path.to_string_lossy());
        let adapter = made.adapter.as_ref().zip(base_model.as_deref());
        store.write_weak_labels(&outcome, &made.labels, adapter)?;
        Ok((outcome, made.labels, Origin::Made))
    }

    /// The hash of everything that determines the labels: of the model what stages have in theirs; the examples' ids,
    /// gold labels and texts as the labeler sees them; which are its own; how it is trained and what is done with its
    /// predictions.
    fn key(&self, table: &LabelerTable) -> Result<LabelsKey> {
        let Self { labeler, own, dataset } = *self;
        let mut parts = HashedParts::new(SCHEMA);
        parts.add("kind", table.kind.name().as_bytes());
        if let Some(labeler) = labeler {
            labeler.identify(table, &mut parts)?;
            parts.add("recipe", SharedInputs::canonical_recipe(&table.recipe(own.split.train.len())).as_bytes());
        }
        for (name, number) in [
            ("target accuracy", table.target_accuracy),
            ("sensitivity", table.sensitivity),
            ("specificity", table.specificity),
        ] {
            parts.add(name, number.map(f64::to_le_bytes).as_ref().map_or(&[], |bytes| bytes));
        }
        parts.add("shuffle errors", &[u8::from(table.shuffle_errors)]);
        parts.add("include own examples", &[u8::from(table.include_own_examples)]);
        parts.add("seed", &table.seed.to_le_bytes());
        for examples in [&dataset.train, &dataset.test] {
            parts.add("examples", &(examples.len() as u64).to_le_bytes());
            for example in examples {
                parts.add("id", &example.id.number().to_le_bytes());
                parts.add("gold", &[example.gold.map_or(2, u8::from)]);
                parts.add("text", seen(table, example).as_bytes());
            }
        }
        for indices in [&own.split.train, &own.split.validation] {
            parts.add("own examples", &(indices.len() as u64).to_le_bytes());
            for index in indices {
                let example = &own.examples[*index];
                parts.add("own example", &example.id.number().to_le_bytes());
                if own.from_file {
                    parts.add("own gold", &[example.gold.map_or(2, u8::from)]);
                    parts.add("own text", example.text.as_bytes());
                }
            }
        }
        Ok(LabelsKey(parts.finish()))
    }
}

/// The text that the labeler sees.
fn seen<'a>(table: &LabelerTable, example: &'a Example) -> &'a str {
    example.proxy.as_deref().filter(|_| table.proxy).unwrap_or(&example.text)
}

/// Labels in the order of the examples.
fn in_order(examples: &[Example], labels: &[(ExampleId, f32)]) -> Vec<Option<f32>> {
    let by_id: HashMap<ExampleId, f32> = labels.iter().copied().collect();
    examples.iter().map(|example| by_id.get(&example.id).copied()).collect()
}

fn quality(examples: &[Example], labels: &[(ExampleId, f32)]) -> LabelQuality {
    let pairs = examples.iter().zip(in_order(examples, labels));
    LabelQuality::of(&pairs.filter_map(|(example, weak)| weak.zip(example.gold)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use labelmix_data::SplitFiles;
    use tempfile::TempDir;

    use super::*;

    fn example() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews")
    }

    /// A store and a study on the example's data with this [labeler].
    fn place(labeler: &str) -> (TempDir, Store, Study) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("study.toml");
        let example = example().display().to_string();
        let study = format!(
            "name = 'a'\n[task]\ntrain = '{example}/train.jsonl'\ntest = '{example}/test.jsonl'\n\
             [model]\npath = 'a'\n[labeler]\n{labeler}"
        );
        std::fs::write(&path, study).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let study = Study::read(&path).unwrap();
        (folder, store, study)
    }

    /// Labels a dataset with the example's checkpoint.
    fn label(study: &Study, store: &Store, dataset: &mut Dataset) -> Result<LabelsKey> {
        let checkpoint = example().join("checkpoint");
        let labeling =
            WeakLabeling { store, model_folder: Some(&checkpoint), if_missing: IfMissing::Make, observe: &|_| () };
        let labeled = set_weak_labels(study, dataset, &PrepareOptions::default(), &labeling)?;
        Ok(labeled.expect("the study has a labeler").0.key)
    }

    #[test]
    fn a_labeler_reads_proxy_texts_where_there_are_any() {
        let keys = "model = 'a'\ntrain = 100\nvalidation = 50\nepochs = 1\nlearning_rate = 5e-3\n";
        let (_folder, store, study) = place(keys);
        let (_other, _, with_proxy) = place(&format!("{keys}proxy = true\n"));
        let dataset = study.load_data(&SplitFiles::new()).unwrap();
        let plain = label(&study, &store, &mut dataset.clone()).unwrap();
        let error = label(&with_proxy, &store, &mut dataset.clone()).unwrap_err();
        assert!(matches!(error, Error::NoProxyTexts));

        // Proxies that say the same: the same labels, found under the same key.
        let mut same = dataset.clone();
        same.train[0].proxy = Some(same.train[0].text.clone().into());
        assert_eq!(label(&with_proxy, &store, &mut same).unwrap(), plain);

        // Proxies that are all alike: nothing can be told from them. A labeler that is not asked for them does not care.
        let mut alike = dataset.clone();
        for example in alike.train.iter_mut().chain(&mut alike.test) {
            example.proxy = Some("the soup was good .".into());
        }
        assert_eq!(label(&study, &store, &mut alike).unwrap(), plain);
        assert_ne!(label(&with_proxy, &store, &mut alike).unwrap(), plain);
        let labels: std::collections::BTreeSet<u32> =
            alike.train.iter().filter_map(|example| example.weak).map(f32::to_bits).collect();
        assert_eq!(labels.len(), 1);
    }

    #[test]
    fn a_labeler_may_have_gold_labels_of_its_own() {
        let keys = "model = 'a'\ntrain = 40\nvalidation = 40\nepochs = 1\nlearning_rate = 5e-3\n";
        let texts = |folder: &Path, rows: &str| std::fs::write(folder.join("own.jsonl"), rows).unwrap();
        let of_its_own = |number: usize, gold: usize| {
            format!("{{\"text\": \"this {} is {number}\", \"gold\": {gold}}}\n", ["bad", "good"][gold])
        };
        let (folder, store, study) = place(&format!("{keys}gold_file = 'own.jsonl'\n"));
        let dataset = study.load_data(&SplitFiles::new()).unwrap();
        let mut rows: String = (0..100).map(|number| of_its_own(number, number % 2)).collect();
        // A text that is for sale too, and one of the test set, which the labeler does not get to see.
        let row = |example: &Example, gold: u8| serde_json::json!({"text": &*example.text, "gold": gold}).to_string();
        let sold = (0..60).map(|index| row(&dataset.train[index], 1) + "\n").collect::<String>();
        rows += &(row(&dataset.test[0], 0) + "\n");
        texts(folder.path(), &(rows.clone() + &sold));

        let mut labeled = dataset.clone();
        let key = label(&study, &store, &mut labeled).unwrap();
        let unlabeled = labeled.train.iter().filter(|example| example.weak.is_none()).count();
        assert!(unlabeled > 0 && unlabeled < 40, "{unlabeled} of the 60 are among the 40 that it was trained on");
        assert_eq!(label(&study, &store, &mut dataset.clone()).unwrap(), key);

        // Other labels, another labeler; and labels of its own are not those of the pool.
        texts(folder.path(), &(rows.replace("\"gold\": 1", "\"gold\": 0") + &sold));
        assert_ne!(label(&study, &store, &mut dataset.clone()).unwrap(), key);
        texts(folder.path(), &row(&dataset.test[0], 0));
        let error = label(&study, &store, &mut dataset.clone()).unwrap_err();
        assert!(matches!(error, Error::LabelerStarves { train: 0, validation: 0 }), "{error}");
        std::fs::remove_file(folder.path().join("own.jsonl")).unwrap();
        assert!(label(&study, &store, &mut dataset.clone()).unwrap_err().to_string().contains("own.jsonl"));
    }

    #[test]
    fn the_key_knows_gold_labels_texts_and_the_seed_and_nothing_of_prices() {
        let symmetric = |more: &str| place(&format!("kind = 'symmetric'\ntarget_accuracy = 0.8\n{more}"));
        let (_folder, store, study) = symmetric("");
        let dataset = study.load_data(&SplitFiles::new()).unwrap();
        let key = |study: &Study, dataset: &Dataset| label(study, &store, &mut dataset.clone()).unwrap();
        let base = key(&study, &dataset);
        assert_eq!(key(&symmetric("[prices]\nweak = 0.5\n[recipe]\nbatch_size = 8\n").2, &dataset), base);
        assert_ne!(key(&symmetric("seed = 1\n").2, &dataset), base);
        let mut flipped = dataset.clone();
        flipped.train[0].gold = flipped.train[0].gold.map(|gold| !gold);
        assert_ne!(key(&study, &flipped), base);
        let mut shorter = dataset.clone();
        shorter.train.pop();
        assert_ne!(key(&study, &shorter), base);
    }

    #[test]
    fn the_summary_counts_the_labels_that_were_made() {
        let (_folder, store, study) = place("kind = 'symmetric'\ntarget_accuracy = 0.8\n");
        let mut dataset = study.load_data(&SplitFiles::new()).unwrap();
        assert_eq!(dataset.summary.train.with_weak, 0);
        label(&study, &store, &mut dataset).unwrap();
        let summary = &dataset.summary.train;
        assert_eq!((summary.with_weak, summary.with_both), (summary.kept, summary.kept));
        assert!((summary.weak_accuracy.unwrap() - 0.8).abs() < 0.03);
    }
}
