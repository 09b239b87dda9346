//! An adapter added to the weights that it was trained on: W + alpha/rank · B·A, as PEFT's `merge_and_unload` does it. The
//! sum is rounded once, to the type in which the weight is stored.

use std::path::Path;

use labelmix_nn::Array;

use super::files::Format;
use super::{Source, Weights};
use crate::adapter::LoraSettings;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::peft;
use crate::tensor_file::{to_bytes, to_f32};

/// The files that may hold an adapter's weights, in the order in which PEFT looks for them.
const FILES: [(&str, Format); 2] = [(peft::WEIGHTS_FILE, Format::Safetensors), ("adapter_model.bin", Format::Pickle)];
/// Layers that adapters bring along and that no transformer has: heads for tasks.
const HEADS: [&str; 4] = ["score.", "classifier.", "pre_classifier.", "pooler."];

impl Weights {
    /// Adds the adapter in `folder`.
    ///
    /// # Errors
    /// If it is damaged, is no LoRA, or was trained on another model.
    pub(crate) fn merge(&mut self, description: &Description, folder: &Path) -> Result<()> {
        let settings = LoraSettings::read(folder)?;
        let Some((file, format)) = FILES.into_iter().find(|(file, _)| folder.join(file).exists()) else {
            let reason = format!("it has no {}", peft::WEIGHTS_FILE);
            let help =
                "an adapter is adapter_config.json with the weights beside it: copy or download them too".to_owned();
            return Err(Error::Folder { path: folder.into(), reason, help });
        };
        let mut adapter = Self::of_files(folder, format, &[file.to_owned()])?;
        adapter.unwrap_names();
        let path = folder.join(file);
        for name in adapter.tensors.keys() {
            let wrong = |reason| Error::Adapter { path: path.clone(), reason };
            let (layer, part) = name.split_once(".lora_").unwrap_or((name, ""));
            match part {
                "A.weight" | "A.default.weight" => {
                    let b_name = format!("{layer}.lora_{}", part.replacen('A', "B", 1));
                    let factors = [adapter.any_array(name)?, adapter.any_array(&b_name)?];
                    self.add_product(description, layer, &factors, settings).map_err(wrong)?;
                }
                "B.weight" | "B.default.weight" => {}
                "" => self.replace(description, name, &adapter).map_err(wrong)?,
                _ => return Err(wrong(format!("{name:?} is not a factor of plain LoRA on a linear layer"))),
            }
        }
        for path in [folder.join(peft::CONFIG_FILE), path] {
            self.files.push(self.sources.len());
            self.sources.push(Source::open(path)?);
        }
        self.notes.push(format!("the adapter in {} is merged into the weights", folder.display()));
        Ok(())
    }

    /// A tensor of whatever shape it has.
    fn any_array(&self, name: &str) -> Result<Array> {
        let shape = self.tensors.get(name).ok_or_else(|| self.missing(name))?.shape.clone();
        self.array(name, &shape)
    }

    /// The whole name here of a tensor that another checkpoint of the architecture has under `name`.
    fn name_of(&self, description: &Description, name: &str) -> Option<String> {
        let inner = self.name(name.strip_prefix(description.prefix).unwrap_or(name));
        [inner, name.to_owned()].into_iter().find(|name| self.tensors.contains_key(name))
    }

    fn add_product(
        &mut self,
        description: &Description,
        layer: &str,
        [a, b]: &[Array; 2],
        settings: LoraSettings,
    ) -> std::result::Result<(), String> {
        let no_place = || format!("the model has no layer {layer:?}");
        let name = self.name_of(description, &format!("{layer}.weight")).ok_or_else(no_place)?;
        let ([rank, inputs], [outputs, b_rank]) = (a.shape(), b.shape()) else {
            return Err(format!("the factors of {layer:?} have the shapes {:?} and {:?}", a.shape(), b.shape()));
        };
        let stored = &self.tensors[&name];
        let of_layer = |projection: &&&crate::description::Projection| layer.ends_with(projection.name.as_str());
        let transposed =
            description.projections().iter().find(of_layer).is_some_and(|projection| projection.transposed);
        let shape = if transposed { [*inputs, *outputs] } else { [*outputs, *inputs] };
        if stored.shape != shape || rank != b_rank || *rank != settings.rank {
            return Err(format!(
                "the factors of {layer:?} have the shapes {:?} and {:?} (rank {}), its weight {:?}",
                a.shape(),
                b.shape(),
                settings.rank,
                stored.shape
            ));
        }
        let source = &self.sources[stored.source];
        let (dtype, path) = (stored.dtype, source.path.clone());
        let values = to_f32(dtype, &source.bytes()[stored.range.clone()]);
        let mut values = values.ok_or_else(|| format!("the weight of {layer:?} is stored as {dtype:?}"))?;
        let scale = (settings.alpha / settings.rank as f64) as f32;
        let (a, b) = (a.values(), b.values());
        // Row by row of what is stored: the sum over the ranks of one factor's number times the other's row.
        for (row, sums) in values.chunks_exact_mut(shape[1]).enumerate() {
            for part in 0..*rank {
                if transposed {
                    let factor = scale * a[part * inputs + row];
                    sums.iter_mut().enumerate().for_each(|(column, sum)| *sum += factor * b[column * rank + part]);
                } else {
                    let factor = scale * b[row * rank + part];
                    let others = &a[part * inputs..(part + 1) * inputs];
                    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += factor * other);
                }
            }
        }
        self.add(name, &path, dtype, shape.to_vec(), to_bytes(dtype, &values));
        Ok(())
    }

    /// Takes over a layer that was trained whole. A head for a task is left: every task here trains its own.
    fn replace(&mut self, description: &Description, name: &str, adapter: &Self) -> std::result::Result<(), String> {
        let stored = &adapter.tensors[name];
        let of_model = self.name_of(description, name).or_else(|| {
            let head = description.language_head.as_ref()?;
            (head.name == name).then(|| name.to_owned())
        });
        match of_model {
            Some(of_model) => {
                let bytes = adapter.sources[stored.source].bytes()[stored.range.clone()].to_vec();
                self.add(of_model, &adapter.sources[stored.source].path, stored.dtype, stored.shape.clone(), bytes);
                Ok(())
            }
            None if HEADS.iter().any(|head| name.starts_with(head)) => Ok(()),
            None => Err(format!("the tensor {name:?} has no place in this model")),
        }
    }
}
