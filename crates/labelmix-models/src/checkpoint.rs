//! The weights of a checkpoint: named tensors in f32, f16, bf16 or f64, in one file or several. The files are mapped, and a
//! weight is used where it lies.

mod check;
mod files;
mod merge;
mod names;
mod pickle;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use half::{bf16, f16};
use labelmix_nn::{Array, Bytes, FrozenMatrix, Mapped, Precision};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::tensor_file::to_f32;
use files::{Format, WeightFiles};
use pickle::Numbers;

pub use files::{MissingFiles, checkpoint_files, tokenizer_files};
pub(crate) use files::{SINGLE_FILE, explain_missing, has_weights, missing_configuration, missing_tokenizer};

/// A checkpoint's tensors.
pub(crate) struct Weights {
    folder: PathBuf,
    sources: Vec<Source>,
    /// Which of the sources are whole files; the others were computed from them.
    files: Vec<usize>,
    tensors: BTreeMap<String, Stored>,
    /// What the names begin with in this checkpoint, before the architecture's own names ("model.", "bert.", "").
    prefix: String,
    /// What a reader of the folder may not expect.
    notes: Vec<String>,
}

struct Source {
    path: PathBuf,
    bytes: Bytes,
    /// The same, where the file is mapped.
    map: Option<Arc<Mmap>>,
    /// The file's size and time when it was opened.
    stamp: Option<(u64, SystemTime)>,
}

fn stamp(file: &std::io::Result<std::fs::Metadata>) -> Option<(u64, SystemTime)> {
    let file = file.as_ref().ok()?;
    Some((file.len(), file.modified().ok()?))
}

/// Where a tensor lies and what it is.
struct Stored {
    source: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl Source {
    fn open(path: PathBuf) -> Result<Self> {
        let read_error = |source| Error::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(read_error)?;
        // SAFETY: nothing is known to change the file while it is mapped; every checkpoint reader relies on this.
        let map = unsafe { Mmap::map(&file) }.ok().map(Arc::new);
        let bytes: Bytes = match &map {
            Some(map) => Arc::<Mmap>::clone(map),
            // Some file systems cannot map files. What else may be wrong, reading the file says better.
            None => Arc::new(std::fs::read(&path).map_err(read_error)?),
        };
        crate::lfs::refuse_pointer(&path, (*bytes).as_ref())?;
        let stamp = stamp(&file.metadata());
        Ok(Self { path, bytes, map, stamp })
    }

    fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

impl Weights {
    /// Opens the weights in `folder`. `prefix` is what some checkpoints of the architecture put before its names.
    pub(crate) fn open(folder: &Path, prefix: &str) -> Result<Self> {
        let WeightFiles { format, names, stale_index } = WeightFiles::of_folder(folder)?;
        let mut weights = Self::of_files(folder, format, &names)?;
        weights.unwrap_names();
        if let Some(index) = stale_index {
            let read = &names[0];
            weights.notes.push(format!("{read} is read, as transformers does; {index} beside it is not"));
        }
        let prefixed = weights.tensors.keys().any(|name| name.starts_with(prefix));
        weights.prefix = if prefixed { prefix.to_owned() } else { String::new() };
        Ok(weights)
    }

    fn of_files(folder: &Path, format: Format, names: &[String]) -> Result<Self> {
        let sources = names.iter().map(|name| Source::open(folder.join(name))).collect::<Result<Vec<_>>>()?;
        let mut weights = Self {
            folder: folder.to_owned(),
            files: (0..sources.len()).collect(),
            sources,
            tensors: BTreeMap::new(),
            prefix: String::new(),
            notes: Vec::new(),
        };
        for file in 0..names.len() {
            match format {
                Format::Safetensors => weights.enter_safetensors(file)?,
                Format::Pickle => weights.enter_pickle(file)?,
            }
        }
        Ok(weights)
    }

    fn enter_safetensors(&mut self, file: usize) -> Result<()> {
        let source = &self.sources[file];
        let (header, metadata) = SafeTensors::read_metadata(source.bytes()).map_err(|error| Error::Weights {
            path: source.path.clone(),
            reason: format!("not a whole safetensors file ({error})"),
        })?;
        // The header's length is a number of eight bytes itself.
        let start = 8 + header;
        for (name, info) in metadata.tensors() {
            let (first, last) = info.data_offsets;
            let range = start + first..start + last;
            self.tensors.insert(name, Stored { source: file, dtype: info.dtype, shape: info.shape.clone(), range });
        }
        Ok(())
    }

    fn enter_pickle(&mut self, file: usize) -> Result<()> {
        let Source { path, bytes, .. } = &self.sources[file];
        let (path, bytes) = (path.clone(), Arc::clone(bytes));
        for tensor in pickle::read(&path, (*bytes).as_ref())? {
            let (dtype, shape) = (tensor.dtype, tensor.shape);
            match tensor.numbers {
                Numbers::InPlace(range) => {
                    self.tensors.insert(tensor.name, Stored { source: file, dtype, shape, range });
                }
                Numbers::Copied(numbers) => self.add(tensor.name, &path, dtype, shape, numbers),
            }
        }
        Ok(())
    }

    /// Puts a tensor that is not in a file in the place of the one of its name.
    fn add(&mut self, name: String, path: &Path, dtype: Dtype, shape: Vec<usize>, numbers: Vec<u8>) {
        let stored = Stored { source: self.sources.len(), dtype, shape, range: 0..numbers.len() };
        self.sources.push(Source { path: path.to_owned(), bytes: Arc::new(numbers), map: None, stamp: None });
        self.tensors.insert(name, stored);
    }

    /// Takes off what wrappers put into the names, unless the name without it is another tensor's.
    fn unwrap_names(&mut self) {
        let mut taken_off = BTreeSet::new();
        for (name, stored) in std::mem::take(&mut self.tensors) {
            match names::unwrapped(&name) {
                Some((bare, wrappers)) if !self.tensors.contains_key(&bare) => {
                    taken_off.extend(wrappers);
                    self.tensors.insert(bare, stored);
                }
                _ => {
                    self.tensors.insert(name, stored);
                }
            }
        }
        if !taken_off.is_empty() {
            let wrappers: Vec<&str> = taken_off.into_iter().collect();
            self.notes
                .push(format!("names of weights are read without the prefix of a wrapper: {}", wrappers.join(", ")));
        }
    }

    /// What a reader of the folder may not expect.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
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
        let bytes = || Arc::clone(&self.sources[stored.source].bytes);
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
        let source = &self.sources[stored.source];
        let mapped = (stored.dtype == Dtype::F32)
            .then(|| Mapped::<f32>::new(Arc::clone(&source.bytes), stored.range.clone()))
            .flatten();
        let array = if let Some(mapped) = mapped {
            Array::mapped(mapped, shape)
        } else {
            let values = to_f32(stored.dtype, &source.bytes()[stored.range.clone()]).ok_or_else(|| {
                self.wrong(stored, format!("{name:?} is {:?}; f32, f16, bf16 and f64 can be read", stored.dtype))
            })?;
            Array::new(values, shape)
        };
        match array.values().iter().position(|value| !value.is_finite()) {
            None => Ok(array),
            Some(position) => Err(self.not_finite(name, stored, position, array.values()[position])),
        }
    }

    /// Gives the memory back that a weight took as it was read. Whoever reads it again finds it in its file.
    pub(crate) fn release(&self, name: &str) {
        let Some(Stored { source, range, .. }) = self.tensors.get(name) else { return };
        #[cfg(unix)]
        if let Some(map) = &self.sources[*source].map {
            // SAFETY: pages of a file that is mapped for reading are read from the file again.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
        }
    }

    fn stored(&self, name: &str, shape: &[usize]) -> Result<&Stored> {
        let Some(stored) = self.tensors.get(name) else { return Err(self.missing(name)) };
        if is_of_quantised(stored.dtype) {
            let path = self.sources[stored.source].path.clone();
            return Err(Error::Quantised { path, what: format!("{name:?} is stored as {:?}", stored.dtype) });
        }
        if stored.shape != shape {
            let reason = format!("{name:?} has the shape {:?}, but config.json implies {shape:?}", stored.shape);
            return Err(self.wrong(stored, reason));
        }
        Ok(stored)
    }

    /// Half-precision numbers whose exponent is all ones are infinite or not numbers.
    fn check_halves(&self, name: &str, stored: &Stored) -> Result<()> {
        let exponent = if stored.dtype == Dtype::BF16 { 0x7F80 } else { 0x7C00 };
        let bytes = &self.sources[stored.source].bytes()[stored.range.clone()];
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
        Error::Weights { path: self.sources[stored.source].path.clone(), reason }
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
        self.files.iter().map(|file| self.sources[*file].bytes().len() as u64).sum()
    }

    /// The first file that may have changed since it was opened, and whether it is shorter, so that nothing can be read any more.
    pub(crate) fn changed(&self) -> Option<(&Path, bool)> {
        let files = self.files.iter().map(|file| &self.sources[*file]);
        files.filter(|source| source.stamp.is_some()).find_map(|source| {
            let now = stamp(&std::fs::metadata(&source.path));
            let is_shorter = now.is_none_or(|(bytes, _)| bytes < source.bytes().len() as u64);
            (now != source.stamp).then_some((source.path.as_path(), is_shorter))
        })
    }

    /// A hash of the contents of all files.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for file in self.files.iter().map(|file| &self.sources[*file]) {
            hasher.update(&(file.bytes().len() as u64).to_le_bytes());
            hasher.update(file.bytes());
        }
    }
}

/// Whether weights of this type are codes of quantised ones.
fn is_of_quantised(dtype: Dtype) -> bool {
    use Dtype::{BF16, BOOL, F16, F32, F64, I16, I64, U16, U32, U64};
    !matches!(dtype, F64 | F32 | F16 | BF16 | BOOL | I16 | I64 | U16 | U32 | U64)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(message("I16", &[0; 4]), "\"w\" is I16; f32, f16, bf16 and f64 can be read");
    }
}
