//! Whether a checkpoint has what its configuration says, from the headers of its files: before anything is allocated from
//! sizes that nobody has checked.

use super::{Stored, Weights};
use crate::description::{Description, Norm, NormKind, Projection, Table};
use crate::error::{Error, Result};

/// Ends of names that stand where a quantised weight was.
const QUANTISED: [&str; 8] =
    ["qweight", "qzeros", "SCB", "weight_packed", "weight_scale", "weight_scale_inv", "weight.absmax", "weight_format"];

impl Weights {
    /// The whole name of a normalisation's vector: older checkpoints call the weight gamma and the bias beta.
    pub(crate) fn norm_name(&self, norm: &Norm, name: &str, old_name: &str) -> String {
        let old = format!("{}.{old_name}", norm.name);
        if self.contains(&old) { self.name(&old) } else { self.name(&format!("{}.{name}", norm.name)) }
    }

    /// Settles which weight the language-modelling head is. A tied head that is stored, with other numbers than the word
    /// embedding's, is used; where the embedding is not stored, the head is the embedding too. Both as transformers has it.
    pub(crate) fn settle_head(&mut self, description: &mut Description) {
        let Some(head) = description.language_head.as_mut().filter(|head| head.weight.is_none()) else { return };
        let words = self.name(&description.embeddings.words.name);
        match (self.tensors.contains_key(&words), self.tensors.contains_key(head.name)) {
            (true, true) if self.numbers(&words) != self.numbers(head.name) => {
                head.weight = Some(head.name);
                let name = head.name;
                self.notes.push(format!(
                    "{name} is stored, and differs from the word embedding: it is used, though config.json says that they \
                     are tied"
                ));
            }
            (false, true) => {
                let stored = self.tensors.remove(head.name).expect("the match found it");
                self.tensors.insert(words, stored);
            }
            _ => {}
        }
    }

    /// The type and the bytes of a tensor.
    fn numbers(&self, name: &str) -> Option<(safetensors::Dtype, &[u8])> {
        let Stored { source, dtype, range, .. } = self.tensors.get(name)?;
        Some((*dtype, &self.sources[*source].bytes()[range.clone()]))
    }

    /// Checks that every weight of the transformer is there and has the shape that the configuration implies.
    ///
    /// # Errors
    /// The first that is not.
    pub(crate) fn check(&self, description: &Description) -> Result<()> {
        let Description { hidden, embeddings, blocks, final_norm, .. } = description;
        let table = |table: &Table| self.stored(&self.name(&table.name), &[table.rows, *hidden]).map(drop);
        let positions = embeddings.positions.as_ref().map(|(table, _)| table);
        [Some(&embeddings.words), positions, embeddings.token_types.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(table)?;
        for (index, block) in blocks.iter().enumerate() {
            if block.layers().iter().all(|layer| !self.contains(&format!("{}.weight", layer.name))) && index > 0 {
                return Err(Error::Folder {
                    path: self.folder.clone(),
                    reason: format!("config.json describes {} blocks, and there are weights of {index}", blocks.len()),
                    help: "copy or download config.json and all files of weights again: they do not belong together, or some \
                           are missing"
                        .to_owned(),
                });
            }
            block.layers().into_iter().try_for_each(|layer| self.check_projection(layer))?;
            block.norms().into_iter().try_for_each(|norm| self.check_norm(norm))?;
        }
        embeddings.norm.iter().chain(final_norm).try_for_each(|norm| self.check_norm(norm))
    }

    fn check_projection(&self, layer: &Projection) -> Result<()> {
        let Projection { outputs, inputs, bias, transposed, .. } = *layer;
        let name = self.name(&layer.name);
        let shape = if transposed { [inputs, outputs] } else { [outputs, inputs] };
        self.stored(&format!("{name}.weight"), &shape)?;
        if bias {
            self.stored(&format!("{name}.bias"), &[outputs])?;
        }
        Ok(())
    }

    fn check_norm(&self, norm: &Norm) -> Result<()> {
        self.stored(&self.norm_name(norm, "weight", "gamma"), &[norm.size])?;
        if norm.kind == NormKind::Layer {
            self.stored(&self.norm_name(norm, "bias", "beta"), &[norm.size])?;
        }
        Ok(())
    }

    /// What it may mean that there is no weight of a name.
    pub(super) fn missing(&self, name: &str) -> Error {
        let beginning = name.strip_suffix("weight").unwrap_or(name);
        let quantised = QUANTISED.iter().map(|end| format!("{beginning}{end}"));
        if let Some(instead) = quantised.into_iter().find(|instead| self.tensors.contains_key(instead)) {
            let what = format!("instead of {name:?} there is {instead:?}");
            return Error::Quantised { path: self.folder.clone(), what };
        }
        let mut names = self.tensors.keys();
        if let Some(of_adapter) = names.find(|name| name.contains(".lora_A.") || name.contains(".base_layer.")) {
            return Error::Folder {
                path: self.folder.clone(),
                reason: format!("there is no weight named {name:?}; {of_adapter:?} is of an adapter that was not merged"),
                help: "load the model in Python, call merge_and_unload() and save_pretrained on what it returns, and name \
                       that folder"
                    .to_owned(),
            };
        }
        let similar = self.tensors.keys().find(|other| other.ends_with(name));
        let similar = similar.map(|similar| format!(", but there is {similar:?}")).unwrap_or_default();
        Error::Weights { path: self.folder.clone(), reason: format!("there is no weight named {name:?}{similar}") }
    }
}
