//! What training changes: the LoRA factors of every adapted layer, and the classification head.

use std::path::Path;
use std::sync::Arc;

use labelmix_nn::{Array, Device, Lora, Parameter, Value};
use labelmix_stats::stream;
use rand::RngExt;
use rand_distr::{Distribution, Normal, Uniform};
use serde::Deserialize;

use crate::error::Result;

/// Shape and strength of the low-rank additions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoraSettings {
    /// The rank of each addition.
    pub rank: usize,
    /// The product of the factors is multiplied by `alpha / rank`.
    pub alpha: f64,
}

/// A linear layer that an adapter adapts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LoraSite {
    /// The layer's name in the architecture, without the prefix that some checkpoints have.
    pub(crate) name: String,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// The head's shape and name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeadSite {
    pub(crate) name: &'static str,
    pub(crate) hidden: usize,
    pub(crate) bias: bool,
    /// The standard deviation of freshly initialised weights.
    pub(crate) initial_std: f64,
}

impl HeadSite {
    /// The head of a model, as transformers' sequence classifiers name and shape it.
    pub(crate) fn of(is_decoder: bool, hidden: usize, initial_std: f64) -> Self {
        Self { name: if is_decoder { "score" } else { "classifier" }, hidden, bias: !is_decoder, initial_std }
    }
}

/// Where an adapter attaches to a model.
#[derive(Clone, Debug)]
pub(crate) struct AdapterSite {
    pub(crate) layers: Arc<[LoraSite]>,
    pub(crate) head: HeadSite,
    /// What the layers' names begin with inside transformers' sequence classifier.
    pub(crate) prefix: String,
    /// Whether the checkpoint stores the layers' weights as `[inputs, outputs]`, which PEFT has to be told.
    pub(crate) transposed: bool,
}

/// PEFT wraps the model twice; its names begin with this.
pub(crate) const PEFT_PREFIX: &str = "base_model.model.";

/// The trainable tensors of one run: A `[rank, in]` and B `[out, rank]` of each adapted layer, then the head's
/// weight `[2, hidden]` and, for encoders, its bias `[2]`.
#[derive(Clone)]
pub struct Adapter {
    parameters: Vec<Parameter>,
    settings: LoraSettings,
    sites: usize,
    transposed: bool,
}

impl Adapter {
    /// A freshly initialised adapter: A Kaiming-uniform with a = √5, B zero, the head normal with the
    /// architecture's standard deviation times 0.01, its bias zero (Mallen & Belrose 2024).
    pub(crate) fn initial(site: &AdapterSite, settings: LoraSettings, seed: u64, device: &Device) -> Result<Self> {
        let AdapterSite { layers: sites, head, prefix, transposed } = site;
        let mut parameters = Vec::with_capacity(2 * sites.len() + 2);
        for site in sites.iter() {
            let name = format!("{PEFT_PREFIX}{prefix}{}", site.name);
            // Kaiming-uniform with a = √5 over `inputs` inputs is uniform within 1/√inputs.
            let bound = 1.0 / (site.inputs as f32).sqrt();
            let uniform = Uniform::new(-bound, bound).expect("the bounds of a positive size are in order");
            let mut random = stream(seed, &format!("initial {name}"));
            let a = (0..settings.rank * site.inputs).map(|_| random.sample(uniform)).collect();
            parameters
                .push(Parameter::new(format!("{name}.lora_A.weight"), Array::new(a, &[settings.rank, site.inputs])));
            let b = vec![0.0; site.outputs * settings.rank];
            parameters
                .push(Parameter::new(format!("{name}.lora_B.weight"), Array::new(b, &[site.outputs, settings.rank])));
        }
        let name = format!("{PEFT_PREFIX}{}", head.name);
        let normal = Normal::new(0.0, head.initial_std * 0.01).expect("a standard deviation is finite");
        let mut random = stream(seed, &format!("initial {name}"));
        let weight = (0..2 * head.hidden).map(|_| normal.sample(&mut random) as f32).collect();
        parameters.push(Parameter::new(format!("{name}.weight"), Array::new(weight, &[2, head.hidden])));
        if head.bias {
            parameters.push(Parameter::new(format!("{name}.bias"), Array::new(vec![0.0; 2], &[2])));
        }
        let parameters =
            parameters.iter().map(|parameter| parameter.to_device(device)).collect::<labelmix_nn::Result<_>>()?;
        Ok(Self { parameters, settings, sites: sites.len(), transposed: *transposed })
    }

    /// An adapter that was kept in a folder, of every layer of its model.
    pub(crate) fn kept(site: &AdapterSite, folder: &Path, device: &Device) -> Result<Self> {
        let mut adapter = Self::initial(site, LoraSettings::read(folder)?, 0, device)?;
        adapter.load(folder)?;
        Ok(adapter)
    }

    /// The addition to one adapted layer.
    pub(crate) fn lora(&self, site: usize) -> Lora<'_> {
        Lora {
            a: self.parameters[2 * site].value(),
            b: self.parameters[2 * site + 1].value(),
            scale: (self.settings.alpha / self.settings.rank as f64) as f32,
        }
    }

    /// Where among the [parameters](Self::parameters) the head begins: its weight, then its bias if it has one. Before it
    /// stand the LoRA factors.
    pub fn head_at(&self) -> usize {
        2 * self.sites
    }

    /// The head's weight `[2, hidden]` and bias `[2]`.
    pub(crate) fn head(&self) -> (&Value, Option<&Value>) {
        let first = self.head_at();
        (self.parameters[first].value(), self.parameters.get(first + 1).map(Parameter::value))
    }

    /// Rank and strength of the additions.
    pub fn settings(&self) -> LoraSettings {
        self.settings
    }

    /// All trainable tensors, under the names that PEFT gives them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All trainable tensors, for an optimizer.
    pub fn parameters_mut(&mut self) -> &mut [Parameter] {
        &mut self.parameters
    }

    /// Whether PEFT has to be told that the adapted weights are stored as `[inputs, outputs]`.
    pub(crate) fn fan_in_fan_out(&self) -> bool {
        self.transposed
    }

    /// A copy of all values, to return to later.
    ///
    /// # Errors
    /// If a device other than the host cannot hand them over.
    pub fn snapshot(&self) -> Result<Vec<Array>> {
        Ok(self.parameters.iter().map(Parameter::array).collect::<labelmix_nn::Result<_>>()?)
    }

    /// Returns to the values of a snapshot of this adapter, or of one of the same model and settings.
    ///
    /// # Errors
    /// If a device other than the host cannot take them.
    pub fn restore(&mut self, snapshot: &[Array]) -> Result<()> {
        assert_eq!(snapshot.len(), self.parameters.len(), "a snapshot of the same adapter");
        for (parameter, array) in self.parameters.iter_mut().zip(snapshot) {
            parameter.assign(array)?;
        }
        Ok(())
    }
}
