//! A copy of a fixture's checkpoint that tests may change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_models::{Error, LanguageModel, LoadOptions, Model, ModelShape, TokenBatch};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;

pub(crate) fn fixture_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A tensor as it is stored: type, shape, bytes.
pub(crate) type Stored = (Dtype, Vec<usize>, Vec<u8>);

pub(crate) fn read_tensors(path: &Path) -> BTreeMap<String, Stored> {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.into_iter().map(|(name, t)| (name, (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

pub(crate) fn write_tensors(path: &Path, tensors: &BTreeMap<String, Stored>) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub(crate) fn f32_bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// The numbers of a tensor of f32, changed.
pub(crate) fn changed((dtype, shape, bytes): &Stored, change: impl Fn(usize, f32) -> f32) -> Stored {
    let values = bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
    (*dtype, shape.clone(), f32_bytes(values.enumerate().map(|(index, value)| change(index, value))))
}

/// A copy of a fixture's checkpoint that tests may change.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn of(fixture: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors"] {
            fs::copy(fixture_folder(fixture).join(name), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path().join(name).parent().unwrap()).unwrap();
        fs::write(self.path().join(name), contents).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    pub(crate) fn tensors(&self) -> BTreeMap<String, Stored> {
        read_tensors(&self.path().join("model.safetensors"))
    }

    pub(crate) fn set_tensors(&self, tensors: &BTreeMap<String, Stored>) {
        write_tensors(&self.path().join("model.safetensors"), tensors);
    }

    pub(crate) fn set(&self, key: &str, value: Json) {
        let path = self.path().join("config.json");
        let mut config: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[key] = value;
        fs::write(path, config.to_string()).unwrap();
    }

    pub(crate) fn model(&self) -> Result<Model, Error> {
        Model::load(self.path(), &LoadOptions::default())
    }

    pub(crate) fn hidden(&self) -> Vec<f32> {
        hidden(&self.model().unwrap())
    }

    pub(crate) fn logits(&self) -> Vec<f32> {
        let model = LanguageModel::new(&self.model().unwrap()).unwrap();
        model.logits(&batch(), None).unwrap().to_vec().unwrap()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        ModelShape::read_whole(self.path()).unwrap().summary().notes
    }

    /// What is said of the folder: the same by what reads headers alone and by what loads.
    pub(crate) fn complaint(&self) -> String {
        let loading = said(&self.model().err().unwrap());
        assert_eq!(loading, said(&ModelShape::read_whole(self.path()).err().unwrap()));
        loading.replace(&self.path().display().to_string(), "FOLDER")
    }
}

pub(crate) fn said(error: &Error) -> String {
    format!("{error}\n{}", miette::Diagnostic::help(error).unwrap())
}

pub(crate) fn batch() -> TokenBatch {
    let ids: &[u32] = &[3, 9, 14, 27, 5];
    TokenBatch::new([ids])
}

pub(crate) fn hidden(model: &Model) -> Vec<f32> {
    model.hidden_states(&batch()).unwrap().to_vec().unwrap()
}

pub(crate) fn close(ours: &[f32], reference: &[f32]) -> bool {
    ours.len() == reference.len() && ours.iter().zip(reference).all(|(a, b)| (a - b).abs() <= 1e-5)
}

pub(crate) const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 497774208\n";
