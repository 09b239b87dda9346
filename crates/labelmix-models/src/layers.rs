//! Layers with their weights: linear ones with a place where an adapter may attach, and normalisations.

use labelmix_nn::{
    Array, Device, FrozenMatrix, MatmulPrecision, Precision, Value, Weight, layer_norm, linear, rms_norm,
};

use crate::adapter::{Adapter, LoraSite};
use crate::checkpoint::Weights;
use crate::description::{Norm, NormKind, Projection};
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

/// A frozen linear layer.
pub(crate) struct Linear {
    weight: FrozenMatrix,
    bias: Option<Value>,
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
        Ok(linear(x, Weight::Frozen(&self.weight), self.bias.as_ref(), lora)?)
    }

    /// The memory that the weight takes.
    pub(crate) fn bytes(&self) -> usize {
        self.weight.bytes()
    }
}

/// A frozen normalisation.
pub(crate) struct Normalization {
    weight: Value,
    bias: Option<Value>,
    root_mean_square: bool,
    epsilon: f32,
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

impl Loader<'_> {
    /// A linear layer, entered in `sites` if adapters may reach it.
    pub(crate) fn linear(&self, projection: &Projection, sites: Option<&mut Vec<LoraSite>>) -> Result<Linear> {
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
        let bias = if projection.bias {
            Some(self.device.constant(self.weights.array(&format!("{name}.bias"), &[outputs])?)?)
        } else {
            None
        };
        let site = sites.map(|sites| {
            sites.push(LoraSite { name: projection.name.clone(), inputs, outputs });
            sites.len() - 1
        });
        Ok(Linear { weight: kept.to_device(self.device)?, bias, site })
    }

    /// A normalisation. Older checkpoints call its weight gamma and its bias beta.
    pub(crate) fn norm(&self, norm: &Norm) -> Result<Normalization> {
        let vector = |new: &str, old: &str| {
            let name = self.weights.name(&format!("{}.{new}", norm.name));
            let old_name = format!("{}.{old}", norm.name);
            let name = if self.weights.contains(&old_name) { self.weights.name(&old_name) } else { name };
            self.weights.array(&name, &[norm.size])
        };
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
            root_mean_square: matches!(norm.kind, NormKind::RootMeanSquare | NormKind::RootMeanSquarePlusOne),
            epsilon: norm.epsilon,
        })
    }

    /// A table of embeddings, as stored; by its whole name.
    pub(crate) fn table(&self, name: &str, shape: [usize; 2]) -> Result<FrozenMatrix> {
        Ok(self.weights.matrix(name, shape)?.to_device(self.device)?)
    }
}

/// `array [columns, rows]` as `[rows, columns]`.
fn transposed(array: &Array, [rows, columns]: [usize; 2]) -> Array {
    let values = array.values();
    let turned = (0..rows).flat_map(|row| (0..columns).map(move |column| values[column * rows + row])).collect();
    Array::new(turned, &[rows, columns])
}
