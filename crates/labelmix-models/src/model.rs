//! A checkpoint, loaded: the frozen transformer that classifiers and language models share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use labelmix_nn::{Device, MatmulPrecision, Precision, Value};

use crate::batch::TokenBatch;
use crate::contents::Contents;
use crate::description::{Description, Kind};
use crate::error::Result;
use crate::folder::Checkpoint;
use crate::layers::Loader;
use crate::transformer::{Past, Transformer, rotary_tables};

/// How a checkpoint is loaded and run. None of it changes what is computed but for rounding.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where computations run.
    pub device: Device,
    /// The precision in which the frozen linear layers are kept. `None`: as the checkpoint stores them.
    pub precision: Option<Precision>,
    /// To what the factors of products with the frozen linear layers are rounded. With bf16, layers of higher
    /// precision are kept in bf16 too.
    pub matmul_precision: MatmulPrecision,
    /// Whether the activations of a block are computed again for its gradients, instead of kept.
    pub activation_checkpointing: bool,
}

impl LoadOptions {
    /// The precision in which the frozen linear layers are kept; `None` for as stored.
    pub fn kept_precision(&self) -> Option<Precision> {
        match (self.matmul_precision, self.precision) {
            (MatmulPrecision::Bf16, None | Some(Precision::F32 | Precision::F16)) => Some(Precision::Bf16),
            (_, precision) => precision,
        }
    }
}

/// A checkpoint's transformer without a head. Cloning shares it.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    description: Description,
    contents: Contents,
    transformer: Transformer,
    options: LoadOptions,
}

impl Model {
    /// Loads the checkpoint in `folder`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the architecture or an option of it is not supported.
    pub fn load(folder: &Path, options: &LoadOptions) -> Result<Self> {
        let Checkpoint { folder, description, weights, .. } = Checkpoint::open(folder)?;
        let loader = Loader {
            weights: &weights,
            device: &options.device,
            precision: options.kept_precision(),
            matmul_precision: options.matmul_precision,
        };
        let transformer = Transformer::assemble(&loader, &description, rotary_tables(&description))?;
        let (options, contents) = (options.clone(), Contents::new(folder, weights));
        Ok(Self(Arc::new(Inner { description, contents, transformer, options })))
    }

    pub fn architecture(&self) -> &'static str {
        self.0.description.architecture
    }

    /// Whether the model looks only at what came before, and so can have a language-modelling head.
    pub fn is_decoder(&self) -> bool {
        self.0.description.kind == Kind::Decoder
    }

    /// The size of the hidden states.
    pub fn hidden_size(&self) -> usize {
        self.0.description.hidden
    }

    /// The number of token ids.
    pub fn vocabulary(&self) -> usize {
        self.0.description.vocabulary
    }

    /// The final hidden states without an adapter, `[tokens, hidden]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn hidden_states(&self, batch: &TokenBatch) -> Result<Value> {
        self.0.transformer.forward(batch, None, Past::Nothing)
    }

    /// How the checkpoint was loaded.
    pub fn options(&self) -> &LoadOptions {
        &self.0.options
    }

    /// The size of the checkpoint's files, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.0.contents.weights.bytes()
    }

    /// The memory of the frozen linear layers, in bytes (of weights used where they lie in a file: its address space).
    pub fn linear_bytes(&self) -> usize {
        self.0.transformer.linear_bytes()
    }

    /// The types in which the weights are stored, with the number of elements of each.
    pub fn stored_types(&self) -> BTreeMap<String, usize> {
        self.0.contents.weights.types()
    }

    /// A hash of the configuration and the weights, computed when it is first asked for.
    ///
    /// # Errors
    /// If config.json cannot be read any more.
    pub fn content_hash(&self) -> Result<[u8; 32]> {
        self.0.contents.hash()
    }

    /// Passes if the files that the weights lie in are still those that were opened.
    ///
    /// # Errors
    /// If one has changed: what was computed meanwhile may be of another model.
    pub fn check_unchanged(&self) -> Result<()> {
        self.0.contents.check_unchanged()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.contents.folder
    }

    pub(crate) fn description(&self) -> &Description {
        &self.0.description
    }

    pub(crate) fn transformer(&self) -> &Transformer {
        &self.0.transformer
    }

    /// To load what lies outside the transformer, as stored.
    pub(crate) fn loader(&self) -> Loader<'_> {
        Loader {
            weights: &self.0.contents.weights,
            device: &self.0.options.device,
            precision: None,
            matmul_precision: MatmulPrecision::F32,
        }
    }

    /// Nothing comes before; activations are kept or not, as the options say.
    pub(crate) fn no_past(&self) -> Past<'static> {
        if self.0.options.activation_checkpointing { Past::NothingAndForget } else { Past::Nothing }
    }
}
