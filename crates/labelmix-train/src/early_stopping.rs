//! When a stage stops, and which of its checkpoints is kept.

use std::cmp::Ordering;
use std::io;

use labelmix_methods::{Recipe, StopReason, ValidationPoint};
use labelmix_nn::Array;
use serde::{Deserialize, Serialize};

use crate::backend::Learner;
use crate::error::Result;
use crate::trainer::{CheckpointWatch, SnapshotOf, Verdict};

/// Remembers the best checkpoint and decides when to stop.
///
/// Two questions are kept apart, as in the published system: whether an evaluation *improves* on the best so far
/// by the minimum (which restarts the patience), and whether it is *better* at all (which makes it the checkpoint to
/// keep). Among evaluations of equal AUROC, of which there are many on a handful of labels, the one with the lower
/// validation loss is better.
pub(crate) struct EarlyStopping {
    evaluate_every: usize,
    patience: usize,
    minimum_improvement: f64,
    validates: bool,
    without_improvement: usize,
    best: Option<(ValidationPoint, Vec<Array>)>,
    points: Vec<ValidationPoint>,
}

impl EarlyStopping {
    /// The recipe's rule, with evaluations every so many steps; `validates` if there are labels to validate on.
    pub(crate) fn new(recipe: &Recipe, evaluate_every: usize, validates: bool) -> Self {
        Self {
            evaluate_every,
            patience: if recipe.schedule.validates() { recipe.patience } else { usize::MAX },
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

    pub(crate) fn stop_reason(&self) -> StopReason {
        match (self.without_improvement >= self.patience, self.validates) {
            (false, _) => StopReason::ScheduleEnded,
            (true, true) => StopReason::NoImprovement,
            (true, false) => StopReason::NothingToValidateOn,
        }
    }

    /// Returns to the best checkpoint; the step of that, and all evaluations.
    pub(crate) fn finish(self, learner: &mut dyn Learner, last_step: usize) -> Result<(usize, Vec<ValidationPoint>)> {
        match self.best {
            Some((point, snapshot)) => {
                learner.restore(&snapshot)?;
                Ok((point.step, self.points))
            }
            None => Ok((last_step, self.points)),
        }
    }
}

/// What early stopping remembers, besides the best checkpoint's tensors.
#[derive(Serialize, Deserialize)]
struct Memory {
    without_improvement: usize,
    best: Option<ValidationPoint>,
    points: Vec<ValidationPoint>,
}

impl CheckpointWatch for EarlyStopping {
    fn state<'a>(&'a self, arrays: &mut Vec<(&'static str, &'a [Array])>) -> serde_json::Value {
        arrays.extend(self.best.as_ref().map(|(_, values)| ("best", &**values)));
        let memory = Memory {
            without_improvement: self.without_improvement,
            best: self.best.as_ref().map(|(point, _)| *point),
            points: self.points.clone(),
        };
        serde_json::to_value(memory).expect("numbers can be written")
    }

    fn set_state(&mut self, state: serde_json::Value, snapshot: &SnapshotOf<'_>) -> io::Result<()> {
        let Memory { without_improvement, best, points } = serde_json::from_value(state)?;
        self.best = best.map(|point| Ok::<_, io::Error>((point, snapshot("best")?))).transpose()?;
        (self.without_improvement, self.points) = (without_improvement, points);
        Ok(())
    }

    fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.evaluate_every)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: usize, auroc: Option<f64>, loss: f64) -> ValidationPoint {
        ValidationPoint { step, training_loss: 0.5, loss, accuracy: None, auroc }
    }

    /// Feeds evaluations to early stopping with the default patience of 4; returns the step at which it stopped, if
    /// it did, and the step that it would keep.
    fn run(points: &[ValidationPoint]) -> (Option<usize>, usize) {
        let mut watch = EarlyStopping::new(&Recipe::default(), 1, true);
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
}
