//! The weights of a checkpoint: one safetensors file, or several with an index, in f32, f16 or bf16. The files are
//! mapped, and a weight is used where it lies.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use labelmix_nn::{Array, Bytes, FrozenMatrix, Mapped, Precision};
use memmap2::Mmap;
use miette::Diagnostic;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::classifier::SENTENCE_TRANSFORMER_FILES;
use crate::error::{Error, Result};
use crate::tensor_file::to_f32;

/// The name of the weights where they fit one file.
pub(crate) const SINGLE_FILE: &str = "model.safetensors";
/// The list of files where they do not.
pub(crate) const INDEX_FILE: &str = "model.safetensors.index.json";

/// A checkpoint's safetensors files, mapped into memory.
pub(crate) struct Weights {
    folder: PathBuf,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, Stored>,
    /// What the names begin with in this checkpoint, before the architecture's own names ("model.", "bert.", "").
    prefix: String,
}

struct MappedFile {
    path: PathBuf,
    bytes: Bytes,
}

/// Where a tensor lies and what it is.
struct Stored {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
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
        Ok(Self { path, bytes: Arc::new(map) })
    }

    fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

impl Weights {
    /// Opens the weights in `folder`. `prefix` is what some checkpoints of the architecture put before its names.
    pub(crate) fn open(folder: &Path, prefix: &str) -> Result<Self> {
        let files: Vec<MappedFile> =
            file_names(folder)?.iter().map(|name| MappedFile::open(folder.join(name))).collect::<Result<_>>()?;
        let mut tensors = BTreeMap::new();
        for (file, mapped) in files.iter().enumerate() {
            let damaged = |error: safetensors::SafeTensorError| Error::Weights {
                path: mapped.path.clone(),
                reason: format!("not a whole safetensors file ({error})"),
            };
            let (header, metadata) = SafeTensors::read_metadata(mapped.bytes()).map_err(damaged)?;
            // The header's length is a number of eight bytes itself.
            let start = 8 + header;
            for (name, info) in metadata.tensors() {
                let (first, last) = info.data_offsets;
                let range = start + first..start + last;
                tensors.insert(name, Stored { file, dtype: info.dtype, shape: info.shape.clone(), range });
            }
        }
        let prefixed = tensors.keys().any(|name| name.starts_with(prefix));
        let prefix = if prefixed { prefix.to_owned() } else { String::new() };
        Ok(Self { folder: folder.to_owned(), files, tensors, prefix })
    }

    /// The whole name of one of the transformer's weights.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether the checkpoint has one of the transformer's weights.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(&self.name(name))
    }

    /// The precision in which one of the weights is stored, by its whole name; `None` if there is none, or it is no float.
    pub(crate) fn stored_precision(&self, name: &str) -> Option<Precision> {
        match self.tensors.get(name)?.dtype {
            Dtype::F32 => Some(Precision::F32),
            Dtype::F16 => Some(Precision::F16),
            Dtype::BF16 => Some(Precision::Bf16),
            _ => None,
        }
    }

    /// A weight matrix in the precision in which it is stored, checked to be finite and of the shape that the
    /// configuration implies. `name` is a whole name.
    pub(crate) fn matrix(&self, name: &str, [rows, columns]: [usize; 2]) -> Result<FrozenMatrix> {
        let stored = self.stored(name, &[rows, columns])?;
        let bytes = || Arc::clone(&self.files[stored.file].bytes);
        let mapped =
            match stored.dtype {
                Dtype::F16 => Mapped::<f16>::new(bytes(), stored.range.clone())
                    .map(|m| FrozenMatrix::mapped_f16(m, rows, columns)),
                Dtype::BF16 => Mapped::<bf16>::new(bytes(), stored.range.clone())
                    .map(|m| FrozenMatrix::mapped_bf16(m, rows, columns)),
                _ => None,
            };
        if let Some(matrix) = mapped {
            self.check_halves(name, stored)?;
            return Ok(matrix);
        }
        let matrix = FrozenMatrix::f32(self.array(name, &[rows, columns])?);
        // Half-precision numbers that are not aligned, or on a big-endian machine, are copied.
        Ok(match stored.dtype {
            Dtype::F16 => matrix.to_precision(Precision::F16),
            Dtype::BF16 => matrix.to_precision(Precision::Bf16),
            _ => matrix,
        })
    }

    /// A weight in f32, checked as [`matrix`](Self::matrix) does.
    pub(crate) fn array(&self, name: &str, shape: &[usize]) -> Result<Array> {
        let stored = self.stored(name, shape)?;
        let file = &self.files[stored.file];
        let mapped = (stored.dtype == Dtype::F32)
            .then(|| Mapped::<f32>::new(Arc::clone(&file.bytes), stored.range.clone()))
            .flatten();
        let array = if let Some(mapped) = mapped {
            Array::mapped(mapped, shape)
        } else {
            let values = to_f32(stored.dtype, &file.bytes()[stored.range.clone()]).ok_or_else(|| {
                self.wrong(stored, format!("{name:?} is {:?}; f32, f16 and bf16 can be read", stored.dtype))
            })?;
            Array::new(values, shape)
        };
        match array.values().iter().position(|value| !value.is_finite()) {
            None => Ok(array),
            Some(position) => Err(self.not_finite(name, stored, position, array.values()[position])),
        }
    }

    fn stored(&self, name: &str, shape: &[usize]) -> Result<&Stored> {
        let stored = self.tensors.get(name).ok_or_else(|| Error::Weights {
            path: self.folder.clone(),
            reason: format!("there is no weight named {name:?}"),
        })?;
        if stored.shape != shape {
            let reason = format!("{name:?} has the shape {:?}, but config.json implies {shape:?}", stored.shape);
            return Err(self.wrong(stored, reason));
        }
        Ok(stored)
    }

    /// Half-precision numbers whose exponent is all ones are infinite or not numbers.
    fn check_halves(&self, name: &str, stored: &Stored) -> Result<()> {
        let exponent = if stored.dtype == Dtype::BF16 { 0x7F80 } else { 0x7C00 };
        let bytes = &self.files[stored.file].bytes()[stored.range.clone()];
        let pairs = bytes.as_chunks::<2>().0;
        match pairs.iter().position(|pair| u16::from_le_bytes(*pair) & exponent == exponent) {
            None => Ok(()),
            Some(position) => {
                let value = to_f32(stored.dtype, &pairs[position]).map_or(f32::NAN, |values| values[0]);
                Err(self.not_finite(name, stored, position, value))
            }
        }
    }

    fn not_finite(&self, name: &str, stored: &Stored, position: usize, value: f32) -> Error {
        self.wrong(stored, format!("element {position} of {name:?} is {value}"))
    }

    fn wrong(&self, stored: &Stored, reason: String) -> Error {
        Error::Weights { path: self.files[stored.file].path.clone(), reason }
    }

    /// The types in which the weights are stored, with the number of elements of each.
    pub(crate) fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for stored in self.tensors.values() {
            *types.entry(format!("{:?}", stored.dtype).to_lowercase()).or_default() +=
                stored.shape.iter().product::<usize>();
        }
        types
    }

    /// The size of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes().len() as u64).sum()
    }

    /// A hash of the contents of all files.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for file in &self.files {
            hasher.update(&(file.bytes().len() as u64).to_le_bytes());
            hasher.update(file.bytes());
        }
    }
}

/// Of the names of a repository's files, those that make its checkpoint: what a download needs.
///
/// # Errors
/// What is missing, if they make none.
pub fn checkpoint_files<'a>(names: &[&'a str]) -> std::result::Result<Vec<&'a str>, MissingFiles> {
    let has = |name: &str| names.contains(&name);
    for (needed, help) in [
        ("config.json", "it does not seem to be a repository of transformers' layout"),
        (
            "tokenizer.json",
            "convert its tokenizer: load it with transformers' AutoTokenizer, save it, and name the folder",
        ),
    ] {
        if !has(needed) {
            return Err(MissingFiles { needed, help });
        }
    }
    let is_shard = |name: &str| name.starts_with("model-") && name.ends_with(".safetensors");
    let has_weights = if has(INDEX_FILE) { names.iter().any(|name| is_shard(name)) } else { has(SINGLE_FILE) };
    if !has_weights {
        let help = "its weights are kept in another format: load it with transformers, call save_pretrained, and name \
                    the folder; or name a revision that has them (organisation/name@revision)";
        return Err(MissingFiles { needed: SINGLE_FILE, help });
    }
    let wanted = |name: &str| {
        ["config.json", "tokenizer.json"].contains(&name)
            || SENTENCE_TRANSFORMER_FILES.contains(&name)
            || if has(INDEX_FILE) { name == INDEX_FILE || is_shard(name) } else { name == SINGLE_FILE }
    };
    Ok(names.iter().copied().filter(|name| wanted(name)).collect())
}

/// A repository that holds no checkpoint.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("it has no {needed}")]
#[diagnostic(help("{help}"))]
pub struct MissingFiles {
    needed: &'static str,
    help: &'static str,
}

/// The names of the files that hold the weights.
fn file_names(folder: &Path) -> Result<Vec<String>> {
    let index_path = folder.join(INDEX_FILE);
    if !index_path.exists() {
        return Ok(vec![SINGLE_FILE.to_owned()]);
    }
    let text =
        std::fs::read_to_string(&index_path).map_err(|source| Error::Read { path: index_path.clone(), source })?;
    let index: Index = serde_json::from_str(&text).map_err(|error| Error::Config {
        path: index_path,
        reason: error.to_string(),
        help: "it should map each weight's name to the file that holds it".into(),
    })?;
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_takes_the_files_of_one_checkpoint() {
        let common =
            ["README.md", "config.json", "tokenizer.json", "modules.json", "pytorch_model.bin", "onnx/model.onnx"];
        let files = |more: &[&'static str]| checkpoint_files(&[&common[..], more].concat());
        let single = ["config.json", "tokenizer.json", "modules.json", "model.safetensors"];
        assert_eq!(files(&["model.safetensors"]).unwrap(), single);
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", INDEX_FILE];
        let sharded = files(&[&shards[..], &["model.safetensors", "consolidated.safetensors"]].concat()).unwrap();
        assert_eq!(sharded[3..], shards);
        assert_eq!(files(&[]).unwrap_err().to_string(), "it has no model.safetensors");
        assert_eq!(checkpoint_files(&["config.json"]).unwrap_err().to_string(), "it has no tokenizer.json");
    }

    /// A file with one tensor in `data`, whose elements begin `skew` bytes further than they would.
    fn one_tensor(dtype: &str, shape: &str, data: &[u8], skew: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let length = data.len();
        let mut header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{length}]}}}}"#);
        while header.len() % 8 != skew {
            header.push(' ');
        }
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(data);
        std::fs::write(folder.path().join(SINGLE_FILE), file).unwrap();
        folder
    }

    #[test]
    fn stored_precisions_are_kept_whether_aligned_or_not() {
        let halves: Vec<u8> =
            [1.5_f32, -0.25, 3.0, 4.0].iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        for skew in [0, 1] {
            let folder = one_tensor("BF16", "[2,2]", &halves, skew);
            let weights = Weights::open(folder.path(), "model.").unwrap();
            let matrix = weights.matrix(&weights.name("w"), [2, 2]).unwrap();
            assert_eq!(matrix.precision(), Some(Precision::Bf16));
            assert_eq!(matrix.to_f32(), [1.5, -0.25, 3.0, 4.0]);
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused_in_every_precision() {
        let message = |dtype: &str, data: &[u8]| {
            let folder = one_tensor(dtype, "[1,2]", data, 0);
            let weights = Weights::open(folder.path(), "").unwrap();
            let error = weights.matrix("w", [1, 2]).unwrap_err().to_string();
            error.rsplit(": ").next().unwrap().to_owned()
        };
        let of =
            |values: [f32; 2], convert: fn(f32) -> Vec<u8>| values.into_iter().flat_map(convert).collect::<Vec<_>>();
        let bad = [1.0, f32::INFINITY];
        assert_eq!(message("F32", &of(bad, |v| v.to_le_bytes().into())), "element 1 of \"w\" is inf");
        assert_eq!(message("F16", &of(bad, |v| f16::from_f32(v).to_le_bytes().into())), "element 1 of \"w\" is inf");
        assert_eq!(message("BF16", &of(bad, |v| bf16::from_f32(v).to_le_bytes().into())), "element 1 of \"w\" is inf");
        assert_eq!(message("I16", &[0; 4]), "\"w\" is I16; f32, f16 and bf16 can be read");
    }
}
