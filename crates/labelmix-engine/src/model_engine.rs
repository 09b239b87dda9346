//! The engine that trains models: what it decides is the same whoever runs them.

mod labeler;
mod scorer;
mod stage;
mod trial;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use labelmix_data::{Example, PromptTemplate};
use labelmix_methods::{FollowUp, HeadStart, PromptPlan, Recipe, ShotsPlan, StagePlan, Start, TrainPlan};
use labelmix_models::{Model, ModelShape, Pooling, TextLimit, Tokenizer};
use labelmix_store::RunFile;
use labelmix_study::{LabelerTable, ModelTable, Study, TooLong};
use labelmix_train::{AnswerEncoder, Backend, Continuation, Interrupt, NativeBackend, Reading, StageProgress};

use crate::checkpoint::{load_options_of, memory_request, pooling, rounding, run_load_options, run_pooling, tokenizer};
use crate::engine::{
    Calibration, Engine, EngineOptions, Identity, LabelerJob, LabelerTraining, Scorer, StageData, StageJob,
    StageScores, in_digits,
};
use crate::error::{Error, Result};
use crate::memory::Demand;
use crate::probe::HiddenStates;
use crate::prompts::{Prompts, ShortenedPrompts};
use crate::tokens::encode_all;
use crate::worker::{Running, WorkerBackend, WorkerOptions};

/// Models whose weights take up to this much memory (in bytes) train one run per core; larger ones use all cores for
/// one run.
const SMALL_MODEL_BYTES: u64 = 1 << 30;

/// A stage that an engine is prepared for.
pub struct NeededStage<'a> {
    /// The method, by its name in the study.
    pub method: &'a str,
    pub seed: u64,
    /// What it does.
    pub plan: &'a StagePlan,
    /// What stands in its prompts, as places among the training examples.
    pub shots: Vec<usize>,
}

/// Fine-tunes a model that a [`Backend`] runs, and asks it.
pub struct ModelEngine {
    backend: Box<dyn Backend>,
    tokenizer: Tokenizer,
    too_long: TooLong,
    recipe: Recipe,
    /// The model's name in adapters.
    base_model: String,
    /// Who runs the model, if not this process: for keys, and in more detail for records.
    runner: Option<[String; 2]>,
    /// How numbers are rounded beyond what the checkpoint does, if at all.
    rounding: Option<String>,
    parameters: usize,
    slots: usize,
    memory_bytes: u64,
    texts: SweepTexts,
}

/// What the stages of a sweep read.
#[derive(Default)]
struct SweepTexts {
    data: Arc<StageData>,
    /// Texts that are read alone, as token ids.
    train: Vec<Vec<u32>>,
    test: Vec<Vec<u32>>,
    /// For methods that have them.
    prompts: Option<Prompts>,
}

impl ModelEngine {
    /// For these stages of a study, whose texts are tokenized.
    ///
    /// # Errors
    /// If the model or the prompts cannot be used, or training would not fit into memory.
    pub fn for_sweep(
        study: &Study,
        folder: &Path,
        tokenizer: Tokenizer,
        data: Arc<StageData>,
        [train, test]: [Vec<Vec<u32>>; 2],
        needed: &[NeededStage<'_>],
        options: &EngineOptions,
    ) -> Result<Self> {
        let too_long = study.model.too_long;
        let prompts = if needed.iter().any(|stage| stage.plan.prompt().is_some()) {
            let examples: [&[Example]; 2] = [&data.train, &data.test];
            Some(Prompts::new(&data.prompt, &tokenizer, too_long, examples, shots(needed))?)
        } else {
            None
        };
        if needed.iter().any(|stage| matches!(stage.plan, StagePlan::Judge(_))) {
            let before_answer = data.before_answer.as_deref().unwrap_or_default();
            let encoder = AnswerEncoder::new(before_answer, &tokenizer, TextLimit::Refuse)?;
            data.train.iter().chain(&data.test).try_for_each(|example| encoder.split(&example.text).map(drop))?;
        }
        let longest = train.iter().chain(&test).map(Vec::len).max().unwrap_or(0);
        let longest = longest.max(prompts.as_ref().map_or(0, Prompts::longest));
        let longest = longest.max(longest_follow_up(needed, &data.prompt, &tokenizer, longest)?);
        let trainings = needed.iter().filter_map(|stage| stage.plan.training());
        let lora_rank = trainings.map(|training| training.recipe(&study.recipe).lora_rank).max();
        let recipe = &Recipe { lora_rank: lora_rank.unwrap_or(study.recipe.lora_rank), ..study.recipe.clone() };
        let place = Place { folder, settings: &study.model, recipe, tables: ["[recipe]", "[model]"] };
        let mut engine = place.load(tokenizer, longest, options)?;
        if needed.iter().any(|stage| needs_language_model(stage.plan)) {
            engine.backend.check_language_model()?;
        }
        let pooling = engine.backend.pooling();
        let of_words = |stage: &&NeededStage<'_>| pooling != Pooling::LastToken && starts_with_words(stage.plan);
        if let Some(NeededStage { method, .. }) = needed.iter().find(of_words) {
            return Err(Error::WordsAfterLastToken { method: (*method).to_owned(), pooling: pooling.name() });
        }
        engine.texts = SweepTexts { data, train, test, prompts };
        Ok(engine)
    }

    /// For a labeler that reads these texts, by themselves or in these words, unless it would not fit into memory; and which of them
    /// it can read.
    ///
    /// # Errors
    /// If the model cannot be used, or a text not be read.
    ///
    /// # Panics
    /// If the labeler runs no model.
    pub fn for_labeler(
        table: &LabelerTable,
        prompt: &PromptTemplate,
        folder: &Path,
        texts: &[&str],
        options: &EngineOptions,
    ) -> Result<(Self, Vec<bool>)> {
        let settings = table.model.as_ref().expect("a labeler that runs a model has one");
        let tokenizer = tokenizer(folder, settings.max_length)?;
        let tokens = encode_all(texts, &tokenizer, settings.too_long)?;
        let mut longest = tokens.iter().flatten().map(Vec::len).max().unwrap_or(0);
        if table.kind.asks() {
            let around = tokenizer.encode_inner(&prompt.shot("", true))?.len();
            longest = ((longest + around) * (table.own_labels()[0] + 1)).min(tokenizer.context());
        }
        let recipe = &table.recipe(1);
        let place = Place { folder, settings, recipe, tables: ["[labeler]", "the model of [labeler]"] };
        let engine = place.load(tokenizer, longest, &EngineOptions { jobs: Some(1), ..options.clone() })?;
        Ok((engine, tokens.iter().map(Option::is_some).collect()))
    }

    /// For the classifiers of a run: it scores, and trains nothing.
    ///
    /// # Errors
    /// If the checkpoint is not that of the run.
    pub fn for_run(run: &RunFile, too_long: TooLong, options: &EngineOptions) -> Result<Self> {
        let (folder, pooling) = (&run.model_path, run_pooling(run));
        let backend: Box<dyn Backend> = if let Some(worker) = &options.worker {
            let (weights, products) = (run.weights, run.matmul_precision);
            let running = Running { weights, products, activation_checkpointing: false, pooling };
            Box::new(WorkerBackend::new(folder, running, worker, options.jobs)?)
        } else {
            let model = Model::load(folder, &run_load_options(run))?;
            Box::new(NativeBackend::new(&model, pooling)?)
        };
        if let Some(hash) = &run.model_blake3
            && *hash != in_digits(&backend.content_hash()?)
        {
            return Err(Error::OtherModel { run: run.record.run.clone(), path: run.model_path.clone() });
        }
        Ok(Self::new(backend, tokenizer(folder, run.max_length)?, too_long, &run.recipe, folder))
    }

    fn new(
        backend: Box<dyn Backend>,
        tokenizer: Tokenizer,
        too_long: TooLong,
        recipe: &Recipe,
        base_model: &Path,
    ) -> Self {
        Self {
            backend,
            tokenizer,
            too_long,
            recipe: recipe.clone(),
            base_model: base_model.to_string_lossy().into_owned(),
            runner: None,
            rounding: None,
            parameters: 0,
            slots: 1,
            memory_bytes: 0,
            texts: SweepTexts::default(),
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Which prompts of test texts are longer than the model's context.
    pub fn shortened(&self) -> Vec<ShortenedPrompts> {
        self.texts.prompts.as_ref().map_or(Vec::new(), |prompts| prompts.shortened(&self.texts.data.test))
    }

    /// How the model reads texts.
    fn reading<'a>(&self, interrupt: &'a Interrupt) -> Reading<'a> {
        Reading { batch_tokens: self.recipe.micro_batch_tokens, interrupt }
    }

    /// The prompts, for a stage that has some.
    fn prompts(&self) -> &Prompts {
        self.texts.prompts.as_ref().expect("a sweep with a stage that has a prompt has prompts")
    }
}

impl Engine for ModelEngine {
    fn identity(&self) -> Result<Identity> {
        Ok(Identity {
            engine: self.runner.as_ref().map(|[identity, _]| identity.clone()),
            model: self.backend.content_hash()?,
            rounding: self.rounding.clone(),
            tokenizer: self.tokenizer.content_hash(),
            pooling: self.backend.pooling().name(),
            max_length: self.tokenizer.max_length(),
        })
    }

    fn runner(&self) -> Option<String> {
        self.runner.as_ref().map(|[_, details]| details.clone())
    }

    fn parameters(&self) -> usize {
        self.parameters
    }

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
    ) -> Result<StageScores> {
        let work = stage::Work { engine: self, job, continuation };
        match job.plan {
            StagePlan::Train(training) => work.train(training, out, observe),
            StagePlan::Ask(prompt) => work.ask(prompt),
            StagePlan::Judge(score) => work.judge(*score, out),
            StagePlan::Probe(_) | StagePlan::Average { .. } => {
                unreachable!("whoever asks does these without an engine")
            }
        }
    }

    fn train_labeler(
        &self,
        job: &LabelerJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<LabelerTraining> {
        labeler::train(self, job, out, continuation, observe)
    }

    fn readable(&self, texts: &[&str]) -> Result<Vec<bool>> {
        Ok(encode_all(texts, &self.tokenizer, self.too_long)?.iter().map(Option::is_some).collect())
    }

    fn hidden_states(&self, layers: Option<usize>, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<HiddenStates>> {
        let tokens = scorer::alone(self, texts)?;
        let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let read = self.backend.hidden_states(layers, &tokens, self.reading(interrupt))?;
        self.backend.check_unchanged()?;
        Ok(read.into_iter().map(HiddenStates::from).collect())
    }

    fn scorer(&self, folder: &Path) -> Result<Box<dyn Scorer + '_>> {
        Ok(Box::new(scorer::KeptScorer::new(self, folder)?))
    }

    fn calibrate(&self) -> Result<Calibration> {
        trial::calibrate(self)
    }
}

/// A checkpoint, and what the study says of it and of training it.
#[derive(Clone, Copy)]
struct Place<'a> {
    folder: &'a Path,
    settings: &'a ModelTable,
    recipe: &'a Recipe,
    /// Where the study says so: what advice refers to.
    tables: [&'static str; 2],
}

impl Place<'_> {
    /// Loads the model, if so many runs train at a time as were asked for, or as many as are useful and fit into memory.
    fn load(self, tokenizer: Tokenizer, longest: usize, options: &EngineOptions) -> Result<ModelEngine> {
        let Self { folder, settings, recipe, tables } = self;
        if let Some(worker) = &options.worker {
            return self.load_elsewhere(tokenizer, worker, options.jobs);
        }
        let shape = ModelShape::read(folder)?;
        let request = memory_request(settings, recipe, longest);
        let plan = shape.memory(&request);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let useful = if plan.weights > SMALL_MODEL_BYTES { 1 } else { cores };
        let slots = match options.memory {
            None => options.jobs.unwrap_or(useful),
            Some(available) => {
                let jobs = options.jobs.unwrap_or_else(|| useful.min(plan.runs_that_fit(available)).max(1));
                Demand { request, longest, jobs, tables }.check(&shape, available)?;
                jobs
            }
        };
        let load = load_options_of(settings);
        let backend = NativeBackend::new(&Model::load(folder, &load)?, settings.pooling.map(pooling))?;
        let engine = ModelEngine::new(Box::new(backend), tokenizer, settings.too_long, recipe, &settings.path);
        let (parameters, memory_bytes) = (shape.summary().parameters, plan.peak(slots));
        Ok(ModelEngine { rounding: rounding(&load), parameters, slots, memory_bytes, ..engine })
    }

    /// Has workers load the model.
    fn load_elsewhere(self, tokenizer: Tokenizer, worker: &WorkerOptions, jobs: Option<usize>) -> Result<ModelEngine> {
        let Self { folder, settings, recipe, .. } = self;
        let running = Running {
            weights: settings.weights,
            products: settings.matmul_precision,
            activation_checkpointing: settings.activation_checkpointing,
            pooling: settings.pooling.map(pooling),
        };
        let backend = WorkerBackend::new(folder, running, worker, jobs)?;
        let (parameters, slots, memory_bytes) = (backend.parameters(), backend.slots(), backend.memory_bytes());
        let runner = Some([backend.identity(), backend.details()]);
        let engine = ModelEngine::new(Box::new(backend), tokenizer, settings.too_long, recipe, &settings.path);
        Ok(ModelEngine { runner, parameters, slots, memory_bytes, ..engine })
    }
}

/// Whether a stage reads what the checkpoint's own head says, or starts from it.
fn needs_language_model(stage: &StagePlan) -> bool {
    matches!(stage, StagePlan::Ask(_) | StagePlan::Judge(_)) || starts_with_words(stage) || follow_up(stage).is_some()
}

fn starts_with_words(stage: &StagePlan) -> bool {
    matches!(stage, StagePlan::Train(TrainPlan { start: Start::Fresh(HeadStart::Words), .. }))
}

fn follow_up(stage: &StagePlan) -> Option<&FollowUp> {
    stage.prompt()?.follow_up.as_ref()
}

/// The most tokens that a follow-up is expected to have, where the longest text has so many.
fn longest_follow_up(
    needed: &[NeededStage<'_>],
    prompt: &PromptTemplate,
    tokenizer: &Tokenizer,
    text: usize,
) -> Result<usize> {
    let mut longest = 0;
    for follow_up in needed.iter().filter_map(|stage| follow_up(stage.plan)) {
        let around = tokenizer.encode_inner(&prompt.query(&follow_up.template))?.len();
        let texts = follow_up.template.matches("{text}").count();
        longest = longest.max((around + follow_up.answer_tokens + texts * text).min(tokenizer.context()));
    }
    Ok(longest)
}

/// The distinct sets of shots: seed, plan, and places among the training examples.
fn shots<'a>(needed: &'a [NeededStage<'_>]) -> impl Iterator<Item = (u64, ShotsPlan, &'a [usize])> {
    let mut seen = HashSet::new();
    needed.iter().filter_map(move |stage| {
        let PromptPlan { shots, .. } = stage.plan.prompt()?;
        seen.insert((stage.seed, *shots)).then_some((stage.seed, *shots, &*stage.shots))
    })
}
