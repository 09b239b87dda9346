//! Several studies seen together: the mean over tasks, and models side by side.

mod error;
mod figures;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use labelmix_econ::{MeasuredRun, Tariff};
use labelmix_stats::mean;

pub use self::error::OverviewError;
use crate::answer::distinct_methods;
use crate::{Answer, RunEntry, SplitEntry, WithinBudget};

/// The answer of a study, with what the study is about.
#[derive(Clone, Debug)]
pub struct StudyAnswer {
    /// The task; studies of one task have the same test texts.
    pub task: String,
    pub model: Model,
    /// What labels cost.
    pub tariff: Tariff,
    /// What the study found out.
    pub answer: Answer,
    /// Its finished runs with the test items that each got right.
    pub runs: Vec<MeasuredRun>,
}

/// A pretrained model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name: a path, or a name on the Hub.
    pub name: String,
    /// How many parameters it has, where that is known.
    pub parameters: Option<usize>,
}

impl Model {
    /// A model of which the name is all that is known; by custom it says the size: `Qwen1.5-0.5B`, `pythia-410m`.
    pub fn named(name: &str) -> Self {
        let size = |word: &str| {
            let unit = match word.chars().next_back()? {
                'b' | 'B' => 1e9,
                'm' | 'M' => 1e6,
                _ => return None,
            };
            let number: f64 = word[..word.len() - 1].parse().ok()?;
            (number > 0.0 && number.is_finite()).then_some((number * unit) as usize)
        };
        // `1_6b` is 1.6 billion.
        let is_digit =
            |place: Option<usize>| place.and_then(|at| name.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        let is_point = |at: usize| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
        let written: String =
            name.char_indices().map(|(at, letter)| if letter == '_' && is_point(at) { '.' } else { letter }).collect();
        Self { name: name.to_owned(), parameters: written.split(['-', '_', '/']).find_map(size) }
    }

    /// The name as a file's: without what folders are made of.
    pub fn file_name(&self) -> String {
        as_file_name(&self.name)
    }
}

/// Studies of several tasks or with several models.
#[derive(Clone, Debug)]
pub struct Overview {
    /// In the order of their models, then of their tasks.
    studies: Vec<StudyAnswer>,
    tasks: Vec<String>,
    models: Vec<Model>,
}

/// The mean over the tasks of one model (Mallen & Belrose 2024: accuracies are averaged over tasks, and so are their
/// standard deviations over seeds).
#[derive(Clone, Debug)]
pub struct TaskMean {
    pub model: Model,
    /// What labels cost.
    pub tariff: Tariff,
    /// The splits that were measured on every task. Runs are named after their tasks. The best within a budget is chosen on
    /// each task, and then averaged, as in the paper's Table 1; what it buys is the mean as well.
    pub answer: Answer,
    /// The runs of these splits on all tasks.
    pub runs: Vec<MeasuredRun>,
}

impl Overview {
    /// Puts studies beside each other: tasks in their order, models by their size or, where a size is not known, in their
    /// order, and without their folders or owners if their names alone tell them apart.
    ///
    /// # Errors
    /// [`OverviewError`] for two studies of one name, for two of the same task and model, and for other prices.
    pub fn new(mut studies: Vec<StudyAnswer>) -> Result<Self, OverviewError> {
        OverviewError::check(&studies)?;
        shorten_names(&mut studies);
        let (mut tasks, mut models) = (Vec::new(), Vec::new());
        for StudyAnswer { task, model, .. } in &studies {
            if !tasks.contains(task) {
                tasks.push(task.clone());
            }
            if !models.contains(model) {
                models.push(model.clone());
            }
        }
        if models.iter().all(|model| model.parameters.is_some()) {
            models.sort_by_key(|model| model.parameters);
        }
        let place = |study: &StudyAnswer| {
            let model = models.iter().position(|model| *model == study.model);
            (model, tasks.iter().position(|task| *task == study.task))
        };
        studies.sort_by_key(place);
        Ok(Self { studies, tasks, models })
    }

    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The models that were tried on several tasks, each with the mean over its tasks: none if no split was measured on all.
    pub fn means(&self) -> Vec<(&Model, Option<TaskMean>)> {
        let tried_on_several = self.models.iter().filter(|model| self.studies_of(model).count() > 1);
        tried_on_several.map(|model| (model, self.task_mean(model))).collect()
    }

    fn task_mean(&self, model: &Model) -> Option<TaskMean> {
        let answer = self.mean(model, &self.tasks_of(model))?;
        let of_task = |study: &StudyAnswer| {
            let task = study.task.clone();
            study.runs.clone().into_iter().map(move |run| MeasuredRun { task: task.clone(), ..run })
        };
        let is_in_mean = |run: &MeasuredRun| {
            answer.budgets.iter().any(|split| split.buys(&run.method, run.allocation.n_weak, run.allocation.n_gold))
        };
        let runs: Vec<MeasuredRun> = self.studies_of(model).flat_map(of_task).filter(is_in_mean).collect();
        let tariff = self.studies_of(model).next()?.tariff.clone();
        Some(TaskMean { model: model.clone(), tariff, answer: answer.with_regimes(runs.clone()), runs })
    }

    fn studies_of(&self, model: &Model) -> impl Iterator<Item = &StudyAnswer> {
        self.studies.iter().filter(move |study| study.model == *model)
    }

    fn tasks_of(&self, model: &Model) -> Vec<&str> {
        self.studies_of(model).map(|study| study.task.as_str()).collect()
    }

    /// The tasks that every model was tried on.
    fn shared_tasks(&self) -> Vec<&str> {
        let tried = |task: &&str| self.models.iter().all(|model| self.tasks_of(model).contains(task));
        self.tasks.iter().map(String::as_str).filter(tried).collect()
    }

    /// The methods in the order in which studies have them.
    fn methods(&self) -> Vec<&str> {
        distinct_methods(self.studies.iter().flat_map(|study| study.answer.methods()))
    }

    /// The mean over these tasks, without regimes; `None` of less than two tasks, and if no split was measured on all.
    fn mean(&self, model: &Model, tasks: &[&str]) -> Option<Answer> {
        let studies = self.studies_of(model).filter(|study| tasks.contains(&study.task.as_str()));
        let (tasks, answers): (Vec<&str>, Vec<&Answer>) =
            studies.map(|study| (study.task.as_str(), &study.answer)).unzip();
        let (first, others) = answers.split_first()?;
        let splits: Vec<SplitEntry> = first.budgets.iter().filter_map(|split| mean_split(split, others)).collect();
        if others.is_empty() || splits.is_empty() {
            return None;
        }
        let weak: Option<Vec<f64>> = answers.iter().map(|answer| answer.weak_label_accuracy).collect();
        let is_in_mean = |run: &RunEntry| splits.iter().any(|split| split.buys(&run.method, run.n_weak, run.n_gold));
        let renamed = |(task, answer): (&&str, &&Answer)| {
            let runs = answer.runs.iter().filter(|run| is_in_mean(run));
            runs.map(|run| RunEntry { run: format!("{task}/{}", run.run), ..run.clone() }).collect::<Vec<_>>()
        };
        Some(Answer {
            runs: tasks.iter().zip(&answers).flat_map(renamed).collect(),
            methods_within_budgets: mean_within_budgets(&answers, &splits),
            weak_label_accuracy: weak.and_then(|weak| mean(&weak)),
            ..Answer::of_splits(&format!("mean of {} tasks", answers.len()), &first.prices, splits)
        })
    }
}

/// Leaves out folders and owners of the models' names, unless two models are of one name.
fn shorten_names(studies: &mut [StudyAnswer]) {
    let short = |name: &str| name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name).to_owned();
    let full: BTreeSet<&str> = studies.iter().map(|study| study.model.name.as_str()).collect();
    let shortened: BTreeSet<String> = full.iter().map(|name| short(name)).collect();
    if full.len() == shortened.len() {
        for study in studies {
            study.model.name = short(&study.model.name);
        }
    }
}

/// A name of anything as a file's: without what folders are made of.
fn as_file_name(name: &str) -> String {
    let plain = |character: char| {
        if character.is_alphanumeric() || matches!(character, '-' | '.' | '_') { character } else { '_' }
    };
    name.chars().map(plain).collect()
}

/// A task's answers, each with the place of its model.
pub(crate) struct TaskAnswers<'a> {
    pub(crate) task: &'a str,
    pub(crate) answers: Vec<(usize, &'a Answer)>,
}

/// The mean of a split over answers; `None` if one of them has not measured it, or bought other labels for it.
fn mean_split(split: &SplitEntry, others: &[&Answer]) -> Option<SplitEntry> {
    let others = others.iter().map(|answer| answer.budgets.iter().find(|other| asks_the_same(other, split)));
    let splits: Vec<&SplitEntry> = [Some(split)].into_iter().chain(others).collect::<Option<_>>()?;
    Some(SplitEntry {
        accuracy_mean: mean_of(&splits, |split| split.accuracy_mean)?,
        accuracy_sd: mean_deviation(&splits, |split| split.accuracy_sd),
        seeds: splits.iter().map(|split| split.seeds).min()?,
        best: false,
        ..split.clone()
    })
}

fn asks_the_same(a: &SplitEntry, b: &SplitEntry) -> bool {
    let amounts = |split: &SplitEntry| (split.budget_usd, split.weak_fraction, split.n_weak, split.n_gold);
    a.method == b.method && amounts(a) == amounts(b)
}

/// The best of these splits within each budget, chosen on each task, and then averaged.
fn mean_within_budgets(answers: &[&Answer], splits: &[SplitEntry]) -> Vec<WithinBudget> {
    let on_task = |answer: &&Answer| {
        let is_shared = |own: &&SplitEntry| splits.iter().any(|split| asks_the_same(own, split));
        let own = answer.budgets.iter().filter(is_shared).cloned().collect();
        Answer::of_splits(&answer.study, &answer.prices, own).methods_within_budgets
    };
    let tasks: Vec<Vec<WithinBudget>> = answers.iter().map(on_task).collect();
    let Some((first, others)) = tasks.split_first() else { return Vec::new() };
    let averaged = |best: &WithinBudget| {
        let same = |other: &&WithinBudget| other.method == best.method && other.budget_usd == best.budget_usd;
        let others = others.iter().map(|task| task.iter().find(same));
        let all: Vec<&WithinBudget> = [Some(best)].into_iter().chain(others).collect::<Option<_>>()?;
        let labels = |of: fn(&WithinBudget) -> usize| Some(mean_of(&all, |best| of(best) as f64)?.round() as usize);
        Some(WithinBudget {
            method: best.method.clone(),
            budget_usd: best.budget_usd,
            cost_usd: mean_of(&all, |best| best.cost_usd)?,
            accuracy_mean: mean_of(&all, |best| best.accuracy_mean)?,
            accuracy_sd: mean_deviation(&all, |best| best.accuracy_sd),
            n_weak: labels(|best| best.n_weak)?,
            n_gold: labels(|best| best.n_gold)?,
        })
    };
    first.iter().filter_map(averaged).collect()
}

fn mean_of<T>(all: &[&T], value: impl Fn(&T) -> f64) -> Option<f64> {
    mean(&all.iter().map(|one| value(one)).collect::<Vec<_>>())
}

/// None if one of them has none.
fn mean_deviation<T>(all: &[&T], deviation: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let deviations: Option<Vec<f64>> = all.iter().map(|one| deviation(one)).collect();
    deviations.and_then(|deviations| mean(&deviations))
}
