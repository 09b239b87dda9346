//! The weights of a checkpoint: one safetensors file, or several with an index, in f32, f16 or bf16.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use labelmix_nn::{Array, Value};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::{Error, Result};

/// The name of the weights where they fit one file.
const SINGLE_FILE: &str = "model.safetensors";
/// The list of files where they do not.
const INDEX_FILE: &str = "model.safetensors.index.json";

/// A checkpoint's safetensors files, mapped into memory.
pub(crate) struct Weights {
    folder: PathBuf,
    files: Vec<MappedFile>,
    /// For every tensor, the file that holds it.
    file_of: BTreeMap<String, usize>,
    /// What the names begin with in this checkpoint, before the architecture's own names ("model.", "bert.", "").
    prefix: String,
}

struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl MappedFile {
    fn open(path: PathBuf) -> Result<Self> {
        let read_error = |source| Error::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read_error)?;
        // SAFETY: nothing is known to change the file while it is mapped; every checkpoint reader relies on this.
        let map = unsafe { Mmap::map(&file) }.map_err(read_error)?;
        Ok(Self { path, map })
    }

    fn tensors(&self) -> Result<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.map).map_err(|error| Error::Weights {
            path: self.path.clone(),
            reason: format!("not a whole safetensors file ({error})"),
        })
    }
}

impl Weights {
    /// Opens the weights in `folder`. `prefix` is what some checkpoints of the architecture put before its names.
    pub(crate) fn open(folder: &Path, prefix: &str) -> Result<Self> {
        let index_path = folder.join(INDEX_FILE);
        let names: Vec<String> = if index_path.exists() {
            let text = std::fs::read_to_string(&index_path)
                .map_err(|source| Error::Read { path: index_path.clone(), source })?;
            let index: Index = serde_json::from_str(&text).map_err(|error| Error::Config {
                path: index_path,
                reason: error.to_string(),
                help: "it should map each weight's name to the file that holds it".into(),
            })?;
            let mut names: Vec<String> = index.weight_map.into_values().collect();
            names.sort_unstable();
            names.dedup();
            names
        } else {
            vec![SINGLE_FILE.to_owned()]
        };
        let files: Vec<MappedFile> =
            names.iter().map(|name| MappedFile::open(folder.join(name))).collect::<Result<_>>()?;
        let mut file_of = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            for name in file.tensors()?.names() {
                file_of.insert(name.to_owned(), index);
            }
        }
        let prefixed = file_of.keys().any(|name| name.starts_with(prefix));
        Ok(Self {
            folder: folder.to_owned(),
            files,
            file_of,
            prefix: if prefixed { prefix.to_owned() } else { String::new() },
        })
    }

    /// Whether the checkpoint has a tensor of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.file_of.contains_key(&format!("{}{name}", self.prefix))
    }

    /// A frozen weight in f32, checked to have the shape that the configuration implies.
    pub(crate) fn load(&self, name: &str, shape: &[usize]) -> Result<Value> {
        let name = format!("{}{name}", self.prefix);
        let file = self.file_of.get(&name).ok_or_else(|| Error::Weights {
            path: self.folder.clone(),
            reason: format!("there is no weight named {name:?}"),
        })?;
        let file = &self.files[*file];
        let wrong = |reason: String| Error::Weights { path: file.path.clone(), reason };
        let tensors = file.tensors()?;
        let tensor = tensors.tensor(&name).map_err(|error| wrong(error.to_string()))?;
        if tensor.shape() != shape {
            return Err(wrong(format!(
                "{name:?} has the shape {:?}, but config.json implies {shape:?}",
                tensor.shape()
            )));
        }
        let values = to_f32(tensor.dtype(), tensor.data()).ok_or_else(|| {
            wrong(format!("{name:?} is stored as {:?}; f32, f16 and bf16 can be read", tensor.dtype()))
        })?;
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(wrong(format!("element {position} of {name:?} is {}", values[position])));
        }
        Ok(Value::constant(Array::new(values, shape)))
    }

    /// The size of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.map.len() as u64).sum()
    }

    /// A hash of the contents of all files.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for file in &self.files {
            hasher.update(&(file.map.len() as u64).to_le_bytes());
            hasher.update(&file.map);
        }
    }
}

/// Little-endian bytes of a float type as f32; `None` for other types.
pub(crate) fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = |convert: fn([u8; 2]) -> f32| bytes.as_chunks::<2>().0.iter().map(|pair| convert(*pair)).collect();
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()),
        Dtype::F16 => Some(halves(|pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(halves(|pair| bf16::from_le_bytes(pair).to_f32())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_weights_become_f32() {
        let halves: Vec<u8> = [1.5_f32, -0.25].iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        assert_eq!(to_f32(Dtype::F16, &halves), Some(vec![1.5, -0.25]));
        let brains: Vec<u8> =
            [1.5_f32, -3.0e38].iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect();
        assert_eq!(to_f32(Dtype::BF16, &brains), Some(vec![1.5, bf16::from_f32(-3.0e38).to_f32()]));
        assert_eq!(to_f32(Dtype::I64, &[0; 8]), None);
    }
}
