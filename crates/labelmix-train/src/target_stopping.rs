//! Training that stops at a target accuracy, and the point between two checkpoints that hits it.

use std::io;

use labelmix_methods::{TargetStop, ValidationPoint};
use labelmix_nn::Array;
use labelmix_stats::probability;
use serde::{Deserialize, Serialize};

use crate::backend::Learner;
use crate::error::{Error, Result};
use crate::trainer::{CheckpointWatch, SnapshotOf, Training, Verdict};

/// How far from the target the nearest checkpoint may be where none lies on the other side of it.
const TOLERANCE: f64 = 0.01;

/// Closer to the target than this is close enough.
const PRECISION: f64 = 0.001;

/// Halvings of the stretch between two checkpoints: a thousandth of it is as fine as accuracy gets.
const HALVINGS: usize = 10;

/// Validation labels that show whether the target is near.
const SCREENING_LABELS: usize = 400;

/// An accuracy on those that is this far below the target is below it for certain: three standard errors at least.
const SCREENING_MARGIN: f64 = 0.075;

/// Steps between two evaluations late in training.
const EVALUATE_EVERY: usize = 32;

/// The least and the greatest scale of log-odds.
const SCALES: (f64, f64) = (1e-2, 1e6);

/// Halvings of the range of scales, on a logarithmic axis: the scale is known to a hundred-millionth.
const SCALE_HALVINGS: usize = 40;

/// A checkpoint and how good it is.
#[derive(Clone)]
struct Checkpoint {
    step: usize,
    accuracy: f64,
    values: Vec<Array>,
}

/// Waits for two evaluations in a row with the target between them.
///
/// Accuracy jumps by several points between evaluations when a model begins to understand, and evaluating at every step
/// would be slow and still jump. So the two checkpoints are connected by a straight line, along which the accuracy passes
/// from one side of the target to the other in small steps, and bisection finds where it crosses.
pub(crate) struct TargetStopping {
    target: f64,
    previous: Checkpoint,
    nearest: Checkpoint,
    /// The checkpoint that, with the previous one, has the target between.
    beyond: Option<Checkpoint>,
    points: Vec<ValidationPoint>,
}

impl TargetStopping {
    /// A watch over a training that starts here.
    pub(crate) fn over(training: &Training<'_>, target: f64, learner: &dyn Learner) -> Result<Self> {
        let start = training.evaluate(learner, training.validation, 0, 0.0)?;
        Ok(Self::new(target, start, learner.snapshot()?))
    }

    /// `start` and `values` are the evaluation of the adapter before the first step, and its tensors.
    fn new(target: f64, start: ValidationPoint, values: Vec<Array>) -> Self {
        let start = Checkpoint { step: 0, accuracy: accuracy(&start), values };
        Self { target, previous: start.clone(), nearest: start, beyond: None, points: Vec::new() }
    }

    /// Goes where the target is hit; where that is, whether it was crossed, and all evaluations.
    pub(crate) fn finish(
        self,
        training: &Training<'_>,
        learner: &mut dyn Learner,
    ) -> Result<(TargetStop, bool, Vec<ValidationPoint>)> {
        let Self { target, previous, nearest, beyond, points } = self;
        let Some(beyond) = beyond else {
            if (nearest.accuracy - target).abs() > TOLERANCE {
                return Err(Error::TargetNotReached {
                    target,
                    nearest: nearest.accuracy,
                    step: nearest.step,
                    steps: points.last().map_or(0, |point| point.step),
                });
            }
            learner.restore(&nearest.values)?;
            let scale = calibrate(training, learner)?;
            let Checkpoint { step, accuracy, .. } = nearest;
            return Ok((TargetStop { from_step: step, to_step: step, share: 0.0, accuracy, scale }, false, points));
        };
        let mut at = |share: f64| -> Result<f64> {
            learner.restore(&between(&previous.values, &beyond.values, share as f32))?;
            Ok(accuracy(&training.evaluate(learner, training.validation, 0, 0.0)?))
        };
        let (share, accuracy) = bisect(target, previous.accuracy, beyond.accuracy, &mut at)?;
        learner.restore(&between(&previous.values, &beyond.values, share as f32))?;
        let scale = calibrate(training, learner)?;
        let stop = TargetStop { from_step: previous.step, to_step: beyond.step, share, accuracy, scale };
        Ok((stop, true, points))
    }
}

/// What the watch remembers, besides tensors: step and accuracy of the previous and of the nearest checkpoint.
#[derive(Serialize, Deserialize)]
struct Memory {
    previous: (usize, f64),
    nearest: (usize, f64),
    points: Vec<ValidationPoint>,
}

impl CheckpointWatch for TargetStopping {
    fn state<'a>(&'a self, arrays: &mut Vec<(&'static str, &'a [Array])>) -> serde_json::Value {
        let Self { previous, nearest, points, .. } = self;
        arrays.extend([("previous", &*previous.values), ("nearest", &*nearest.values)]);
        let [previous, nearest] = [previous, nearest].map(|checkpoint| (checkpoint.step, checkpoint.accuracy));
        let memory = Memory { previous, nearest, points: points.clone() };
        serde_json::to_value(memory).expect("numbers can be written")
    }

    fn set_state(&mut self, state: serde_json::Value, snapshot: &SnapshotOf<'_>) -> io::Result<()> {
        let Memory { previous, nearest, points } = serde_json::from_value(state)?;
        let checkpoint =
            |(step, accuracy), name| Ok::<_, io::Error>(Checkpoint { step, accuracy, values: snapshot(name)? });
        (self.previous, self.nearest) = (checkpoint(previous, "previous")?, checkpoint(nearest, "nearest")?);
        self.points = points;
        Ok(())
    }

    /// Often at first, when a step changes much, and then ever more rarely.
    fn is_due(&self, step: usize) -> bool {
        let distance = (1 << step.max(1).ilog2()) / 4;
        step.is_multiple_of(distance.clamp(4, EVALUATE_EVERY))
    }

    /// Early in training a tenth of the validation labels shows that the target is far.
    fn evaluate(
        &self,
        training: &Training<'_>,
        learner: &dyn Learner,
        step: usize,
        training_loss: f64,
    ) -> Result<ValidationPoint> {
        let Training { validation, .. } = *training;
        if validation.len() > 2 * SCREENING_LABELS && self.previous.accuracy < self.target {
            let point = training.evaluate(learner, &validation[..SCREENING_LABELS], step, training_loss)?;
            if accuracy(&point) < self.target - SCREENING_MARGIN {
                return Ok(point);
            }
        }
        training.evaluate(learner, validation, step, training_loss)
    }

    fn judge(&mut self, point: ValidationPoint, checkpoint: impl FnOnce() -> Result<Vec<Array>>) -> Result<Verdict> {
        self.points.push(point);
        let now = Checkpoint { step: point.step, accuracy: accuracy(&point), values: checkpoint()? };
        let (before, after) = (self.previous.accuracy - self.target, now.accuracy - self.target);
        if before * after <= 0.0 {
            self.beyond = Some(now);
            return Ok(Verdict::Stop);
        }
        if after.abs() < (self.nearest.accuracy - self.target).abs() {
            self.nearest = now.clone();
        }
        self.previous = now;
        Ok(Verdict::Continue)
    }

    fn pass(&mut self) -> Verdict {
        unreachable!("a target accuracy is measured on validation labels")
    }
}

fn accuracy(point: &ValidationPoint) -> f64 {
    point.accuracy.expect("an evaluation of this version knows its accuracy")
}

/// Multiplies the head by what makes its log-odds fit the validation labels best (temperature scaling: Guo et al. 2017),
/// and says by how much.
///
/// Where a low target is reached during warm-up, log-odds are of the order of a thousandth: right as often as asked,
/// but soft labels of 0.500 and 0.501 would teach next to nothing. Scaling moves no label to the other side.
fn calibrate(training: &Training<'_>, learner: &mut dyn Learner) -> Result<f64> {
    let scores: Vec<f64> = training.log_odds(learner, training.validation)?.into_iter().map(f64::from).collect();
    let targets: Vec<f64> = training.validation.iter().map(|example| f64::from(example.target)).collect();
    let scale = calibrating_scale(&scores, &targets);
    let mut scaled = learner.snapshot()?;
    for array in &mut scaled[learner.head_at()..] {
        *array = Array::new(array.values().iter().map(|value| value * scale as f32).collect(), array.shape());
    }
    learner.restore(&scaled)?;
    Ok(scale)
}

/// The scale of log-odds with the least cross-entropy against the targets. The cross-entropy is convex in the scale, so
/// bisection finds where its slope vanishes; where it never does (no target is missed, or chance does as well), the end
/// of the range is the answer.
fn calibrating_scale(log_odds: &[f64], targets: &[f64]) -> f64 {
    let slope = |scale: f64| -> f64 {
        log_odds.iter().zip(targets).map(|(score, target)| (probability(scale * score) - target) * score).sum()
    };
    let (mut low, mut high) = SCALES;
    for _ in 0..SCALE_HALVINGS {
        let middle = (low * high).sqrt();
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

/// The point at `share` of the way from one checkpoint to another.
fn between(from: &[Array], to: &[Array], share: f32) -> Vec<Array> {
    let mix = |(from, to): (&Array, &Array)| {
        let values = from.values().iter().zip(to.values()).map(|(from, to)| from * (1.0 - share) + to * share);
        Array::new(values.collect(), from.shape())
    };
    from.iter().zip(to).map(mix).collect()
}

/// Where in [0, 1] a function with the values `from` at 0 and `to` at 1 comes nearest to the target that lies between
/// them, as far as bisection tells; and its value there.
fn bisect(target: f64, from: f64, to: f64, value: &mut dyn FnMut(f64) -> Result<f64>) -> Result<(f64, f64)> {
    let distance = |at: (f64, f64)| (at.1 - target).abs();
    let (mut low, mut high) = ((0.0, from), (1.0, to));
    let mut best = if distance(low) < distance(high) { low } else { high };
    for _ in 0..HALVINGS {
        if distance(best) < PRECISION {
            break;
        }
        let share = f64::midpoint(low.0, high.0);
        let middle = (share, value(share)?);
        if distance(middle) < distance(best) {
            best = middle;
        }
        if (middle.1 < target) == (from < target) { low = middle } else { high = middle }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: usize, accuracy: f64) -> ValidationPoint {
        ValidationPoint { step, training_loss: 0.5, loss: 0.5, accuracy: Some(accuracy), auroc: None }
    }

    /// Feeds accuracies to a watch that starts at .5: at which of them it stopped, and the watch.
    fn run(target: f64, accuracies: &[f64]) -> (Option<usize>, TargetStopping) {
        let mut watch = TargetStopping::new(target, point(0, 0.5), Vec::new());
        let stopped = accuracies.iter().zip(1..).find_map(|(accuracy, step)| {
            let verdict = watch.judge(point(step, *accuracy), || Ok(Vec::new())).unwrap();
            (verdict == Verdict::Stop).then_some(step)
        });
        (stopped, watch)
    }

    #[test]
    fn stops_when_the_target_is_crossed_and_keeps_both_sides() {
        let (stopped, watch) = run(0.7, &[0.55, 0.66, 0.74, 0.9]);
        assert_eq!(stopped, Some(3));
        assert_eq!((watch.previous.step, watch.beyond.unwrap().step), (2, 3));
        // Right on it.
        assert_eq!(run(0.66, &[0.55, 0.66, 0.74]).0, Some(2));
        // A start that is better than the target, as where one class is the larger: crossed from above.
        assert_eq!(run(0.48, &[0.52, 0.4]).0, Some(2));
    }

    #[test]
    fn remembers_the_nearest_where_the_target_is_never_crossed() {
        let (stopped, watch) = run(0.8, &[0.6, 0.795, 0.78]);
        assert_eq!((stopped, watch.nearest.step), (None, 2));
    }

    #[test]
    fn evaluations_are_frequent_at_first() {
        let watch = TargetStopping::new(0.8, point(0, 0.5), Vec::new());
        let due: Vec<usize> = (1..=160).filter(|step| watch.is_due(*step)).collect();
        assert_eq!(due, [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160]);
    }

    #[test]
    fn bisection_finds_the_crossing() {
        // A staircase of steps of 0.002 from .6 to .8.
        let staircase = |share: f64| (0.6 + 0.2 * share) - (0.6 + 0.2 * share) % 0.002;
        let mut calls = 0;
        let mut value = |share| {
            calls += 1;
            Ok(staircase(share))
        };
        let (share, accuracy) = bisect(0.73, 0.6, 0.8, &mut value).unwrap();
        assert!((accuracy - 0.73).abs() < PRECISION && (share - 0.65).abs() < 0.02, "{share} {accuracy}");
        assert!(calls <= HALVINGS);
        // From above, and a jump over the target: the nearer side is taken.
        let (share, accuracy) = bisect(0.7, 0.8, 0.5, &mut |share| Ok(if share < 0.3 { 0.76 } else { 0.55 })).unwrap();
        assert!(share < 0.3 && accuracy == 0.76);
    }

    #[test]
    fn interpolation_is_straight() {
        let (from, to) = ([Array::new(vec![0.0, 1.0], &[2])], [Array::new(vec![4.0, -1.0], &[2])]);
        assert_eq!(between(&from, &to, 0.25)[0].values(), [1.0, 0.5]);
        assert_eq!(between(&from, &to, 1.0)[0].values(), to[0].values());
    }
}
