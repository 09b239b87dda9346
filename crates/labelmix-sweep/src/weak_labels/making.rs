//! Making weak labels: training a labeler, labelling with it, and simulated annotators.

use std::collections::HashMap;
use std::path::Path;

use labelmix_data::{Dataset, Example, ExampleId, SeededOrder};
use labelmix_engine::{Engine, LabelerJob, LabelerTraining};
use labelmix_llm::{Bought, Error as LlmError, Estimate, Progress as Requests, Purchase, Service};
use labelmix_methods::{ShotOrder, StageHistory, TargetStop, prior_shift};
use labelmix_stats::{ClassNoise, MarginNoise, flip_labels, shuffled_errors};
use labelmix_store::{KeptLabels, KeptShot, LabelsOutcome, PromptFile, Shortened, Store, Tally};
use labelmix_study::{LabelerKind, LabelerTable, LlmTable};
use labelmix_train::{Continuation, Error as TrainError, soft_label};

use super::own::{OwnExamples, seen};
use super::{Inputs, LabelerEngine, LabelerProgress};
use crate::error::{Error, Result};
use crate::stage_error::StageError;

/// Texts between two reports of progress.
const TEXTS_AT_A_TIME: usize = 256;

pub(super) type Observe<'a> = &'a (dyn Fn(LabelerProgress<'_>) + Sync);

/// How labels are made: who hears of it, and how a training goes on.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) observe: Observe<'a>,
    pub(super) continuation: Continuation<'a>,
}

/// Labels that were made, and how.
#[derive(Default)]
pub(super) struct MadeLabels {
    pub(super) labels: KeptLabels,
    pub(super) history: Option<StageHistory>,
    pub(super) target_stop: Option<TargetStop>,
    pub(super) temperature: Option<f64>,
    /// What was added to a language model's log-odds.
    pub(super) shift: Option<f64>,
    /// What a language model's labels took.
    pub(super) bought: Option<Tally>,
    /// The files that were written.
    pub(super) written: Vec<String>,
}

impl MadeLabels {
    /// The same, shifted so that the mean label of the pool is the share of class 1 that the study believes in, as far as the texts
    /// can tell.
    fn calibrated(mut self, table: &LabelerTable) -> Self {
        let Some(prior) = table.prior else { return self };
        // What is quite sure stays so, as far as f32 goes.
        let log_odds = |label: f32| (label / (1.0 - label)).ln().clamp(-16.0, 16.0);
        let pool: Vec<f32> = self.labels.pool.iter().map(|(_, label)| log_odds(*label)).collect();
        let shift = prior_shift(&pool, prior);
        for (_, label) in self.labels.pool.iter_mut().chain(&mut self.labels.test) {
            *label = soft_label(log_odds(*label) + shift);
        }
        Self { shift: Some(f64::from(shift)), ..self }
    }
}

/// Trains a labeler into a folder.
fn train(
    engine: &dyn Engine,
    table: &LabelerTable,
    inputs: Inputs<'_>,
    folder: &Path,
    Making { observe, continuation }: Making<'_>,
) -> labelmix_engine::Result<LabelerTraining> {
    let own = inputs.own;
    let job = LabelerJob {
        train: own.gold(&own.split.train, table).collect(),
        validation: own.gold(&own.split.validation, table).collect(),
        recipe: &table.recipe(own.split.train.len()),
        target_accuracy: table.stops_at(),
        seed: table.seed,
    };
    engine.train_labeler(&job, folder, continuation, &mut |progress| observe(LabelerProgress::Training(progress)))
}

/// Keeps what stands before the texts that a language model of this machine is asked about.
fn prepare(engine: &LabelerEngine, table: &LabelerTable, own: &OwnExamples<'_>, folder: &Path) -> Result<Vec<String>> {
    let shots = own
        .gold(&own.split.train, table)
        .map(|(text, class)| KeptShot { text: text.to_owned(), class: u8::from(class) });
    let prompt = PromptFile {
        template: engine.prompt.clone(),
        order: ShotOrder::OneForAll,
        seed: table.seed,
        follow_up: None,
        asks_language_model: true,
        shots: shots.collect(),
        shortened: Shortened::default(),
    };
    Ok(vec![Store::write_prompt(folder, &prompt)?])
}

/// Has `with` do something with the purchase of the labels of these examples.
fn with_purchase<T>(
    llm: &LlmTable,
    table: &LabelerTable,
    inputs: Inputs<'_>,
    store: &Store,
    asked: &[(usize, &Example)],
    with: impl FnOnce(Purchase<'_>) -> T,
) -> T {
    let question = inputs.question.expect("a study that names a service has a question");
    let texts: Vec<&str> = asked.iter().map(|(_, example)| seen(table, example)).collect();
    let answers = &store.answers_file(&question.key());
    let LlmTable { usd_per_million: rates, max_usd, batch, .. } = *llm;
    with(Purchase { question, rates, max_usd, answers, batch, texts: &texts })
}

/// What [`ask`] would take.
pub(super) fn estimate(llm: &LlmTable, table: &LabelerTable, inputs: Inputs<'_>, store: &Store) -> Result<Estimate> {
    let asked = inputs.asked(llm, table);
    Ok(with_purchase(llm, table, inputs, store, &asked, |purchase| purchase.estimate(llm.concurrency))?)
}

/// Asks a language model behind a service for the labels of the pool, or of some of it, and of the test set if it is to have some.
fn ask(
    llm: &LlmTable,
    table: &LabelerTable,
    inputs: Inputs<'_>,
    store: &Store,
    Making { observe, continuation }: Making<'_>,
) -> std::result::Result<MadeLabels, StageError> {
    let service = Service::of(llm, |name| std::env::var_os(name)).map_err(Error::from)?;
    let asked = inputs.asked(llm, table);
    let interrupted = || continuation.interrupt.is_requested();
    let observe = |progress: Requests<'_>| observe(LabelerProgress::Requests(progress));
    let bought =
        with_purchase(llm, table, inputs, store, &asked, |purchase| purchase.make(&service, &interrupted, &observe));
    let Bought { labels, tally } = bought.map_err(|error| match error {
        LlmError::Interrupted => StageError::Engine(TrainError::Interrupted.into()),
        error => Error::from(error).into(),
    })?;
    let mut kept = KeptLabels::default();
    for ((split, example), label) in asked.iter().zip(labels) {
        let labels = if *split == 0 { &mut kept.pool } else { &mut kept.test };
        labels.extend(label.map(|label| (example.id, label)));
    }
    Ok(MadeLabels { labels: kept, bought: Some(tally), ..MadeLabels::default() })
}

impl<'a> Inputs<'a> {
    /// The examples that a service is asked about, with 0 for the pool and 1 for the test set. Which of the pool, an order decides
    /// that depends on the seed and the examples' ids alone.
    pub(super) fn asked(&self, llm: &LlmTable, table: &LabelerTable) -> Vec<(usize, &'a Example)> {
        let left_out = self.own.left_out(table);
        let order = SeededOrder::new("labelmix-sweep 1 texts of a language model", table.seed);
        let mut pool: Vec<&Example> =
            self.dataset.train.iter().filter(|example| !left_out.contains(&example.id)).collect();
        pool.sort_by_cached_key(|example| order.place(example.id.number()));
        pool.truncate(llm.texts.unwrap_or(usize::MAX));
        let test = self.dataset.test.iter().filter(|_| llm.test);
        pool.into_iter().map(|example| (0, example)).chain(test.map(|example| (1, example))).collect()
    }
}

/// The log-odds of the examples of the pool and of the test set that get a label, by the labeler in a folder.
fn predict(
    LabelerEngine { engine, readable, .. }: &LabelerEngine,
    table: &LabelerTable,
    inputs: Inputs<'_>,
    folder: &Path,
    Making { observe, continuation }: Making<'_>,
) -> labelmix_engine::Result<[Vec<Option<f32>>; 2]> {
    let (left_out, dataset) = (inputs.own.left_out(table), inputs.dataset);
    let examples: Vec<&Example> = dataset.train.iter().chain(&dataset.test).collect();
    let texts: Vec<&str> = examples.iter().map(|example| seen(table, example)).collect();
    let mut is_wanted = readable[..texts.len()].to_vec();
    for (wanted, example) in is_wanted.iter_mut().zip(&dataset.train) {
        *wanted &= !left_out.contains(&example.id);
    }
    let wanted: Vec<&str> =
        texts.iter().zip(&is_wanted).filter(|(_, wanted)| **wanted).map(|(text, _)| *text).collect();
    let scorer = engine.scorer(folder)?;
    let mut scores: Vec<f32> = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(TEXTS_AT_A_TIME) {
        scores.extend(scorer.score(chunk, continuation.interrupt)?.log_odds());
        observe(LabelerProgress::Labeling { done: scores.len(), total: wanted.len() });
    }
    let mut scores = scores.into_iter();
    let mut all = is_wanted.into_iter().map(|wanted| if wanted { scores.next() } else { None });
    let pool = all.by_ref().take(dataset.train.len()).collect();
    Ok([pool, all.collect()])
}

/// Makes labels whose errors stay where they fall; what is trained is written to a folder.
pub(super) fn make(
    table: &LabelerTable,
    inputs: Inputs<'_>,
    store: &Store,
    folder: &Path,
    making: Making<'_>,
) -> std::result::Result<MadeLabels, StageError> {
    let Inputs { engine, own, dataset, .. } = inputs;
    let splits = [&dataset.train, &dataset.test];
    if let Some(llm) = &table.llm {
        return Ok(ask(llm, table, inputs, store, making)?.calibrated(table));
    }
    let Some(engine) = engine else {
        let flip = |gold: bool| class_noise(table).flip_probability(gold);
        let [pool, test] = splits.map(|examples| flipped(table, examples, |_, gold| gold.map(flip)));
        return Ok(MadeLabels { labels: KeptLabels { pool: pool?, test: test? }, ..MadeLabels::default() });
    };
    // Inside the pool of threads, because every operation of the model would otherwise have to enter it.
    let (MadeLabels { history, target_stop, written, .. }, scores) = rayon::scope(|_| {
        let made = if table.kind.trains() {
            let LabelerTraining { history, target_stop, written } =
                train(&*engine.engine, table, inputs, folder, making)?;
            MadeLabels { history: Some(history), target_stop, written, ..MadeLabels::default() }
        } else {
            MadeLabels { written: prepare(engine, table, own, folder)?, ..MadeLabels::default() }
        };
        let scores = predict(engine, table, inputs, folder, making)?;
        Ok::<_, StageError>((made, scores))
    })?;
    let mut temperature = None;
    let [pool, test] = if table.kind == LabelerKind::Margin {
        let margins: Vec<f64> = scores[0].iter().flatten().map(|score| f64::from(*score)).collect();
        let target = table.target_accuracy.expect("a study is checked: flips by margin aim at an accuracy");
        let noise = MarginNoise::of_expected_accuracy(&margins, target).map_err(Error::from)?;
        temperature = Some(noise.temperature);
        let [pool, test] = [0, 1].map(|split| {
            flipped(table, splits[split], |index, gold| {
                scores[split][index].zip(gold).map(|(score, _)| noise.flip_probability(f64::from(score)))
            })
        });
        [pool?, test?]
    } else {
        [0, 1].map(|split| {
            let labels = splits[split].iter().zip(&scores[split]);
            labels.filter_map(|(example, score)| score.map(|score| (example.id, soft_label(score)))).collect()
        })
    };
    let labels = KeptLabels { pool, test };
    let made = MadeLabels { labels, history, target_stop, temperature, written, ..MadeLabels::default() };
    Ok(made.calibrated(table))
}

/// How often a simulated annotator errs in either class.
fn class_noise(table: &LabelerTable) -> ClassNoise {
    match (table.target_accuracy, table.sensitivity, table.specificity) {
        (Some(accuracy), _, _) => ClassNoise::symmetric(accuracy),
        (None, Some(sensitivity), Some(specificity)) => ClassNoise { sensitivity, specificity },
        _ => unreachable!("a study is checked: an annotator has an accuracy, or one for each class"),
    }
}

/// Gold labels, flipped with a probability that `flip` tells from an example's index and gold label; none where it
/// says nothing.
fn flipped(
    table: &LabelerTable,
    examples: &[Example],
    flip: impl Fn(usize, Option<bool>) -> Option<f64>,
) -> Result<Vec<(ExampleId, f32)>> {
    let (mut ids, mut gold, mut probabilities) = (Vec::new(), Vec::new(), Vec::new());
    for (index, example) in examples.iter().enumerate() {
        if let Some((probability, label)) = flip(index, example.gold).zip(example.gold) {
            ids.push(example.id);
            gold.push(label);
            probabilities.push(probability);
        }
    }
    let numbers: Vec<u64> = ids.iter().map(|id| id.number()).collect();
    let labels = flip_labels(&gold, &numbers, &probabilities, table.seed)?;
    Ok(ids.into_iter().zip(labels).map(|(id, label)| (id, f32::from(label))).collect())
}

/// The same labels with the errors of either split dealt out anew. Those of examples without a gold label stay as they
/// are.
pub(super) fn shuffle(seed: u64, dataset: &Dataset, outcome: LabelsOutcome, labels: &KeptLabels) -> Result<MadeLabels> {
    let LabelsOutcome { history, target_stop, temperature, .. } = outcome;
    let pool = with_shuffled_errors(seed, &dataset.train, &labels.pool)?;
    let test = with_shuffled_errors(seed, &dataset.test, &labels.test)?;
    let labels = KeptLabels { pool, test };
    Ok(MadeLabels { labels, history, target_stop, temperature, ..MadeLabels::default() })
}

/// Errors come back as doubles. Rounding them to f32 moves none across one half: an error is the distance of an f32 from 0
/// or 1, so if it is below one half it is so by 2⁻²⁵ or more, which an f32 can tell; and one half itself counts as 1.
fn with_shuffled_errors(seed: u64, examples: &[Example], labels: &[(ExampleId, f32)]) -> Result<Vec<(ExampleId, f32)>> {
    let gold: HashMap<ExampleId, bool> =
        examples.iter().filter_map(|example| Some((example.id, example.gold?))).collect();
    let (mut ids, mut weak, mut golds) = (Vec::new(), Vec::new(), Vec::new());
    for (id, label) in labels {
        if let Some(gold) = gold.get(id) {
            ids.push(id.number());
            weak.push(f64::from(*label));
            golds.push(*gold);
        }
    }
    let mut shuffled = shuffled_errors(&weak, &golds, &ids, seed)?.into_iter();
    let label = |(id, label): &(ExampleId, f32)| {
        let shuffled = gold.get(id).and_then(|_| shuffled.next());
        (*id, shuffled.map_or(*label, |shuffled| shuffled as f32))
    };
    Ok(labels.iter().map(label).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prior_moves_the_threshold_and_no_order() {
        let labels = |labels: &[f32]| -> Vec<(ExampleId, f32)> {
            let id = |place: usize| ExampleId::exact(&place.to_string());
            labels.iter().enumerate().map(|(place, label)| (id(place), *label)).collect()
        };
        let leaning: Vec<f32> = (0..200).map(|place| 0.55 + 0.002 * place as f32).collect();
        let made = || MadeLabels {
            labels: KeptLabels { pool: labels(&leaning), test: labels(&[0.75, 1.0, 0.0]) },
            ..MadeLabels::default()
        };
        let table = LabelerTable { kind: LabelerKind::Llm, prior: Some(0.5), ..LabelerTable::default() };
        let shifted = made().calibrated(&table);
        let values: Vec<f32> = shifted.labels.pool.iter().map(|(_, label)| *label).collect();
        assert!(values.is_sorted());
        let mean = values.iter().sum::<f32>() / 200.0;
        assert!(
            (mean - 0.5).abs() < 0.02 && shifted.shift.is_some_and(|shift| shift < -1.0),
            "{mean} {:?}",
            shifted.shift
        );
        let test: Vec<f32> = shifted.labels.test.iter().map(|(_, label)| *label).collect();
        assert!((test[0] - 0.5).abs() < 0.05 && test[1] > 0.999 && test[2] < 0.001, "{test:?}");
        let without = LabelerTable { prior: None, ..table };
        assert_eq!(made().calibrated(&without).labels, made().labels);
    }
}
