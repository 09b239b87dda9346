//! Training one stage.

use std::io;
use std::ops::Range;

use labelmix_data::{ValidationSplit, validation_split};
use labelmix_methods::{
    Correction, Loss, Recipe, StageExample, StageHistory, StageOptions, StopReason, Trains, ValidationPoint,
    corrected_targets,
};
use labelmix_models::{Adapter, Classifier};
use labelmix_nn::{
    AdamW, Array, Gradients, clip_gradient_norm, cross_entropy_of_log_odds, weighted_soft_cross_entropy,
};
use labelmix_stats::{auroc, stream};
use rand_distr::{Distribution, Normal};

use crate::continuation::{Continuation, Keeper, Position};
use crate::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::evaluation::{classifier_batches, log_odds_unless};
use crate::interrupt::Interrupt;
use crate::loss::{log_confidence_targets, offset, reads_predictions};
use crate::optimizer_state::OptimizerState;
use crate::prompt::Shots;
use crate::settings::optimizer_settings;
use crate::timetable::{BatchOrder, Timetable};

/// Everything that determines a stage's outcome.
pub struct StageRequest<'a> {
    /// The frozen model.
    pub model: &'a Classifier,
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
        reinitialise_head(&mut adapter, model.model().hidden_size(), seed)?;
    }
    let StageOptions { loss, trains, .. } = options;
    let (train, validation, interrupt) = (&train, &validation, continuation.interrupt);
    let training = Training { model, train, validation, recipe, loss, trains, optimizer, shots, seed, interrupt };
    let mut watch = EarlyStopping::new(recipe, training.evaluate_every(), !validation.is_empty());
    let (steps, optimizer) = training.run(&mut adapter, &mut watch, continuation, observe)?;
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
    pub(crate) model: &'a Classifier,
    /// At least one.
    pub(crate) train: &'a [StageExample<'a>],
    pub(crate) validation: &'a [StageExample<'a>],
    pub(crate) recipe: &'a Recipe,
    pub(crate) loss: Loss,
    pub(crate) trains: Trains,
    /// What the optimizer starts with; without it, with nothing.
    pub(crate) optimizer: Option<&'a OptimizerState>,
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

    /// Trains until the schedule ends or the watch stops it; the number of steps, and the optimizer's state after them.
    pub(crate) fn run(
        &self,
        adapter: &mut Adapter,
        watch: &mut impl CheckpointWatch,
        continuation: Continuation<'_>,
        mut observe: impl FnMut(StageProgress),
    ) -> Result<(usize, OptimizerState)> {
        let Self { train, recipe, seed, .. } = *self;
        let Timetable { schedule, .. } = Timetable::new(recipe, train.len());
        let mut batches = BatchOrder::new(train.len(), recipe, seed);
        let trained = trained_parameters(adapter, self.trains);
        let mut keeper = Keeper::new(continuation);
        let (mut at, optimizer) = match keeper.restore(adapter, watch)? {
            Some((position, state)) => (position, Some(state)),
            None => (Position::default(), self.optimizer.cloned()),
        };
        let mut optimizer = match optimizer {
            None => AdamW::new(optimizer_settings(recipe)),
            Some(state) => state.resume(optimizer_settings(recipe), &adapter.parameters()[trained.clone()]),
        };
        loop {
            // With a step or an evaluation broken off, the state is still that of the step before.
            let evaluation = match self.advance(adapter, watch, &mut at, schedule.total_steps) {
                Ok((Verdict::Continue, evaluation)) => evaluation,
                Ok((Verdict::Stop, _)) => {
                    return Ok((at.step, OptimizerState::last(optimizer, &adapter.parameters()[trained])));
                }
                Err(error) => return Err(self.leave(error, &mut keeper, &at, adapter, &optimizer, watch)),
            };
            if keeper.is_due() && at.step > 0 {
                let state = OptimizerState::of(&optimizer, &adapter.parameters()[trained.clone()]);
                keeper.keep(&at, adapter, &state, watch)?;
            }
            let batch: Vec<StageExample<'_>> = batches.of_step(at.step).iter().map(|index| train[*index]).collect();
            let (loss, mut gradients) = match self.loss_and_gradients(adapter, &batch, at.step) {
                Ok(computed) => computed,
                Err(error) => return Err(self.leave(error, &mut keeper, &at, adapter, &optimizer, watch)),
            };
            if !loss.is_finite() {
                return Err(Error::Diverged { step: at.step + 1, loss });
            }
            let parameters = &mut adapter.parameters_mut()[trained.clone()];
            clip_gradient_norm(&mut gradients, parameters, recipe.max_gradient_norm)?;
            let learning_rate = schedule.at(at.step);
            optimizer.step(parameters, &gradients, learning_rate)?;
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
        adapter: &Adapter,
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
                let point = watch.evaluate(self, adapter, at.step, training_loss)?;
                evaluation = Some(point);
                watch.judge(point, || Ok(adapter.snapshot()?))?
            };
            at.losses.clear();
            at.evaluated = true;
        }
        Ok((if ended { Verdict::Stop } else { verdict }, evaluation))
    }

    /// Keeps the state if the error is that training was interrupted; the error.
    fn leave(
        &self,
        error: Error,
        keeper: &mut Keeper<'_>,
        at: &Position,
        adapter: &Adapter,
        optimizer: &AdamW,
        watch: &impl CheckpointWatch,
    ) -> Error {
        if matches!(error, Error::Interrupted) && at.step > 0 {
            let trained = trained_parameters(adapter, self.trains);
            let state = OptimizerState::of(optimizer, &adapter.parameters()[trained]);
            return keeper.keep(at, adapter, &state, watch).err().unwrap_or(error);
        }
        error
    }

    /// The mean loss of a batch and its gradients, computed one micro-batch after the other. `step` counts the steps made
    /// before.
    fn loss_and_gradients(
        &self,
        adapter: &Adapter,
        batch: &[StageExample<'_>],
        step: usize,
    ) -> Result<(f32, Gradients)> {
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
        let divisor = batch.len() as f32;
        let targets = if reads_predictions(self.loss, batch.len(), step) {
            // The whole batch's predictions decide every target, before there is a first gradient.
            log_confidence_targets(&self.log_odds(adapter, batch)?, &labels, step)
        } else if batch.iter().any(|example| example.correction.is_some_and(Correction::reads_predictions)) {
            corrected_targets(&self.log_odds(adapter, batch)?, batch)
        } else {
            corrected_targets(&vec![0.0; batch.len()], batch)
        };
        let weights: Vec<f32> = batch.iter().map(|example| example.weight).collect();
        let offset = |example: &StageExample<'_>| f64::from(example.weight) * offset(self.loss, example.target);
        let mut total = -(batch.iter().map(offset).sum::<f64>() as f32) / divisor;
        let mut gradients = Gradients::default();
        let mut done = 0;
        for micro_batch in classifier_batches(self.model, &texts, self.recipe.micro_batch_tokens) {
            self.interrupt.check()?;
            let now = done..done + micro_batch.len();
            done = now.end;
            let logits = self.model.logits(&self.model.batch(micro_batch), adapter)?;
            let loss = weighted_soft_cross_entropy(&logits, &targets[now.clone()], &weights[now], divisor)?;
            total += loss.to_vec()?[0];
            gradients.accumulate(loss.backward()?)?;
        }
        Ok((total, gradients))
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
        adapter: &Adapter,
        labels: &[StageExample<'_>],
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        let point = validation_point(&self.log_odds(adapter, labels)?, labels, step, training_loss);
        if point.loss.is_finite() { Ok(point) } else { Err(Error::ValidationDiverged { step, loss: point.loss }) }
    }

    pub(crate) fn log_odds(&self, adapter: &Adapter, labels: &[StageExample<'_>]) -> Result<Vec<f32>> {
        let texts: Vec<&[u32]> = labels.iter().map(|example| example.token_ids).collect();
        log_odds_unless(self.interrupt, self.model, adapter, &texts, self.recipe.micro_batch_tokens)
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
