//! The keys of every table, in words.

mod data;
mod training;

use std::path::PathBuf;

use labelmix_methods::{PromptTemplate, Recipe};
use serde::Serialize;
use toml::{Table, Value};

use self::data::{LABELER, MODEL, PRICES, TASK, TASK_WEAK, TOP};
use self::training::{GRID, METHODS, PROMPT, RECIPE, SLURM};
use super::{KeyHelp, Need, StudyTable};
use crate::slurm::SlurmTable;
use crate::study::{GridTable, LabelerTable, ModelTable, PricesTable, TaskTable, VoteMerging, default_methods};

pub(super) fn tables() -> Vec<StudyTable> {
    let table = |heading, summary, page, keys, defaults| StudyTable { heading, summary, page, keys, defaults };
    vec![
        table("", "At the top of the file, before any table.", None, TOP, top_defaults()),
        table(
            "[task]",
            "The data: either files of texts (`train` and `test`), or a task (`name` or `file`). Not both.",
            Some("tasks.md"),
            TASK,
            task_defaults(),
        ),
        table(
            "[task.weak]",
            "Weak labels of a task, where `weak` is a table.",
            Some("tasks.md#weak-labels-in-files"),
            TASK_WEAK,
            Table::new(),
        ),
        table("[model]", "The pretrained model.", Some("devices.md"), MODEL, model_defaults()),
        table(
            "[labeler]",
            "Who makes the weak labels, in place of those of the data.",
            Some("weak-labels.md"),
            LABELER,
            labeler_defaults(),
        ),
        table(
            "[prices]",
            "What a label costs, in dollars.",
            Some("planning.md"),
            PRICES,
            defaults(&PricesTable::default()),
        ),
        table(
            "[grid]",
            "Every budget is split in every way, and every number of weak labels goes with every number of gold ones; all with \
             every seed.",
            Some("sweeps.md"),
            GRID,
            defaults(&GridTable::default()),
        ),
        table(
            "[[methods]]",
            "A table for each method to try. The other keys of the table are the method's options, below.",
            Some("methods.md"),
            METHODS,
            Table::new(),
        ),
        table(
            "[prompt]",
            "How examples become a prompt, for methods that have one.",
            Some("methods.md#prompts"),
            PROMPT,
            defaults(&PromptTemplate::default()),
        ),
        table(
            "[recipe]",
            "How stages train. The defaults are the published system's.",
            Some("methods.md#schedules"),
            RECIPE,
            recipe_defaults(),
        ),
        table(
            "[slurm]",
            "What every task asks of a cluster, for `--executor slurm`. What is left out is the cluster's default.",
            Some("slurm.md"),
            SLURM,
            defaults(&SlurmTable::default()),
        ),
    ]
}

const fn key(
    name: &'static str,
    value: &'static str,
    need: Need,
    example: &'static str,
    refused: &'static [&'static str],
    meaning: &'static str,
) -> KeyHelp {
    KeyHelp { name, value, meaning, need, example, refused }
}

/// The keys of a structure with its defaults, but for paths, which have none.
fn defaults(table: &impl Serialize) -> Table {
    let mut defaults = Table::try_from(table).expect("a study's tables are TOML");
    defaults.remove("path");
    defaults
}

fn top_defaults() -> Table {
    let names = default_methods().into_iter().map(|method| Value::from(method.name));
    Table::from_iter([("methods".to_owned(), Value::Array(names.collect()))])
}

/// What is left out of a `[task]` of files of texts, and how a task's votes are merged.
fn task_defaults() -> Table {
    let task: TaskTable = toml::from_str("train = ''\ntest = ''").expect("files of texts need no more");
    let mut table = defaults(&task);
    table.retain(|key, _| !["train", "test"].contains(&key));
    table.insert("merge".to_owned(), value(VoteMerging::default()));
    table
}

/// With those that a study's record leaves out where they are the default.
fn model_defaults() -> Table {
    let model = ModelTable::at(PathBuf::new());
    let mut table = defaults(&model);
    table.extend([
        ("weights".to_owned(), value(model.weights)),
        ("matmul_precision".to_owned(), value(model.matmul_precision)),
        ("activation_checkpointing".to_owned(), value(model.activation_checkpointing)),
    ]);
    table
}

/// With the numbers that are worked out where they are used.
fn labeler_defaults() -> Table {
    let labeler = LabelerTable::default();
    let recipe = labeler.recipe(1);
    let count = |number: usize| Value::Integer(number.try_into().expect("a default is a small number"));
    let mut table = defaults(&labeler);
    table.extend([
        ("train".to_owned(), count(labeler.train())),
        ("validation".to_owned(), count(labeler.validation())),
        ("epochs".to_owned(), count(recipe.total_examples)),
        ("learning_rate".to_owned(), Value::Float(recipe.learning_rate)),
        ("micro_batch_tokens".to_owned(), count(recipe.micro_batch_tokens)),
    ]);
    table
}

/// With what a study's record leaves out where it is the default.
fn recipe_defaults() -> Table {
    let recipe = Recipe::default();
    let mut table = defaults(&recipe);
    table.insert("schedule".to_owned(), value(recipe.schedule));
    table
}

fn value(value: impl Serialize) -> Value {
    Value::try_from(value).expect("names and flags are TOML")
}
