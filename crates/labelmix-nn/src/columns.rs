//! Columns picked out of a matrix: the parts of a projection that computes several things at once.

use candle_core::Tensor;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// Blocks of `width` columns that begin at `first` and every `stride` columns after it, `blocks` of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColumnBlocks {
    /// The first block's first column.
    pub first: usize,
    pub width: usize,
    /// The columns from one block's beginning to the next one's.
    pub stride: usize,
    /// The number of blocks.
    pub blocks: usize,
}

impl ColumnBlocks {
    /// One block.
    pub fn one(first: usize, width: usize) -> Self {
        Self { first, width, stride: width, blocks: 1 }
    }

    fn total(&self) -> usize {
        self.width * self.blocks
    }

    /// Where each block begins.
    fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.blocks).map(move |block| self.first + block * self.stride)
    }
}

/// The blocks of columns of `x [rows, columns]`, side by side: `[rows, blocks · width]`.
///
/// # Errors
/// If a block reaches past the columns, or overlaps the next.
pub fn columns(x: &Value, blocks: ColumnBlocks) -> Result<Value> {
    let fits = matches!(x.shape(), [_, columns] if blocks.starts().all(|start| start + blocks.width <= *columns));
    if !fits || blocks.stride < blocks.width {
        let shapes = vec![x.shape().to_vec(), vec![blocks.first, blocks.width, blocks.stride, blocks.blocks]];
        return Err(Error::Shape {
            operation: "columns",
            expected: "blocks within the columns, without overlap",
            shapes,
        });
    }
    apply(&Columns { blocks }, &[x])
}

struct Columns {
    blocks: ColumnBlocks,
}

impl Operation for Columns {
    fn name(&self) -> &'static str {
        "columns"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (x, blocks) = (inputs[0], self.blocks);
        let (rows, columns, width) = (x.rows(), x.columns(), blocks.width);
        let mut out = Buffer::uninitialised(rows * blocks.total());
        parallel::over_rows(&mut out, blocks.total(), |first, out| {
            for (out, x) in
                out.chunks_exact_mut(blocks.total()).zip(x.values()[first * columns..].chunks_exact(columns))
            {
                for (out, start) in out.chunks_exact_mut(width).zip(blocks.starts()) {
                    out.copy_from_slice(&x[start..start + width]);
                }
            }
        });
        let backward = differentiable.then(|| -> Box<dyn Backward> { Box::new(ColumnsBackward { blocks, columns }) });
        (Array::from_buffer(out, &[rows, blocks.total()]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let parts: Vec<Tensor> = self
            .blocks
            .starts()
            .map(|start| inputs[0].narrow(1, start, self.blocks.width))
            .collect::<candle_core::Result<_>>()?;
        Tensor::cat(&parts, 1)
    }
}

struct ColumnsBackward {
    blocks: ColumnBlocks,
    columns: usize,
}

impl Backward for ColumnsBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let Self { blocks, columns } = *self;
        let Some((dx, existing)) = inputs[0].memory() else { return };
        if existing == Existing::Arbitrary {
            dx.fill(0.0);
        }
        parallel::over_rows(dx, columns, |first, dx| {
            let gradient = gradient[first * blocks.total()..].chunks_exact(blocks.total());
            for (dx, dy) in dx.chunks_exact_mut(columns).zip(gradient) {
                for (dy, start) in dy.chunks_exact(blocks.width).zip(blocks.starts()) {
                    dx[start..start + blocks.width].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
                }
            }
        });
    }
}
