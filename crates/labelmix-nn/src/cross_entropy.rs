//! The language model's loss.

use std::sync::Arc;

use candle_core::{D, Tensor};
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd::{exp, maximum, sum};
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// Cross-entropy over `logits [rows, classes]` with one right class and a weight for each row: the sum over the rows of
/// `−weight · log p(class)`, divided by `divisor` (the sum of the weights of the whole optimisation step, of which this
/// may be one micro-batch).
///
/// # Errors
/// If there is not one class and one weight for each row, or a class is not below the number of columns.
pub fn cross_entropy(logits: &Value, classes: &[u32], weights: &[f32], divisor: f32) -> Result<Value> {
    let fits = match logits.shape() {
        [rows, columns] => {
            *rows == classes.len() && *rows == weights.len() && classes.iter().all(|class| (*class as usize) < *columns)
        }
        _ => false,
    };
    if !fits {
        let largest = classes.iter().max().map_or(0, |class| *class as usize);
        return Err(Error::Shape {
            operation: "cross_entropy",
            expected: "logits [rows, classes], and for each row a weight and a class below their number",
            shapes: vec![logits.shape().to_vec(), vec![classes.len(), largest], vec![weights.len()]],
        });
    }
    let scales = weights.iter().map(|weight| weight / divisor).collect();
    apply(&CrossEntropy { classes: classes.into(), scales }, &[logits])
}

struct CrossEntropy {
    classes: Arc<[u32]>,
    /// Each row's weight over the divisor.
    scales: Arc<[f32]>,
}

/// The logarithm of the sum of each row's exponentials.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn log_sums_of_rows(log_sums: &mut [f32], logits: &[f32], columns: usize) {
    for (log_sum, row) in log_sums.iter_mut().zip(logits.chunks_exact(columns)) {
        let largest = maximum(row);
        *log_sum = largest + sum(row, |logit| exp(logit - largest)).ln();
    }
}

/// `scale · p` of every element, with a scale for each row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn scaled_probabilities(out: &mut [f32], logits: &[f32], log_sums: &[f32], scales: &[f32], columns: usize) {
    let rows = out.chunks_exact_mut(columns).zip(logits.chunks_exact(columns));
    for (((out, logits), log_sum), scale) in rows.zip(log_sums).zip(scales) {
        for (out, logit) in out.iter_mut().zip(logits) {
            *out = *scale * exp(*logit - *log_sum);
        }
    }
}

impl Operation for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let logits = inputs[0];
        let columns = logits.columns();
        let mut log_sums = vec![0.0; self.classes.len()];
        log_sums_of_rows(&mut log_sums, logits.values(), columns);
        let rows = logits.values().chunks_exact(columns).zip(&log_sums);
        let loss: f64 = rows
            .zip(self.classes.iter().zip(self.scales.iter()))
            .map(|((row, log_sum), (class, scale))| f64::from(*scale) * f64::from(log_sum - row[*class as usize]))
            .sum();
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(CrossEntropyBackward {
                logits: logits.clone(),
                log_sums,
                classes: Arc::clone(&self.classes),
                scales: Arc::clone(&self.scales),
            })
        });
        (Array::new(vec![loss as f32], &[]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let logits = inputs[0];
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
        let log_probabilities = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
        let classes = Tensor::from_slice(&self.classes, (self.classes.len(), 1), logits.device())?;
        let scales = Tensor::from_slice(&self.scales, (self.scales.len(), 1), logits.device())?;
        (log_probabilities.gather(&classes, D::Minus1)? * scales)?.sum_all()?.neg()
    }
}

struct CrossEntropyBackward {
    logits: Array,
    log_sums: Vec<f32>,
    classes: Arc<[u32]>,
    scales: Arc<[f32]>,
}

impl Backward for CrossEntropyBackward {
    /// d loss / d logit = scale · (p − [the class is right]).
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let columns = self.logits.columns();
        let scales: Vec<f32> = self.scales.iter().map(|scale| gradient[0] * scale).collect();
        let mut dlogits = Buffer::uninitialised(self.logits.values().len());
        parallel::over_rows(&mut dlogits, columns, |first, out| {
            let rows = first..first + out.len() / columns;
            let logits = &self.logits.values()[rows.start * columns..rows.end * columns];
            scaled_probabilities(out, logits, &self.log_sums[rows.clone()], &scales[rows.clone()], columns);
            let right = self.classes[rows.clone()].iter().zip(&scales[rows]);
            for (row, (class, scale)) in out.chunks_exact_mut(columns).zip(right) {
                row[*class as usize] -= scale;
            }
        });
        inputs[0].give(dlogits);
    }
}
