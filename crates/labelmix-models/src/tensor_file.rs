//! Tensors in safetensors files, to and from f32: weights, and what a training keeps to go on from.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use half::{bf16, f16};
use labelmix_files::{clear_leftovers, write_whole};
use labelmix_nn::Array;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Little-endian bytes of a float type as f32; `None` for other types.
pub(crate) fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = |convert: fn([u8; 2]) -> f32| bytes.as_chunks::<2>().0.iter().map(|pair| convert(*pair)).collect();
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()),
        Dtype::F16 => Some(halves(|pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(halves(|pair| bf16::from_le_bytes(pair).to_f32())),
        Dtype::F64 => Some(bytes.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk) as f32).collect()),
        _ => None,
    }
}

/// f32 numbers as little-endian bytes of a float type that [`to_f32`] reads.
pub(crate) fn to_bytes(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        Dtype::F64 => values.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// An array as it stands in a file, in a float type. In f32 its bytes are those in memory.
#[derive(Clone, Copy)]
struct Stored<'a>(&'a Array, Dtype);

impl<'a> Stored<'a> {
    fn bytes(self) -> Cow<'a, [u8]> {
        let values = self.0.values();
        if self.1 == Dtype::F32 && cfg!(target_endian = "little") {
            Cow::Borrowed(bytemuck::cast_slice(values))
        } else {
            Cow::Owned(to_bytes(self.1, values))
        }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.1
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.bytes()
    }

    fn data_len(&self) -> usize {
        self.0.values().len() * self.1.bitsize() / 8
    }
}

/// Writes tensors one after the other, without holding the file in memory, with the permissions of any new file: the crate's own
/// way lets nobody else read it.
///
/// # Errors
/// If the file cannot be written.
pub fn write_streamed<S: AsRef<str> + Ord + std::fmt::Display, V: View>(
    tensors: impl IntoIterator<Item = (S, V)>,
    header: &[(&str, &str)],
    path: &Path,
) -> std::result::Result<(), SafeTensorError> {
    let permissions = std::fs::File::create(path)?.metadata()?.permissions();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let header = (!header.is_empty()).then(|| header.iter().map(owned).collect());
    safetensors::serialize_to_file(tensors, header, path)?;
    Ok(std::fs::set_permissions(path, permissions)?)
}

/// Writes named tensors of one type.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_tensors<'a>(
    path: &Path,
    dtype: Dtype,
    tensors: impl Iterator<Item = (&'a str, Array)>,
) -> Result<()> {
    let tensors: Vec<(&str, Array)> = tensors.collect();
    let views = tensors.iter().map(|(name, array)| (name, Stored(array, dtype)));
    let serialized = safetensors::serialize(views, None)
        .map_err(|error| Error::Weights { path: path.into(), reason: error.to_string() })?;
    std::fs::write(path, serialized).map_err(|source| Error::Write { path: path.into(), source })
}

/// Named tensors of f32 with a text about them: the state of a training, as it is kept in a safetensors file.
#[derive(Clone, Debug, Default)]
pub struct KeptTensors {
    about: Option<String>,
    tensors: BTreeMap<String, Array>,
}

/// The header's only entry: entries have no order, and the same tensors are to give the same bytes.
const HEADER: &str = "labelmix";

#[derive(Serialize, Deserialize)]
struct Header {
    about: String,
    /// The hash of the text and of all tensors.
    blake3: String,
}

impl KeptTensors {
    /// No tensors yet, and a text about them. A file with a text is held against a checksum when it is read.
    pub fn about(text: String) -> Self {
        Self { about: Some(text), tensors: BTreeMap::new() }
    }

    /// The text about them; empty if there is none.
    pub fn text(&self) -> &str {
        self.about.as_deref().unwrap_or_default()
    }

    /// Adds a tensor, in place of one of the same name.
    pub fn add(&mut self, name: impl Into<String>, array: Array) {
        self.tensors.insert(name.into(), array);
    }

    /// Adds a row of numbers.
    pub fn add_row(&mut self, name: impl Into<String>, values: &[f32]) {
        self.add(name, Array::new(values.to_vec(), &[values.len()]));
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> io::Result<&Array> {
        self.tensors.get(name).ok_or_else(|| damaged(format!("there is no tensor named {name:?}")))
    }

    /// The numbers of the tensor of this name, of which there are to be so many.
    ///
    /// # Errors
    /// If there is none, or it has another number of them.
    pub fn row(&self, name: &str, length: usize) -> io::Result<Vec<f32>> {
        let values = self.get(name)?.values();
        if values.len() != length {
            return Err(damaged(format!("{name:?} has {} numbers instead of {length}", values.len())));
        }
        Ok(values.to_vec())
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Writes the file beside its place and renames it. The same tensors and text give the same bytes.
    ///
    /// # Errors
    /// If it cannot be written; then there is no half of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let views = || self.tensors.iter().map(|(name, array)| (name, Stored(array, Dtype::F32)));
        let header = self.about.as_ref().map(|about| {
            let hash = checksum(about, views().map(|(name, view)| (name, view.bytes())));
            let header = Header { about: about.clone(), blake3: hash };
            let header = serde_json::to_string(&header).expect("a header is two texts");
            HashMap::from([(HEADER.to_owned(), header)])
        });
        let bytes = safetensors::serialize(views(), header).expect("names are unique, and tensors whole");
        clear_leftovers(path);
        write_whole(path, bytes)
    }

    /// Reads a file that [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged ([`io::ErrorKind::InvalidData`]).
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let wrong = |error: safetensors::SafeTensorError| damaged(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
        let stored = SafeTensors::deserialize(&bytes).map_err(wrong)?;
        let mut stored: Vec<(String, TensorView<'_>)> = stored.tensors();
        stored.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut about = None;
        if let Some(header) = metadata.metadata().as_ref().and_then(|header| header.get(HEADER)) {
            let header: Header = serde_json::from_str(header).map_err(|error| damaged(error.to_string()))?;
            let hash = checksum(&header.about, stored.iter().map(|(name, view)| (name, Cow::Borrowed(view.data()))));
            if hash != header.blake3 {
                return Err(damaged("the checksum differs from what was written".to_owned()));
            }
            about = Some(header.about);
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in stored {
            let values = match view.dtype() {
                // Numbers of steps, as they were once written.
                Dtype::U32 => {
                    Some(view.data().as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word) as f32).collect())
                }
                dtype => to_f32(dtype, view.data()),
            };
            let values = values.ok_or_else(|| damaged(format!("{name:?} is stored as {:?}", view.dtype())))?;
            tensors.insert(name, Array::new(values, view.shape()));
        }
        Ok(Self { about, tensors })
    }
}

fn checksum<'a>(about: &str, tensors: impl Iterator<Item = (&'a String, Cow<'a, [u8]>)>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(about.as_bytes());
    for (name, bytes) in tensors {
        part(name.as_bytes());
        part(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}

fn damaged(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
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

    #[test]
    fn kept_tensors_survive_and_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let mut kept = KeptTensors::about("{\"step\": 7}".to_owned());
        kept.add("weight", Array::new(vec![1.0, -2.5, 1e-30, f32::MAX], &[2, 2]));
        kept.add_row("a row", &[0.1; 5]);
        kept.write(&path).unwrap();
        let read = KeptTensors::read(&path).unwrap();
        assert_eq!((read.text(), read.names().collect::<Vec<_>>()), (kept.text(), vec!["a row", "weight"]));
        assert_eq!(read.get("weight").unwrap().values(), kept.get("weight").unwrap().values());
        assert_eq!(read.get("weight").unwrap().shape(), [2, 2]);
        assert_eq!(read.row("a row", 5).unwrap(), [0.1; 5]);
        assert!(read.row("a row", 4).is_err() && read.get("no row").is_err());

        let bytes = std::fs::read(&path).unwrap();
        read.write(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same bytes");
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 4;
            std::fs::write(&path, flipped).unwrap();
            // A space more or less in the header changes nothing.
            if let Ok(read) = KeptTensors::read(&path) {
                assert_eq!(read.row("a row", 5).unwrap(), [0.1; 5], "byte {place}");
            }
            std::fs::write(&path, &bytes[..place]).unwrap();
            assert!(KeptTensors::read(&path).is_err(), "{place} bytes");
        }
    }

    #[test]
    fn what_is_written_is_read_again_to_the_precision_of_its_type() {
        let values = [1.0, -0.333_333_34, 65000.0];
        for (dtype, tolerance) in [(Dtype::F32, 0.0), (Dtype::F16, 1e-3), (Dtype::BF16, 1e-2)] {
            let read = to_f32(dtype, &to_bytes(dtype, &values)).unwrap();
            assert!(values.iter().zip(read).all(|(value, read)| (value - read).abs() <= tolerance * value.abs()));
        }
    }
}
