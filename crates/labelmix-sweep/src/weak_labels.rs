//! The weak labels of a study that has a `[labeler]`: a stage like any other, which the store keeps under a hash of all
//! that determines it.
//!
//! Everything is decided by ids, gold labels, texts and the seed. An example that the labeler was trained on gets no
//! weak label unless the study asks for it; those it is only validated on do: they decide one number, when to stop.

mod making;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use labelmix_data::{Dataset, Example, ExampleId, ValidationSplit, labeler_split};
use labelmix_store::{
    Claim, Claiming, Damage, HashedParts, Holder, KeptLabels, LabelAccuracy, LabelsKey, LabelsOutcome, Store,
    StoreError, Watch, labeler_checkpoint,
};
use labelmix_study::{LabelerTable, Study};
use labelmix_train::{Continuation, StageProgress};
use serde::Serialize;

use self::making::{LoadedLabeler, Making};
use crate::checkpoint::save_adapter;
use crate::error::{Error, Result};
use crate::key::SharedInputs;
use crate::options::{ExecuteOptions, LOOK_EVERY, PrepareOptions};

/// Raised when the meaning of a labeler changes, so that older labels are not mistaken for newer ones.
const SCHEMA: &str = "labelmix weak labels 2";

/// What is needed to find the weak labels of a study, and to make them.
#[derive(Clone, Copy)]
pub struct WeakLabeling<'a> {
    store: &'a Store,
    /// The folder of the labeler's model: must be there if the study has a labeler that trains one.
    model_folder: Option<&'a Path>,
    if_missing: IfMissing,
    observe: &'a (dyn Fn(LabelerProgress<'_>) + Sync),
    /// How they are made.
    options: Option<&'a ExecuteOptions>,
}

impl<'a> WeakLabeling<'a> {
    /// Labels that are made if the store lacks them; `observe` hears of every step that takes time.
    #[must_use]
    pub fn made(
        store: &'a Store,
        model_folder: Option<&'a Path>,
        observe: &'a (dyn Fn(LabelerProgress<'_>) + Sync),
    ) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Make, observe, options: None }
    }

    /// Labels that the store must have: nothing is trained.
    #[must_use]
    pub fn kept(store: &'a Store, model_folder: Option<&'a Path>) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Refuse, observe: &|_| (), options: None }
    }

    /// The same, made as a sweep's stages are: their making may be interrupted, and goes on.
    #[must_use]
    pub fn with(self, options: &'a ExecuteOptions) -> Self {
        Self { options: Some(options), ..self }
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
pub enum LabelerProgress<'a> {
    /// Labels in the store were damaged; they are set aside and made anew.
    Damaged(&'a Damage),
    /// Another process is making the labels; it is waited for.
    Elsewhere(Option<&'a Holder>),
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
        match store.weak_labels(&key) {
            Ok(Some((outcome, labels))) => return Ok((outcome, labels, Origin::Found)),
            Ok(None) => {}
            Err(StoreError::Damaged { path, reason }) if labeling.if_missing == IfMissing::Make => {
                let damage = Damage { path, reason };
                store.set_aside(&store.labels_folder(&key), &damage)?;
                (labeling.observe)(LabelerProgress::Damaged(&damage));
            }
            Err(error) => return Err(error.into()),
        }
        if labeling.if_missing == IfMissing::Refuse {
            return Err(Error::NoWeakLabels { path: store.labels_folder(&key) });
        }
        let defaults = ExecuteOptions::default();
        let options = labeling.options.unwrap_or(&defaults);
        let Some(claim) = wait_for_claim(&key, labeling, options)? else {
            // Another process has made them.
            return self.find_or_make(table, labeling);
        };
        let checkpoint = store.checkpoint_file(&labeler_checkpoint(&key))?;
        let continuation =
            Continuation { file: Some(&checkpoint), every: options.keep_every, interrupt: &options.interrupt };
        let dataset = self.dataset;
        let made = if table.shuffle_errors {
            let as_they_fall = LabelerTable { shuffle_errors: false, ..table.clone() };
            let (outcome, labels, _) = self.find_or_make(&as_they_fall, labeling)?;
            making::shuffle(table.seed, dataset, outcome, &labels)?
        } else {
            making::make(table, *self, Making { observe: labeling.observe, continuation })?
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
        store.write_weak_labels(&outcome, &made.labels, |folder| match (&made.adapter, &base_model) {
            (Some(adapter), Some(base_model)) => save_adapter(adapter, folder, base_model),
            _ => Ok(()),
        })?;
        continuation.forget().map_err(StoreError::io(&checkpoint))?;
        claim.fulfilled();
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
        Ok(LabelsKey::of(&parts))
    }
}

/// The right to make labels; waits while another process makes them, `None` if it has done so.
fn wait_for_claim(key: &LabelsKey, labeling: &WeakLabeling<'_>, options: &ExecuteOptions) -> Result<Option<Claim>> {
    let (store, watch) = (labeling.store, Watch::default());
    let mut told = false;
    loop {
        options.interrupt.check().map_err(Error::Labeler)?;
        match store.claim(&key.to_string(), &watch)? {
            Claiming::Mine(claim) if store.labels_folder(key).exists() => {
                claim.fulfilled();
                return Ok(None);
            }
            Claiming::Mine(claim) => return Ok(Some(claim)),
            Claiming::Held(holder) => {
                if !std::mem::replace(&mut told, true) {
                    (labeling.observe)(LabelerProgress::Elsewhere(holder.as_ref()));
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
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

fn quality(examples: &[Example], labels: &[(ExampleId, f32)]) -> LabelAccuracy {
    let pairs = examples.iter().zip(in_order(examples, labels));
    LabelAccuracy::of(&pairs.filter_map(|(example, weak)| weak.zip(example.gold)).collect::<Vec<_>>())
}
