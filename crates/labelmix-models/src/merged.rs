//! A checkpoint in the Hugging Face layout with an adapter merged into its weights, in f32: loads without PEFT.

use std::borrow::Cow;
use std::path::Path;

use labelmix_nn::{Array, Parameter};
use safetensors::Dtype;
use safetensors::tensor::View;
use serde_json::{Value as Json, json};

use crate::adapter::Adapter;
use crate::checkpoint::{SINGLE_FILE, Weights};
use crate::classifier::Classifier;
use crate::description::{Description, Norm, NormKind, Projection};
use crate::error::{Error, Result};
use crate::export::{PythonClass, write_json};
use crate::layers::{Linear, Loader, WeightMatrix, transposed};
use crate::tensor_file::write_streamed;

impl Classifier {
    /// Writes a checkpoint with an adapter merged into it into an existing folder: `config.json` and `model.safetensors`, for
    /// [what transformers loads it as](Self::python_class). Of a transformer alone the head goes into `head_folder`.
    ///
    /// # Errors
    /// If config.json cannot be read any more, or a file cannot be written.
    pub fn export_merged(
        &self,
        adapter: &Adapter,
        folder: &Path,
        head_folder: &Path,
        pad_token: Option<u32>,
    ) -> Result<()> {
        let whole = self.python_class() == PythonClass::SequenceClassifier;
        write_json(&folder.join("config.json"), &self.merged_config(whole, pad_token)?)?;
        let loader = self.model().loader();
        let path = folder.join(SINGLE_FILE);
        write_streamed(self.merged_tensors(&loader, adapter, whole), &[("format", "pt")], &path)
            .map_err(|error| Error::Write { path, source: std::io::Error::other(error.to_string()) })?;
        if whole { Ok(()) } else { adapter.export_head(head_folder) }
    }

    /// The base's configuration, of a classifier of two classes or of a transformer alone.
    fn merged_config(&self, whole: bool, pad_token: Option<u32>) -> Result<Json> {
        let path = self.model().folder().join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let mut config: serde_json::Map<String, Json> = serde_json::from_str(&text).map_err(|error| Error::Config {
            path,
            reason: error.to_string(),
            help: "it changed while the model was read".into(),
        })?;
        // What is said of the base's own head, files and types is not true of this checkpoint.
        for key in
            ["_name_or_path", "auto_map", "num_labels", "id2label", "label2id", "problem_type", "quantization_config"]
        {
            config.remove(key);
        }
        for key in ["dtype", "torch_dtype"] {
            config.insert(key.to_owned(), json!("float32"));
        }
        if whole {
            // Of a transformer alone the base's stays: RoBERTa counts positions from it.
            config.insert("pad_token_id".to_owned(), json!(pad_token));
            config.insert("id2label".to_owned(), json!({"0": "0", "1": "1"}));
            config.insert("label2id".to_owned(), json!({"0": 0, "1": 1}));
        }
        let class = config.get("architectures").and_then(|names| names.get(0)).and_then(Json::as_str);
        if let Some(family) = class.map(family) {
            let class = format!("{family}{}", if whole { "ForSequenceClassification" } else { "Model" });
            config.insert("architectures".to_owned(), json!([class]));
        }
        Ok(config.into())
    }

    /// Every tensor of the merged checkpoint, by name.
    fn merged_tensors<'a>(
        &'a self,
        loader: &Loader<'a>,
        adapter: &'a Adapter,
        whole: bool,
    ) -> Vec<(String, MergedTensor<'a>)> {
        let description = self.model().description();
        let mut tensors = Vec::new();
        let mut add = |name: String, shape: &[usize], content| {
            let name = if whole { format!("{}{name}", description.prefix) } else { name };
            tensors.push((name, MergedTensor { shape: shape.to_vec(), content }));
        };
        let weights = loader.weights;
        let stored = |name: &str| Content::Stored { weights, name: weights.name(name) };
        for table in tables(description) {
            add(table.name.clone(), &[table.rows, description.hidden], stored(&table.name));
        }
        let linears = self.model().transformer().linears();
        for (site, (projection, linear)) in description.projections().into_iter().zip(linears).enumerate() {
            let name = format!("{}.weight", projection.name);
            let Projection { outputs, inputs, transposed, .. } = *projection;
            let shape = if transposed { [inputs, outputs] } else { [outputs, inputs] };
            add(name, &shape, Content::Merged { linear, adapter, site, transposed });
        }
        let pooler = self.pooler_projection();
        for projection in description.projections().into_iter().filter(|projection| projection.bias).chain(pooler) {
            let name = format!("{}.bias", projection.name);
            add(name.clone(), &[projection.outputs], stored(&name));
        }
        if let Some(pooler) = pooler {
            let name = format!("{}.weight", pooler.name);
            add(name.clone(), &[pooler.outputs, pooler.inputs], stored(&name));
        }
        for norm in norms(description) {
            let bias = (norm.kind == NormKind::Layer).then_some(("bias", "beta"));
            for (part, old) in [Some(("weight", "gamma")), bias].into_iter().flatten() {
                let name = weights.norm_name(norm, part, old);
                add(format!("{}.{part}", norm.name), &[norm.size], Content::Stored { weights, name });
            }
        }
        if whole {
            let head = adapter.parameters()[adapter.head_at()..].iter();
            for parameter in head {
                let name = parameter.name().trim_start_matches(crate::adapter::PEFT_PREFIX).to_owned();
                let tensor =
                    MergedTensor { shape: parameter.value().shape().to_vec(), content: Content::Trained(parameter) };
                tensors.push((name, tensor));
            }
        }
        tensors
    }
}

/// What transformers calls a family of models, from the name of one of its classes.
fn family(class: &str) -> &str {
    let family = class.split("For").next().unwrap_or(class);
    ["LMHeadModel", "Model"].iter().find_map(|ending| family.strip_suffix(ending)).unwrap_or(family)
}

fn tables(description: &Description) -> impl Iterator<Item = &crate::description::Table> {
    let embeddings = &description.embeddings;
    let positions = embeddings.positions.as_ref().map(|(table, _)| table);
    [Some(&embeddings.words), positions, embeddings.token_types.as_ref()].into_iter().flatten()
}

fn norms(description: &Description) -> impl Iterator<Item = &Norm> {
    let around = description.embeddings.norm.iter().chain(&description.final_norm);
    around.chain(description.blocks.iter().flat_map(crate::description::Block::norms))
}

/// A tensor that is computed when it is written, so that one is in memory at a time.
struct MergedTensor<'a> {
    shape: Vec<usize>,
    content: Content<'a>,
}

enum Content<'a> {
    /// As the checkpoint has it.
    Stored { weights: &'a Weights, name: String },
    /// A linear layer as it is kept, with the product of its factors.
    Merged { linear: &'a Linear, adapter: &'a Adapter, site: usize, transposed: bool },
    /// Of the head.
    Trained(&'a Parameter),
}

impl MergedTensor<'_> {
    fn values(&self) -> Result<Array> {
        match &self.content {
            Content::Stored { weights, name } => weights.array(name, &self.shape),
            Content::Merged { linear, adapter, site, transposed: is_transposed } => {
                let merged = merged(linear, adapter, *site)?;
                Ok(if *is_transposed { transposed(&merged, [self.shape[0], self.shape[1]]) } else { merged })
            }
            Content::Trained(parameter) => Ok(parameter.array()?),
        }
    }
}

impl View for MergedTensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let array = self.values().expect("the host hands over what was read when the model was loaded");
        array.values().iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f32>() * self.shape.iter().product::<usize>()
    }
}

/// A layer's weight `[outputs, inputs]` with B·A·alpha/rank added to it.
fn merged(linear: &Linear, adapter: &Adapter, site: usize) -> Result<Array> {
    let (mut values, inputs) = match &linear.weight {
        WeightMatrix::Frozen(matrix) => (matrix.to_f32(), matrix.shape()[1]),
        WeightMatrix::Trained(value) => (value.to_vec()?, value.shape()[1]),
    };
    let lora = adapter.lora(site);
    let (a, b, rank) = (lora.a.to_vec()?, lora.b.to_vec()?, lora.a.shape()[0]);
    for (row, b) in values.chunks_exact_mut(inputs).zip(b.chunks_exact(rank)) {
        for (factor, a) in b.iter().zip(a.chunks_exact(inputs)) {
            for (value, a) in row.iter_mut().zip(a) {
                *value += lora.scale * factor * a;
            }
        }
    }
    let outputs = values.len() / inputs;
    Ok(Array::new(values, &[outputs, inputs]))
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn a_family_is_what_its_classes_begin_with() {
        let classes = ["BertModel", "LlamaForCausalLM", "GPT2LMHeadModel", "Gemma2ForCausalLM", "RobertaForMaskedLM"];
        assert_eq!(classes.map(family), ["Bert", "Llama", "GPT2", "Gemma2", "Roberta"]);
    }
}
