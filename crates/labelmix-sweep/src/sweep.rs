//! From a study to everything that its stages need: data, pools, the graph of stages, and the engine that does them.

mod summary;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use labelmix_data::{Accounted, Dataset, Example, PromptTemplate};
use labelmix_econ::Prices;
use labelmix_methods::{COVERED_TEXTS, Role, by_coverage};
use labelmix_stats::WordFrequencies;
use labelmix_store::LabelsOutcome;
use labelmix_study::{MethodTable, Study};
use labelmix_train::Interrupt;

pub use self::summary::SweepSummary;
use crate::error::{Error, Result};
use crate::expansion::{Chain, Expansion, graph_of};
use crate::features::{COVERAGE_LAYERS, Features, Layers};
use crate::graph::{Run, StageGraph, StageNode};
use crate::key::SharedInputs;
use crate::options::Inputs;
use crate::purchase::drawn;
use crate::weak_labels::{WeakLabeling, set_weak_labels};
use labelmix_engine::{
    Drawn, Engine, EngineOptions, HiddenStates, ModelEngine, NeededStage, ShortenedPrompts, StageData, in_chat,
    in_digits, tokenize, tokenizer,
};

/// A study with its data and model loaded, expanded into stages.
pub struct Sweep {
    study: Study,
    pub(crate) prices: Prices,
    pub(crate) data: Arc<StageData>,
    /// Training texts without any label.
    pub(crate) unlabeled: Vec<Example>,
    pub(crate) expansion: Expansion,
    graph: StageGraph,
    summary: SweepSummary,
    pub(crate) model_folder: PathBuf,
    /// How texts become vectors: a pooling's name.
    pub(crate) pooling: &'static str,
    /// A hash of the checkpoint, in hexadecimal digits.
    pub(crate) model_blake3: String,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) shared: SharedInputs,
    pub(crate) features: Features,
    frequencies: OnceLock<WordFrequencies>,
}

/// An engine, and what it cannot read.
pub(crate) struct Loaded {
    pub(crate) engine: Box<dyn Engine>,
    /// Texts that were left out because the engine cannot read them.
    pub(crate) too_long: usize,
    pub(crate) shortened: Vec<ShortenedPrompts>,
}

impl Sweep {
    /// Loads what the study names and expands its grid; `labeling` is for a study whose weak labels come from a labeler.
    ///
    /// # Errors
    /// If data or model cannot be used, weak labels cannot be made, no point of the grid can be bought, or training would
    /// not fit into memory.
    pub fn prepare(study: Study, inputs: Inputs, options: &EngineOptions, labeling: &WeakLabeling<'_>) -> Result<Self> {
        let Inputs { model_folder, task_files } = inputs;
        let mut dataset = study.load_data(&task_files)?;
        let labels = match set_weak_labels(&study, &mut dataset, options, labeling) {
            Err(error @ (Error::LabelerStarves { .. } | Error::LabelerText { .. })) => {
                return Err(Error::OfWhatWasRead(Accounted::new(error, &dataset.summary)));
            }
            labels => labels?.map(|(outcome, _)| outcome),
        };
        let tokenizer = tokenizer(&model_folder, study.model.max_length)?;
        let (train, train_tokens, train_too_long) =
            tokenize(std::mem::take(&mut dataset.train), &tokenizer, study.model.too_long)?;
        let (test, test_tokens, test_too_long) =
            tokenize(std::mem::take(&mut dataset.test), &tokenizer, study.model.too_long)?;
        (dataset.train, dataset.test) = (train, test);
        let mut prompt = study.prompt_template().clone();
        if study.asks_in_chat() {
            prompt = in_chat(prompt, &tokenizer)?;
        }
        let folder = model_folder.clone();
        let load = |study: &Study, data: &Arc<StageData>, chains: &[Chain<'_>]| {
            let (tokens, needed) = ([train_tokens, test_tokens], needed_stages(chains, &data.train));
            let engine = ModelEngine::for_sweep(study, &folder, tokenizer, Arc::clone(data), tokens, &needed, options)?;
            let (shortened, too_long) = (engine.shortened(), train_too_long + test_too_long);
            Ok(Loaded { engine: Box::new(engine), too_long, shortened })
        };
        Self::with_engine(study, prompt, dataset, labels, model_folder, load)
    }

    /// A study with this data, whose stages the engine that `load` makes does.
    pub(crate) fn with_engine(
        study: Study,
        prompt: PromptTemplate,
        dataset: Dataset,
        labels: Option<LabelsOutcome>,
        model_folder: PathBuf,
        load: impl FnOnce(&Study, &Arc<StageData>, &[Chain<'_>]) -> Result<Loaded>,
    ) -> Result<Self> {
        let prices = study.prices();
        let Dataset { train, test, unlabeled, summary: data_summary, .. } = dataset;
        let recipe = study.recipe.clone();
        let data = Arc::new(StageData {
            train,
            test,
            recipe,
            prompt,
            before_answer: study.before_answer().map(str::to_owned),
        });
        let expansion = Expansion::of(&study, &prices, &data.train)
            .map_err(|error| Error::OfWhatWasRead(Accounted::new(error, &data_summary)))?;
        let chains = expansion.chains();
        let Loaded { engine, too_long, shortened } = load(&study, &data, &chains)?;
        let identity = engine.identity()?;
        let (pooling, model_blake3) = (identity.pooling, in_digits(&identity.model));
        let shared = SharedInputs::new(&study, identity, &data);
        let graph = graph_of(&chains, &shared, &data.train);
        drop(chains);
        let Expansion { supply, not_affordable, .. } = &expansion;
        let summary = SweepSummary {
            data: data_summary,
            labels,
            too_long,
            gold_pool: supply.gold(),
            weak_pool: supply.weak(),
            runs: graph.runs().len(),
            stages: graph.nodes().len(),
            unshared_stages: graph.runs().iter().map(|run| run.stages.len()).sum(),
            not_affordable: not_affordable.len(),
            parameters: engine.parameters(),
            shortened,
        };
        Ok(Self {
            study,
            prices,
            data,
            unlabeled,
            expansion,
            graph,
            summary,
            model_folder,
            pooling,
            model_blake3,
            engine,
            shared,
            features: Features::default(),
            frequencies: OnceLock::new(),
        })
    }

    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The stages and runs.
    pub fn graph(&self) -> &StageGraph {
        &self.graph
    }

    /// What was read and what will be done.
    pub fn summary(&self) -> &SweepSummary {
        &self.summary
    }

    /// The hidden states of texts.
    ///
    /// # Errors
    /// If some have not been read, and cannot be.
    pub(crate) fn hidden_states(
        &self,
        layers: Layers,
        texts: &[&str],
        interrupt: &Interrupt,
    ) -> labelmix_engine::Result<Vec<HiddenStates>> {
        self.features.of(&*self.engine, layers, texts, interrupt)
    }

    /// So many of the candidates, by their places: those that best cover the first [`COVERED_TEXTS`] of them beside what is
    /// `covered` already, then those behind.
    ///
    /// # Errors
    /// As [`hidden_states`](Self::hidden_states).
    pub(crate) fn covering(
        &self,
        covered: &[&str],
        candidates: &[&str],
        count: usize,
        interrupt: &Interrupt,
    ) -> labelmix_engine::Result<Vec<usize>> {
        let looked_at = candidates.len().min(COVERED_TEXTS);
        let states = |texts| self.hidden_states(COVERAGE_LAYERS, texts, interrupt);
        let mut order = by_coverage(&states(covered)?, &states(&candidates[..looked_at])?, count.min(looked_at));
        order.extend(looked_at..candidates.len());
        order.truncate(count);
        Ok(order)
    }

    /// In how many of the training texts each word stands. They need no labels.
    pub(crate) fn frequencies(&self) -> &WordFrequencies {
        self.frequencies
            .get_or_init(|| WordFrequencies::of(self.data.train.iter().map(|example| example.text.as_str())))
    }

    /// A run's method, with its options if it has any.
    pub(crate) fn method_table(&self, run: &Run) -> Option<&MethodTable> {
        self.expansion.methods.iter().find(|method| method.name == run.method).and_then(|method| method.table.as_ref())
    }

    /// The labels of a stage.
    pub(crate) fn drawn(&self, node: &StageNode) -> Vec<Drawn> {
        drawn(&self.data.train, self.expansion.pools_of(node.seed), &node.plan)
    }
}

/// What an engine is prepared for.
fn needed_stages<'a>(chains: &'a [Chain<'_>], train: &[Example]) -> Vec<NeededStage<'a>> {
    let needed = |chain: &'a Chain<'_>| {
        chain.stages.iter().map(move |plan| {
            let shots = || drawn(train, chain.pools, plan).into_iter().filter(|drawn| drawn.draw.role == Role::Shot);
            let shots =
                if plan.prompt().is_some() { shots().flat_map(|drawn| drawn.places).collect() } else { Vec::new() };
            NeededStage { method: chain.method, seed: plan.seed(chain.seed), plan, shots }
        })
    };
    chains.iter().flat_map(needed).collect()
}
