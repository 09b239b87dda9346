//! From a study to everything that its stages need: data, tokens, model, pools, and the graph of stages.

mod summary;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use labelmix_data::{Accounted, Example, Pools};
use labelmix_econ::Prices;
use labelmix_methods::{HeadStart, ShotsPlan, StagePlan, StageWork};
use labelmix_models::{Classifier, LanguageModel, Model, ModelShape, Pooling, Tokenizer};

use crate::Inputs;
use crate::PrepareOptions;
use crate::checkpoint::rounding;

pub use self::summary::SweepSummary;
use crate::checkpoint::{load_options_of, memory_request, pooling, tokenizer};
use crate::error::{Error, Result};
use crate::expansion::{Chain, Expansion, graph_of};
use crate::graph::{Run, StageGraph, StageNode};
use crate::key::SharedInputs;
use crate::memory::Demand;
use crate::prompts::Prompts;
use crate::purchase::Purchase;
use crate::tokens::tokenize;
use crate::weak_labels::{WeakLabeling, set_weak_labels};
use labelmix_study::Supply;
use labelmix_study::{GridPoint, NotAffordable};
use labelmix_study::{MethodTable, NamedMethod, Study};

/// A study with its data and model loaded, expanded into stages.
pub struct Sweep {
    study: Study,
    prices: Prices,
    methods: Vec<NamedMethod>,
    model: Classifier,
    /// For methods that ask it.
    language_model: Option<LanguageModel>,
    tokenizer: Tokenizer,
    /// For methods that have them.
    prompts: Option<Prompts>,
    train: Vec<Example>,
    train_tokens: Vec<Vec<u32>>,
    unlabeled: Vec<Example>,
    test: Vec<Example>,
    test_tokens: Vec<Vec<u32>>,
    pools: Vec<(u64, Pools)>,
    supply: Supply,
    points: Vec<GridPoint>,
    not_affordable: Vec<NotAffordable>,
    graph: StageGraph,
    summary: SweepSummary,
    model_folder: PathBuf,
    jobs: usize,
    memory: u64,
}

/// Models whose weights take up to this much memory (in bytes) train one run per core; larger ones use all cores for
/// one run.
const SMALL_MODEL_BYTES: u64 = 1 << 30;

impl Sweep {
    /// Loads what the study names and expands its grid; `labeling` is for a study whose weak labels come from a labeler.
    ///
    /// # Errors
    /// If data or model cannot be used, weak labels cannot be made, no point of the grid can be bought, or training would
    /// not fit into memory.
    pub fn prepare(
        study: Study,
        inputs: Inputs,
        options: &PrepareOptions,
        labeling: &WeakLabeling<'_>,
    ) -> Result<Self> {
        let Inputs { model_folder, task_files } = inputs;
        let prices = study.prices();
        let mut dataset = study.load_data(&task_files)?;
        let labels = match set_weak_labels(&study, &mut dataset, options, labeling) {
            Err(error @ (Error::LabelerStarves { .. } | Error::LabelerText { .. })) => {
                return Err(Error::OfWhatWasRead(Accounted::new(error, &dataset.summary)));
            }
            labels => labels?,
        };
        let shape = ModelShape::read(&model_folder)?;
        let tokenizer = tokenizer(&model_folder, study.model.max_length)?;
        let data_summary = dataset.summary.clone();
        let (train, train_tokens, train_too_long) = tokenize(dataset.train, &tokenizer, study.model.too_long)?;
        let (test, test_tokens, test_too_long) = tokenize(dataset.test, &tokenizer, study.model.too_long)?;

        let expansion = Expansion::of(&study, &prices, &train)
            .map_err(|error| Error::OfWhatWasRead(Accounted::new(error, &data_summary)))?;
        let chains = expansion.chains();
        let prompted = chains.iter().any(|chain| chain.stages.iter().any(|stage| stage.shots.is_some()));
        let prompts = if prompted {
            let shots = shots(&chains, &train);
            Some(Prompts::new(&study.prompt, &tokenizer, study.model.too_long, [&train, &test], shots)?)
        } else {
            None
        };
        let longest = train_tokens.iter().chain(&test_tokens).map(Vec::len).max().unwrap_or(0);
        let longest = longest.max(prompts.as_ref().map_or(0, Prompts::longest));
        let longest = longest.max(longest_follow_up(&chains, &study, &tokenizer, longest)?);
        let (jobs, memory) = jobs(&study, &shape, longest, options)?;
        let load = load_options_of(&study.model, &options.device);
        let model = Classifier::new(&Model::load(&model_folder, &load)?, study.model.pooling.map(pooling))?;
        let mut stages = chains.iter().flat_map(|chain| &chain.stages);
        let language_model =
            if stages.any(needs_language_model) { Some(LanguageModel::new(model.model())?) } else { None };
        let has_words = |chain: &Chain<'_>| chain.stages.iter().any(|stage| stage.head == HeadStart::Words);
        if let Some(chain) = chains.iter().find(|chain| model.pooling() != Pooling::LastToken && has_words(chain)) {
            return Err(Error::WordsAfterLastToken {
                method: chain.method.to_owned(),
                pooling: model.pooling().name(),
            });
        }

        let shared = SharedInputs::new(&study, &model, &tokenizer, rounding(&load), &test)?;
        let graph = graph_of(&chains, &shared, &train);
        drop(chains);
        let Expansion { methods, pools, supply, points, not_affordable } = expansion;
        let summary = SweepSummary {
            data: data_summary,
            labels: labels.map(|(outcome, _)| outcome),
            too_long: train_too_long + test_too_long,
            gold_pool: supply.gold(),
            weak_pool: supply.weak(),
            runs: graph.runs().len(),
            stages: graph.nodes().len(),
            unshared_stages: graph.runs().iter().map(|run| run.stages.len()).sum(),
            not_affordable: not_affordable.len(),
            parameters: shape.summary().parameters,
            shortened: prompts.as_ref().map_or(Vec::new(), |prompts| prompts.shortened(&test)),
        };
        Ok(Self {
            study,
            prices,
            methods,
            model,
            language_model,
            tokenizer,
            prompts,
            train,
            train_tokens,
            unlabeled: dataset.unlabeled,
            test,
            test_tokens,
            pools,
            supply,
            points,
            not_affordable,
            graph,
            summary,
            model_folder,
            jobs,
            memory,
        })
    }

    /// The study.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// What labels cost.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The stages and runs.
    #[must_use]
    pub fn graph(&self) -> &StageGraph {
        &self.graph
    }

    /// The points of the grid that can be bought.
    #[must_use]
    pub fn points(&self) -> &[GridPoint] {
        &self.points
    }

    /// The points of the grid that cannot be bought.
    #[must_use]
    pub fn not_affordable(&self) -> &[NotAffordable] {
        &self.not_affordable
    }

    /// What is for sale.
    pub(crate) fn supply(&self) -> &Supply {
        &self.supply
    }

    /// What was read and what will be done.
    #[must_use]
    pub fn summary(&self) -> &SweepSummary {
        &self.summary
    }

    /// The test examples.
    #[must_use]
    pub fn test(&self) -> &[Example] {
        &self.test
    }

    /// The examples whose labels are for sale.
    pub(crate) fn train(&self) -> &[Example] {
        &self.train
    }

    /// Training texts without any label.
    pub(crate) fn unlabeled(&self) -> &[Example] {
        &self.unlabeled
    }

    /// The study's methods.
    pub(crate) fn methods(&self) -> &[NamedMethod] {
        &self.methods
    }

    /// The first of the study's seeds, which decides what is bought outside a sweep, where there is one order only.
    pub(crate) fn first_seed(&self) -> u64 {
        self.pools[0].0
    }

    /// The pools of the first seed.
    pub(crate) fn first_pools(&self) -> &Pools {
        &self.pools[0].1
    }

    /// The checkpoint's folder.
    #[must_use]
    pub fn model_folder(&self) -> &Path {
        &self.model_folder
    }

    /// How many runs train at a time.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// The memory that so many runs take, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    pub(crate) fn model(&self) -> &Classifier {
        &self.model
    }

    pub(crate) fn test_tokens(&self) -> &[Vec<u32>] {
        &self.test_tokens
    }

    /// The language model, for a stage that asks it.
    pub(crate) fn language_model(&self) -> &LanguageModel {
        self.language_model.as_ref().expect("a sweep with a stage that asks it has the language model")
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The prompts, for a stage that has some.
    pub(crate) fn prompts(&self) -> &Prompts {
        self.prompts.as_ref().expect("a sweep with a stage that has a prompt has prompts")
    }

    pub(crate) fn train_tokens(&self) -> &[Vec<u32>] {
        &self.train_tokens
    }

    /// A run's method, with its options if it has any.
    pub(crate) fn method_table(&self, run: &Run) -> Option<&MethodTable> {
        self.methods.iter().find(|method| method.name == run.method).and_then(|method| method.table.as_ref())
    }

    /// The labels of a stage.
    pub(crate) fn purchase(&self, node: &StageNode) -> Purchase {
        let (_, pools) =
            self.pools.iter().find(|(seed, _)| *seed == node.seed).expect("every stage's seed has its pools");
        Purchase::new(&self.train, pools, &node.plan)
    }
}

/// Whether a stage reads what the checkpoint's own head says, or starts from it.
fn needs_language_model(stage: &StagePlan) -> bool {
    stage.work == StageWork::Ask || stage.head == HeadStart::Words || stage.follow_up.is_some()
}

/// The most tokens that a follow-up is expected to have, where the longest text has so many.
fn longest_follow_up(chains: &[Chain<'_>], study: &Study, tokenizer: &Tokenizer, text: usize) -> Result<usize> {
    let mut longest = 0;
    for follow_up in chains.iter().flat_map(|chain| chain.stages.iter().filter_map(|stage| stage.follow_up.as_ref())) {
        let around = tokenizer.encode_inner(&format!("{}{}", follow_up.template, study.prompt.before_target))?.len();
        let texts = follow_up.template.matches("{text}").count();
        longest = longest.max((around + follow_up.answer_tokens + texts * text).min(tokenizer.context()));
    }
    Ok(longest)
}

/// The distinct sets of shots: seed, plan, and places among the training examples.
fn shots(chains: &[Chain<'_>], train: &[Example]) -> Vec<(u64, ShotsPlan, Vec<usize>)> {
    let mut seen = HashSet::new();
    let stages = chains.iter().flat_map(|chain| chain.stages.iter().map(move |stage| (chain, stage)));
    stages
        .filter_map(|(chain, stage)| {
            let plan = stage.shots.filter(|plan| seen.insert((chain.seed, *plan)))?;
            Some((chain.seed, plan, Purchase::new(train, chain.pools, stage).shots))
        })
        .collect()
}

/// How many runs train at a time: as many as were asked for if they fit into memory, or as many as are useful and fit. And
/// the memory that they take, in bytes.
fn jobs(study: &Study, shape: &ModelShape, longest: usize, options: &PrepareOptions) -> Result<(usize, u64)> {
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
