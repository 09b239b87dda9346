//! Training one stage.

use std::io;

use labelmix_data::{ValidationSplit, validation_split};
use labelmix_methods::{
    Correction, Loss, Recipe, StageExample, StageHistory, StageOptions, StopReason, ValidationPoint, corrected_targets,
};
use labelmix_models::Adapter;
use labelmix_nn::{Array, cross_entropy_of_log_odds};
use labelmix_stats::{auroc, stream};
use rand_distr::{Distribution, Normal};

use crate::backend::{Backend, Batch, Learner, Learning};
use crate::continuation::{Continuation, Keeper, Position};
use crate::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::loss::{log_confidence_targets, offset, reads_predictions};
use crate::optimizer_state::OptimizerState;
use crate::prompt::Shots;
use crate::timetable::{BatchOrder, Timetable};

/// Everything that determines a stage's outcome.
pub struct StageRequest<'a> {
    /// Who runs the model.
    pub model: &'a dyn Backend,
    /// Where training starts: a fresh adapter, or the outcome of an earlier stage.
    pub start: Adapter,
    /// The labels, by where they are from: each group is split into training and validation by itself, so that all are learnt
    /// from and validated on. There is at least one label in all.
    pub examples: &'a [Vec<StageExample<'a>>],
    /// The hyper-parameters.
    pub recipe: &'a Recipe,
    /// In what the stage differs from the usual one.
    pub options: StageOptions,
    /// The state that the optimizer starts with, if it carries one over.
    pub optimizer: Option<&'a OptimizerState>,
    /// The shots that stand before the texts of a step, in an order of its own; without it, before texts stands what their
    /// tokens begin with.
    pub shots: Option<&'a Shots>,
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
    pub step: usize,
    /// Steps that will be made unless the stage stops early.
    pub scheduled_steps: usize,
    /// The loss of the last step.
    pub training_loss: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The evaluation of the checkpoint from which the last step was made, if there was one. (The evaluation after a
    /// stage's very last step is in its history only.)
    pub evaluation: Option<ValidationPoint>,
}

/// Which of a stage's labels it learns from and which it is stopped by, as indices into them. This is the split that
/// [`train_stage`] makes of each group of labels, with the [stage's recipe](Recipe::of_stage): whoever accounts for the
/// labels asks here.
pub fn stage_split(targets: &[f32], recipe: &Recipe, seed: u64) -> ValidationSplit {
    if recipe.schedule.validates() {
        validation_split(targets, recipe.validation_fraction, seed)
    } else {
        ValidationSplit { train: (0..targets.len()).collect(), validation: Vec::new() }
    }
}

/// Trains one stage: early stopping on a part of its own labels, the best checkpoint kept. The same request gives
/// the same bytes.
///
/// # Errors
/// If the loss diverges or the model cannot be run.
///
/// # Panics
/// If there are no labels.
pub fn train_stage(request: StageRequest<'_>, observe: impl FnMut(StageProgress)) -> Result<StageResult> {
    continue_stage(request, Continuation::none(&Interrupt::default()), observe)
}

/// As [`train_stage`], from where an interrupted training of the same request was. The outcome is the same, byte for byte.
///
/// # Errors
/// As [`train_stage`], or if it is interrupted: [`Error::Interrupted`], with its state kept.
///
/// # Panics
/// As [`train_stage`].
pub fn continue_stage(
    request: StageRequest<'_>,
    continuation: Continuation<'_>,
    observe: impl FnMut(StageProgress),
) -> Result<StageResult> {
    let StageRequest { model, start: mut adapter, examples, recipe, options, optimizer, shots, seed } = request;
    let labels: usize = examples.iter().map(Vec::len).sum();
    assert!(labels > 0, "a stage has labels");
    let recipe = &recipe.of_stage(labels);
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for examples in examples {
        let targets: Vec<f32> = examples.iter().map(|example| example.target).collect();
        let split = stage_split(&targets, recipe, seed);
        train.extend(split.train.iter().map(|index| examples[*index]));
        validation.extend(split.validation.iter().map(|index| examples[*index]));
    }
    if options.reinitialise_head {
        reinitialise_head(&mut adapter, seed)?;
    }
    let StageOptions { loss, trains, .. } = options;
    let (train, validation, interrupt) = (&train, &validation, continuation.interrupt);
    let training = Training { train, validation, recipe, loss, shots, seed, interrupt };
    let mut learner = model.learner(Learning { adapter, trains, recipe, optimizer })?;
    let mut watch = EarlyStopping::new(recipe, training.evaluate_every(), !validation.is_empty());
    let steps = training.run(&mut *learner, &mut watch, continuation, observe)?;
    let stop_reason = watch.stop_reason();
    let (best_step, points) = watch.finish(&mut *learner, steps)?;
    let (adapter, optimizer) = learner.finish()?;
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
        learner: &dyn Learner,
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        training.evaluate(learner, training.validation, step, training_loss)
    }

    /// Takes note of an evaluation, and keeps the checkpoint if it wants it.
    fn judge(&mut self, point: ValidationPoint, checkpoint: impl FnOnce() -> Result<Vec<Array>>) -> Result<Verdict>;

    /// Takes note of an evaluation that could not be made, for want of validation labels.
    fn pass(&mut self) -> Verdict;

    /// What it remembers while training goes on: the snapshots by name, and the rest.
    fn state<'a>(&'a self, arrays: &mut Vec<(&'static str, &'a [Array])>) -> serde_json::Value;

    /// Remembers what [`state`](Self::state) told, with the snapshots of these names.
    ///
    /// # Errors
    /// If that was the state of another watch. Then nothing has changed.
    fn set_state(&mut self, state: serde_json::Value, snapshot: &SnapshotOf<'_>) -> io::Result<()>;
}

/// The snapshot of a name.
pub(crate) type SnapshotOf<'a> = dyn Fn(&str) -> io::Result<Vec<Array>> + 'a;

/// Whether training goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Continue,
    Stop,
}

/// Training on some labels, with evaluations on others.
pub(crate) struct Training<'a> {
    /// At least one.
    pub(crate) train: &'a [StageExample<'a>],
    pub(crate) validation: &'a [StageExample<'a>],
    pub(crate) recipe: &'a Recipe,
    pub(crate) loss: Loss,
    /// What stands before the texts of a step, if not what their tokens begin with.
    pub(crate) shots: Option<&'a Shots>,
    /// Decides the order of the batches.
    pub(crate) seed: u64,
    /// Who may stop it in the middle of a step or of an evaluation.
    pub(crate) interrupt: &'a Interrupt,
}

impl Training<'_> {
    /// Steps between two evaluations, as the recipe has it.
    pub(crate) fn evaluate_every(&self) -> usize {
        Timetable::new(self.recipe, self.train.len()).evaluate_every
    }

    /// Trains until the schedule ends or the watch stops it; the number of steps.
    pub(crate) fn run(
        &self,
        learner: &mut dyn Learner,
        watch: &mut impl CheckpointWatch,
        continuation: Continuation<'_>,
        mut observe: impl FnMut(StageProgress),
    ) -> Result<usize> {
        let Self { train, recipe, seed, .. } = *self;
        let Timetable { schedule, .. } = Timetable::new(recipe, train.len());
        let mut batches = BatchOrder::new(train.len(), recipe, seed);
        let mut keeper = Keeper::new(continuation);
        let mut at = keeper.restore(learner, watch)?.unwrap_or_default();
        loop {
            // With a step or an evaluation broken off, the state is still that of the step before.
            let evaluation = match self.advance(learner, watch, &mut at, schedule.total_steps) {
                Ok((Verdict::Continue, evaluation)) => evaluation,
                Ok((Verdict::Stop, _)) => return Ok(at.step),
                Err(error) => return Err(leave(error, &mut keeper, &at, learner, watch)),
            };
            if keeper.is_due() && at.step > 0 {
                keeper.keep(&at, learner, watch)?;
            }
            let batch: Vec<StageExample<'_>> = batches.of_step(at.step).iter().map(|index| train[*index]).collect();
            let learning_rate = schedule.at(at.step);
            let loss = match self.step(learner, &batch, at.step, learning_rate) {
                Ok(loss) => loss,
                Err(error) => return Err(leave(error, &mut keeper, &at, learner, watch)),
            };
            if !loss.is_finite() {
                return Err(Error::Diverged { step: at.step + 1, loss });
            }
            let training_loss = f64::from(loss);
            at.step += 1;
            at.evaluated = false;
            at.losses.push(training_loss);
            let scheduled_steps = schedule.total_steps;
            observe(StageProgress { step: at.step, scheduled_steps, training_loss, learning_rate, evaluation });
        }
    }

    /// Makes the evaluation after the last step, if one is due and was not made, and says whether to go on.
    fn advance(
        &self,
        learner: &dyn Learner,
        watch: &mut impl CheckpointWatch,
        at: &mut Position,
        total_steps: usize,
    ) -> Result<(Verdict, Option<ValidationPoint>)> {
        let ended = at.step == total_steps;
        let (mut verdict, mut evaluation) = (Verdict::Continue, None);
        if at.step > 0 && !at.evaluated && (watch.is_due(at.step) || ended) {
            let training_loss = at.losses.iter().sum::<f64>() / at.losses.len() as f64;
            verdict = if self.validation.is_empty() {
                watch.pass()
            } else {
                let point = watch.evaluate(self, learner, at.step, training_loss)?;
                evaluation = Some(point);
                watch.judge(point, || learner.snapshot())?
            };
            at.losses.clear();
            at.evaluated = true;
        }
        Ok((if ended { Verdict::Stop } else { verdict }, evaluation))
    }

    /// Makes a step; the mean loss before it. `step` counts the steps made before.
    fn step(
        &self,
        learner: &mut dyn Learner,
        batch: &[StageExample<'_>],
        step: usize,
        learning_rate: f64,
    ) -> Result<f32> {
        let prompts = self.step_prompts(batch, step);
        let behind: Vec<StageExample<'_>>;
        let batch = match &prompts {
            None => batch,
            Some(prompts) => {
                let examples = batch.iter().zip(prompts);
                behind = examples.map(|(example, token_ids)| StageExample { token_ids, ..*example }).collect();
                &*behind
            }
        };
        let texts: Vec<&[u32]> = batch.iter().map(|example| example.token_ids).collect();
        let labels: Vec<f32> = batch.iter().map(|example| example.target).collect();
        let targets = if reads_predictions(self.loss, batch.len(), step) {
            // The whole batch's predictions decide every target, before there is a first gradient.
            log_confidence_targets(&learner.log_odds(&texts, self.interrupt)?, &labels, step)
        } else if batch.iter().any(|example| example.correction.is_some_and(Correction::reads_predictions)) {
            corrected_targets(&learner.log_odds(&texts, self.interrupt)?, batch)
        } else {
            corrected_targets(&vec![0.0; batch.len()], batch)
        };
        let weights: Vec<f32> = batch.iter().map(|example| example.weight).collect();
        let batch_of_step = Batch { texts: &texts, targets: &targets, weights: &weights };
        let loss = learner.step(batch_of_step, learning_rate, self.interrupt)?;
        let offset = |example: &StageExample<'_>| f64::from(example.weight) * offset(self.loss, example.target);
        Ok(loss - (batch.iter().map(offset).sum::<f64>() as f32) / batch.len() as f32)
    }

    /// The texts of a step behind shots in its own order; nothing if they stand behind what their tokens begin with.
    fn step_prompts(&self, batch: &[StageExample<'_>], step: usize) -> Option<Vec<Vec<u32>>> {
        let shots = self.shots?;
        let texts: Vec<&[u32]> = batch.iter().map(|example| &example.token_ids[example.text_at..]).collect();
        let before = shots.before_step(step, &texts);
        Some(texts.iter().map(|text| [&*before, *text].concat()).collect())
    }

    /// How good an adapter is on some labels, at least one.
    pub(crate) fn evaluate(
        &self,
        learner: &dyn Learner,
        labels: &[StageExample<'_>],
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        let point = validation_point(&self.log_odds(learner, labels)?, labels, step, training_loss);
        if point.loss.is_finite() { Ok(point) } else { Err(Error::ValidationDiverged { step, loss: point.loss }) }
    }

    pub(crate) fn log_odds(&self, learner: &dyn Learner, labels: &[StageExample<'_>]) -> Result<Vec<f32>> {
        let texts: Vec<&[u32]> = labels.iter().map(|example| example.token_ids).collect();
        learner.log_odds(&texts, self.interrupt)
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

/// Keeps the state if the error is that training was interrupted; the error.
fn leave(
    error: Error,
    keeper: &mut Keeper<'_>,
    at: &Position,
    learner: &dyn Learner,
    watch: &impl CheckpointWatch,
) -> Error {
    if matches!(error, Error::Interrupted) && at.step > 0 {
        return keeper.keep(at, learner, watch).err().unwrap_or(error);
    }
    error
}

/// Draws the head's weights `[2, hidden]` anew, with the deviation 0.01/√hidden, and sets its bias to zero.
fn reinitialise_head(adapter: &mut Adapter, seed: u64) -> Result<()> {
    let mut values = adapter.snapshot()?;
    let head = &mut values[adapter.head_at()..];
    let hidden = head[0].shape()[1];
    let normal = Normal::new(0.0, 0.01 / (hidden as f64).sqrt()).expect("a deviation is finite");
    let mut random = stream(seed, "re-initialised head");
    for array in head {
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
