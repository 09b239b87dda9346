//! The classifier's loss.

use std::sync::Arc;

use candle_core::{D, Tensor};

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// Cross-entropy with soft targets over `logits [examples, 2]`: the sum of `−(1−y)·log p(0) − y·log p(1)` over the
/// examples, divided by `divisor` (the number of examples of the whole optimisation step, of which this may be one
/// micro-batch).
///
/// # Errors
/// If the shapes do not fit.
pub fn soft_cross_entropy(logits: &Value, targets: &[f32], divisor: f32) -> Result<Value> {
    weighted_soft_cross_entropy(logits, targets, &vec![1.0; targets.len()], divisor)
}

/// As [`soft_cross_entropy`], with each example's part of the sum multiplied by its weight. Targets may lie outside
/// [0, 1]: the loss is linear in them.
///
/// # Errors
/// If the shapes do not fit.
pub fn weighted_soft_cross_entropy(logits: &Value, targets: &[f32], weights: &[f32], divisor: f32) -> Result<Value> {
    if logits.shape() != [targets.len(), 2] || weights.len() != targets.len() {
        let shapes = vec![logits.shape().to_vec(), vec![targets.len()], vec![weights.len()]];
        let expected = "logits [examples, 2], and for each example a target and a weight";
        return Err(Error::Shape { operation: "soft_cross_entropy", expected, shapes });
    }
    apply(&SoftCrossEntropy { targets: targets.into(), weights: weights.into(), divisor }, &[logits])
}

/// The cross-entropy of one example from its log-odds z = logit(1) − logit(0) and its soft target y:
/// softplus(z) − y·z, in a form that overflows for no z.
pub fn cross_entropy_of_log_odds(log_odds: f64, target: f32) -> f64 {
    let softplus = log_odds.max(0.0) + (-log_odds.abs()).exp().ln_1p();
    softplus - f64::from(target) * log_odds
}

struct SoftCrossEntropy {
    targets: Arc<[f32]>,
    weights: Arc<[f32]>,
    divisor: f32,
}

impl Operation for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft_cross_entropy"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let logits = inputs[0];
        let mut loss = 0.0_f64;
        let labels = self.targets.iter().zip(self.weights.iter());
        for (pair, (&target, &weight)) in logits.values().chunks_exact(2).zip(labels) {
            let log_odds = f64::from(pair[1]) - f64::from(pair[0]);
            loss += f64::from(weight) * cross_entropy_of_log_odds(log_odds, target);
        }
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(SoftCrossEntropyBackward {
                logits: logits.clone(),
                targets: Arc::clone(&self.targets),
                weights: Arc::clone(&self.weights),
                divisor: self.divisor,
            })
        });
        (Array::new(vec![(loss / f64::from(self.divisor)) as f32], &[]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let logits = inputs[0];
        let largest = logits.max_keepdim(D::Minus1)?;
        let shifted = logits.broadcast_sub(&largest)?;
        let log_probabilities = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
        let labels = self.targets.iter().zip(self.weights.iter());
        let targets: Vec<f32> =
            labels.flat_map(|(&target, &weight)| [weight * (1.0 - target), weight * target]).collect();
        let targets = Tensor::from_vec(targets, logits.shape(), logits.device())?.to_dtype(logits.dtype())?;
        (log_probabilities * targets)?.sum_all()?.neg()? / f64::from(self.divisor)
    }
}

struct SoftCrossEntropyBackward {
    logits: Array,
    targets: Arc<[f32]>,
    weights: Arc<[f32]>,
    divisor: f32,
}

impl Backward for SoftCrossEntropyBackward {
    /// d loss / d logit(1) = weight · (p(1) − y) / divisor, and its negative for logit(0).
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let scale = gradient[0] / self.divisor;
        let mut dlogits = Buffer::uninitialised(self.logits.values().len());
        let pairs = dlogits.chunks_exact_mut(2).zip(self.logits.values().chunks_exact(2));
        for ((dlogits, logits), (target, weight)) in pairs.zip(self.targets.iter().zip(self.weights.iter())) {
            let probability = 1.0 / (1.0 + (logits[0] - logits[1]).exp());
            dlogits[1] = scale * weight * (probability - target);
            dlogits[0] = -dlogits[1];
        }
        inputs[0].give(dlogits);
    }
}
