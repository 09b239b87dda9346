//! Layers with their weights: linear ones with a place where an adapter may attach, and normalisations.

use labelmix_nn::{
    Array, Device, FrozenMatrix, MatmulPrecision, Precision, Value, Weight, gather_frozen_rows, gather_rows,
    layer_norm, linear, rms_norm,
};

use crate::adapter::{Adapter, LoraSite};
use crate::checkpoint::Weights;
use crate::description::{Norm, NormKind, Projection, Table};
use crate::error::Result;

/// Where weights are put, and how.
#[derive(Clone, Copy)]
pub(crate) struct Loader<'a> {
    pub(crate) weights: &'a Weights,
    pub(crate) device: &'a Device,
    /// The precision of the linear layers' weights; as stored if there is none.
    pub(crate) precision: Option<Precision>,
    pub(crate) matmul_precision: MatmulPrecision,
}

/// Where a transformer's layers come from: a checkpoint, or tensors that are being trained.
pub(crate) trait Layers {
    /// A linear layer, entered in `sites` if adapters may reach it.
    fn linear(&self, projection: &Projection, sites: Option<&mut Vec<LoraSite>>) -> Result<Linear>;
    /// A normalisation.
    fn norm(&self, norm: &Norm) -> Result<Normalization>;
    /// A table of embeddings with `hidden` columns.
    fn table(&self, table: &Table, hidden: usize) -> Result<WeightMatrix>;
    /// Where the weights are.
    fn device(&self) -> &Device;
}

/// A matrix of weights: frozen, or a leaf that is being trained. Cloning shares it.
#[derive(Clone)]
pub(crate) enum WeightMatrix {
    Frozen(FrozenMatrix),
    Trained(Value),
}

impl WeightMatrix {
    /// As a linear layer's weight.
    pub(crate) fn as_weight(&self) -> Weight<'_> {
        match self {
            Self::Frozen(matrix) => Weight::Frozen(matrix),
            Self::Trained(value) => Weight::Trained(value),
        }
    }

    /// Some of its rows, `[indices, columns]`.
    pub(crate) fn rows(&self, indices: &[u32]) -> Result<Value> {
        Ok(match self {
            Self::Frozen(matrix) => gather_frozen_rows(matrix, indices)?,
            Self::Trained(value) => gather_rows(value, indices)?,
        })
    }

    /// The memory that it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Frozen(matrix) => matrix.bytes(),
            Self::Trained(value) => size_of::<f32>() * value.shape().iter().product::<usize>(),
        }
    }
}

/// A linear layer.
pub(crate) struct Linear {
    pub(crate) weight: WeightMatrix,
    pub(crate) bias: Option<Value>,
    /// The layer's place in an adapter, if adapters reach it.
    pub(crate) site: Option<usize>,
}

impl Linear {
    /// `x [tokens, inputs]` to `[tokens, outputs]`.
    pub(crate) fn forward(&self, x: &Value, adapter: Option<&Adapter>) -> Result<Value> {
        let lora = match (adapter, self.site) {
            (Some(adapter), Some(site)) => Some(adapter.lora(site)),
            _ => None,
        };
        Ok(linear(x, self.weight.as_weight(), self.bias.as_ref(), lora)?)
    }

    /// The memory that the weight takes.
    pub(crate) fn bytes(&self) -> usize {
        self.weight.bytes()
    }
}

/// A normalisation.
pub(crate) struct Normalization {
    /// What the normalised columns are multiplied by.
    pub(crate) weight: Value,
    pub(crate) bias: Option<Value>,
    pub(crate) root_mean_square: bool,
    pub(crate) epsilon: f32,
}

impl Normalization {
    /// `x [tokens, columns]`, or several groups of columns side by side.
    pub(crate) fn forward(&self, x: &Value) -> Result<Value> {
        Ok(if self.root_mean_square {
            rms_norm(x, &self.weight, self.epsilon)?
        } else {
            layer_norm(x, &self.weight, self.bias.as_ref(), self.epsilon)?
        })
    }
}

impl Layers for Loader<'_> {
    fn linear(&self, projection: &Projection, sites: Option<&mut Vec<LoraSite>>) -> Result<Linear> {
        let Projection { outputs, inputs, .. } = *projection;
        let name = self.weights.name(&projection.name);
        let weight_name = format!("{name}.weight");
        let stored = if projection.transposed {
            FrozenMatrix::f32(transposed(&self.weights.array(&weight_name, &[inputs, outputs])?, [outputs, inputs]))
        } else {
            self.weights.matrix(&weight_name, [outputs, inputs])?
        };
        let kept = match self.precision {
            Some(precision) => stored.to_precision(precision),
            None => stored,
        }
        .for_products_in(self.matmul_precision);
        if self.precision.is_some_and(|kept| self.weights.stored_precision(&weight_name) != Some(kept)) {
            self.weights.release(&weight_name);
        }
        let bias = if projection.bias {
            Some(self.device.constant(self.weights.array(&format!("{name}.bias"), &[outputs])?)?)
        } else {
            None
        };
        let site = sites.map(|sites| {
            sites.push(LoraSite { name: projection.name.clone(), inputs, outputs });
            sites.len() - 1
        });
        Ok(Linear { weight: WeightMatrix::Frozen(kept.to_device(self.device)?), bias, site })
    }

    fn norm(&self, norm: &Norm) -> Result<Normalization> {
        let vector = |new, old| self.weights.array(&self.weights.norm_name(norm, new, old), &[norm.size]);
        let mut weight = vector("weight", "gamma")?;
        if norm.kind == NormKind::RootMeanSquarePlusOne {
            weight = Array::new(weight.values().iter().map(|value| 1.0 + value).collect(), &[norm.size]);
        }
        let bias = match norm.kind {
            NormKind::Layer => Some(self.device.constant(vector("bias", "beta")?)?),
            NormKind::LayerWithoutBias | NormKind::RootMeanSquare | NormKind::RootMeanSquarePlusOne => None,
        };
        Ok(Normalization {
            weight: self.device.constant(weight)?,
            bias,
            root_mean_square: norm.kind.is_root_mean_square(),
            epsilon: norm.epsilon,
        })
    }

    fn table(&self, table: &Table, hidden: usize) -> Result<WeightMatrix> {
        self.matrix(&self.weights.name(&table.name), [table.rows, hidden])
    }

    fn device(&self) -> &Device {
        self.device
    }
}

impl Loader<'_> {
    /// A matrix as stored, by its whole name.
    pub(crate) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<WeightMatrix> {
        Ok(WeightMatrix::Frozen(self.weights.matrix(name, shape)?.to_device(self.device)?))
    }
}

/// `array [columns, rows]` as `[rows, columns]`.
pub(crate) fn transposed(array: &Array, [rows, columns]: [usize; 2]) -> Array {
    let values = array.values();
    let turned = (0..rows).flat_map(|row| (0..columns).map(move |column| values[column * rows + row])).collect();
    Array::new(turned, &[rows, columns])
}
