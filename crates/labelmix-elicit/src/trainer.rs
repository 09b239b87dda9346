//! Training one stage.

use std::cmp::Ordering;

use labelmix_data::{ValidationSplit, validation_split};
use labelmix_models::{Adapter, Classifier, TokenBatch, stream};
use labelmix_nn::{
    AdamW, Array, Gradients, WarmupCosine, clip_gradient_norm, cross_entropy_of_log_odds, soft_cross_entropy,
};
use labelmix_stats::auroc;
use rand::seq::SliceRandom;

use crate::error::{Error, Result};
use crate::evaluation::{log_odds, token_batches};
use crate::recipe::Recipe;
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
    /// Decides the validation split and the order of the batches.
    pub seed: u64,
}

/// A stage's outcome.
pub struct StageResult {
    /// The best checkpoint.
    pub adapter: Adapter,
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
        let epochs = (recipe.total_examples / n_train).max(1);
        let steps_per_epoch = n_train.div_ceil(recipe.batch_size);
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

/// Which of a stage's labels it learns from and which it is stopped by, as indices into them. This is the split that
/// [`train_stage`] makes: whoever accounts for the labels asks here.
#[must_use]
pub fn stage_split(targets: &[f32], recipe: &Recipe, seed: u64) -> ValidationSplit {
    validation_split(targets, recipe.validation_fraction, seed)
}

/// Trains one stage: early stopping on a part of its own labels, the best checkpoint kept. The same request gives
/// the same bytes.
///
/// # Errors
/// If the loss diverges or the model cannot be run.
///
/// # Panics
/// If there are no examples.
pub fn train_stage(request: StageRequest<'_>, mut observe: impl FnMut(StageProgress)) -> Result<StageResult> {
    let StageRequest { model, start: mut adapter, examples, recipe, seed } = request;
    assert!(!examples.is_empty(), "a stage has labels");
    let targets: Vec<f32> = examples.iter().map(|example| example.target).collect();
    let ValidationSplit { train, validation } = stage_split(&targets, recipe, seed);
    let validation: Vec<StageExample<'_>> = validation.iter().map(|index| examples[*index]).collect();
    let Timetable { schedule, evaluate_every } = Timetable::new(recipe, train.len());

    let mut shuffle = stream(seed, "order of batches");
    let mut optimizer = AdamW::new(recipe.optimizer());
    let mut watch = EarlyStopping::new(recipe, !validation.is_empty());
    let mut losses = Vec::new();
    let mut order = train.clone();
    let mut step = 0;
    'training: loop {
        order.shuffle(&mut shuffle);
        for batch in order.chunks(recipe.batch_size) {
            let batch: Vec<StageExample<'_>> = batch.iter().map(|index| examples[*index]).collect();
            let (loss, mut gradients) = loss_and_gradients(model, &adapter, &batch, recipe.micro_batch_tokens)?;
            if !loss.is_finite() {
                return Err(Error::Diverged { step: step + 1, loss });
            }
            clip_gradient_norm(&mut gradients, adapter.parameters(), recipe.max_gradient_norm)?;
            optimizer.step(adapter.parameters_mut(), &gradients, schedule.at(step))?;
            step += 1;
            losses.push(f64::from(loss));
            observe(StageProgress { step, scheduled_steps: schedule.total_steps, training_loss: f64::from(loss) });
            let ended = step == schedule.total_steps;
            if step.is_multiple_of(evaluate_every) || ended {
                let training_loss = losses.iter().sum::<f64>() / losses.len() as f64;
                losses.clear();
                let verdict = if validation.is_empty() {
                    watch.pass()
                } else {
                    let scores = validation_scores(model, &adapter, &validation, recipe)?;
                    watch.judge(evaluate(&scores, &validation, step, training_loss), || Ok(adapter.snapshot()?))?
                };
                if verdict == Verdict::Stop || ended {
                    break 'training;
                }
            }
        }
    }
    let stop_reason = watch.stop_reason();
    let (best_step, points) = watch.finish(&mut adapter, step)?;
    Ok(StageResult {
        adapter,
        history: StageHistory {
            n_train: train.len(),
            n_validation: validation.len(),
            steps: step,
            scheduled_steps: schedule.total_steps,
            best_step,
            stop_reason,
            validation: points,
        },
    })
}

/// The mean loss of a batch and its gradients, computed one micro-batch after the other.
fn loss_and_gradients(
    model: &Classifier,
    adapter: &Adapter,
    batch: &[StageExample<'_>],
    micro_batch_tokens: usize,
) -> Result<(f32, Gradients)> {
    let texts: Vec<&[u32]> = batch.iter().map(|example| example.token_ids).collect();
    let mut total = 0.0;
    let mut gradients = Gradients::default();
    let mut rest = batch;
    for micro_batch in token_batches(&texts, micro_batch_tokens) {
        let (now, later) = rest.split_at(micro_batch.len());
        rest = later;
        let targets: Vec<f32> = now.iter().map(|example| example.target).collect();
        let logits = model.logits(&TokenBatch::new(micro_batch.iter().copied()), adapter)?;
        let loss = soft_cross_entropy(&logits, &targets, batch.len() as f32)?;
        total += loss.to_vec()?[0];
        gradients.accumulate(loss.backward()?)?;
    }
    Ok((total, gradients))
}

fn validation_scores(
    model: &Classifier,
    adapter: &Adapter,
    validation: &[StageExample<'_>],
    recipe: &Recipe,
) -> Result<Vec<f32>> {
    let texts: Vec<&[u32]> = validation.iter().map(|example| example.token_ids).collect();
    log_odds(model, adapter, &texts, recipe.micro_batch_tokens)
}

fn evaluate(scores: &[f32], validation: &[StageExample<'_>], step: usize, training_loss: f64) -> ValidationPoint {
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let classes: Vec<bool> = validation.iter().map(|example| example.target >= 0.5).collect();
    let loss = scores.iter().zip(validation).map(|(score, example)| cross_entropy_of_log_odds(*score, example.target));
    let loss = loss.sum::<f64>() / validation.len() as f64;
    ValidationPoint { step, training_loss, loss, auroc: auroc(&scores, &classes) }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Continue,
    Stop,
}

/// Remembers the best checkpoint and decides when to stop.
///
/// Two questions are kept apart, as in the published system: whether an evaluation *improves* on the best so far
/// by the minimum (which restarts the patience), and whether it is *better* at all (which makes it the checkpoint to
/// keep). Among evaluations of equal AUROC, of which there are many on a handful of labels, the one with the lower
/// validation loss is better.
struct EarlyStopping {
    patience: usize,
    minimum_improvement: f64,
    validates: bool,
    without_improvement: usize,
    best: Option<(ValidationPoint, Vec<Array>)>,
    points: Vec<ValidationPoint>,
}

impl EarlyStopping {
    fn new(recipe: &Recipe, validates: bool) -> Self {
        Self {
            patience: recipe.patience,
            minimum_improvement: recipe.minimum_improvement,
            validates,
            without_improvement: 0,
            best: None,
            points: Vec::new(),
        }
    }

    /// What is to be made large: AUROC, or minus the loss where AUROC is undefined. The validation labels are the
    /// same at every evaluation, so the two are never compared.
    fn measure(point: &ValidationPoint) -> f64 {
        point.auroc.unwrap_or(-point.loss)
    }

    fn judge(&mut self, point: ValidationPoint, checkpoint: impl FnOnce() -> Result<Vec<Array>>) -> Result<Verdict> {
        self.points.push(point);
        let measure = Self::measure(&point);
        let best_so_far = self.best.as_ref().map_or(f64::NEG_INFINITY, |(best, _)| Self::measure(best));
        let better = match measure.total_cmp(&best_so_far) {
            Ordering::Greater => true,
            Ordering::Equal => self.best.as_ref().is_some_and(|(best, _)| point.loss < best.loss),
            Ordering::Less => false,
        };
        if better {
            self.best = Some((point, checkpoint()?));
        }
        if measure > best_so_far + self.minimum_improvement {
            self.without_improvement = 0;
            return Ok(Verdict::Continue);
        }
        Ok(self.pass())
    }

    /// An evaluation that showed no improvement, or that could not be made.
    fn pass(&mut self) -> Verdict {
        self.without_improvement += 1;
        if self.without_improvement >= self.patience { Verdict::Stop } else { Verdict::Continue }
    }

    fn stop_reason(&self) -> StopReason {
        match (self.without_improvement >= self.patience, self.validates) {
            (false, _) => StopReason::ScheduleEnded,
            (true, true) => StopReason::NoImprovement,
            (true, false) => StopReason::NothingToValidateOn,
        }
    }

    /// Returns the adapter to the best checkpoint; the step of that, and all evaluations.
    fn finish(self, adapter: &mut Adapter, last_step: usize) -> Result<(usize, Vec<ValidationPoint>)> {
        match self.best {
            Some((point, snapshot)) => {
                adapter.restore(&snapshot)?;
                Ok((point.step, self.points))
            }
            None => Ok((last_step, self.points)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: usize, auroc: Option<f64>, loss: f64) -> ValidationPoint {
        ValidationPoint { step, training_loss: 0.5, loss, auroc }
    }

    /// Feeds evaluations to early stopping with the default patience of 4; returns the step at which it stopped, if
    /// it did, and the step that it would keep.
    fn run(points: &[ValidationPoint]) -> (Option<usize>, usize) {
        let mut watch = EarlyStopping::new(&Recipe::default(), true);
        let stopped = points.iter().find(|point| watch.judge(**point, || Ok(Vec::new())).unwrap() == Verdict::Stop);
        (stopped.map(|point| point.step), watch.best.map_or(0, |(best, _)| best.step))
    }

    #[test]
    fn stops_at_the_fourth_evaluation_without_improvement_and_keeps_the_best() {
        let aurocs = [0.6, 0.7, 0.705, 0.709, 0.65, 0.70, 0.9];
        let points: Vec<_> = aurocs.iter().zip(1..).map(|(auroc, step)| point(step, Some(*auroc), 0.5)).collect();
        // 0.705 and 0.709 are better than 0.7, but by less than 0.01 than the best so far: they do not restart the
        // patience, and the last of them is kept.
        assert_eq!(run(&points), (Some(6), 4));
    }

    #[test]
    fn the_loss_decides_where_auroc_is_undefined_and_between_equals() {
        let losses = [0.7, 0.5, 0.4, 0.395, 0.41, 0.42, 0.399];
        let points: Vec<_> = losses.iter().zip(1..).map(|(loss, step)| point(step, None, *loss)).collect();
        assert_eq!(run(&points), (Some(7), 4));
        let points: Vec<_> = losses.iter().zip(1..).map(|(loss, step)| point(step, Some(1.0), *loss)).collect();
        assert_eq!(run(&points), (Some(5), 4));
    }

    #[test]
    fn the_timetable_follows_the_number_of_labels() {
        let recipe = Recipe::default();
        let timetable = |n_train| {
            let Timetable { schedule, evaluate_every } = Timetable::new(&recipe, n_train);
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
}
