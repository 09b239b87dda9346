//! The weak labels of a study that has a `[labeler]`: a piece of work as a stage is, which the store keeps under a hash of all
//! that determines it. The stages' keys follow from the labels, so it is done before there is a graph.
//!
//! Everything is decided by ids, gold labels, texts and the seed. An example that the labeler was trained on gets no
//! weak label unless the study asks for it; those it is only validated on do: they decide one number, when to stop.

mod making;
mod own;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use labelmix_data::{Dataset, Example, ExampleId, PromptTemplate};
use labelmix_engine::{Engine, EngineOptions, Error as EngineError, Identity, ModelEngine, in_chat};
use labelmix_llm::{Estimate, Progress as Requests, Question};
use labelmix_models::Error as ModelError;
use labelmix_store::{
    Damage, HashedParts, Holder, KeptLabels, LabelAccuracy, LabelsOutcome, StageKey, Store, StoreError, Watch,
    labeler_checkpoint,
};
use labelmix_study::{LabelerTable, Study, TooLong};
use labelmix_train::{Continuation, Error as TrainError, StageProgress};
use serde::Serialize;

use self::making::Making;
use self::own::{OwnExamples, seen};
use crate::error::{Error, Result};
use crate::key::recipe_part;
use crate::options::{ExecuteOptions, LOOK_EVERY};
use crate::piece::{Attempt, Piece, attempt, failure_record};
use crate::stage_error::StageError;

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
    pub fn made(
        store: &'a Store,
        model_folder: Option<&'a Path>,
        observe: &'a (dyn Fn(LabelerProgress<'_>) + Sync),
    ) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Make, observe, options: None }
    }

    /// The same, but what takes a model is left to others: [`Error::NoWeakLabels`] says that it is missing.
    pub fn unless_trained(self, study: &Study) -> Self {
        let runs_model = study.labeler.as_ref().is_some_and(|labeler| labeler.kind.runs_model());
        Self { if_missing: if runs_model { IfMissing::LeaveToOthers } else { self.if_missing }, ..self }
    }

    /// Labels that the store must have: nothing is trained.
    pub fn kept(store: &'a Store, model_folder: Option<&'a Path>) -> Self {
        Self { store, model_folder, if_missing: IfMissing::Refuse, observe: &|_| (), options: None }
    }

    /// The same, made as a sweep's stages are: their making may be interrupted, and goes on.
    pub fn with(self, options: &'a ExecuteOptions) -> Self {
        Self { options: Some(options), ..self }
    }
}

/// What to do if weak labels are not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfMissing {
    Make,
    /// Say so, to who will have them made; what is damaged is set aside.
    LeaveToOthers,
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
    /// A language model behind a service is asked.
    Requests(Requests<'a>),
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
    options: &EngineOptions,
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
    options: &EngineOptions,
    labeling: &WeakLabeling<'_>,
) -> Result<Option<(LabelsOutcome, Origin)>> {
    set_weak_labels_by(study, dataset, labeling, |table, folder, texts| {
        let mut prompt = study.prompt_template().clone();
        let (engine, readable) = ModelEngine::for_labeler(table, &prompt, folder, texts, options)?;
        if study.asks_in_chat() {
            prompt = in_chat(prompt, engine.tokenizer())?;
        }
        Ok(LabelerEngine { engine: Box::new(engine), readable, prompt })
    })
}

/// The same with the engine that `load` makes, for a labeler whose model is in a folder and that reads these texts.
fn set_weak_labels_by(
    study: &Study,
    dataset: &mut Dataset,
    labeling: &WeakLabeling<'_>,
    load: impl FnOnce(&LabelerTable, &Path, &[&str]) -> labelmix_engine::Result<LabelerEngine>,
) -> Result<Option<(LabelsOutcome, Origin)>> {
    let Some(table) = &study.labeler else { return Ok(None) };
    if table.proxy && dataset.train.iter().all(|example| example.proxy.is_none()) {
        return Err(Error::NoProxyTexts);
    }
    let gold_file = study.load_labeler_gold(&dataset.test)?;
    let engine = if table.kind.runs_model() {
        let folder = labeling.model_folder.expect("who prepares a study with a labeler that runs a model has found it");
        let examples = dataset.train.iter().chain(&dataset.test).chain(gold_file.iter().flatten());
        let texts: Vec<&str> = examples.map(|example| seen(table, example)).collect();
        Some(load(table, folder, &texts).map_err(unreadable)?)
    } else {
        None
    };
    let readable = engine.as_ref().map(|engine| &engine.readable[..]);
    let own = OwnExamples::new(table, gold_file.as_deref(), dataset, readable)?;
    let question = own.question(study, table);
    let inputs =
        Inputs { study: &study.name, engine: engine.as_ref(), question: question.as_ref(), own: &own, dataset };
    let (outcome, labels, origin) = inputs.find_or_make(table, labeling)?;
    let KeptLabels { pool, test } = labels;
    let (train_labels, test_labels) = (in_order(&dataset.train, &pool), in_order(&dataset.test, &test));
    dataset.set_weak_labels(&train_labels, &test_labels);
    Ok(Some((outcome, origin)))
}

/// What it would take to have a study's weak labels from the language model behind a service that it names. Nothing is sent.
///
/// # Errors
/// If the study asks none, or kept answers cannot be read.
pub fn estimate_labels(study: &Study, dataset: &Dataset, store: &Store) -> Result<Estimate> {
    let labeler = study.labeler.as_ref().and_then(|table| Some((table, table.llm.as_ref()?)));
    let (table, llm) = labeler.ok_or_else(|| Error::NothingToBuy { study: study.name.clone() })?;
    let gold_file = study.load_labeler_gold(&dataset.test)?;
    let own = OwnExamples::new(table, gold_file.as_deref(), dataset, None)?;
    let question = own.question(study, table);
    let inputs = Inputs { study: &study.name, engine: None, question: question.as_ref(), own: &own, dataset };
    making::estimate(llm, table, inputs, store)
}

/// What labels are made from.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    /// The study's name.
    study: &'a str,
    /// There if the kind runs a model.
    engine: Option<&'a LabelerEngine>,
    /// There if a language model behind a service is asked.
    question: Option<&'a Question>,
    own: &'a OwnExamples<'a>,
    dataset: &'a Dataset,
}

/// What trains a labeler and labels with it.
struct LabelerEngine {
    engine: Box<dyn Engine>,
    /// Which texts it can read: of the pool, the test set and its own file, in this order.
    readable: Vec<bool>,
    /// How examples become a prompt.
    prompt: PromptTemplate,
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
            Err(StoreError::Damaged { path, reason }) if labeling.if_missing != IfMissing::Refuse => {
                let damage = Damage { path, reason };
                store.set_aside(&store.labels_folder(&key), &damage)?;
                (labeling.observe)(LabelerProgress::Damaged(&damage));
            }
            Err(error) => return Err(error.into()),
        }
        if labeling.if_missing != IfMissing::Make {
            return Err(Error::NoWeakLabels { path: store.labels_folder(&key), key });
        }
        let (usual, watch) = (ExecuteOptions::default(), Watch::default());
        let options = labeling.options.unwrap_or(&usual);
        let piece = LabelsPiece { inputs: *self, table, labeling, key };
        let mut told = false;
        loop {
            options.interrupt.check().map_err(|error| Error::labeler(EngineError::from(error).into()))?;
            match attempt(&piece, store, &watch, options) {
                Ok(Attempt::Kept(((outcome, labels), claim))) => {
                    claim.fulfilled();
                    return Ok((outcome, labels, Origin::Found));
                }
                Ok(Attempt::Made(((outcome, labels), claim))) => {
                    store.remove_labeler_traces(&piece.key)?;
                    claim.fulfilled();
                    return Ok((outcome, labels, Origin::Made));
                }
                Ok(Attempt::Elsewhere(holder)) => {
                    if !std::mem::replace(&mut told, true) {
                        (labeling.observe)(LabelerProgress::Elsewhere(holder.as_ref()));
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(error) => {
                    if error.repeats() {
                        // A failure that cannot be recorded is still reported.
                        let _ = store.write_failure(&failure_record(&piece.key, "the weak labels", self.study, &error));
                    }
                    return Err(Error::labeler(error));
                }
            }
        }
    }

    /// The hash of everything that determines the labels: of the model what stages have in theirs; the examples' ids,
    /// gold labels and texts as the labeler sees them; which are its own; how it is trained and what is done with its
    /// predictions.
    fn key(&self, table: &LabelerTable) -> Result<StageKey> {
        let Self { engine, question, own, dataset, .. } = *self;
        let mut parts = HashedParts::new(SCHEMA);
        parts.add("kind", table.kind.name().as_bytes());
        if let Some((question, llm)) = question.zip(table.llm.as_ref()) {
            parts.add("question", question.key().as_bytes());
            parts.add("texts", llm.texts.map(|texts| (texts as u64).to_le_bytes()).as_ref().map_or(&[], |bytes| bytes));
            parts.add("test", &[u8::from(llm.test)]);
        }
        if let Some(LabelerEngine { engine, prompt, .. }) = engine {
            let Identity { engine, model, rounding, tokenizer, pooling, max_length } = engine.identity()?;
            let is_cut = table.model.as_ref().is_some_and(|model| model.too_long == TooLong::Cut);
            if let Some(engine) = engine {
                parts.add("engine", engine.as_bytes());
            }
            parts.add("model", &model);
            parts.add("rounding", rounding.unwrap_or_default().as_bytes());
            parts.add("tokenizer", &tokenizer);
            parts.add("pooling", pooling.as_bytes());
            parts.add("cut", &[u8::from(is_cut)]);
            if let Some(max_length) = max_length.filter(|_| is_cut) {
                parts.add("max length", &(max_length as u64).to_le_bytes());
            }
            if table.kind.trains() {
                parts.add("recipe", recipe_part(&table.recipe(own.split.train.len())).as_bytes());
            } else {
                parts.add("prompt", &serde_json::to_vec(prompt).expect("a prompt can be written"));
            }
        }
        for (name, number) in [
            ("target accuracy", table.target_accuracy),
            ("sensitivity", table.sensitivity),
            ("specificity", table.specificity),
        ] {
            parts.add(name, number.map(f64::to_le_bytes).as_ref().map_or(&[], |bytes| bytes));
        }
        if let Some(prior) = table.prior {
            parts.add("prior", &prior.to_le_bytes());
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
        own.add_to(&mut parts);
        Ok(StageKey::of(&parts))
    }
}

/// The labels that a table asks for, and the store lacks.
struct LabelsPiece<'a> {
    inputs: Inputs<'a>,
    table: &'a LabelerTable,
    labeling: &'a WeakLabeling<'a>,
    key: StageKey,
}

impl Piece for LabelsPiece<'_> {
    type Outcome = (LabelsOutcome, KeptLabels);

    fn key(&self) -> &StageKey {
        &self.key
    }

    fn checkpoint(&self) -> String {
        labeler_checkpoint(&self.key)
    }

    fn kept(&self, store: &Store) -> std::result::Result<Option<Self::Outcome>, StoreError> {
        store.weak_labels(&self.key)
    }

    fn make(&self, store: &Store, continuation: Continuation<'_>) -> std::result::Result<Self::Outcome, StageError> {
        let Self { inputs, table, labeling, key } = self;
        let dataset = inputs.dataset;
        store.write_weak_labels(key, |folder| {
            let made = if table.shuffle_errors {
                let as_they_fall = LabelerTable { shuffle_errors: false, ..(*table).clone() };
                let (outcome, labels, _) = inputs.find_or_make(&as_they_fall, labeling)?;
                making::shuffle(table.seed, dataset, outcome, &labels)?
            } else {
                making::make(table, *inputs, store, folder, Making { observe: labeling.observe, continuation })?
            };
            let outcome = LabelsOutcome {
                key: key.clone(),
                labeler: (*table).clone(),
                history: made.history,
                target_stop: made.target_stop,
                temperature: made.temperature,
                shift: made.shift,
                bought: made.bought,
                pool_labels: made.labels.pool.len(),
                test_labels: made.labels.test.len(),
                pool: quality(&dataset.train, &made.labels.pool),
                test: quality(&dataset.test, &made.labels.test),
            };
            Ok((outcome, made.labels, made.written))
        })
    }
}

/// What is wrong with a text is said of the labeler.
fn unreadable(error: EngineError) -> Error {
    match error {
        EngineError::Training(TrainError::Model(source @ ModelError::TooLong { .. })) => Error::LabelerText { source },
        error => error.into(),
    }
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
