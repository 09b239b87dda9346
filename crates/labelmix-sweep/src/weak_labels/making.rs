//! Making weak labels: training a labeler, labelling with it, and simulated annotators.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use labelmix_data::{Dataset, Example, ExampleId};
use labelmix_methods::{StageExample, StageHistory, TargetStop};
use labelmix_models::{Adapter, Classifier, Error as ModelError, Model, ModelShape, Tokenizer};
use labelmix_stats::{ClassNoise, MarginNoise, flip_labels, shuffled_errors};
use labelmix_store::{HashedParts, KeptLabels, LabelsOutcome};
use labelmix_study::{LabelerKind, LabelerTable, TooLong};
use labelmix_train::{
    Continuation, LabelerRequest, TrainedLabeler, continue_labeler, log_odds_unless, lora_settings, soft_label,
};

use super::{Inputs, LabelerProgress, OwnExamples, seen};
use crate::checkpoint::{load_options_of, memory_request, pooling, rounding, tokenizer};
use crate::error::{Error, Result};
use crate::memory::Demand;
use crate::options::PrepareOptions;
use crate::tokens::encode_all;

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
    pub(super) adapter: Option<Adapter>,
    pub(super) history: Option<StageHistory>,
    pub(super) target_stop: Option<TargetStop>,
    pub(super) temperature: Option<f64>,
}

/// The labeler's model before it is trained, and the texts as it reads them.
pub(super) struct LoadedLabeler {
    model: Classifier,
    tokenizer_hash: [u8; 32],
    /// The limit to which texts are cut, if it is below the model's own.
    cut_to: Option<usize>,
    rounding: Option<String>,
    /// The training examples' token ids; `None` for a text that is too long and left out.
    pub(super) pool_tokens: Vec<Option<Vec<u32>>>,
    test_tokens: Vec<Option<Vec<u32>>>,
    /// Those of the labeler's own file, if it has one.
    file_tokens: Option<Vec<Option<Vec<u32>>>>,
}

impl LoadedLabeler {
    /// Loads the model in `folder`, unless training it would not fit into memory.
    pub(super) fn load(
        table: &LabelerTable,
        folder: &Path,
        dataset: &Dataset,
        gold_file: Option<&[Example]>,
        options: &PrepareOptions,
    ) -> Result<Self> {
        let settings = table.model.as_ref().expect("a study is checked: a labeler that trains has a model");
        let tokenizer = tokenizer(folder, settings.max_length)?;
        let tokens = |examples: &[Example]| tokenize(table, examples, &tokenizer, settings.too_long);
        let (pool_tokens, test_tokens) = (tokens(&dataset.train)?, tokens(&dataset.test)?);
        let file_tokens = gold_file.map(tokens).transpose()?;
        let load = load_options_of(settings, &options.device);
        // What graphics processors have is not known here.
        if let Some(available) = options.memory.filter(|_| !options.device.is_gpu()) {
            let all = pool_tokens.iter().chain(&test_tokens).chain(file_tokens.iter().flatten());
            let longest = all.flatten().map(Vec::len).max().unwrap_or(0);
            let request = memory_request(settings, &options.device, &table.recipe(1), longest);
            let tables = ["[labeler]", "the model of [labeler]"];
            Demand { request, longest, jobs: 1, tables }.check(&ModelShape::read(folder)?, available)?;
        }
        let model = Classifier::new(&Model::load(folder, &load)?, settings.pooling.map(pooling))?;
        let (tokenizer_hash, rounding) = (tokenizer.content_hash(), rounding(&load));
        let cut_to = tokenizer.max_length().filter(|_| settings.too_long == TooLong::Cut);
        Ok(Self { model, tokenizer_hash, cut_to, rounding, pool_tokens, test_tokens, file_tokens })
    }

    /// The token ids of the examples that the labeler may learn from.
    pub(super) fn own_tokens(&self) -> &[Option<Vec<u32>>] {
        self.file_tokens.as_deref().unwrap_or(&self.pool_tokens)
    }

    /// Adds what determines the model's predictions.
    pub(super) fn identify(&self, table: &LabelerTable, parts: &mut HashedParts) -> Result<()> {
        parts.add("model", &self.model.model().content_hash()?);
        parts.add("rounding", self.rounding.as_deref().unwrap_or_default().as_bytes());
        parts.add("tokenizer", &self.tokenizer_hash);
        parts.add("pooling", self.model.pooling().name().as_bytes());
        parts.add("cut", &[u8::from(table.model.as_ref().is_some_and(|model| model.too_long == TooLong::Cut))]);
        if let Some(max_length) = self.cut_to {
            parts.add("max length", &(max_length as u64).to_le_bytes());
        }
        Ok(())
    }

    fn train(&self, table: &LabelerTable, own: &OwnExamples<'_>, making: Making<'_>) -> Result<TrainedLabeler> {
        let Making { observe, continuation } = making;
        let gold = |indices: &[usize]| -> Vec<StageExample<'_>> {
            let example = |index: &usize| {
                let token_ids = self.own_tokens()[*index].as_ref().expect("a labeler's own examples can be read");
                let gold = own.examples[*index].gold.expect("a labeler's own examples have a gold label");
                StageExample::new(token_ids, f32::from(gold))
            };
            indices.iter().map(example).collect()
        };
        let (train, validation, recipe) =
            (gold(&own.split.train), gold(&own.split.validation), table.recipe(own.split.train.len()));
        let request = LabelerRequest {
            model: &self.model,
            start: self.model.initial_adapter(lora_settings(&recipe), table.seed)?,
            train: &train,
            validation: &validation,
            recipe: &recipe,
            target_accuracy: table.stops_at(),
            seed: table.seed,
        };
        let observe = |progress| observe(LabelerProgress::Training(progress));
        continue_labeler(request, continuation, observe).map_err(Error::Labeler)
    }

    /// The log-odds of the examples of the pool and of the test set that get a label.
    fn predict(
        &self,
        table: &LabelerTable,
        adapter: &Adapter,
        own: &OwnExamples<'_>,
        dataset: &Dataset,
        Making { observe, continuation }: Making<'_>,
    ) -> Result<[Vec<Option<f32>>; 2]> {
        let mut wanted: [Vec<Option<&[u32]>>; 2] =
            [&self.pool_tokens, &self.test_tokens].map(|tokens| tokens.iter().map(Option::as_deref).collect());
        if !table.include_own_examples {
            let trained_on: HashSet<ExampleId> = own.split.train.iter().map(|index| own.examples[*index].id).collect();
            for (tokens, example) in wanted[0].iter_mut().zip(&dataset.train) {
                *tokens = tokens.filter(|_| !trained_on.contains(&example.id));
            }
        }
        let texts: Vec<&[u32]> = wanted.iter().flatten().copied().flatten().collect();
        let micro_batch_tokens = table.recipe(1).micro_batch_tokens;
        let mut scores = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(TEXTS_AT_A_TIME) {
            let scored = log_odds_unless(continuation.interrupt, &self.model, adapter, chunk, micro_batch_tokens);
            scores.extend(scored.map_err(Error::Labeler)?);
            observe(LabelerProgress::Labeling { done: scores.len(), total: texts.len() });
        }
        let mut scores = scores.into_iter();
        Ok(wanted.map(|tokens| tokens.into_iter().map(|tokens| tokens.and_then(|_| scores.next())).collect()))
    }
}

/// The token ids of the texts that the labeler sees.
fn tokenize(
    table: &LabelerTable,
    examples: &[Example],
    tokenizer: &Tokenizer,
    too_long: TooLong,
) -> Result<Vec<Option<Vec<u32>>>> {
    let texts: Vec<&str> = examples.iter().map(|example| seen(table, example)).collect();
    encode_all(&texts, tokenizer, too_long).map_err(|error| match error {
        source @ ModelError::TooLong { .. } => Error::LabelerText { source },
        error => error.into(),
    })
}

/// Makes labels whose errors stay where they fall.
pub(super) fn make(table: &LabelerTable, inputs: Inputs<'_>, making: Making<'_>) -> Result<MadeLabels> {
    let Inputs { labeler, own, dataset } = inputs;
    let splits = [&dataset.train, &dataset.test];
    let Some(labeler) = labeler else {
        let flip = |gold: bool| class_noise(table).flip_probability(gold);
        let [pool, test] = splits.map(|examples| flipped(table, examples, |_, gold| gold.map(flip)));
        return Ok(MadeLabels { labels: KeptLabels { pool: pool?, test: test? }, ..MadeLabels::default() });
    };
    // Inside the pool of threads, because every operation of the model would otherwise have to enter it.
    let (trained, scores) = rayon::scope(|_| {
        let trained = labeler.train(table, own, making)?;
        let scores = labeler.predict(table, &trained.adapter, own, dataset, making)?;
        Ok::<_, Error>((trained, scores))
    })?;
    let mut temperature = None;
    let [pool, test] = if table.kind == LabelerKind::Margin {
        let margins: Vec<f64> = scores[0].iter().flatten().map(|score| f64::from(*score)).collect();
        let target = table.target_accuracy.expect("a study is checked: flips by margin aim at an accuracy");
        let noise = MarginNoise::of_expected_accuracy(&margins, target)?;
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
    let TrainedLabeler { adapter, history, target_stop } = trained;
    let labels = KeptLabels { pool, test };
    Ok(MadeLabels { labels, adapter: Some(adapter), history: Some(history), target_stop, temperature })
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
    Ok(MadeLabels { labels: KeptLabels { pool, test }, adapter: None, history, target_stop, temperature })
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
