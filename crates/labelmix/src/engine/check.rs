//! `labelmix engine check`: the same small stage on two engines.

use std::path::Path;
use std::time::Instant;

use labelmix_data::PromptTemplate;
use labelmix_engine::{Engine, EngineOptions, LabelerJob, ModelEngine};
use labelmix_methods::Recipe;
use labelmix_sandbox::{SandboxModel, write_question_files};
use labelmix_study::{EngineTable, LabelerTable, ModelTable, WeightPrecision};
use labelmix_train::{Continuation, Interrupt};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::engine_options;
use crate::arguments::{EngineArguments, EngineCheckArguments};
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::model::{Parts, checkpoint, precision};

/// How far apart log-odds may be that were computed in f32; and with weights of 4 bits, whose scales round differently.
const TOLERANCE: f64 = 1e-3;
const TOLERANCE_NF4: f64 = 1e-2;
const LEARNT: usize = 96;
const SCORED: usize = 200;

/// What is printed.
#[derive(Serialize)]
struct Comparison {
    engines: [EngineTrial; 2],
    /// The largest difference between two log-odds of a text.
    largest_difference: f64,
    /// Of so many texts those whose class is another.
    other_class: usize,
    texts: usize,
}

/// What one engine did.
#[derive(Serialize)]
struct EngineTrial {
    engine: String,
    /// Seconds until it could begin.
    start_seconds: f64,
    /// Seconds for training and scoring.
    seconds: f64,
    steps: usize,
    /// The step of the checkpoint that it kept.
    best_step: usize,
    #[serde(skip)]
    log_odds: Vec<f32>,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
enum CheckError {
    #[error("a folder for the check cannot be made: {0}")]
    #[diagnostic(help("set TMPDIR to a folder that can be written to"))]
    Folder(std::io::Error),
    #[error("log-odds differ by up to {largest:.2e}, and {tolerance:.0e} is what rounding explains")]
    #[diagnostic(help(
        "on a graphics processor, which computes in bf16, they may differ by more (--weights f32 is exact there too); else \
         please report this, with what --json prints"
    ))]
    Differs { largest: f64, tolerance: f64 },
}

/// A text with its class.
#[derive(Deserialize)]
struct Row {
    text: String,
    gold: u8,
}

pub(crate) fn run(arguments: &EngineCheckArguments) -> Result<Status, Failure> {
    let folder = tempfile::tempdir().map_err(CheckError::Folder)?;
    write_question_files(folder.path())?;
    let model = match &arguments.model {
        Some(name) => checkpoint(Path::new(name), Path::new(""), Parts::All)?,
        None => folder.path().join(SandboxModel::Strong.name()),
    };
    let text = std::fs::read_to_string(folder.path().join("train.jsonl")).map_err(CheckError::Folder)?;
    let rows =
        text.lines().map(|line| serde_json::from_str(line).expect("the sandbox writes rows with text and class"));
    let rows: Vec<Row> = rows.take(LEARNT + SCORED).collect();
    let weights = precision(&arguments.weights)?;
    let options = |engine| {
        let device = arguments.device.clone();
        let arguments = EngineArguments { device, engine: Some(engine), allow_command: false };
        engine_options(&EngineTable::default(), &arguments)
    };
    let trial = |options: EngineOptions| {
        let settings = ModelTable { weights, ..ModelTable::at(model.clone()) };
        EngineTrial::made(&model, settings, &rows, &EngineOptions { jobs: Some(1), ..options })
    };
    // Graphics processors are for the other one.
    let native = trial(EngineOptions::default())?;
    let other = trial(options(arguments.engine)?)?;
    let pairs = || native.log_odds.iter().zip(&other.log_odds);
    let largest = pairs().map(|(ours, theirs)| (f64::from(*ours) - f64::from(*theirs)).abs()).fold(0.0, f64::max);
    let other_class = pairs().filter(|(ours, theirs)| (**ours > 0.0) != (**theirs > 0.0)).count();
    let comparison = Comparison { engines: [native, other], largest_difference: largest, other_class, texts: SCORED };
    if arguments.json {
        print_json(&comparison)?;
    } else {
        print_data(&describe(&comparison))?;
    }
    let tolerance = if weights == WeightPrecision::Nf4 { TOLERANCE_NF4 } else { TOLERANCE };
    if largest.is_nan() || largest > tolerance {
        return Err(CheckError::Differs { largest, tolerance }.into());
    }
    Ok(Status::Done)
}

impl EngineTrial {
    fn made(folder: &Path, settings: ModelTable, rows: &[Row], options: &EngineOptions) -> Result<Self, Failure> {
        let began = Instant::now();
        let texts: Vec<&str> = rows.iter().map(|row| &*row.text).collect();
        let table = LabelerTable { model: Some(settings), ..LabelerTable::default() };
        let (engine, _) = ModelEngine::for_labeler(&table, &PromptTemplate::default(), folder, &texts, options)?;
        let start_seconds = began.elapsed().as_secs_f64();
        let labelled: Vec<(&str, bool)> = rows[..LEARNT].iter().map(|row| (&*row.text, row.gold == 1)).collect();
        let (train, validation) = labelled.split_at(LEARNT * 2 / 3);
        let recipe = &Recipe { total_examples: 8 * train.len(), learning_rate: 2e-3, ..table.recipe(train.len()) };
        let (train, validation) = (train.to_vec(), validation.to_vec());
        let job = LabelerJob { train, validation, recipe, target_accuracy: None, seed: 0 };
        let out = tempfile::tempdir().map_err(CheckError::Folder)?;
        let interrupt = Interrupt::default();
        let began = Instant::now();
        let training = engine.train_labeler(&job, out.path(), Continuation::none(&interrupt), &mut |_| ())?;
        let scores = engine.scorer(out.path())?.score(&texts[LEARNT..], &interrupt)?;
        let seconds = began.elapsed().as_secs_f64();
        let name = engine.runner().unwrap_or_else(|| "native".to_owned());
        let (steps, best_step) = (training.history.steps, training.history.best_step);
        Ok(Self { engine: name, start_seconds, seconds, steps, best_step, log_odds: scores.log_odds() })
    }
}

fn describe(comparison: &Comparison) -> String {
    let trial = |trial: &EngineTrial| {
        let EngineTrial { engine, start_seconds, seconds, steps, best_step, .. } = trial;
        format!(
            "{engine}\n  ready after {start_seconds:.1} s; trained and scored in {seconds:.1} s; {steps} steps, the best \
             checkpoint after {best_step}\n"
        )
    };
    let Comparison { engines, largest_difference, other_class, texts } = comparison;
    format!(
        "{}Log-odds of {texts} texts differ by at most {largest_difference:.1e}; {other_class} are of another class.\n",
        engines.iter().map(trial).collect::<String>()
    )
}
