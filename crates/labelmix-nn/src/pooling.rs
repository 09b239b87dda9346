//! One vector for each sequence.

use candle_core::Tensor;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::sequence::SequenceOffsets;
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// The mean over each sequence's tokens: `x [tokens, hidden]` to `[sequences, hidden]`.
///
/// # Errors
/// If the offsets are not those of x, or a sequence is empty.
pub fn mean_of_sequences(x: &Value, offsets: &SequenceOffsets) -> Result<Value> {
    check("mean_of_sequences", x, offsets)?;
    apply(&MeanOfSequences { offsets: offsets.clone() }, &[x])
}

/// The largest number of every column over each sequence's tokens: `x [tokens, hidden]` to `[sequences, hidden]`.
///
/// # Errors
/// If the offsets are not those of x, or a sequence is empty.
pub fn max_of_sequences(x: &Value, offsets: &SequenceOffsets) -> Result<Value> {
    check("max_of_sequences", x, offsets)?;
    apply(&MaxOfSequences { offsets: offsets.clone() }, &[x])
}

fn check(operation: &'static str, x: &Value, offsets: &SequenceOffsets) -> Result<()> {
    if x.shape().first() == Some(&offsets.total()) && offsets.ranges().all(|range| !range.is_empty()) {
        return Ok(());
    }
    let shapes = vec![x.shape().to_vec(), vec![offsets.total()]];
    Err(Error::Shape { operation, expected: "a row for every token", shapes })
}

struct MeanOfSequences {
    offsets: SequenceOffsets,
}

impl Operation for MeanOfSequences {
    fn name(&self) -> &'static str {
        "mean_of_sequences"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let x = inputs[0];
        let columns = x.columns();
        let mut out = Buffer::zeros(self.offsets.sequences() * columns);
        for (mean, range) in out.chunks_exact_mut(columns).zip(self.offsets.ranges()) {
            let share = 1.0 / range.len() as f32;
            for row in x.values()[range.start * columns..range.end * columns].chunks_exact(columns) {
                mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += share * value);
            }
        }
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(MeanOfSequencesBackward { offsets: self.offsets.clone(), columns })
        });
        (Array::from_buffer(out, &[self.offsets.sequences(), columns]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let means: Vec<Tensor> = self
            .offsets
            .ranges()
            .map(|range| inputs[0].narrow(0, range.start, range.len())?.mean_keepdim(0))
            .collect::<candle_core::Result<_>>()?;
        Tensor::cat(&means, 0)
    }
}

struct MeanOfSequencesBackward {
    offsets: SequenceOffsets,
    columns: usize,
}

impl Backward for MeanOfSequencesBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let columns = self.columns;
        let Some((dx, existing)) = inputs[0].memory() else { return };
        if existing == Existing::Arbitrary {
            dx.fill(0.0);
        }
        for (dmean, range) in gradient.chunks_exact(columns).zip(self.offsets.ranges()) {
            let share = 1.0 / range.len() as f32;
            for row in dx[range.start * columns..range.end * columns].chunks_exact_mut(columns) {
                row.iter_mut().zip(dmean).for_each(|(sum, value)| *sum += share * value);
            }
        }
    }
}

struct MaxOfSequences {
    offsets: SequenceOffsets,
}

impl Operation for MaxOfSequences {
    fn name(&self) -> &'static str {
        "max_of_sequences"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let x = inputs[0];
        let columns = x.columns();
        let mut out = Buffer::zeros(self.offsets.sequences() * columns);
        let mut rows = vec![0; out.len()];
        let of_sequence = out.chunks_exact_mut(columns).zip(rows.chunks_exact_mut(columns));
        for ((largest, rows), range) in of_sequence.zip(self.offsets.ranges()) {
            largest.copy_from_slice(&x.values()[range.start * columns..(range.start + 1) * columns]);
            rows.fill(range.start);
            for row in range.skip(1) {
                let values = &x.values()[row * columns..(row + 1) * columns];
                for ((largest, at), value) in largest.iter_mut().zip(&mut *rows).zip(values) {
                    if value > largest {
                        (*largest, *at) = (*value, row);
                    }
                }
            }
        }
        let backward =
            differentiable.then(|| -> Box<dyn Backward> { Box::new(MaxOfSequencesBackward { rows, columns }) });
        (Array::from_buffer(out, &[self.offsets.sequences(), columns]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let largest: Vec<Tensor> = self
            .offsets
            .ranges()
            .map(|range| inputs[0].narrow(0, range.start, range.len())?.max_keepdim(0))
            .collect::<candle_core::Result<_>>()?;
        Tensor::cat(&largest, 0)
    }
}

struct MaxOfSequencesBackward {
    /// From which row of x each number of the result is.
    rows: Vec<usize>,
    columns: usize,
}

impl Backward for MaxOfSequencesBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let Some((dx, existing)) = inputs[0].memory() else { return };
        if existing == Existing::Arbitrary {
            dx.fill(0.0);
        }
        for (place, (value, row)) in gradient.iter().zip(&self.rows).enumerate() {
            dx[row * self.columns + place % self.columns] += value;
        }
    }
}
