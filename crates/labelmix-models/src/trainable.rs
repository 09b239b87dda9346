//! A decoder of which every weight is trained: pretraining.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use labelmix_nn::{Array, Device, Parameter, Precision, RotaryTable, Value, add, cross_entropy, gather_rows};
use labelmix_stats::stream;
use rand_distr::{Distribution, Normal};
use safetensors::Dtype;

use crate::adapter::LoraSite;
use crate::batch::TokenBatch;
use crate::checkpoint::SINGLE_FILE;
use crate::config::Config;
use crate::description::{Description, Norm, NormKind, Projection, Table};
use crate::error::{Error, Result};
use crate::folder::Checkpoint;
use crate::language_model::Head;
use crate::layers::{Layers, Linear, Normalization, WeightMatrix};
use crate::transformer::{Past, Transformer, rotary_tables};

/// A language model in training. The weights of the blocks' linear layers are kept apart from all others, because
/// optimizers such as Muon are for them alone.
pub struct TrainableLanguageModel {
    description: Description,
    rotary: Arc<[RotaryTable]>,
    device: Device,
    matrices: Vec<Parameter>,
    others: Vec<Parameter>,
}

/// One of a model's tensors: its name in checkpoints, its shape, and how it begins.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    beginning: Beginning,
}

#[derive(Clone, Copy)]
enum Beginning {
    /// Drawn from a normal distribution with the configuration's standard deviation.
    Normal,
    /// The same everywhere.
    Constant(f32),
}

impl TrainableLanguageModel {
    /// A model that knows nothing, of the shape that `folder`'s config.json describes: matrices normal with the
    /// standard deviation `initializer_range`, norms one, biases zero, as transformers begins. A function of the seed and the
    /// tensors' names alone.
    ///
    /// # Errors
    /// If config.json is missing or damaged, or describes an encoder or an architecture that cannot be trained whole.
    pub fn initial(folder: &Path, seed: u64, device: &Device) -> Result<Self> {
        let config = Config::read(&folder.join("config.json"))?;
        let description = config.describe()?;
        let normal = Normal::new(0.0, description.initializer_range).expect("a standard deviation is finite");
        Self::new(&config, description, device, |tensor| {
            let length = tensor.shape.iter().product();
            let mut random = stream(seed, &format!("initial {}", tensor.name));
            let values = match tensor.beginning {
                Beginning::Normal => (0..length).map(|_| normal.sample(&mut random) as f32).collect(),
                Beginning::Constant(value) => vec![value; length],
            };
            Ok(Array::new(values, &tensor.shape))
        })
    }

    /// The checkpoint in `folder`, to be trained on.
    ///
    /// # Errors
    /// If a file is missing or damaged, or it is an encoder or an architecture that cannot be trained whole.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let Checkpoint { config, description, weights, .. } = Checkpoint::open(folder)?;
        let prefix = description.prefix;
        Self::new(&config, description, device, |tensor| {
            let name = tensor.name.strip_prefix(prefix).map_or_else(|| tensor.name.clone(), |name| weights.name(name));
            weights.array(&name, &tensor.shape)
        })
    }

    fn new(
        config: &Config,
        description: Description,
        device: &Device,
        values: impl Fn(&Tensor) -> Result<Array>,
    ) -> Result<Self> {
        if description.language_head.is_none() {
            return Err(Error::NoLanguageHead { architecture: description.architecture.to_owned() });
        }
        if description.projections().iter().any(|projection| projection.transposed) {
            return Err(config.unsupported(
                format!("{} stores its weights transposed and cannot be trained whole", description.architecture),
                "train an architecture of the Llama family",
            ));
        }
        let parameters = |tensors: Vec<Tensor>| -> Result<Vec<Parameter>> {
            tensors
                .iter()
                .map(|tensor| Ok(Parameter::new(tensor.name.clone(), values(tensor)?).to_device(device)?))
                .collect()
        };
        let (matrices, others) = tensors(&description);
        Ok(Self {
            matrices: parameters(matrices)?,
            others: parameters(others)?,
            rotary: rotary_tables(&description),
            device: device.clone(),
            description,
        })
    }

    /// The weights of the blocks' linear layers, `[out, in]`.
    pub fn matrices(&self) -> &[Parameter] {
        &self.matrices
    }

    /// All other weights: embeddings, a head of its own, norms and biases.
    pub fn others(&self) -> &[Parameter] {
        &self.others
    }

    /// Both kinds, for optimizers.
    pub fn parameters_mut(&mut self) -> (&mut Vec<Parameter>, &mut Vec<Parameter>) {
        (&mut self.matrices, &mut self.others)
    }

    /// The sum, over every token that has one before it, of −weight · log p(token | what came before), divided by
    /// `divisor`: the sum of the weights of such tokens in the whole optimisation step. There is a weight for every
    /// token of the batch (that of a sequence's first does not matter); without weights all are one.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's, or the number of weights is not that of tokens.
    pub fn next_token_loss(&self, batch: &TokenBatch, weights: Option<&[f32]>, divisor: f32) -> Result<Value> {
        if let Some(weights) = weights
            && weights.len() != batch.token_ids().len()
        {
            let shapes = vec![vec![batch.token_ids().len()], vec![weights.len()]];
            let expected = "a weight for every token";
            return Err(labelmix_nn::Error::Shape { operation: "next_token_loss", expected, shapes }.into());
        }
        let parameters = self.matrices.iter().chain(&self.others);
        let leaves = Leaves {
            by_name: parameters.map(|parameter| (parameter.name(), parameter.value())).collect(),
            prefix: self.description.prefix,
            device: &self.device,
        };
        let transformer = Transformer::assemble(&leaves, &self.description, Arc::clone(&self.rotary))?;
        let head = self.description.language_head.as_ref().expect("construction checked that there is a head");
        let weight = match head.weight {
            None => transformer.words().clone(),
            Some(name) => WeightMatrix::Trained(leaves.by_name[name].clone()),
        };
        let hidden = transformer.forward(batch, None, Past::Nothing)?;
        let ranges = batch.offsets().ranges();
        let predicting: Vec<u32> = ranges.flat_map(|range| range.start as u32..range.end as u32 - 1).collect();
        let next: Vec<u32> = predicting.iter().map(|row| batch.token_ids()[*row as usize + 1]).collect();
        let weight_of = |row: &u32| weights.map_or(1.0, |weights| weights[*row as usize + 1]);
        let weights: Vec<f32> = predicting.iter().map(weight_of).collect();
        let logits = Head { weight, soft_cap: head.soft_cap }.logits(&gather_rows(&hidden, &predicting)?)?;
        Ok(cross_entropy(&logits, &next, &weights, divisor)?)
    }

    /// Writes `model.safetensors` into an existing folder, in f32, f16 or bf16.
    ///
    /// # Errors
    /// If the file cannot be written, or the precision is another.
    pub fn save_weights(&self, folder: &Path, precision: Precision) -> Result<()> {
        let path = folder.join(SINGLE_FILE);
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
            Precision::Bf16 => Dtype::BF16,
            Precision::Nf4 => {
                return Err(Error::Weights { path, reason: "weights are not written in 4 bits".into() });
            }
        };
        let parameters = self.matrices.iter().chain(&self.others);
        let tensors: Vec<(&str, Array)> = parameters
            .map(|parameter| Ok((parameter.name(), parameter.array()?)))
            .collect::<labelmix_nn::Result<_>>()?;
        crate::tensor_file::write_tensors(&path, dtype, tensors.into_iter())
    }
}

/// The weights of the blocks' linear layers, and all other tensors of a transformer and its own head.
fn tensors(description: &Description) -> (Vec<Tensor>, Vec<Tensor>) {
    let whole = |name: &str| format!("{}{name}", description.prefix);
    let matrix = |name, shape: [usize; 2]| Tensor { name, shape: shape.into(), beginning: Beginning::Normal };
    let vector = |name, length, value| Tensor { name, shape: vec![length], beginning: Beginning::Constant(value) };
    let projections = description.projections();
    let matrices = projections.iter().map(|projection| {
        matrix(whole(&format!("{}.weight", projection.name)), [projection.outputs, projection.inputs])
    });
    let embeddings = &description.embeddings;
    let tables = [Some(&embeddings.words), embeddings.positions.as_ref().map(|(table, _)| table)];
    let tables = tables.into_iter().chain([embeddings.token_types.as_ref()]).flatten();
    let mut others: Vec<Tensor> =
        tables.map(|table| matrix(whole(&table.name), [table.rows, description.hidden])).collect();
    if let Some(name) = description.language_head.as_ref().and_then(|head| head.weight) {
        others.push(matrix(name.to_owned(), [description.vocabulary, description.hidden]));
    }
    let biases = projections.iter().filter(|projection| projection.bias);
    others
        .extend(biases.map(|projection| vector(whole(&format!("{}.bias", projection.name)), projection.outputs, 0.0)));
    let norms = description.blocks.iter().flat_map(crate::description::Block::norms);
    for norm in norms.chain(&embeddings.norm).chain(&description.final_norm) {
        let one = if norm.kind == NormKind::RootMeanSquarePlusOne { 0.0 } else { 1.0 };
        others.push(vector(whole(&format!("{}.weight", norm.name)), norm.size, one));
        if norm.kind == NormKind::Layer {
            others.push(vector(whole(&format!("{}.bias", norm.name)), norm.size, 0.0));
        }
    }
    (matrices.collect(), others)
}

/// The parameters' present leaves, as a transformer's layers. The transformer lives for one pass only: an optimizer
/// changes a leaf in place once no computation holds it any more.
struct Leaves<'a> {
    by_name: HashMap<&'a str, &'a Value>,
    prefix: &'static str,
    device: &'a Device,
}

impl Leaves<'_> {
    fn leaf(&self, name: &str) -> Value {
        self.by_name[format!("{}{name}", self.prefix).as_str()].clone()
    }
}

impl Layers for Leaves<'_> {
    fn linear(&self, projection: &Projection, _: Option<&mut Vec<LoraSite>>) -> Result<Linear> {
        let bias = projection.bias.then(|| self.leaf(&format!("{}.bias", projection.name)));
        let weight = WeightMatrix::Trained(self.leaf(&format!("{}.weight", projection.name)));
        Ok(Linear { weight, bias, site: None })
    }

    fn norm(&self, norm: &Norm) -> Result<Normalization> {
        let stored = self.leaf(&format!("{}.weight", norm.name));
        let weight = if norm.kind == NormKind::RootMeanSquarePlusOne {
            add(&stored, &self.device.constant(Array::new(vec![1.0; norm.size], &[norm.size]))?)?
        } else {
            stored
        };
        let bias = (norm.kind == NormKind::Layer).then(|| self.leaf(&format!("{}.bias", norm.name)));
        Ok(Normalization { weight, bias, root_mean_square: norm.kind.is_root_mean_square(), epsilon: norm.epsilon })
    }

    fn table(&self, table: &Table, _: usize) -> Result<WeightMatrix> {
        Ok(WeightMatrix::Trained(self.leaf(&table.name)))
    }

    fn device(&self) -> &Device {
        self.device
    }
}
