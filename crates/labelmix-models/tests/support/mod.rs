//! Reading the fixtures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

/// The tensors of a safetensors file, by name.
#[derive(Default)]
pub(crate) struct Tensors {
    pub(crate) floats: HashMap<String, Vec<f32>>,
    pub(crate) integers: HashMap<String, Vec<i64>>,
    pub(crate) bytes: HashMap<String, Vec<u8>>,
    pub(crate) shapes: HashMap<String, Vec<usize>>,
}

pub(crate) fn fixture_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

impl Tensors {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut read = Self::default();
        for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let data = tensor.data();
            read.shapes.insert(name.clone(), tensor.shape().to_vec());
            match tensor.dtype() {
                Dtype::F32 => {
                    let values = data.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
                    read.floats.insert(name, values);
                }
                Dtype::I64 => {
                    let values = data.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect();
                    read.integers.insert(name, values);
                }
                Dtype::U8 => drop(read.bytes.insert(name, data.to_vec())),
                other => panic!("{name} is {other:?}"),
            }
        }
        read
    }
}
