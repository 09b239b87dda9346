//! What was measured: runs of methods on tasks, with the test items that each got right.

use labelmix_stats::Ranking;
use serde::Serialize;

use crate::error::{AnalysisError, Result};
use crate::{Allocation, Observation, Tariff};

/// Which test items a run got right, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectItems {
    words: Vec<u64>,
    items: usize,
}

impl CorrectItems {
    /// From one truth per test item, in the order of the test set.
    pub fn new(correct: &[bool]) -> Self {
        let word = |bits: &[bool]| bits.iter().enumerate().fold(0u64, |word, (bit, &is)| word | u64::from(is) << bit);
        Self { words: correct.chunks(64).map(word).collect(), items: correct.len() }
    }

    /// The number of test items.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The number of items that are right.
    pub fn correct(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether one item is right.
    pub fn is_correct(&self, item: usize) -> bool {
        self.words[item / 64] >> (item % 64) & 1 == 1
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }
}

/// How a run ranks the test items.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedItems {
    ranking: Ranking,
    auroc: f64,
}

impl RankedItems {
    /// From log-odds and labels, in the order of the test set. `None` where the AUROC is undefined: items of one class, or a
    /// value that is not a number.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn new(log_odds: &[f64], labels: &[bool]) -> Option<Self> {
        let ranking = Ranking::new(log_odds, labels)?;
        let auroc = ranking.auroc_of_sample(&vec![1; labels.len()])?;
        Some(Self { ranking, auroc })
    }

    /// The AUROC of a sample of the items; none of one class.
    pub(crate) fn auroc_of_sample(&self, multiplicities: &[u32]) -> Option<f64> {
        self.ranking.auroc_of_sample(multiplicities)
    }
}

/// How well a run did on the test set.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Item by item: comparisons then know what is hard for all.
    Items(CorrectItems),
    /// Item by item, judged by how they are ranked: every analysis then reads the AUROC where it says accuracy. All runs
    /// of a task are judged alike.
    Ranked(RankedItems),
    /// The accuracy alone: comparisons then assume binomial noise of its own for each allocation.
    Accuracy {
        /// The share that is right, from 0 to 1.
        accuracy: f64,
        /// The number of test items.
        n_test: usize,
    },
}

impl Outcome {
    /// The share of the test items that is right, not a number without items; the AUROC of ranked items.
    pub fn accuracy(&self) -> f64 {
        match self {
            Self::Items(items) => items.correct() as f64 / items.items() as f64,
            Self::Ranked(items) => items.auroc,
            Self::Accuracy { accuracy, .. } => *accuracy,
        }
    }

    /// The number of test items.
    pub fn n_test(&self) -> usize {
        match self {
            Self::Items(items) => items.items(),
            Self::Ranked(items) => items.ranking.len(),
            Self::Accuracy { n_test, .. } => *n_test,
        }
    }
}

/// One method trained on one allocation of one task's labels with one seed, and tested.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredRun {
    /// The task. Its runs share a test set.
    pub task: String,
    pub method: String,
    /// The labels bought.
    pub allocation: Allocation,
    /// The seed. Runs of a task with equal seeds drew the same pools of labels.
    pub seed: u64,
    /// How well it did.
    pub outcome: Outcome,
    /// What it took to compute, in hours of a GPU, where that is known.
    pub gpu_hours: Option<f64>,
}

/// All runs of one method on one allocation of one task's labels: one for each seed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) task: usize,
    pub(crate) method: usize,
    pub(crate) allocation: Allocation,
    /// The runs' seeds, rising.
    pub(crate) seeds: Vec<u64>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) gpu_hours: Option<f64>,
}

impl Cell {
    pub(crate) fn mean_accuracy(&self) -> f64 {
        self.outcomes.iter().map(Outcome::accuracy).sum::<f64>() / self.outcomes.len() as f64
    }

    pub(crate) fn accuracies(&self) -> Vec<f64> {
        self.outcomes.iter().map(Outcome::accuracy).collect()
    }
}

/// A method and an allocation that were measured on every task: what is compared. Its accuracy is the mean over tasks
/// of the mean over seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The method, by its place in [`Measurements::methods`].
    pub method: usize,
    /// The labels bought on each task.
    pub allocation: Allocation,
    pub accuracy: f64,
    /// The GPU-hours of all its runs on all tasks, where all are known.
    pub gpu_hours: Option<f64>,
    #[serde(skip)]
    pub(crate) cells: Vec<usize>,
}

/// Runs that belong together, checked and in order. Nothing depends on the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurements {
    tasks: Vec<String>,
    methods: Vec<String>,
    cells: Vec<Cell>,
    points: Vec<Point>,
    runs: usize,
}

impl Measurements {
    /// Checks the runs and puts them in order.
    ///
    /// # Errors
    /// [`AnalysisError`] without runs, for an accuracy outside [0, 1] or without test items, for two test sets of
    /// different sizes in a task, for a run that is there twice, and where no allocation was measured on every task.
    pub fn new(runs: Vec<MeasuredRun>) -> Result<Self> {
        check_runs(&runs)?;
        let names = |name: fn(&MeasuredRun) -> &String| {
            let mut names: Vec<String> = runs.iter().map(|run| name(run).clone()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        let (tasks, methods) = (names(|run| &run.task), names(|run| &run.method));
        let place = |names: &[String], name: &String| names.binary_search(name).expect("every run's name is listed");

        let number_of_runs = runs.len();
        let mut ordered: Vec<(usize, usize, MeasuredRun)> =
            runs.into_iter().map(|run| (place(&methods, &run.method), place(&tasks, &run.task), run)).collect();
        ordered.sort_by_key(|(method, task, run)| (*method, run.allocation, *task, run.seed));

        let mut cells: Vec<Cell> = Vec::new();
        for (method, task, run) in ordered {
            let fits = |cell: &&mut Cell| (cell.method, cell.allocation, cell.task) == (method, run.allocation, task);
            if let Some(cell) = cells.last_mut().filter(fits) {
                if cell.seeds.last() == Some(&run.seed) {
                    let MeasuredRun { task, method, allocation, seed, .. } = run;
                    return Err(AnalysisError::Duplicate { task, method, allocation, seed });
                }
                cell.seeds.push(run.seed);
                cell.outcomes.push(run.outcome);
                cell.gpu_hours = cell.gpu_hours.zip(run.gpu_hours).map(|(sum, hours)| sum + hours);
            } else {
                let (seeds, outcomes) = (vec![run.seed], vec![run.outcome]);
                let (allocation, gpu_hours) = (run.allocation, run.gpu_hours);
                cells.push(Cell { task, method, allocation, seeds, outcomes, gpu_hours });
            }
        }
        let points = points(&cells, tasks.len());
        if points.is_empty() {
            return Err(AnalysisError::NothingShared { tasks: tasks.len() });
        }
        Ok(Self { tasks, methods, cells, points, runs: number_of_runs })
    }

    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// What is compared: by method, then by allocation.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub fn runs(&self) -> usize {
        self.runs
    }

    /// How many pairs of method and allocation are not compared, because they were not measured on every task.
    pub fn left_out(&self) -> usize {
        let mut pairs: Vec<_> = self.cells.iter().map(|cell| (cell.method, cell.allocation)).collect();
        pairs.dedup();
        pairs.len() - self.points.len()
    }

    /// The points as they are judged by [`pareto_frontier`](crate::pareto_frontier) and
    /// [`best_split`](crate::best_split), at these prices.
    pub fn observations(&self, tariff: &Tariff) -> Vec<Observation> {
        let observation = |point: &Point| Observation {
            allocation: point.allocation,
            cost_usd: tariff.cost_usd(point.allocation),
            accuracy: point.accuracy,
        };
        self.points.iter().map(observation).collect()
    }

    /// The runs of one method alone.
    ///
    /// # Errors
    /// [`AnalysisError::UnknownMethod`], and [`AnalysisError::NothingShared`] where none of its allocations was
    /// measured on every task.
    pub fn of_method(&self, method: &str) -> Result<Self> {
        let wanted = self.methods.iter().position(|name| name == method).ok_or_else(|| {
            AnalysisError::UnknownMethod { method: method.to_owned(), known: self.methods.join(", ") }
        })?;
        self.retain(|cell| cell.method == wanted)
    }

    /// The runs whose allocation passes.
    ///
    /// # Errors
    /// [`AnalysisError::NoRuns`] where none does, [`AnalysisError::NothingShared`] where none was measured on every
    /// task.
    pub fn with_allocations(&self, passes: impl Fn(Allocation) -> bool) -> Result<Self> {
        self.retain(|cell| passes(cell.allocation))
    }

    fn retain(&self, wanted: impl Fn(&Cell) -> bool) -> Result<Self> {
        let runs = self.cells.iter().filter(|cell| wanted(cell)).flat_map(|cell| {
            // The cell's hours are a sum; shared out, they add up to it again.
            let share = cell.gpu_hours.map(|hours| hours / cell.seeds.len() as f64);
            cell.seeds.iter().zip(&cell.outcomes).map(move |(seed, outcome)| MeasuredRun {
                task: self.tasks[cell.task].clone(),
                method: self.methods[cell.method].clone(),
                allocation: cell.allocation,
                seed: *seed,
                outcome: outcome.clone(),
                gpu_hours: share,
            })
        });
        Self::new(runs.collect())
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

fn check_runs(runs: &[MeasuredRun]) -> Result<()> {
    if runs.is_empty() {
        return Err(AnalysisError::NoRuns);
    }
    let mut sizes = std::collections::BTreeMap::new();
    for (run, measured) in runs.iter().enumerate() {
        let (accuracy, n_test) = (measured.outcome.accuracy(), measured.outcome.n_test());
        if n_test == 0 || !(0.0..=1.0).contains(&accuracy) {
            return Err(AnalysisError::Accuracy { run, method: measured.method.clone(), accuracy, n_test });
        }
        let expected = *sizes.entry(&measured.task).or_insert(n_test);
        if expected != n_test {
            return Err(AnalysisError::TestSet { run, task: measured.task.clone(), n_test, expected });
        }
    }
    Ok(())
}

/// The groups of neighbouring cells of equal method and allocation that hold every task.
fn points(cells: &[Cell], tasks: usize) -> Vec<Point> {
    let numbered: Vec<usize> = (0..cells.len()).collect();
    let together =
        |&a: &usize, &b: &usize| cells[a].method == cells[b].method && cells[a].allocation == cells[b].allocation;
    let complete = numbered.chunk_by(together).filter(|group| group.len() == tasks);
    complete
        .map(|group| Point {
            method: cells[group[0]].method,
            allocation: cells[group[0]].allocation,
            accuracy: group.iter().map(|&cell| cells[cell].mean_accuracy()).sum::<f64>() / tasks as f64,
            gpu_hours: group.iter().map(|&cell| cells[cell].gpu_hours).sum(),
            cells: group.to_vec(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(task: &str, n_weak: usize, seed: u64, accuracy: f64) -> MeasuredRun {
        MeasuredRun {
            task: task.to_owned(),
            method: "seq-sft".to_owned(),
            allocation: Allocation { n_weak, n_gold: 10 },
            seed,
            outcome: Outcome::Accuracy { accuracy, n_test: 100 },
            gpu_hours: Some(0.5),
        }
    }

    #[test]
    fn a_point_is_the_mean_over_tasks_of_the_mean_over_seeds() {
        let runs = vec![run("b", 5, 0, 0.9), run("a", 5, 1, 0.8), run("a", 5, 0, 0.6), run("a", 7, 0, 0.6)];
        let measured = Measurements::new(runs).unwrap();
        assert_eq!(measured.points().len(), 1);
        assert!((measured.points()[0].accuracy - 0.8).abs() < 1e-12);
        assert_eq!(measured.points()[0].gpu_hours, Some(1.5));
        assert_eq!((measured.left_out(), measured.runs()), (1, 4));
    }

    #[test]
    fn bits_are_counted() {
        let truths: Vec<bool> = (0..130).map(|item| item % 3 == 0).collect();
        let items = CorrectItems::new(&truths);
        assert_eq!((items.items(), items.correct()), (130, 44));
        assert!(truths.iter().enumerate().all(|(item, &is)| items.is_correct(item) == is));
    }

    #[test]
    fn says_what_is_wrong_with_runs() {
        let refused = |runs| Measurements::new(runs).unwrap_err().to_string();
        assert_eq!(refused(vec![]), "there are no runs to analyse");
        assert_eq!(
            refused(vec![run("a", 5, 0, 1.5)]),
            "run 0 (seq-sft) has the accuracy 1.5, measured on 100 test items"
        );
        assert_eq!(
            refused(vec![run("a", 5, 3, 0.5), run("a", 5, 3, 0.6)]),
            "task \"a\", method \"seq-sft\", 5 weak and 10 gold labels and seed 3 were measured twice"
        );
        let mut other = run("a", 6, 0, 0.5);
        other.outcome = Outcome::Items(CorrectItems::new(&[true; 50]));
        assert_eq!(
            refused(vec![run("a", 5, 0, 0.5), other]),
            "run 1 of task \"a\" was tested on 50 items, an earlier one on 100"
        );
        assert_eq!(
            refused(vec![run("a", 5, 0, 0.5), run("b", 6, 0, 0.5)]),
            "no allocation was measured on all 2 tasks: there is nothing to average"
        );
        let measured = Measurements::new(vec![run("a", 5, 0, 0.5)]).unwrap();
        assert_eq!(
            measured.of_method("joint").unwrap_err().to_string(),
            "there are no runs of the method \"joint\" (there are: seq-sft)"
        );
    }
}
