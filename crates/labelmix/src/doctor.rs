//! `labelmix doctor`: what this machine can do, and which recipes of a model fit into its memory.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;
use labelmix_engine::{EngineSurvey, available_memory, survey, weight_precision};
use labelmix_methods::Recipe;
use labelmix_models::{ByteSize, MemoryRequest, ModelShape, ShapeSummary};
use labelmix_report::count;
use labelmix_study::{EngineTable, Study, WeightPrecision};
use serde::Serialize;

use crate::arguments::{DoctorArguments, EngineArguments};
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::engine::engine_options;
use crate::model::{Parts, checkpoint, checkpoint_of};

/// Everything that is printed.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    machine: Machine,
    /// What the torch engine finds, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    torch: Option<EngineSurvey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelReport>,
}

#[derive(Serialize)]
struct Machine {
    cores: usize,
    available_memory: u64,
    vector_instructions: &'static str,
}

#[derive(Serialize)]
struct ModelReport {
    shape: ShapeSummary,
    /// Tokens that are processed at once.
    tokens: usize,
    lora_rank: usize,
    options: Vec<TrainingOption>,
}

/// One way to train, with its memory in bytes.
#[derive(Serialize)]
struct TrainingOption {
    weights: &'static str,
    activation_checkpointing: bool,
    weight_bytes: u64,
    adapter_bytes: u64,
    activation_bytes: u64,
    peak_bytes: u64,
    /// How many runs at a time fit; 0 if not even one does.
    runs_that_fit: usize,
}

pub(crate) fn run(arguments: &DoctorArguments) -> Result<Status, Failure> {
    let study = arguments.study.as_deref().map(Study::read).transpose()?;
    let available = arguments.memory.map_or_else(available_memory, |memory| memory.0);
    let folder = match (&arguments.model, &study) {
        (Some(model), _) => Some(checkpoint(Path::new(model), Path::new(""), Parts::Configuration)?),
        (None, Some(study)) => Some(checkpoint_of(study, Parts::Configuration)?),
        (None, None) => None,
    };
    let recipe = study.map_or_else(Recipe::default, |study| study.recipe);
    let model = folder.map(|folder| ModelShape::read(&folder)).transpose()?.map(|shape| ModelReport {
        shape: shape.summary(),
        tokens: recipe.micro_batch_tokens,
        lora_rank: recipe.lora_rank,
        options: options(&shape, &recipe, available),
    });
    let engine = EngineArguments { device: arguments.device.clone(), engine: arguments.engine, allow_command: false };
    let torch = engine_options(&EngineTable::default(), &engine)?.worker.as_ref().map(survey).transpose()?;
    let report = Report { version: env!("CARGO_PKG_VERSION"), machine: Machine::here(available), torch, model };
    if arguments.json {
        print_json(&report)?;
    } else {
        print_data(&describe(&report))?;
    }
    Ok(Status::Done)
}

impl Machine {
    fn here(available_memory: u64) -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            available_memory,
            vector_instructions: vector_instructions(),
        }
    }
}

/// The widest instructions that the kernels of this build can use here.
fn vector_instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bf16") {
            return "AVX-512 with bf16 products";
        }
        if is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    "baseline"
}

/// Every precision, with activations kept and computed twice.
fn options(shape: &ModelShape, recipe: &Recipe, available: u64) -> Vec<TrainingOption> {
    let mut options = Vec::new();
    for weights in WeightPrecision::ALL {
        // Already there as "auto".
        if weight_precision(weights) == Some(shape.stored_precision()) {
            continue;
        }
        for activation_checkpointing in [false, true] {
            let plan = shape.memory(&MemoryRequest {
                tokens: recipe.micro_batch_tokens,
                lora_rank: recipe.lora_rank,
                precision: weight_precision(weights),
                activation_checkpointing,
            });
            options.push(TrainingOption {
                weights: weights.name(),
                activation_checkpointing,
                weight_bytes: plan.weights,
                adapter_bytes: plan.adapter,
                activation_bytes: plan.activations + plan.scratch + plan.spare,
                peak_bytes: plan.peak(1),
                runs_that_fit: plan.runs_that_fit(available),
            });
        }
    }
    options
}

/// The report for people.
fn describe(report: &Report) -> String {
    let mut out = String::new();
    let Machine { cores, available_memory, vector_instructions } = &report.machine;
    // Writing to a string cannot fail.
    let _ = writeln!(out, "labelmix {}", report.version);
    let _ = writeln!(out, "machine  {cores} cores ({vector_instructions}), {} available", ByteSize(*available_memory));
    if let Some(survey) = &report.torch {
        out.push_str(&describe_engine(survey));
    }
    let Some(ModelReport { shape, tokens, lora_rank, options }) = &report.model else {
        let _ = writeln!(out, "\nWith --model or --study: which recipes fit.");
        return out;
    };
    let _ = writeln!(out, "model    {} of {} parameters", shape.architecture, count(shape.parameters));
    let _ = writeln!(out, "recipe   LoRA of rank {lora_rank}, {} tokens at once\n", count(*tokens));
    let _ = writeln!(out, "weights  checkpointing     weights     adapter  activations        peak  fits");
    for option in options {
        let fits = match option.runs_that_fit {
            0 => "no".to_owned(),
            1 => "1 run".to_owned(),
            runs if runs > *cores => format!("{cores} runs or more"),
            runs => format!("{runs} runs"),
        };
        let _ = writeln!(
            out,
            "{:<7}  {:<13}  {:>10}  {:>10}  {:>11}  {:>10}  {fits}",
            option.weights,
            if option.activation_checkpointing { "on" } else { "off" },
            ByteSize(option.weight_bytes),
            ByteSize(option.adapter_bytes),
            ByteSize(option.activation_bytes),
            ByteSize(option.peak_bytes),
        );
    }
    out
}

/// What the torch engine finds, and on how many of its graphics processors models of usual sizes can be trained.
fn describe_engine(survey: &EngineSurvey) -> String {
    /// What training takes beyond the weights: a share of them, and what does not depend on the model.
    const SHARE: f64 = 0.2;
    const FIXED: f64 = 3e9;
    /// Texts of a stage, and tokens of a text.
    const STAGE: (f64, f64) = (10_000.0, 64.0);
    /// Of a step for each token and parameter: forward, and backward through frozen weights.
    const OPERATIONS: f64 = 4.0;
    /// The share of the speed of matrix products that a step reaches.
    const REACHED: f64 = 0.4;
    let mut out = format!("torch    {}\n", survey.engine);
    let least = survey.devices.iter().map(|gpu| gpu.memory).min();
    if least.is_none() {
        out.push_str(
            "         no graphics processor: models run on the processor, in f32 unless [model] says otherwise\n",
        );
    }
    for (place, gpu) in survey.devices.iter().enumerate() {
        let _ = writeln!(out, "         {place}: {}, {}", gpu.name, ByteSize(gpu.memory));
    }
    for (size, parameters) in [("0.5B", 0.5e9), ("8B", 8e9), ("70B", 70e9)] {
        let mut said = Vec::new();
        if let Some(least) = least {
            let needed = [("bf16", 2.0), ("nf4", 0.55)].map(|(weights, bytes)| {
                let processors = ((parameters * bytes * (1.0 + SHARE) + FIXED) / least as f64).ceil();
                format!("{processors:.0} with weights = {weights:?}")
            });
            said.push(format!("needs, of these processors, about {}", needed.join(", ")));
        }
        if let Some(flops) = survey.flops {
            let seconds = STAGE.0 * STAGE.1 * OPERATIONS * parameters / (flops * REACHED);
            let time = HumanDuration(Duration::from_secs_f64(seconds));
            let on = if least.is_some() { " of one" } else { "" };
            said.push(format!("trains on 10,000 texts of 64 tokens in about {time}{on}"));
        }
        if !said.is_empty() {
            let _ = writeln!(out, "         a model of {size} parameters {}", said.join(", and "));
        }
    }
    if let Some(flops) = survey.flops {
        let _ = writeln!(
            out,
            "         (if a step reaches {:.0}% of its {:.1} TFLOP/s in matrix products; nobody has measured that share on a graphics processor)",
            REACHED * 100.0,
            flops / 1e12
        );
    }
    out
}
