//! From a study to everything that its stages need: data, tokens, model, pools, and the graph of stages.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use labelmix_data::{DataSummary, Example, Pools, SplitFiles, content_hash};
use labelmix_econ::{Allocation, Prices, allocation_for};
use labelmix_elicit::{LabelKind, Method, StageExample, method_named};
use labelmix_models::{Classifier, Device, LoadOptions, MatmulPrecision, Model, ModelShape, Precision, Tokenizer};

use crate::error::{Error, Result};
use crate::graph::{StageGraph, StageNode};
use crate::key::SharedInputs;
use crate::memory::Demand;
use crate::record::{GridPoint, NotAffordable};
use crate::study::{Study, TooLong};
use crate::tokens::encode_all;
use crate::weak_labels::{LabelsOutcome, WeakLabeling, set_weak_labels};

/// A study with its data and model loaded, expanded into stages.
pub struct Sweep {
    study: Study,
    prices: Prices,
    model: Classifier,
    train: Vec<Example>,
    train_tokens: Vec<Vec<u32>>,
    test: Vec<Example>,
    test_tokens: Vec<Vec<u32>>,
    pools: Vec<(u64, Pools)>,
    points: Vec<GridPoint>,
    not_affordable: Vec<NotAffordable>,
    graph: StageGraph,
    summary: SweepSummary,
    model_folder: PathBuf,
    jobs: usize,
}

/// What a study names, found on this machine. Who prepares a sweep finds it first: a sweep knows no Hub.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The folder of the study's model.
    pub model_folder: PathBuf,
    /// The files of each split of the study's task; none where its data is files of texts, which it names itself.
    pub task_files: SplitFiles,
}

/// How a study is prepared on this machine. None of it is part of the study.
#[derive(Clone, Debug, Default)]
pub struct PrepareOptions {
    /// Where the model runs.
    pub device: Device,
    /// Runs at a time; by default one per core for small models, as far as memory goes.
    pub jobs: Option<usize>,
    /// The memory to stay within, in bytes; unlimited if there is none.
    pub memory: Option<u64>,
}

/// Models whose weights take up to this much memory (in bytes) train one run per core; larger ones use all cores for
/// one run.
const SMALL_MODEL_BYTES: u64 = 1 << 30;

/// What was read and what will be done, for people.
#[derive(Clone, Debug)]
pub struct SweepSummary {
    /// What was read and dropped.
    pub data: DataSummary,
    /// Where the weak labels come from, if not from the data.
    pub labels: Option<LabelsOutcome>,
    /// Texts that were left out because they are longer than the model's context.
    pub too_long: usize,
    /// Gold labels for sale.
    pub gold_pool: usize,
    /// Weak labels for sale.
    pub weak_pool: usize,
    /// Runs.
    pub runs: usize,
    /// Distinct stages.
    pub stages: usize,
    /// Stages that the runs would take if none were shared.
    pub unshared_stages: usize,
    /// Points of the grid that cannot be bought.
    pub not_affordable: usize,
}

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
        let prices = study.prices()?;
        let mut dataset = study.load_data(&task_files)?;
        let labels = set_weak_labels(&study, &mut dataset, options, labeling)?;
        let shape = ModelShape::read(&model_folder)?;
        let tokenizer = Tokenizer::load(&model_folder)?;
        let data_summary = dataset.summary.clone();
        let (train, train_tokens, train_too_long) = tokenize(dataset.train, &tokenizer, study.model.too_long)?;
        let (test, test_tokens, test_too_long) = tokenize(dataset.test, &tokenizer, study.model.too_long)?;
        let longest = train_tokens.iter().chain(&test_tokens).map(Vec::len).max().unwrap_or(0);
        let jobs = jobs(&study, &shape, longest, options)?;
        let load = study.model.load_options(&options.device);
        let model = Classifier::new(&Model::load(&model_folder, &load)?, study.model.pooling.map(Into::into))?;

        let methods: Vec<&'static dyn Method> =
            study.methods.iter().filter_map(|table| method_named(&table.name)).collect();
        let wanted = grid_points(&study, &prices, &methods)?;
        let gold_pool = study.task.gold_pool.unwrap_or_else(|| default_gold_pool(&train, &wanted));
        let pools: Vec<(u64, Pools)> =
            distinct(&study.grid.seeds).into_iter().map(|seed| (seed, Pools::new(&train, seed, gold_pool))).collect();
        let sizes = Allocation { n_weak: pools[0].1.weak_size(), n_gold: pools[0].1.gold_size() };
        let (points, not_affordable) = affordable(wanted, sizes);
        if let (true, Some(first)) = (points.is_empty(), not_affordable.first()) {
            return Err(Error::NothingAffordable { reason: first.reason.clone() });
        }

        let shared = SharedInputs {
            model: model.model().content_hash()?,
            rounding: rounding(&load),
            tokenizer: tokenizer.content_hash(),
            pooling: model.pooling().name(),
            cut: study.model.too_long == TooLong::Cut,
            test: *content_hash(&test).as_bytes(),
            recipe: SharedInputs::canonical_recipe(&study.recipe),
        };
        let mut graph = StageGraph::default();
        for &method in &methods {
            let allocations: BTreeSet<Allocation> =
                points.iter().filter(|point| point.method == method.name()).map(|point| point.allocation).collect();
            for (seed, pools) in &pools {
                for &allocation in &allocations {
                    graph.add_run(method.name(), *seed, allocation, &method.stages(allocation), |parent, plan| {
                        let labels = bought(pools, plan.labels, plan.count).iter().map(|index| &train[*index]);
                        shared.stage_key(parent, plan.labels, labels, *seed)
                    });
                }
            }
        }
        let summary = SweepSummary {
            data: data_summary,
            labels: labels.map(|(outcome, _)| outcome),
            too_long: train_too_long + test_too_long,
            gold_pool: sizes.n_gold,
            weak_pool: sizes.n_weak,
            runs: graph.runs().len(),
            stages: graph.nodes().len(),
            unshared_stages: graph.runs().iter().map(|run| run.stages.len()).sum(),
            not_affordable: not_affordable.len(),
        };
        Ok(Self {
            study,
            prices,
            model,
            train,
            train_tokens,
            test,
            test_tokens,
            pools,
            points,
            not_affordable,
            graph,
            summary,
            model_folder,
            jobs,
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

    /// The checkpoint's folder.
    pub(crate) fn model_folder(&self) -> &Path {
        &self.model_folder
    }

    /// How many runs train at a time.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    pub(crate) fn model(&self) -> &Classifier {
        &self.model
    }

    pub(crate) fn test_tokens(&self) -> Vec<&[u32]> {
        self.test_tokens.iter().map(Vec::as_slice).collect()
    }

    /// The labels that a stage buys, in the order in which they are bought: their examples' places among
    /// [`Self::train`], and the label as a probability of class 1.
    pub(crate) fn stage_labels(&self, node: &StageNode) -> impl Iterator<Item = (usize, f32)> {
        let (_, pools) =
            self.pools.iter().find(|(seed, _)| *seed == node.seed).expect("every stage's seed has its pools");
        bought(pools, node.labels, node.count).iter().map(|&index| {
            let example = &self.train[index];
            let target = match node.labels {
                LabelKind::Weak => example.weak,
                LabelKind::Gold => example.gold.map(|gold| if gold { 1.0 } else { 0.0 }),
            };
            (index, target.expect("a pool sells labels that are there"))
        })
    }

    /// The labels that a stage trains on.
    pub(crate) fn stage_examples(&self, node: &StageNode) -> Vec<StageExample<'_>> {
        let labels = self.stage_labels(node);
        labels.map(|(index, target)| StageExample { token_ids: &self.train_tokens[index], target }).collect()
    }
}

/// How many runs train at a time: as many as were asked for if they fit into memory, or as many as are useful and fit.
fn jobs(study: &Study, shape: &ModelShape, longest: usize, options: &PrepareOptions) -> Result<usize> {
    let request = study.model.memory_request(&options.device, &study.recipe, longest);
    let plan = shape.memory(&request);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let useful = if options.device.is_gpu() || plan.weights > SMALL_MODEL_BYTES { 1 } else { cores };
    // What graphics processors have is not known here.
    let Some(available) = options.memory.filter(|_| !options.device.is_gpu()) else {
        return Ok(options.jobs.unwrap_or(useful));
    };
    let jobs = options.jobs.unwrap_or_else(|| useful.min(plan.runs_that_fit(available)).max(1));
    Demand { request, longest, jobs, tables: ["[recipe]", "[model]"] }.check(shape, available)?;
    Ok(jobs)
}

/// How numbers are rounded beyond what the checkpoint does, if at all: in what results differ from those of a host that
/// computes in f32.
pub(crate) fn rounding(options: &LoadOptions) -> Option<String> {
    let precision = options.precision.filter(|precision| *precision != Precision::F32).map(Precision::name);
    let products = (options.matmul_precision == MatmulPrecision::Bf16).then_some(" in products of bf16");
    let place = options.device.is_gpu().then_some(" on a graphics processor");
    if precision.is_none() && products.is_none() && place.is_none() {
        return None;
    }
    Some([precision.or(Some("auto")), products, place].into_iter().flatten().collect())
}

/// The examples that are kept, their tokens, and the number of texts that were left out as too long.
fn tokenize(
    examples: Vec<Example>,
    tokenizer: &Tokenizer,
    too_long: TooLong,
) -> Result<(Vec<Example>, Vec<Vec<u32>>, usize)> {
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let encoded = encode_all(&texts, tokenizer, too_long)?;
    let (mut kept, mut tokens, mut dropped) = (Vec::new(), Vec::new(), 0);
    for (example, token_ids) in examples.into_iter().zip(encoded) {
        match token_ids {
            Some(token_ids) => {
                kept.push(example);
                tokens.push(token_ids);
            }
            None => dropped += 1,
        }
    }
    Ok((kept, tokens, dropped))
}

/// All points of the grid, in the order of methods, budgets and fractions.
fn grid_points(study: &Study, prices: &Prices, methods: &[&'static dyn Method]) -> Result<Vec<GridPoint>> {
    let mut points = Vec::new();
    for method in methods {
        for &budget_usd in &study.grid.budgets {
            for &weak_fraction in &study.grid.weak_fractions {
                let allocation = allocation_for(budget_usd, weak_fraction, prices)?;
                points.push(GridPoint { method: method.name(), budget_usd, weak_fraction, allocation });
            }
        }
    }
    Ok(points)
}

/// As many gold labels as any point asks for, but at most half of the examples that could be sold either way (and
/// all that could only be sold as gold), so that a large grid leaves something to label weakly.
fn default_gold_pool(train: &[Example], points: &[GridPoint]) -> usize {
    let most_wanted = points.iter().map(|point| point.allocation.n_gold).max().unwrap_or(0);
    let either = train.iter().filter(|example| example.gold.is_some() && example.weak.is_some()).count();
    let only_gold = train.iter().filter(|example| example.weak.is_none()).count();
    most_wanted.min(only_gold + either / 2)
}

/// Separates the points that the pools can serve from those that they cannot.
fn affordable(points: Vec<GridPoint>, pools: Allocation) -> (Vec<GridPoint>, Vec<NotAffordable>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for point in points {
        let Allocation { n_weak, n_gold } = point.allocation;
        let mut missing = Vec::new();
        if n_weak > pools.n_weak {
            missing.push(format!("{n_weak} weak labels wanted, {} for sale", pools.n_weak));
        }
        if n_gold > pools.n_gold {
            missing.push(format!("{n_gold} gold labels wanted, {} for sale", pools.n_gold));
        }
        if n_weak + n_gold == 0 {
            missing.push("the budget buys no label".to_owned());
        }
        if missing.is_empty() {
            can.push(point);
        } else {
            cannot.push(NotAffordable { point, reason: missing.join("; ") });
        }
    }
    (can, cannot)
}

fn bought(pools: &Pools, labels: LabelKind, count: usize) -> &[usize] {
    let bought = match labels {
        LabelKind::Weak => pools.weak(count),
        LabelKind::Gold => pools.gold(count),
    };
    bought.expect("points that the pools cannot serve were set aside")
}

/// The seeds in their order, each once.
fn distinct(seeds: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    seeds.iter().copied().filter(|seed| seen.insert(*seed)).collect()
}

impl fmt::Display for SweepSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.data.to_string().trim_end())?;
        if let Some(labels) = &self.labels {
            writeln!(
                formatter,
                "weak labels by the study's labeler ({} of {})",
                labels.labeler.kind.name(),
                labels.key
            )?;
        }
        if self.too_long > 0 {
            writeln!(formatter, "left out as longer than the model's context: {}", self.too_long)?;
        }
        writeln!(formatter, "for sale: {} weak and {} gold labels", self.weak_pool, self.gold_pool)?;
        write!(formatter, "{} runs of {} stages", self.runs, self.unshared_stages)?;
        if self.stages < self.unshared_stages {
            write!(formatter, ", {} of them distinct", self.stages)?;
        }
        if self.not_affordable > 0 {
            write!(formatter, "; {} points of the grid cannot be bought", self.not_affordable)?;
        }
        Ok(())
    }
}
