//! A backend of another process: PyTorch in Python, or any program that speaks the same lines (docs/engines.md).

mod learner;
mod process;
mod python;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use labelmix_models::{Adapter, ForeignModel, ForeignShape, KeptTensors, LoraSettings, Pooling, Precision};
use labelmix_nn::Array;
use labelmix_study::{MatmulPrecisionName, Sharding, WeightPrecision};
use labelmix_train::{Backend, Error, Learner, Learning, Prompt, Reading, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use self::learner::WorkerLearner;
pub use self::process::Gpu;
use self::process::{Hello, Process};
pub use self::python::python;

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
}

/// Starts a worker and asks it what it finds.
///
/// # Errors
/// If it cannot be started.
pub fn survey(options: &WorkerOptions) -> Result<EngineSurvey> {
    let (_, hello) = Process::start(options, &options.device, None, 1)?;
    Ok(EngineSurvey { engine: hello.details(), devices: hello.devices })
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
    options: WorkerOptions,
    load: Json,
    model: ForeignModel,
    hello: Hello,
    precision: String,
    seats: Vec<Seat>,
}

/// A place for one worker.
#[derive(Default)]
struct Seat {
    device: String,
    /// The graphics processors that it sees, where not all.
    visible: Option<String>,
    threads: usize,
    process: Mutex<Option<Process>>,
    /// Trainings that it is busy with.
    learners: AtomicUsize,
}

impl WorkerBackend {
    /// Starts a worker and has it load the checkpoint in `folder`; of `jobs` workers the others start when they are needed.
    ///
    /// # Errors
    /// If the worker cannot be started, or cannot load it.
    pub(crate) fn new(folder: &Path, running: Running, options: &WorkerOptions, jobs: Option<usize>) -> Result<Self> {
        let Running { weights, products, activation_checkpointing, pooling } = running;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let probe = Seat { device: options.device.clone(), threads: cores, ..Seat::default() };
        (options.tell)("starts");
        let (mut first, hello) = Process::start(options, &probe.device, None, probe.threads)?;
        let on_gpu = !matches!(hello.device.as_str(), "cpu");
        let gpus = hello.devices.len().max(1);
        if on_gpu && options.gpus > gpus {
            return Err(refused(
                format!("gpus = {} in [engine], and the worker sees {}", options.gpus, hello.devices.len()),
                "lower it, or ask the cluster for more",
            ));
        }
        let useful = if on_gpu && options.device == "auto" { gpus / options.gpus } else { 1 };
        let jobs = jobs.unwrap_or(useful);
        let seats: Vec<Seat> = (0..jobs)
            .map(|seat| {
                let of_seat = (seat % useful) * options.gpus..(seat % useful + 1) * options.gpus;
                let (device, visible) = match (on_gpu && options.device == "auto", options.gpus) {
                    (true, 1) if gpus > 1 => (format!("{}:{}", hello.device, of_seat.start), None),
                    (true, several) if several > 1 => ("auto".to_owned(), Some(visible_devices(of_seat))),
                    _ => (options.device.clone(), None),
                };
                Seat { device, visible, threads: (cores / jobs).max(1), ..Seat::default() }
            })
            .collect();
        let exact = products == MatmulPrecisionName::F32;
        let compute = if exact && (!on_gpu || weights == WeightPrecision::F32) { "f32" } else { "bf16" };
        let linear = match weights {
            WeightPrecision::Auto | WeightPrecision::F32 => "stored",
            WeightPrecision::Bf16 => "bf16",
            WeightPrecision::Nf4 => "nf4",
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
        if jobs > 1 || seats[0].visible.is_some() || seats[0].device != probe.device {
            first = Process::start(options, &seats[0].device, seats[0].visible.as_deref(), seats[0].threads)?.0;
        }
        (options.tell)(&format!("loads {} ({})", folder.display(), hello.details()));
        let shape: ForeignShape = first.ask("load", &load)?;
        let model = ForeignModel::new(&folder, shape, pooling)?;
        *lock(&seats[0].process) = Some(first);
        let over = match options.processes() {
            1 => String::new(),
            processes => format!(", over {processes} processes"),
        };
        let precision = format!("linear layers {linear}, computing in {compute}{over}");
        Ok(Self { options: options.clone(), load, model, hello, precision, seats })
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
        let precision = match self.load["linear"].as_str() {
            Some("nf4") => Precision::Nf4,
            _ if self.load["compute"] == "bf16" => Precision::Bf16,
            _ => Precision::F32,
        };
        (precision.bytes(self.parameters()) * self.seats.len()) as u64
    }

    /// Asks a worker, which is started if it is not there; with the number of the process that answered. Where it has to be
    /// the `wanted` process, another one is not asked.
    fn ask_seat<T: DeserializeOwned>(
        &self,
        seat: usize,
        wanted: Option<u32>,
        what: &str,
        arguments: &Json,
    ) -> Result<(T, u32)> {
        let seat = &self.seats[seat];
        let mut process = lock(&seat.process);
        if wanted.is_some_and(|wanted| process.as_ref().is_none_or(|process| process.number() != wanted)) {
            return Err(refused("the engine that trained this is gone", "the same command goes on where it was"));
        }
        if process.is_none() {
            let (mut started, _) = Process::start(&self.options, &seat.device, seat.visible.as_deref(), seat.threads)?;
            let _: Json = started.ask("load", &self.load)?;
            *process = Some(started);
        }
        let running = process.as_mut().expect("it was started if it was not there");
        let answer = running.ask(what, arguments);
        let number = running.number();
        if running.is_lost() {
            *process = None;
        }
        Ok((answer?, number))
    }

    /// Asks whichever worker has time.
    fn ask<T: DeserializeOwned>(&self, what: &str, arguments: &Json) -> Result<T> {
        let free = self.seats.iter().position(|seat| seat.process.try_lock().is_ok());
        Ok(self.ask_seat(free.unwrap_or(0), None, what, arguments)?.0)
    }

    /// Asks about texts, some of them at a time, and puts the answers one behind the other.
    fn ask_about<T: Copy, A>(
        texts: &[T],
        tokens: impl Fn(&T) -> usize,
        reading: Reading<'_>,
        mut ask: impl FnMut(&[T]) -> Result<Vec<A>>,
    ) -> Result<Vec<A>> {
        let mut answers = Vec::with_capacity(texts.len());
        let mut rest = texts;
        while !rest.is_empty() {
            reading.interrupt.check()?;
            let mut total = 0;
            let fits = rest.iter().take_while(|text| {
                total += tokens(text);
                total <= BATCHES_IN_A_REQUEST.saturating_mul(reading.batch_tokens)
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let of_now = ask(now)?;
            if of_now.len() != now.len() {
                return Err(refused(
                    format!("the engine gave {} answers to {} texts", of_now.len(), now.len()),
                    "docs/engines.md says what it is to answer",
                ));
            }
            answers.extend(of_now);
            rest = later;
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
        let seat = (0..self.seats.len()).min_by_key(|seat| self.seats[*seat].learners.load(Ordering::Relaxed));
        Ok(Box::new(WorkerLearner::new(self, seat.expect("there is a seat"), learning)?))
    }

    fn log_odds(&self, adapter: &Adapter, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<f32>> {
        #[derive(Deserialize)]
        struct Answer {
            log_odds: Vec<Option<f32>>,
        }
        let folder = exchange()?;
        let adapter = Self::adapter_argument(adapter, &folder.path().join("adapter.safetensors"))?;
        let scores = Self::ask_about(
            texts,
            |text| text.len(),
            reading,
            |texts| {
                let arguments = json!({
                    "texts": texts,
                    "batch_tokens": reading.batch_tokens,
                    "pooling": self.pooling().name(),
                    "adapter": adapter,
                });
                Ok(self.ask::<Answer>("log_odds", &arguments)?.log_odds)
            },
        )?;
        Ok(numbers(scores))
    }

    fn hidden_states(&self, layers: Option<usize>, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<Vec<f32>>> {
        let folder = exchange()?;
        let path = folder.path().join("hidden_states.safetensors");
        Self::ask_about(
            texts,
            |text| text.len(),
            reading,
            |texts| {
                let arguments = json!({
                    "texts": texts,
                    "batch_tokens": reading.batch_tokens,
                    "pooling": self.pooling().name(),
                    "layers": layers,
                    "path": path,
                });
                let _: Json = self.ask("hidden_states", &arguments)?;
                let states = array(&path, "hidden_states")?;
                let hidden = states.shape().get(1).copied().unwrap_or(1).max(1);
                Ok(states.values().chunks(hidden).map(<[f32]>::to_vec).collect())
            },
        )
    }

    fn next_token_scores(&self, prompts: &[Prompt], targets: [u32; 2], reading: Reading<'_>) -> Result<Vec<f32>> {
        #[derive(Deserialize)]
        struct Answer {
            scores: Vec<Option<f32>>,
        }
        let prompts: Vec<Vec<u32>> = prompts.iter().map(Prompt::token_ids).collect();
        let texts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let scores = Self::ask_about(
            &texts,
            |text| text.len(),
            reading,
            |texts| {
                let arguments = json!({ "texts": texts, "targets": targets, "batch_tokens": reading.batch_tokens });
                Ok(self.ask::<Answer>("next_token_scores", &arguments)?.scores)
            },
        )?;
        Ok(numbers(scores))
    }

    fn likeliest_next(&self, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<u32>> {
        #[derive(Deserialize)]
        struct Answer {
            tokens: Vec<u32>,
        }
        Self::ask_about(
            texts,
            |text| text.len(),
            reading,
            |texts| {
                let arguments = json!({ "texts": texts, "batch_tokens": reading.batch_tokens });
                Ok(self.ask::<Answer>("likeliest_next", &arguments)?.tokens)
            },
        )
    }

    fn log_likelihoods(&self, texts: &[(&[u32], usize)], reading: Reading<'_>) -> Result<Vec<f64>> {
        #[derive(Deserialize)]
        struct Answer {
            log_likelihoods: Vec<Option<f64>>,
        }
        let sums = Self::ask_about(
            texts,
            |(text, _)| text.len(),
            reading,
            |texts| {
                let (texts, first): (Vec<&[u32]>, Vec<usize>) = texts.iter().copied().unzip();
                let arguments = json!({ "texts": texts, "first": first, "batch_tokens": reading.batch_tokens });
                Ok(self.ask::<Answer>("log_likelihoods", &arguments)?.log_likelihoods)
            },
        )?;
        Ok(sums.into_iter().map(|sum| sum.unwrap_or(f64::NAN)).collect())
    }

    fn head_rows(&self, tokens: &[u32]) -> Result<Array> {
        let folder = exchange()?;
        let path = folder.path().join("rows.safetensors");
        let _: Json = self.ask("head_rows", &json!({ "tokens": tokens, "path": path }))?;
        array(&path, "rows")
    }
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

/// These of the graphics processors that this process sees.
fn visible_devices(places: std::ops::Range<usize>) -> String {
    let here = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let here: Option<Vec<&str>> = here.as_deref().map(|names| names.split(',').collect());
    let names = places.map(|place| match &here {
        Some(names) => names.get(place).map_or_else(String::new, |name| (*name).to_owned()),
        None => place.to_string(),
    });
    names.collect::<Vec<_>>().join(",")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
