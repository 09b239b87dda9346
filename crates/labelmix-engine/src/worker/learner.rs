//! A training whose tensors another process holds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use labelmix_methods::{Recipe, Trains};
use labelmix_models::{Adapter, KeptTensors};
use labelmix_nn::Array;
use labelmix_train::{Backend, Batch, Interrupt, Learner, Learning, OptimizerState, Reading, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{LogOdds, WorkerBackend, exchange, not_exchanged, numbers, write_arrays};

/// Numbers of learners, so that a worker tells them apart.
static LEARNERS: AtomicU64 = AtomicU64::new(0);

/// An adapter in training in a worker.
pub(super) struct WorkerLearner<'a> {
    backend: &'a WorkerBackend,
    seat: usize,
    /// The process that holds it.
    process: u32,
    number: u64,
    /// The names and shapes of what is trained; its values are where training began.
    adapter: Adapter,
    batch_tokens: usize,
    folder: tempfile::TempDir,
}

impl<'a> WorkerLearner<'a> {
    pub(super) fn new(backend: &'a WorkerBackend, learning: Learning<'_>) -> Result<Self> {
        let Learning { adapter, trains, recipe, optimizer } = learning;
        let Recipe { beta1, beta2, epsilon, weight_decay, max_gradient_norm, micro_batch_tokens, .. } = *recipe;
        let (folder, number) = (exchange()?, LEARNERS.fetch_add(1, Ordering::Relaxed));
        let argument = WorkerBackend::adapter_argument(&adapter, &folder.path().join("adapter.safetensors"))?;
        let state = folder.path().join("optimizer.safetensors");
        if let Some(optimizer) = optimizer {
            optimizer.save(&state)?;
        }
        let arguments = json!({
            "learner": number,
            "adapter": argument,
            "trains": match trains {
                Trains::All => "all",
                Trains::Head => "head",
                Trains::Body => "body",
            },
            "settings": {
                "beta1": beta1,
                "beta2": beta2,
                "epsilon": epsilon,
                "weight_decay": weight_decay,
                "max_gradient_norm": max_gradient_norm,
                "batch_tokens": micro_batch_tokens,
            },
            "pooling": backend.pooling().name(),
            "optimizer": optimizer.map(|_| &state),
        });
        let seat = backend.seats.take();
        let begun = backend.seats.ask::<Json>(seat, None, "begin", arguments);
        let (_, process) = begun.inspect_err(|_| backend.seats.leave(seat))?;
        Ok(Self { backend, seat, process, number, adapter, batch_tokens: micro_batch_tokens, folder })
    }

    fn ask<T: DeserializeOwned>(&self, what: &str, mut arguments: Json) -> Result<T> {
        arguments["learner"] = json!(self.number);
        Ok(self.backend.seats.ask(self.seat, Some(self.process), what, arguments)?.0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Learner for WorkerLearner<'_> {
    fn step(&mut self, batch: Batch<'_>, learning_rate: f64, interrupt: &Interrupt) -> Result<f32> {
        #[derive(Deserialize)]
        struct Answer {
            loss: Option<f32>,
        }
        interrupt.check()?;
        let Batch { texts, targets, weights } = batch;
        let arguments =
            json!({ "texts": texts, "targets": targets, "weights": weights, "learning_rate": learning_rate });
        Ok(self.ask::<Answer>("step", arguments)?.loss.unwrap_or(f32::NAN))
    }

    fn log_odds(&self, texts: &[&[u32]], interrupt: &Interrupt) -> Result<Vec<f32>> {
        let reading = Reading { batch_tokens: self.batch_tokens, interrupt };
        let pooling = self.backend.pooling().name();
        WorkerBackend::ask_about(texts, reading, |_, texts| {
            let arguments = json!({ "texts": texts, "batch_tokens": self.batch_tokens, "pooling": pooling });
            Ok(numbers(self.ask::<LogOdds>("log_odds", arguments)?.log_odds))
        })
    }

    fn head_at(&self) -> usize {
        self.adapter.head_at()
    }

    fn snapshot(&self) -> Result<Vec<Array>> {
        let path = self.path("snapshot.safetensors");
        let _: Json = self.ask("snapshot", json!({ "path": path }))?;
        let tensors = KeptTensors::read(&path).map_err(not_exchanged)?;
        let of = |name: &str| tensors.get(name).cloned().map_err(not_exchanged);
        self.adapter.parameters().iter().map(|parameter| of(parameter.name())).collect()
    }

    fn restore(&mut self, snapshot: &[Array]) -> Result<()> {
        let path = self.path("restored.safetensors");
        write_arrays(&self.adapter, snapshot, &path)?;
        let _: Json = self.ask("restore", json!({ "path": path }))?;
        Ok(())
    }

    fn optimizer(&self) -> Result<OptimizerState> {
        let path = self.path("optimizer.safetensors");
        let _: Json = self.ask("save_optimizer", json!({ "path": path }))?;
        OptimizerState::load(&path)
    }

    fn set_optimizer(&mut self, state: &OptimizerState) -> Result<()> {
        let path = self.path("optimizer.safetensors");
        state.save(&path)?;
        let _: Json = self.ask("load_optimizer", json!({ "path": path }))?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(Adapter, OptimizerState)> {
        let (values, state) = (self.snapshot()?, self.optimizer()?);
        self.adapter.restore(&values)?;
        Ok((self.adapter.clone(), state))
    }
}

impl Drop for WorkerLearner<'_> {
    fn drop(&mut self) {
        self.backend.seats.leave(self.seat);
        // A worker that is gone holds nothing.
        let _ = self.ask::<Json>("end", json!({}));
    }
}
