//! The keys of every table, in words, and their defaults.

use std::path::PathBuf;

use labelmix_data::PromptTemplate;
use labelmix_methods::Recipe;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::StudyTable;
use crate::slurm::SlurmTable;
use crate::study::{
    EngineTable, GridTable, LabelerTable, LlmTable, ModelTable, PricesTable, TaskTable, USUAL_SCHEDULE, VoteMerging,
    default_methods,
};

#[derive(Deserialize)]
struct Reference {
    tables: Vec<StudyTable>,
}

pub(super) fn tables() -> Vec<StudyTable> {
    let Reference { mut tables } = toml::from_str(include_str!("keys.toml")).expect("the reference is TOML");
    for table in &mut tables {
        table.defaults = match &*table.heading {
            "" => top_defaults(),
            "[task]" => task_defaults(),
            "[model]" => model_defaults(),
            "[labeler]" => labeler_defaults(),
            "[labeler.llm]" => llm_defaults(),
            "[prices]" => defaults(&PricesTable::default()),
            "[grid]" => defaults(&GridTable::default()),
            "[prompt]" => prompt_defaults(),
            "[recipe]" => recipe_defaults(),
            "[engine]" => defaults(&EngineTable::default()),
            "[slurm]" => defaults(&SlurmTable::default()),
            _ => Table::new(),
        };
    }
    tables
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

/// Of a study without a task that has wordings.
fn prompt_defaults() -> Table {
    let mut table = defaults(&PromptTemplate::default());
    table.insert("before_text".to_owned(), Value::from(""));
    table
}

/// But for those that depend on others.
fn llm_defaults() -> Table {
    let llm: LlmTable = toml::from_str("base_url = ''\nmodel = ''").expect("a service needs no more");
    let mut table = defaults(&llm);
    table.retain(|key, _| !["base_url", "model", "usd_per_million", "votes"].contains(&key));
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

fn recipe_defaults() -> Table {
    defaults(&Recipe { schedule: USUAL_SCHEDULE, ..Recipe::default() })
}

fn value(value: impl Serialize) -> Value {
    Value::try_from(value).expect("names and flags are TOML")
}
