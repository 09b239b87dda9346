//! The study file: what to sweep. Parsed, checked and completed with the defaults here, once.

mod engine;
mod grid;
mod labeler;
mod methods;
mod model;
mod prices;
mod prompt;
mod reference;
mod task;

use std::path::{Path, PathBuf};

use labelmix_data::{Dataset, Example, PromptTemplate, SplitFiles, Task, TextColumns};
use labelmix_econ::{Prices, Tariff};
use labelmix_methods::{Calibration, Recipe, RecipeError, Schedule, UsableSplits};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::error::{Result, StudyError};
use crate::slurm::SlurmTable;
pub use engine::{EngineKind, EngineTable, Sharding};
pub use grid::GridTable;
pub use labeler::{LabelerKind, LabelerTable, LlmConfidence, LlmForm, LlmTable, Rates};
pub use methods::MethodTable;
pub use methods::NamedMethod;
pub use model::{MatmulPrecisionName, ModelTable, PoolingName, TooLong, WeightPrecision};
pub use prices::{LabelPrice, PricesTable, ScheduleTable};
use prompt::PromptTable;
pub use reference::{KeyHelp, Need, StudyTable, study_file_page, study_tables};
use task::WeakLabels;
pub use task::{DefinedIn, RowKeys, TaskData, TaskReference, TaskTable, TextFiles, VoteMerging};

/// A whole study file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The study's name, as it appears in tables and in the store.
    pub name: String,
    pub task: TaskTable,
    /// The pretrained model.
    pub model: ModelTable,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "EngineTable::is_native")]
    pub engine: EngineTable,
    /// Who makes the weak labels; without it the data has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labeler: Option<LabelerTable>,
    /// What labels cost.
    #[serde(default)]
    pub prices: PricesTable,
    /// Which allocations to try.
    #[serde(default)]
    pub grid: GridTable,
    /// Which methods to try.
    #[serde(default = "default_methods")]
    pub methods: Vec<MethodTable>,
    /// How the log-odds of methods are shifted that do not say it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How examples become a prompt, for methods that have one.
    #[serde(default)]
    prompt: PromptTable,
    /// How stages train.
    #[serde(default)]
    pub recipe: Recipe,
    /// What is asked of a Slurm cluster, where one does the stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm: Option<SlurmTable>,
    /// The folder of the study file, which its paths are relative to.
    #[serde(skip)]
    folder: PathBuf,
    /// The prompt that [prompt] and the task mean.
    #[serde(skip)]
    prompt_template: PromptTemplate,
    /// What stands before the answer in texts that end with one.
    #[serde(skip)]
    before_answer: Option<String>,
    /// The study file, if it was read from one.
    #[serde(skip)]
    file: Option<PathBuf>,
}

/// The schedule of a study that does not say one. (A record that does not is from before there was a choice.)
const USUAL_SCHEDULE: Schedule = Schedule::Robust;

fn default_methods() -> Vec<MethodTable> {
    vec![MethodTable::named("seq-sft")]
}

impl Study {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, has an unknown key, or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| StudyError::ReadStudy { path: path.into(), source })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut study = Self::parse(&text, folder).map_err(|Problem { reason, help }| StudyError::Study {
            path: path.into(),
            reason,
            help,
        })?;
        study.file = Some(path.to_owned());
        Ok(study)
    }

    fn parse(text: &str, folder: PathBuf) -> std::result::Result<Self, Problem> {
        let mut study: Self = toml::from_str(text).map_err(|error| Problem::of_toml(&error, text))?;
        study.folder = folder;
        let keys: Table = toml::from_str(text).map_err(|error| Problem::of_toml(&error, text))?;
        let schedule = keys.get("recipe").and_then(|recipe| recipe.get("schedule"));
        if schedule.is_none() {
            study.recipe.schedule = USUAL_SCHEDULE;
        }
        for method in &mut study.methods {
            method.calibration = method.calibration.or(study.calibration);
        }
        let task = study.check()?;
        let wordings = task.as_ref().map_or(&[][..], |task| &task.definition().prompts);
        study.prompt_template = study.prompt.template(wordings)?;
        let of_task = task.as_ref().and_then(|task| task.definition().before_answer());
        study.before_answer = study.prompt.before_answer.as_deref().or(of_task).map(str::to_owned);
        study.check_answers()?;
        Ok(study)
    }

    /// The task that it names, if it names one.
    fn check(&self) -> std::result::Result<Option<Task>, Problem> {
        let problem = |reason: String, help: &str| Err(Problem { reason, help: help.to_owned() });
        if !is_name(&self.name) {
            let reason = format!("name = {:?}", self.name);
            return problem(reason, "a study's name names a folder: use letters, digits, '-', '_' and '.'");
        }
        let task = self.task.check(&self.folder)?;
        self.grid.check()?;
        if let Err(error) = self.prices.tariff() {
            return problem(format!("{error} in [prices]"), "prices are positive amounts in dollars per label");
        }
        self.recipe.validate().map_err(|error| Problem::of_recipe(&error, "[recipe]"))?;
        self.labeler.as_ref().map_or(Ok(()), LabelerTable::check)?;
        self.engine.check().map_err(|(reason, help)| Problem { reason: format!("{reason} in [engine]"), help })?;
        let slurm = self.slurm.as_ref().map_or(Ok(()), SlurmTable::check);
        slurm.map_err(|(reason, help)| Problem { reason: format!("{reason} in [slurm]"), help })?;
        self.configure_methods()?;
        Ok(task)
    }

    /// The methods, ready to plan.
    pub fn configured_methods(&self) -> Vec<NamedMethod> {
        let methods = self.configure_methods();
        methods.unwrap_or_else(|problem| panic!("a study is checked when it is read: {}", problem.reason))
    }

    /// The methods that can split a budget in any way, by name.
    pub fn splitting_methods(&self) -> Vec<String> {
        let methods = self.configured_methods().into_iter();
        methods.filter(|named| named.method.splits() == UsableSplits::All).map(|named| named.name).collect()
    }

    /// Who runs the model, with paths that lead there from anywhere.
    pub fn engine(&self) -> EngineTable {
        self.engine.seen_from(&std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone()))
    }

    /// Whether prompts go through the model's chat template.
    pub fn asks_in_chat(&self) -> bool {
        self.prompt.chat
    }

    /// How examples become a prompt, before a chat template has its part in it.
    pub fn prompt_template(&self) -> &PromptTemplate {
        &self.prompt_template
    }

    /// What stands before the answer in texts that end with one, if the study or its task says so.
    pub fn before_answer(&self) -> Option<&str> {
        self.before_answer.as_deref()
    }

    /// What first labels cost, which the grid and ledgers use.
    pub fn prices(&self) -> Prices {
        self.prices.first().expect("a study's prices are checked when it is read")
    }

    /// What labels cost, tiers and set-up included, which plans use.
    pub fn tariff(&self) -> Tariff {
        self.prices.tariff().expect("a study's prices are checked when it is read")
    }

    /// The task that the study names; `None` if its data is files of texts.
    ///
    /// # Errors
    /// If there is no such task or file, or what the study has different makes no sense.
    pub fn named_task(&self) -> Result<Option<Task>> {
        Ok(self.task.task(&self.folder)?)
    }

    /// The study's examples: from `task_files` if it names a task, which are the files of its splits. Where a labeler
    /// makes the weak labels, those of the data are not read.
    ///
    /// # Errors
    /// If the data cannot be used.
    pub fn load_data(&self, task_files: &SplitFiles) -> Result<Dataset> {
        self.load_data_with_fields(task_files, &[])
    }

    /// The same, with these fields of the rows beside each example; `a.b` is the field `b` of the column `a`.
    ///
    /// # Errors
    /// As [`Study::load_data`], and if the training rows have no such field.
    pub fn load_data_with_fields(&self, task_files: &SplitFiles, fields: &[String]) -> Result<Dataset> {
        let weak_labels = if self.labeler.is_some() { WeakLabels::Elsewhere } else { WeakLabels::InTheData };
        self.task.load(&self.folder, task_files, weak_labels, fields)
    }

    /// The training file and its columns; `None` if the data is a task.
    pub fn training_file(&self) -> Option<(PathBuf, TextColumns)> {
        let TaskData::Files(files) = &self.task.data else { return None };
        Some((self.folder.join(&files.train), files.rows.columns()))
    }

    /// The fields that the training rows have, but for the texts and labels of files of texts.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn field_names(&self, task_files: &SplitFiles) -> Result<Vec<String>> {
        self.task.field_names(&self.folder, task_files)
    }

    /// The gold labels of the labeler's own file, if it has one, without texts of the test set.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn load_labeler_gold(&self, test: &[Example]) -> Result<Option<Vec<Example>>> {
        let file = self.labeler.as_ref().and_then(|labeler| labeler.gold_file.as_ref());
        file.map(|file| self.task.read_gold(&self.folder.join(file), test)).transpose()
    }

    /// The folder of the study file, which its paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The study file, if it was read from one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same from wherever it is looked at.
    pub fn absolute_file(&self) -> Option<PathBuf> {
        self.file().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()))
    }

    /// Where results are kept unless the user says otherwise: beside the study file.
    pub fn default_store(&self) -> PathBuf {
        self.folder.join("labelmix-store")
    }
}

/// Whether a text can name a folder.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// What is wrong with a study file and what to do about it.
struct Problem {
    reason: String,
    help: String,
}

impl Problem {
    /// A hyper-parameter that makes no sense, and where it stands.
    fn of_recipe(error: &RecipeError, place: &str) -> Self {
        let help = error.help().map(|help| help.to_string()).unwrap_or_default();
        Self { reason: error.to_string().replace("[recipe]", place), help }
    }

    /// What to do about a message of serde's.
    fn help_for(message: &str) -> String {
        let example = || "see `labelmix help sweep` for an example of a study file".to_owned();
        suggestion_of(message).unwrap_or_else(example)
    }

    /// A problem of the file's form.
    fn of_toml(error: &toml::de::Error, text: &str) -> Self {
        let message = error.message();
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let reason = match line {
            Some(line) => format!("line {line}: {message}"),
            None => message.to_owned(),
        };
        Self { reason, help: Self::help_for(message) }
    }
}

/// What is suggested for a name that a message calls unknown. serde lists the known keys or values between backticks, the
/// offending one first.
fn suggestion_of(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown"))?;
    Some(suggestion(unknown, &quoted.collect::<Vec<_>>()))
}

/// "did you mean …?" with the nearest of the known names, or all of them if none is near.
fn suggestion(unknown: &str, known: &[&str]) -> String {
    let nearest =
        known.iter().max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
    match nearest {
        Some(nearest) if strsim::jaro_winkler(unknown, nearest) > 0.7 => format!("did you mean `{nearest}`?"),
        _ => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "name = 'a'\n[task]\ntrain = 'train.jsonl'\ntest = 'test.jsonl'\n[model]\npath = 'model'\n";

    fn problem(text: &str) -> String {
        match Study::parse(text, PathBuf::new()) {
            Ok(_) => panic!("{text:?} is no problem"),
            Err(Problem { reason, help }) => format!("{reason} | {help}"),
        }
    }

    #[test]
    fn a_minimal_study_gets_the_published_defaults_but_for_the_schedule() {
        let study = Study::parse(MINIMAL, PathBuf::from("studies")).map_err(|problem| problem.reason).unwrap();
        assert_eq!(study.prices, PricesTable::default());
        assert_eq!(study.grid.budgets.len(), 7);
        assert_eq!(study.methods[0].name, "seq-sft");
        assert_eq!(study.recipe, Recipe { schedule: Schedule::Robust, ..Recipe::default() });
        assert_eq!((study.task.max_test, study.task.balance, study.task.gold_pool), (1000, true, None));
        let TaskData::Files(files) = &study.task.data else { panic!("{:?}", study.task.data) };
        assert_eq!(files.rows.columns(), TextColumns::default());
        assert!(study.named_task().unwrap().is_none());
        assert_eq!(study.default_store(), Path::new("studies/labelmix-store"));
    }

    /// What the fuzz target of studies begins with and what it found.
    #[test]
    fn the_fuzz_seeds_are_read_or_refused() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/studies");
        for name in ["every-table.toml", "task.toml"] {
            Study::read(&seeds.join(name)).unwrap();
        }
        for seed in std::fs::read_dir(seeds).unwrap() {
            let _ = Study::read(&seed.unwrap().path()).map(|study| study.named_task());
        }
    }

    #[test]
    fn problems_name_the_place_and_the_remedy() {
        let with = |extra: &str| problem(&format!("{MINIMAL}{extra}"));
        insta::assert_snapshot!(with("[grid]\nbudget = [1]"), @"line 8: unknown field `budget`, expected one of `budgets`, `weak_fractions`, `weak_counts`, `gold_counts`, `seeds` | did you mean `budgets`?");
        insta::assert_snapshot!(with("pathh = 'x'"), @"line 7: unknown field `pathh`, expected one of `path`, `weights`, `matmul_precision`, `activation_checkpointing`, `pooling`, `max_length`, `too_long` | did you mean `path`?");
        insta::assert_snapshot!(with("pooling = 'median'"), @"line 7: unknown variant `median`, expected one of `last`, `pooler`, `mean`, `cls`, `max` | did you mean `mean`?");
        insta::assert_snapshot!(with("[grid]\nbudgets = [-4]"), @"the budget -4 in [grid] | budgets are positive amounts in dollars; what costs nothing, as zero-shot, is measured at $0 anyway");
        insta::assert_snapshot!(with("[grid]\nweak_fractions = [1.5]"), @"the weak fraction 1.5 in [grid] | weak fractions lie between 0 and 1");
        insta::assert_snapshot!(with("[grid]\nweak_counts = [8, 16]"), @"weak_counts without gold_counts in [grid] | give both: each number of weak labels goes with each of gold labels; 0 is one");
        insta::assert_snapshot!(with("[grid]\nweak_counts = [0]\ngold_counts = [0]"), @"weak_counts and gold_counts in [grid] are all 0 | give a number of labels that is above 0");
        insta::assert_snapshot!(with("[grid]\nweak_fractions = []"), @"an empty list in [grid] | give at least one budget, one weak fraction (or numbers of labels) and one seed");
        insta::assert_snapshot!(with("[[methods]]\nname = 'seqsft'"), @r#"unknown method "seqsft" | did you mean `seq-sft`?"#);
        insta::assert_snapshot!(with("[recipe]\nlearning_rate = 0.0"), @"learning_rate = 0 in [recipe] | learning_rate must be a positive number");
        insta::assert_snapshot!(problem("name = 'a'"), @"line 1: missing field `task` | see `labelmix help sweep` for an example of a study file");
    }
}
