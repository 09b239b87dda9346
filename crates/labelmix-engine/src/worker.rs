//! A backend of another process: PyTorch in Python, or any program that speaks the same lines (docs/engines.md).

mod learner;
mod process;
mod python;
mod seats;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};

use labelmix_models::{Adapter, ForeignModel, ForeignShape, KeptTensors, LoraSettings, Pooling, Precision};
use labelmix_nn::Array;
use labelmix_study::{MatmulPrecisionName, Sharding, WeightPrecision};
use labelmix_train::{Backend, Error, Learner, Learning, Prompt, Reading, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use self::learner::WorkerLearner;
pub use self::process::Gpu;
use self::process::{Hello, Process};
pub use self::python::python;
use self::seats::{Place, Seats};

/// Raised when lines of old programs are not understood any more.
pub(crate) const PROTOCOL: u32 = 1;

/// Tokens of texts in one request, as a multiple of those that are processed at a time: an interruption waits for one.
const BATCHES_IN_A_REQUEST: usize = 32;

/// A program that runs models, and what it is to do with them.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// What is run, with its first arguments.
    pub program: WorkerProgram,
    /// Where models run, in torch's words; "auto" for the best there is.
    pub device: String,
    /// How attention is computed: transformers' name of it.
    pub attention: Option<String>,
    /// Over how many graphics processors one model is spread.
    pub gpus: usize,
    /// How it is spread.
    pub sharding: Sharding,
    /// Seconds without a word after which a worker counts as hung.
    pub timeout: u64,
    /// Who passes on what a worker has to say to the user.
    pub tell: fn(&str),
}

impl WorkerOptions {
    /// The processes that share one model.
    fn processes(&self) -> usize {
        if self.sharding == Sharding::Fsdp { self.gpus } else { 1 }
    }

    /// The graphics processors of this machine over which a model is spread: its processes are on all machines of a Slurm job.
    fn gpus_here(&self) -> usize {
        let machines = std::env::var("SLURM_JOB_NUM_NODES").ok().and_then(|machines| machines.parse().ok());
        self.gpus.div_ceil(machines.filter(|_| self.processes() > 1).unwrap_or(1).max(1))
    }
}

/// What speaks with labelmix.
#[derive(Clone, Debug)]
pub enum WorkerProgram {
    /// The worker that labelmix brings along, in this interpreter.
    Torch(PathBuf),
    /// A program of the user's.
    Command(Vec<String>),
}

/// What a worker says of itself and of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct EngineSurvey {
    /// Packages and device, in words.
    pub engine: String,
    /// The graphics processors that it sees.
    pub devices: Vec<Gpu>,
    /// Operations a second of its matrix products, if it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
}

/// Starts a worker and asks it what it finds.
///
/// # Errors
/// If it cannot be started.
pub fn survey(options: &WorkerOptions) -> Result<EngineSurvey> {
    #[derive(Deserialize)]
    struct Speed {
        flops: f64,
    }
    let (mut process, hello) = Process::start(options, &Place::anywhere(options, 1))?;
    let flops = process.ask::<Speed>("speed", json!({})).ok().map(|speed| speed.flops);
    Ok(EngineSurvey { engine: hello.details(), devices: hello.devices, flops })
}

/// How a model is loaded.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pub(crate) weights: WeightPrecision,
    pub(crate) products: MatmulPrecisionName,
    pub(crate) activation_checkpointing: bool,
    /// How sequences become vectors; by default what suits the checkpoint.
    pub(crate) pooling: Option<Pooling>,
}

/// A model that runs in other processes, each with a copy of it.
pub(crate) struct WorkerBackend {
    model: ForeignModel,
    hello: Hello,
    /// How its weights are kept, and in words how it computes.
    weights: Precision,
    precision: String,
    seats: Seats,
}

impl WorkerBackend {
    /// Starts a worker and has it load the checkpoint in `folder`; of `jobs` workers the others start when they are needed.
    ///
    /// # Errors
    /// If the worker cannot be started, or cannot load it.
    pub(crate) fn new(folder: &Path, running: Running, options: &WorkerOptions, jobs: Option<usize>) -> Result<Self> {
        let Running { weights, products, activation_checkpointing, pooling } = running;
        (options.tell)("starts");
        let probed = Place::anywhere(options, jobs.unwrap_or(1));
        let (mut first, hello) = Process::start(options, &probed)?;
        if hello.is_on_gpu() && options.gpus_here() > hello.devices.len().max(1) {
            return Err(refused(
                format!("gpus = {} in [engine], and the worker sees {}", options.gpus, hello.devices.len()),
                "lower it, or ask the cluster for more: `gpus_per_node` and `nodes` in [slurm]",
            ));
        }
        let places = Place::all(options, &hello, jobs);
        if places[0] != probed {
            first = Process::start(options, &places[0])?.0;
        }
        let is_exact = products == MatmulPrecisionName::F32 && (!hello.is_on_gpu() || weights == WeightPrecision::F32);
        let (compute, computing) = if is_exact { ("f32", Precision::F32) } else { ("bf16", Precision::Bf16) };
        let (linear, weights) = match weights {
            WeightPrecision::Auto | WeightPrecision::F32 => ("stored", computing),
            WeightPrecision::Bf16 => ("bf16", computing),
            WeightPrecision::Nf4 => ("nf4", Precision::Nf4),
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let load = json!({
            "folder": folder,
            "linear": linear,
            "compute": compute,
            "attention": options.attention,
            "checkpointing": activation_checkpointing,
            "spread": options.gpus > 1 && options.sharding == Sharding::Layers,
        });
        (options.tell)(&format!("loads {} ({})", folder.display(), hello.details()));
        let shape: ForeignShape = first.ask("load", load.clone())?;
        let model = ForeignModel::new(&folder, shape, pooling)?;
        let over = match options.processes() {
            1 => String::new(),
            processes => format!(", over {processes} processes"),
        };
        let precision = format!("linear layers {linear}, computing in {compute}{over}");
        Ok(Self { model, hello, weights, precision, seats: Seats::new(options, load, places, first) })
    }

    /// What enters the keys of what it makes.
    pub(crate) fn identity(&self) -> String {
        let Hello { name, device, .. } = &self.hello;
        format!("{name}, protocol {PROTOCOL}, on {device}, {}", self.precision)
    }

    /// Versions and the device's name, which differ between machines that make the same.
    pub(crate) fn details(&self) -> String {
        self.hello.details()
    }

    pub(crate) fn parameters(&self) -> usize {
        self.model.shape().parameters
    }

    pub(crate) fn slots(&self) -> usize {
        self.seats.len()
    }

    /// The memory of the workers' weights, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.weights.bytes(self.parameters()) * self.seats.len()) as u64
    }

    /// Asks about texts, some of them at a time (`ask` has them with their places), and puts the answers one behind the other.
    fn ask_about<A>(
        texts: &[&[u32]],
        reading: Reading<'_>,
        mut ask: impl FnMut(Range<usize>, &[&[u32]]) -> Result<Vec<A>>,
    ) -> Result<Vec<A>> {
        let mut answers = Vec::with_capacity(texts.len());
        while answers.len() < texts.len() {
            reading.interrupt.check()?;
            let (first, mut total) = (answers.len(), 0);
            let fits = texts[first..].iter().take_while(|text| {
                total += text.len();
                total <= BATCHES_IN_A_REQUEST.saturating_mul(reading.batch_tokens)
            });
            let now = first..first + fits.count().max(1);
            let of_now = ask(now.clone(), &texts[now.clone()])?;
            if of_now.len() != now.len() {
                return Err(refused(
                    format!("the engine gave {} answers to {} texts", of_now.len(), now.len()),
                    "docs/engines.md says what it is to answer",
                ));
            }
            answers.extend(of_now);
        }
        Ok(answers)
    }

    /// An adapter in a file, as a worker reads it.
    fn adapter_argument(adapter: &Adapter, path: &Path) -> Result<Json> {
        write_arrays(adapter, &adapter.snapshot()?, path)?;
        let LoraSettings { rank, alpha } = adapter.settings();
        Ok(json!({ "path": path, "scale": alpha / rank as f64 }))
    }
}

impl Backend for WorkerBackend {
    fn content_hash(&self) -> Result<[u8; 32]> {
        Ok(self.model.content_hash()?)
    }

    fn check_unchanged(&self) -> Result<()> {
        Ok(self.model.check_unchanged()?)
    }

    fn check_language_model(&self) -> Result<()> {
        Ok(self.model.check_language_model()?)
    }

    fn pooling(&self) -> Pooling {
        self.model.pooling()
    }

    fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Result<Adapter> {
        Ok(self.model.initial_adapter(settings, seed)?)
    }

    fn kept_adapter(&self, folder: &Path) -> Result<Adapter> {
        Ok(self.model.kept_adapter(folder)?)
    }

    fn learner<'a>(&'a self, learning: Learning<'_>) -> Result<Box<dyn Learner + 'a>> {
        Ok(Box::new(WorkerLearner::new(self, learning)?))
    }

    fn log_odds(&self, adapter: &Adapter, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<f32>> {
        let folder = exchange()?;
        let adapter = Self::adapter_argument(adapter, &folder.path().join("adapter.safetensors"))?;
        let (tokens, pooling) = (reading.batch_tokens, self.pooling().name());
        Self::ask_about(texts, reading, |_, texts| {
            let arguments = json!({ "texts": texts, "batch_tokens": tokens, "pooling": pooling, "adapter": adapter });
            Ok(numbers(self.seats.ask_any::<LogOdds>("log_odds", arguments)?.log_odds))
        })
    }

    fn hidden_states(&self, layers: Option<usize>, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<Vec<f32>>> {
        let folder = exchange()?;
        let path = folder.path().join("hidden_states.safetensors");
        Self::ask_about(texts, reading, |_, texts| {
            let arguments = json!({
                "texts": texts,
                "batch_tokens": reading.batch_tokens,
                "pooling": self.pooling().name(),
                "layers": layers,
                "path": path,
            });
            let _: Json = self.seats.ask_any("hidden_states", arguments)?;
            let states = array(&path, "hidden_states")?;
            let hidden = states.shape().get(1).copied().unwrap_or(1).max(1);
            Ok(states.values().chunks(hidden).map(<[f32]>::to_vec).collect())
        })
    }

    fn next_token_scores(&self, prompts: &[Prompt], targets: [u32; 2], reading: Reading<'_>) -> Result<Vec<f32>> {
        #[derive(Deserialize)]
        struct Answer {
            scores: Vec<Option<f32>>,
        }
        let prompts: Vec<Vec<u32>> = prompts.iter().map(Prompt::token_ids).collect();
        let texts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        Self::ask_about(&texts, reading, |_, texts| {
            let arguments = json!({ "texts": texts, "targets": targets, "batch_tokens": reading.batch_tokens });
            Ok(numbers(self.seats.ask_any::<Answer>("next_token_scores", arguments)?.scores))
        })
    }

    fn likeliest_next(&self, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<u32>> {
        #[derive(Deserialize)]
        struct Answer {
            tokens: Vec<u32>,
        }
        Self::ask_about(texts, reading, |_, texts| {
            let arguments = json!({ "texts": texts, "batch_tokens": reading.batch_tokens });
            Ok(self.seats.ask_any::<Answer>("likeliest_next", arguments)?.tokens)
        })
    }

    fn log_likelihoods(&self, texts: &[(&[u32], usize)], reading: Reading<'_>) -> Result<Vec<f64>> {
        #[derive(Deserialize)]
        struct Answer {
            log_likelihoods: Vec<Option<f64>>,
        }
        let (texts, first): (Vec<&[u32]>, Vec<usize>) = texts.iter().copied().unzip();
        Self::ask_about(&texts, reading, |places, texts| {
            let arguments = json!({ "texts": texts, "first": first[places], "batch_tokens": reading.batch_tokens });
            let sums = self.seats.ask_any::<Answer>("log_likelihoods", arguments)?.log_likelihoods;
            Ok(sums.into_iter().map(|sum| sum.unwrap_or(f64::NAN)).collect())
        })
    }

    fn head_rows(&self, tokens: &[u32]) -> Result<Array> {
        let folder = exchange()?;
        let path = folder.path().join("rows.safetensors");
        let _: Json = self.seats.ask_any("head_rows", json!({ "tokens": tokens, "path": path }))?;
        array(&path, "rows")
    }
}

/// A worker's answer about log-odds.
#[derive(Deserialize)]
struct LogOdds {
    log_odds: Vec<Option<f32>>,
}

/// The scores, of which those that are no numbers come as none.
fn numbers(scores: Vec<Option<f32>>) -> Vec<f32> {
    scores.into_iter().map(|score| score.unwrap_or(f32::NAN)).collect()
}

/// A folder for tensors on their way.
fn exchange() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("labelmix-").tempdir().map_err(not_exchanged)
}

#[expect(clippy::needless_pass_by_value, reason = "it takes the place of an error")]
fn not_exchanged(error: std::io::Error) -> Error {
    refused(
        format!("tensors cannot be exchanged in {}: {error}", std::env::temp_dir().display()),
        "set TMPDIR to a folder that can be written to, on a disk with space",
    )
}

/// Writes an adapter's values, or others of its shape.
fn write_arrays(adapter: &Adapter, values: &[Array], path: &Path) -> Result<()> {
    let mut tensors = KeptTensors::default();
    for (parameter, array) in adapter.parameters().iter().zip(values) {
        tensors.add(parameter.name(), array.clone());
    }
    tensors.write(path).map_err(not_exchanged)
}

/// A tensor that a worker wrote.
fn array(path: &Path, name: &str) -> Result<Array> {
    let tensors = KeptTensors::read(path).map_err(not_exchanged)?;
    Ok(tensors.get(name).map_err(not_exchanged)?.clone())
}

fn refused(message: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Backend { message: message.into(), help: Some(help.into()) }
}
