//! Training one stage.

use std::ops::Range;

use labelmix_data::{ValidationSplit, validation_split};
use labelmix_models::{Adapter, Classifier, TokenBatch};
use labelmix_nn::{
    AdamW, Array, Gradients, WarmupCosine, clip_gradient_norm, cross_entropy_of_log_odds, soft_cross_entropy,
};
use labelmix_stats::{auroc, stream};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::evaluation::{log_odds, token_batches};
use crate::loss::{Loss, log_confidence_targets};
use crate::optimizer_state::OptimizerState;
use crate::plan::{StageOptions, Trains};
use crate::recipe::{Recipe, Schedule};
use crate::stage::{StageExample, StageHistory, StopReason, ValidationPoint};

/// Everything that determines a stage's outcome.
pub struct StageRequest<'a> {
    /// The frozen model.
    pub model: &'a Classifier,
    /// Where training starts: a fresh adapter, or the outcome of an earlier stage.
    pub start: Adapter,
    /// The labels that were bought; at least one.
    pub examples: &'a [StageExample<'a>],
    /// The hyper-parameters.
    pub recipe: &'a Recipe,
    /// In what the stage differs from the usual one.
    pub options: StageOptions,
    /// The state that the optimizer starts with, if it carries one over.
    pub optimizer: Option<&'a OptimizerState>,
    /// Decides the validation split, the order of the batches and a head that starts anew.
    pub seed: u64,
}

/// A stage's outcome.
pub struct StageResult {
    /// The best checkpoint.
    pub adapter: Adapter,
    /// The optimizer's state after the last step.
    pub optimizer: OptimizerState,
    /// How it came about.
    pub history: StageHistory,
}

/// Where a running stage is.
#[derive(Clone, Copy, Debug)]
pub struct StageProgress {
    /// Steps made.
    pub step: usize,
    /// Steps that will be made unless the stage stops early.
    pub scheduled_steps: usize,
    /// The loss of the last step.
    pub training_loss: f64,
}

/// The steps of a stage, as the recipe and the number of labels imply them (SPEC.md section 4).
struct Timetable {
    schedule: WarmupCosine,
    evaluate_every: usize,
}

impl Timetable {
    fn new(recipe: &Recipe, n_train: usize) -> Self {
        let (batch_size, epochs) = recipe.batch_and_epochs(n_train);
        let steps_per_epoch = n_train.div_ceil(batch_size);
        Self {
            schedule: WarmupCosine {
                peak: recipe.learning_rate,
                warmup_steps: recipe.warmup_steps.min(steps_per_epoch).max(2),
                total_steps: epochs * steps_per_epoch,
            },
            evaluate_every: recipe.evaluate_every.min(steps_per_epoch),
        }
    }
}

/// The order in which a stage looks at its training labels, pass after pass.
pub struct BatchOrder {
    order: Vec<usize>,
    batch_size: usize,
    shuffle: ChaCha8Rng,
}

impl BatchOrder {
    /// The order in which [`train_stage`] looks at `n_train` training labels, at least one.
    #[must_use]
    pub fn new(n_train: usize, recipe: &Recipe, seed: u64) -> Self {
        let (batch_size, _) = recipe.batch_and_epochs(n_train);
        Self { order: (0..n_train).collect(), batch_size, shuffle: stream(seed, "order of batches") }
    }

    /// The batches of the next pass over the labels, as indices into them.
    pub fn next_pass(&mut self) -> impl Iterator<Item = &[usize]> {
        self.order.shuffle(&mut self.shuffle);
        self.order.chunks(self.batch_size)
    }
}

/// Which of a stage's labels it learns from and which it is stopped by, as indices into them. This is the split that
/// [`train_stage`] makes: whoever accounts for the labels asks here.
#[must_use]
pub fn stage_split(targets: &[f32], recipe: &Recipe, seed: u64) -> ValidationSplit {
    match recipe.schedule {
        Schedule::EarlyStopping => validation_split(targets, recipe.validation_fraction, seed),
        Schedule::ByCount => ValidationSplit { train: (0..targets.len()).collect(), validation: Vec::new() },
    }
}

/// Trains one stage: early stopping on a part of its own labels, the best checkpoint kept. The same request gives
/// the same bytes.
///
/// # Errors
/// If the loss diverges or the model cannot be run.
///
/// # Panics
/// If there are no examples.
pub fn train_stage(request: StageRequest<'_>, observe: impl FnMut(StageProgress)) -> Result<StageResult> {
    let StageRequest { model, start: mut adapter, examples, recipe, options, optimizer, seed } = request;
    assert!(!examples.is_empty(), "a stage has labels");
    let targets: Vec<f32> = examples.iter().map(|example| example.target).collect();
    let split = stage_split(&targets, recipe, seed);
    let of = |indices: &[usize]| -> Vec<StageExample<'_>> { indices.iter().map(|index| examples[*index]).collect() };
    let (train, validation) = (of(&split.train), of(&split.validation));
    if options.reinitialise_head {
        reinitialise_head(&mut adapter, model.model().hidden_size(), seed)?;
    }
    let StageOptions { loss, trains, .. } = options;
    let training = Training { model, train: &train, validation: &validation, recipe, loss, trains, optimizer, seed };
    let mut watch = EarlyStopping::new(recipe, training.evaluate_every(), !validation.is_empty());
    let (steps, optimizer) = training.run(&mut adapter, &mut watch, observe)?;
    let stop_reason = watch.stop_reason();
    let (best_step, points) = watch.finish(&mut adapter, steps)?;
    Ok(StageResult { adapter, optimizer, history: training.history(steps, best_step, stop_reason, points) })
}

/// What becomes of the checkpoints that training passes through.
pub(crate) trait CheckpointWatch {
    /// Whether there is an evaluation after so many steps. There always is one after the last.
    fn is_due(&self, step: usize) -> bool;

    /// Evaluates a checkpoint: on all validation labels, unless fewer will do.
    fn evaluate(
        &self,
        training: &Training<'_>,
        adapter: &Adapter,
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        training.evaluate(adapter, training.validation, step, training_loss)
    }

    /// Takes note of an evaluation, and keeps the checkpoint if it wants it.
    fn judge(&mut self, point: ValidationPoint, checkpoint: impl FnOnce() -> Result<Vec<Array>>) -> Result<Verdict>;

    /// Takes note of an evaluation that could not be made, for want of validation labels.
    fn pass(&mut self) -> Verdict;
}

/// Whether training goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Continue,
    Stop,
}

/// Training on some labels, with evaluations on others.
pub(crate) struct Training<'a> {
    pub(crate) model: &'a Classifier,
    /// At least one.
    pub(crate) train: &'a [StageExample<'a>],
    pub(crate) validation: &'a [StageExample<'a>],
    pub(crate) recipe: &'a Recipe,
    pub(crate) loss: Loss,
    pub(crate) trains: Trains,
    /// What the optimizer starts with; without it, with nothing.
    pub(crate) optimizer: Option<&'a OptimizerState>,
    /// Decides the order of the batches.
    pub(crate) seed: u64,
}

impl Training<'_> {
    /// Steps between two evaluations, as the recipe has it.
    pub(crate) fn evaluate_every(&self) -> usize {
        Timetable::new(self.recipe, self.train.len()).evaluate_every
    }

    /// Trains until the schedule ends or the watch stops it; the number of steps, and the optimizer's state after them.
    pub(crate) fn run(
        &self,
        adapter: &mut Adapter,
        watch: &mut impl CheckpointWatch,
        mut observe: impl FnMut(StageProgress),
    ) -> Result<(usize, OptimizerState)> {
        let Self { train, validation, recipe, seed, .. } = *self;
        let Timetable { schedule, .. } = Timetable::new(recipe, train.len());
        let mut batches = BatchOrder::new(train.len(), recipe, seed);
        let trained = trained_parameters(adapter, self.trains);
        let mut optimizer = match self.optimizer {
            None => AdamW::new(recipe.optimizer()),
            Some(state) => state.resume(recipe.optimizer(), &adapter.parameters()[trained.clone()]),
        };
        let mut losses = Vec::new();
        let mut step = 0;
        loop {
            for batch in batches.next_pass() {
                let batch: Vec<StageExample<'_>> = batch.iter().map(|index| train[*index]).collect();
                let (loss, mut gradients) = self.loss_and_gradients(adapter, &batch, step)?;
                if !loss.is_finite() {
                    return Err(Error::Diverged { step: step + 1, loss });
                }
                let parameters = &mut adapter.parameters_mut()[trained.clone()];
                clip_gradient_norm(&mut gradients, parameters, recipe.max_gradient_norm)?;
                optimizer.step(parameters, &gradients, schedule.at(step))?;
                step += 1;
                losses.push(f64::from(loss));
                observe(StageProgress { step, scheduled_steps: schedule.total_steps, training_loss: f64::from(loss) });
                let ended = step == schedule.total_steps;
                if watch.is_due(step) || ended {
                    let training_loss = losses.iter().sum::<f64>() / losses.len() as f64;
                    losses.clear();
                    let verdict = if validation.is_empty() {
                        watch.pass()
                    } else {
                        let point = watch.evaluate(self, adapter, step, training_loss)?;
                        watch.judge(point, || Ok(adapter.snapshot()?))?
                    };
                    if verdict == Verdict::Stop || ended {
                        let state = OptimizerState::of(&optimizer, &adapter.parameters()[trained]);
                        return Ok((step, state));
                    }
                }
            }
        }
    }

    /// The mean loss of a batch and its gradients, computed one micro-batch after the other. `step` counts the steps made
    /// before.
    fn loss_and_gradients(
        &self,
        adapter: &Adapter,
        batch: &[StageExample<'_>],
        step: usize,
    ) -> Result<(f32, Gradients)> {
        let texts: Vec<&[u32]> = batch.iter().map(|example| example.token_ids).collect();
        let labels: Vec<f32> = batch.iter().map(|example| example.target).collect();
        let divisor = batch.len() as f32;
        let targets = if self.loss.reads_predictions(batch.len(), step) {
            // The whole batch's predictions decide every target, before there is a first gradient.
            log_confidence_targets(&self.log_odds(adapter, batch)?, &labels, step)
        } else {
            labels
        };
        let mut total = -(batch.iter().map(|example| self.loss.offset(example.target)).sum::<f64>() as f32) / divisor;
        let mut gradients = Gradients::default();
        let mut rest = &*targets;
        for micro_batch in token_batches(&texts, self.recipe.micro_batch_tokens) {
            let (now, later) = rest.split_at(micro_batch.len());
            rest = later;
            let logits = self.model.logits(&TokenBatch::new(micro_batch.iter().copied()), adapter)?;
            let loss = soft_cross_entropy(&logits, now, divisor)?;
            total += loss.to_vec()?[0];
            gradients.accumulate(loss.backward()?)?;
        }
        Ok((total, gradients))
    }

    /// How good an adapter is on some labels, at least one.
    pub(crate) fn evaluate(
        &self,
        adapter: &Adapter,
        labels: &[StageExample<'_>],
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        Ok(validation_point(&self.log_odds(adapter, labels)?, labels, step, training_loss))
    }

    pub(crate) fn log_odds(&self, adapter: &Adapter, labels: &[StageExample<'_>]) -> Result<Vec<f32>> {
        let texts: Vec<&[u32]> = labels.iter().map(|example| example.token_ids).collect();
        log_odds(self.model, adapter, &texts, self.recipe.micro_batch_tokens)
    }

    /// The account of a training that ended.
    pub(crate) fn history(
        &self,
        steps: usize,
        best_step: usize,
        stop_reason: StopReason,
        validation: Vec<ValidationPoint>,
    ) -> StageHistory {
        StageHistory {
            n_train: self.train.len(),
            n_validation: self.validation.len(),
            steps,
            scheduled_steps: Timetable::new(self.recipe, self.train.len()).schedule.total_steps,
            best_step,
            stop_reason,
            validation,
        }
    }
}

/// The places of the parameters that change.
fn trained_parameters(adapter: &Adapter, trains: Trains) -> Range<usize> {
    let (head, all) = (adapter.head_at(), adapter.parameters().len());
    match trains {
        Trains::All => 0..all,
        Trains::Head => head..all,
        Trains::Body => 0..head,
    }
}

/// Draws the head's weights anew, with the deviation 0.01/√hidden, and sets its bias to zero.
fn reinitialise_head(adapter: &mut Adapter, hidden: usize, seed: u64) -> Result<()> {
    let normal = Normal::new(0.0, 0.01 / (hidden as f64).sqrt()).expect("a deviation is finite");
    let mut random = stream(seed, "re-initialised head");
    let mut values = adapter.snapshot()?;
    for array in &mut values[adapter.head_at()..] {
        let shape = array.shape().to_vec();
        let mut draw = || if shape.len() > 1 { normal.sample(&mut random) as f32 } else { 0.0 };
        *array = Array::new(array.values().iter().map(|_| draw()).collect(), &shape);
    }
    Ok(adapter.restore(&values)?)
}

fn validation_point(
    scores: &[f32],
    validation: &[StageExample<'_>],
    step: usize,
    training_loss: f64,
) -> ValidationPoint {
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let classes: Vec<bool> = validation.iter().map(|example| example.target >= 0.5).collect();
    let loss = scores.iter().zip(validation).map(|(score, example)| cross_entropy_of_log_odds(*score, example.target));
    let loss = loss.sum::<f64>() / validation.len() as f64;
    let right = scores.iter().zip(&classes).filter(|(score, class)| (**score >= 0.0) == **class).count();
    let accuracy = Some(right as f64 / validation.len() as f64);
    ValidationPoint { step, training_loss, loss, accuracy, auroc: auroc(&scores, &classes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timetable_follows_the_number_of_labels() {
        let recipe = Recipe::default();
        let timetable = |n_train| {
            let Timetable { schedule, evaluate_every, .. } = Timetable::new(&recipe, n_train);
            (schedule.total_steps, schedule.warmup_steps, evaluate_every)
        };
        // 30,000 / 13 = 2,307 epochs of one step; warm-up never below 2.
        assert_eq!(timetable(13), (2307, 2, 1));
        // 30,000 / 820 = 36 epochs of 26 steps.
        assert_eq!(timetable(820), (36 * 26, 26, 26));
        // 30,000 / 8,192 = 3 epochs of 256 steps.
        assert_eq!(timetable(8192), (3 * 256, 40, 50));
        // More labels than examples to look at: one epoch.
        assert_eq!(timetable(40_000), (1250, 40, 50));
    }

    #[test]
    fn every_pass_looks_at_every_label_once_in_another_order() {
        let mut batches = BatchOrder::new(70, &Recipe::default(), 3);
        let mut pass = || batches.next_pass().map(<[usize]>::to_vec).collect::<Vec<_>>();
        let (first, second) = (pass(), pass());
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6]);
        let (first, second) = (first.concat(), second.concat());
        assert_ne!(first, second);
        for mut labels in [first, second] {
            labels.sort_unstable();
            assert_eq!(labels, (0..70).collect::<Vec<_>>());
        }
    }
}
