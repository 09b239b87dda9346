//! The layers that architectures are built of: frozen weights, with a place where an adapter may attach.

use labelmix_nn::{Value, layer_norm, linear, rms_norm};

use crate::adapter::{Adapter, LoraSite};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Whether a linear layer has a bias.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    Absent,
    Present,
}

impl From<bool> for Bias {
    fn from(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

/// A frozen linear layer that an adapter adapts.
pub(crate) struct AdaptedLinear {
    weight: Value,
    bias: Option<Value>,
    /// The layer's place in the adapter.
    site: usize,
}

impl AdaptedLinear {
    /// Loads `name.weight [outputs, inputs]` (and `name.bias [outputs]`) and enters the layer in `sites`.
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        [outputs, inputs]: [usize; 2],
        bias: Bias,
        sites: &mut Vec<LoraSite>,
    ) -> Result<Self> {
        let weight = weights.load(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = match bias {
            Bias::Present => Some(weights.load(&format!("{name}.bias"), &[outputs])?),
            Bias::Absent => None,
        };
        sites.push(LoraSite { name: name.to_owned(), inputs, outputs });
        Ok(Self { weight, bias, site: sites.len() - 1 })
    }

    /// `x [tokens, inputs]` to `[tokens, outputs]`.
    pub(crate) fn forward(&self, x: &Value, adapter: &Adapter) -> Result<Value> {
        Ok(linear(x, &self.weight, self.bias.as_ref(), Some(adapter.lora(self.site)))?)
    }
}

/// A frozen layer normalisation.
pub(crate) struct LayerNorm {
    weight: Value,
    bias: Value,
    epsilon: f32,
}

impl LayerNorm {
    pub(crate) fn load(weights: &Weights, name: &str, size: usize, epsilon: f32) -> Result<Self> {
        let weight = weights.load(&format!("{name}.weight"), &[size])?;
        let bias = weights.load(&format!("{name}.bias"), &[size])?;
        Ok(Self { weight, bias, epsilon })
    }

    pub(crate) fn forward(&self, x: &Value) -> Result<Value> {
        Ok(layer_norm(x, &self.weight, &self.bias, self.epsilon)?)
    }
}

/// A frozen root-mean-square normalisation.
pub(crate) struct RmsNorm {
    weight: Value,
    epsilon: f32,
}

impl RmsNorm {
    pub(crate) fn load(weights: &Weights, name: &str, size: usize, epsilon: f32) -> Result<Self> {
        Ok(Self { weight: weights.load(&format!("{name}.weight"), &[size])?, epsilon })
    }

    pub(crate) fn forward(&self, x: &Value) -> Result<Value> {
        Ok(rms_norm(x, &self.weight, self.epsilon)?)
    }
}
