//! Steps on tensors of this process.

use std::ops::Range;

use labelmix_methods::{Recipe, Trains};
use labelmix_models::{Adapter, Classifier};
use labelmix_nn::{AdamW, AdamWSettings, Array, Gradients, Parameter, clip_gradient_norm, weighted_soft_cross_entropy};

use super::reading::{classifier_batches, log_odds};
use crate::backend::{Batch, Learner, Learning, Reading};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::optimizer_state::OptimizerState;

/// An adapter in training in this process.
pub(super) struct NativeLearner<'a> {
    model: &'a Classifier,
    adapter: Adapter,
    /// The places of the parameters that change.
    trained: Range<usize>,
    optimizer: AdamW,
    settings: AdamWSettings,
    max_gradient_norm: f64,
    batch_tokens: usize,
}

impl<'a> NativeLearner<'a> {
    pub(super) fn new(model: &'a Classifier, learning: Learning<'_>) -> Self {
        let Learning { adapter, trains, recipe, optimizer } = learning;
        let (head, all) = (adapter.head_at(), adapter.parameters().len());
        let trained = match trains {
            Trains::All => 0..all,
            Trains::Head => head..all,
            Trains::Body => 0..head,
        };
        let Recipe { beta1, beta2, epsilon, weight_decay, max_gradient_norm, micro_batch_tokens, .. } = *recipe;
        let settings = AdamWSettings { beta1, beta2, epsilon, weight_decay };
        let optimizer = match optimizer {
            None => AdamW::new(settings),
            Some(state) => state.resume(settings, &adapter.parameters()[trained.clone()]),
        };
        Self { model, adapter, trained, optimizer, settings, max_gradient_norm, batch_tokens: micro_batch_tokens }
    }

    fn trained(&self) -> &[Parameter] {
        &self.adapter.parameters()[self.trained.clone()]
    }

    /// The mean loss of a batch and its gradients, computed one micro-batch after the other.
    fn loss_and_gradients(&self, batch: Batch<'_>, interrupt: &Interrupt) -> Result<(f32, Gradients)> {
        let Batch { texts, targets, weights } = batch;
        let divisor = texts.len() as f32;
        let (mut total, mut gradients, mut done) = (0.0, Gradients::default(), 0);
        for micro_batch in classifier_batches(self.model, texts, self.batch_tokens) {
            interrupt.check()?;
            let now = done..done + micro_batch.len();
            done = now.end;
            let logits = self.model.logits(&self.model.batch(micro_batch), &self.adapter)?;
            let loss = weighted_soft_cross_entropy(&logits, &targets[now.clone()], &weights[now], divisor)?;
            total += loss.to_vec()?[0];
            gradients.accumulate(loss.backward()?)?;
        }
        Ok((total, gradients))
    }
}

impl Learner for NativeLearner<'_> {
    fn step(&mut self, batch: Batch<'_>, learning_rate: f64, interrupt: &Interrupt) -> Result<f32> {
        let (loss, mut gradients) = self.loss_and_gradients(batch, interrupt)?;
        if loss.is_finite() {
            let parameters = &mut self.adapter.parameters_mut()[self.trained.clone()];
            clip_gradient_norm(&mut gradients, parameters, self.max_gradient_norm)?;
            self.optimizer.step(parameters, &gradients, learning_rate)?;
        }
        Ok(loss)
    }

    fn log_odds(&self, texts: &[&[u32]], interrupt: &Interrupt) -> Result<Vec<f32>> {
        log_odds(self.model, &self.adapter, texts, Reading { batch_tokens: self.batch_tokens, interrupt })
    }

    fn head_at(&self) -> usize {
        self.adapter.head_at()
    }

    fn snapshot(&self) -> Result<Vec<Array>> {
        Ok(self.adapter.snapshot()?)
    }

    fn restore(&mut self, snapshot: &[Array]) -> Result<()> {
        Ok(self.adapter.restore(snapshot)?)
    }

    fn optimizer(&self) -> Result<OptimizerState> {
        Ok(OptimizerState::of(&self.optimizer, self.trained()))
    }

    fn set_optimizer(&mut self, state: &OptimizerState) -> Result<()> {
        self.optimizer = state.resume(self.settings, self.trained());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(Adapter, OptimizerState)> {
        let state = OptimizerState::last(self.optimizer, &self.adapter.parameters()[self.trained]);
        Ok((self.adapter, state))
    }
}
