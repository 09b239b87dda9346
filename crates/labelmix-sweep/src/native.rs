//! The engine that trains in this process.

mod work;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use labelmix_data::Example;
use labelmix_methods::{
    FollowUp, HeadStart, PromptPlan, Recipe, Role, ShotsPlan, StageExample, StageOptions, StagePlan, Start, TrainPlan,
};
use labelmix_models::{Classifier, LanguageModel, Model, ModelShape, Pooling, Tokenizer};
use labelmix_study::{Study, TooLong};
use labelmix_train::{
    Continuation, Error as TrainError, Interrupt, StageProgress, StageRequest, continue_stage, log_odds, lora_settings,
};

use self::work::Work;
use crate::checkpoint::{load_options_of, memory_request, pooling, rounding};
use crate::engine::{Calibration, Engine, StageData, StageJob, StageScores};
use crate::error::Error;
use crate::expansion::Chain;
use crate::key::Fingerprint;
use crate::memory::Demand;
use crate::options::PrepareOptions;
use crate::prompts::{Prompts, ShortenedPrompts};
use crate::purchase::drawn;
use crate::stage_error::StageError;
use crate::tokens::encode_all;

/// Models whose weights take up to this much memory (in bytes) train one run per core; larger ones use all cores for
/// one run.
const SMALL_MODEL_BYTES: u64 = 1 << 30;

/// The time after which a trial of training is broken off, once it has made two steps.
const TRIAL: Duration = Duration::from_secs(3);
/// Texts that are read in a trial.
const TRIAL_READINGS: usize = 64;

/// What stages of a sweep need of an engine, beside their data.
pub(crate) struct Needs<'a> {
    pub(crate) chains: &'a [Chain<'a>],
    /// Texts that are read alone, as token ids.
    pub(crate) train_tokens: Vec<Vec<u32>>,
    pub(crate) test_tokens: Vec<Vec<u32>>,
}

/// Our own trainer, in this process.
pub(crate) struct NativeEngine {
    data: Arc<StageData>,
    too_long: TooLong,
    /// The model's name in adapters.
    base_model: String,
    model: Classifier,
    /// For methods that ask it.
    language_model: Option<LanguageModel>,
    tokenizer: Tokenizer,
    /// For methods that have them.
    prompts: Option<Prompts>,
    train_tokens: Vec<Vec<u32>>,
    test_tokens: Vec<Vec<u32>>,
    parameters: usize,
    slots: usize,
    memory_bytes: u64,
    /// How numbers are rounded beyond what the checkpoint does, if at all.
    rounding: Option<String>,
}

impl NativeEngine {
    /// Loads a study's model, and tokenizes what its stages read.
    ///
    /// # Errors
    /// If the model or the prompts cannot be used, or training would not fit into memory.
    pub(crate) fn load(
        study: &Study,
        folder: &Path,
        tokenizer: Tokenizer,
        data: Arc<StageData>,
        needs: Needs<'_>,
        options: &PrepareOptions,
    ) -> crate::error::Result<Self> {
        let Needs { chains, train_tokens, test_tokens } = needs;
        let shape = ModelShape::read(folder)?;
        let too_long = study.model.too_long;
        let prompted = chains.iter().any(|chain| chain.stages.iter().any(|stage| stage.prompt().is_some()));
        let prompts = if prompted {
            let shots = shots(chains, &data.train);
            Some(Prompts::new(&study.prompt, &tokenizer, too_long, [&data.train, &data.test], shots)?)
        } else {
            None
        };
        let longest = train_tokens.iter().chain(&test_tokens).map(Vec::len).max().unwrap_or(0);
        let longest = longest.max(prompts.as_ref().map_or(0, Prompts::longest));
        let longest = longest.max(longest_follow_up(chains, study, &tokenizer, longest)?);
        let (slots, memory_bytes) = jobs(study, &shape, longest, options)?;
        let load = load_options_of(&study.model, &options.device);
        let model = Classifier::new(&Model::load(folder, &load)?, study.model.pooling.map(pooling))?;
        let mut stages = chains.iter().flat_map(|chain| &chain.stages);
        let language_model =
            if stages.any(needs_language_model) { Some(LanguageModel::new(model.model())?) } else { None };
        let has_words = |chain: &Chain<'_>| chain.stages.iter().any(starts_with_words);
        if let Some(chain) = chains.iter().find(|chain| model.pooling() != Pooling::LastToken && has_words(chain)) {
            return Err(Error::WordsAfterLastToken {
                method: chain.method.to_owned(),
                pooling: model.pooling().name(),
            });
        }
        Ok(Self {
            data,
            too_long,
            base_model: study.model.path.to_string_lossy().into_owned(),
            model,
            language_model,
            tokenizer,
            prompts,
            train_tokens,
            test_tokens,
            parameters: shape.summary().parameters,
            slots,
            memory_bytes,
            rounding: rounding(&load),
        })
    }

    /// What enters the keys of its stages.
    ///
    /// # Errors
    /// If the checkpoint cannot be read.
    pub(crate) fn fingerprint(&self) -> crate::error::Result<Fingerprint> {
        Ok(Fingerprint {
            model: self.model.model().content_hash()?,
            rounding: self.rounding.clone(),
            tokenizer: self.tokenizer.content_hash(),
            pooling: self.model.pooling().name(),
            max_length: self.tokenizer.max_length(),
        })
    }

    /// The model's parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.parameters
    }

    /// Which prompts of test texts are longer than the model's context.
    pub(crate) fn shortened(&self) -> Vec<ShortenedPrompts> {
        self.prompts.as_ref().map_or(Vec::new(), |prompts| prompts.shortened(&self.data.test))
    }

    /// The language model, for a stage that asks it.
    fn language_model(&self) -> &LanguageModel {
        self.language_model.as_ref().expect("a sweep with a stage that asks it has the language model")
    }

    /// The prompts, for a stage that has some.
    fn prompts(&self) -> &Prompts {
        self.prompts.as_ref().expect("a sweep with a stage that has a prompt has prompts")
    }
}

impl Engine for NativeEngine {
    fn slots(&self) -> usize {
        self.slots
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    fn do_stage(
        &self,
        job: &StageJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<StageScores, StageError> {
        let work = Work { engine: self, job, continuation };
        match job.plan {
            StagePlan::Train(training) => work.train(training, out, observe),
            StagePlan::Ask(prompt) => work.ask(prompt),
            StagePlan::Average { .. } => unreachable!("what is averaged is in the store"),
        }
    }

    fn score(&self, texts: &[&str], classifier: &Path) -> Result<Vec<Option<f32>>, StageError> {
        let recipe = &self.data.recipe;
        let mut adapter = self.model.initial_adapter(lora_settings(recipe), 0)?;
        adapter.load(classifier)?;
        let encoded = encode_all(texts, &self.tokenizer, self.too_long)?;
        let readable: Vec<&[u32]> = encoded.iter().flatten().map(Vec::as_slice).collect();
        let mut scores = log_odds(&self.model, &adapter, &readable, recipe.micro_batch_tokens)?.into_iter();
        Ok(encoded.iter().map(|tokens| tokens.as_ref().and_then(|_| scores.next())).collect())
    }

    /// Trains for a few steps and reads some texts.
    fn calibrate(&self) -> crate::error::Result<Calibration> {
        let (model, data) = (&self.model, &*self.data);
        let texts = self.train_tokens.iter().take(8 * data.recipe.batch_size);
        let examples: Vec<StageExample<'_>> =
            texts.enumerate().map(|(place, token_ids)| StageExample::new(token_ids, (place % 2) as f32)).collect();
        let count = examples.len();
        let recipe =
            Recipe { total_examples: count, patience: usize::MAX, evaluate_every: usize::MAX, ..data.recipe.clone() };
        let interrupt = Interrupt::default();
        let (began, mut steps) = (Instant::now(), Vec::new());
        let request = StageRequest {
            model,
            start: model.initial_adapter(lora_settings(&recipe), 0)?,
            examples: &[examples],
            recipe: &recipe,
            options: StageOptions::default(),
            optimizer: None,
            seed: 0,
        };
        let trained = continue_stage(request, Continuation::none(&interrupt), |_| {
            steps.push(began.elapsed());
            if steps.len() > 1 && began.elapsed() > TRIAL {
                interrupt.request();
            }
        });
        // It may have been broken off; and a loss that is no number after a few steps is the sweep's to report.
        if let Err(TrainError::Model(error)) = trained {
            return Err(error.into());
        }
        // The first step fetches everything into memory.
        let seconds = match steps[..] {
            [] => began.elapsed().as_secs_f64(),
            [only] => only.as_secs_f64(),
            [first, .., last] => last.saturating_sub(first).as_secs_f64() / (steps.len() - 1) as f64,
        };
        let (batch, _) = recipe.batch_and_epochs(count);
        let train_seconds = seconds / batch.min(count).max(1) as f64;
        let read: Vec<&[u32]> = self.test_tokens.iter().take(TRIAL_READINGS).map(Vec::as_slice).collect();
        let began = Instant::now();
        let adapter = model.initial_adapter(lora_settings(&recipe), 0)?;
        log_odds(model, &adapter, &read, recipe.micro_batch_tokens).map_err(Error::Trial)?;
        Ok(Calibration { train_seconds, read_seconds: began.elapsed().as_secs_f64() / read.len().max(1) as f64 })
    }
}

/// Whether a stage reads what the checkpoint's own head says, or starts from it.
fn needs_language_model(stage: &StagePlan) -> bool {
    matches!(stage, StagePlan::Ask(_)) || starts_with_words(stage) || follow_up(stage).is_some()
}

fn starts_with_words(stage: &StagePlan) -> bool {
    matches!(stage, StagePlan::Train(TrainPlan { start: Start::Fresh(HeadStart::Words), .. }))
}

fn follow_up(stage: &StagePlan) -> Option<&FollowUp> {
    stage.prompt()?.follow_up.as_ref()
}

/// The most tokens that a follow-up is expected to have, where the longest text has so many.
fn longest_follow_up(
    chains: &[Chain<'_>],
    study: &Study,
    tokenizer: &Tokenizer,
    text: usize,
) -> crate::error::Result<usize> {
    let mut longest = 0;
    for follow_up in chains.iter().flat_map(|chain| chain.stages.iter().filter_map(follow_up)) {
        let around = tokenizer.encode_inner(&format!("{}{}", follow_up.template, study.prompt.before_target))?.len();
        let texts = follow_up.template.matches("{text}").count();
        longest = longest.max((around + follow_up.answer_tokens + texts * text).min(tokenizer.context()));
    }
    Ok(longest)
}

/// The distinct sets of shots: seed, plan, and places among the training examples.
pub(crate) fn shots(chains: &[Chain<'_>], train: &[Example]) -> Vec<(u64, ShotsPlan, Vec<usize>)> {
    let mut seen = HashSet::new();
    let stages = chains.iter().flat_map(|chain| chain.stages.iter().map(move |stage| (chain, stage)));
    stages
        .filter_map(|(chain, stage)| {
            let PromptPlan { shots, .. } = stage.prompt().filter(|prompt| seen.insert((chain.seed, prompt.shots)))?;
            let drawn = drawn(train, chain.pools, stage).into_iter().filter(|drawn| drawn.draw.role == Role::Shot);
            Some((chain.seed, *shots, drawn.flat_map(|drawn| drawn.places).collect()))
        })
        .collect()
}

/// How many runs train at a time: as many as were asked for if they fit into memory, or as many as are useful and fit. And
/// the memory that they take, in bytes.
fn jobs(
    study: &Study,
    shape: &ModelShape,
    longest: usize,
    options: &PrepareOptions,
) -> crate::error::Result<(usize, u64)> {
    let request = memory_request(&study.model, &options.device, &study.recipe, longest);
    let plan = shape.memory(&request);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let useful = if options.device.is_gpu() || plan.weights > SMALL_MODEL_BYTES { 1 } else { cores };
    // What graphics processors have is not known here.
    let Some(available) = options.memory.filter(|_| !options.device.is_gpu()) else {
        let jobs = options.jobs.unwrap_or(useful);
        return Ok((jobs, plan.peak(jobs)));
    };
    let jobs = options.jobs.unwrap_or_else(|| useful.min(plan.runs_that_fit(available)).max(1));
    Demand { request, longest, jobs, tables: ["[recipe]", "[model]"] }.check(shape, available)?;
    Ok((jobs, plan.peak(jobs)))
}
