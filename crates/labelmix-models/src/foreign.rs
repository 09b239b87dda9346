//! A checkpoint that somebody else runs: of any architecture, with the adapters that are trained of it.

use std::path::Path;

use labelmix_nn::Device;
use serde::Deserialize;

use crate::adapter::{Adapter, AdapterSite, HeadSite, LoraSettings, LoraSite};
use crate::classifier::Pooling;
use crate::contents::Contents;
use crate::error::{Error, Result};

/// What whoever runs a model says of it.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are facts about a model")]
pub struct ForeignShape {
    /// transformers' name of the architecture.
    pub architecture: String,
    /// Whether it looks only at what came before.
    pub is_decoder: bool,
    /// Whether it can be asked for tokens.
    pub has_language_head: bool,
    /// Whether the checkpoint has a pooler of its own.
    pub has_pooler: bool,
    /// The size of the hidden states.
    pub hidden: usize,
    /// The standard deviation of its initial weights.
    pub initializer_range: f64,
    /// What its layers' names begin with inside transformers' sequence classifier.
    pub prefix: String,
    layers: Vec<LoraSite>,
    transposed: bool,
    /// Its parameters, without heads.
    pub parameters: usize,
}

/// A checkpoint whose files are here, and that runs elsewhere.
pub struct ForeignModel {
    contents: Contents,
    shape: ForeignShape,
    pooling: Pooling,
    site: AdapterSite,
}

impl ForeignModel {
    /// The checkpoint in `folder`. The pooling is chosen as for a [`Classifier`](crate::Classifier).
    ///
    /// # Errors
    /// If its files cannot be read, or it has no such pooling.
    pub fn new(folder: &Path, shape: ForeignShape, pooling: Option<Pooling>) -> Result<Self> {
        let contents = Contents::open(folder)?;
        let pooling = Pooling::chosen(pooling, &contents.folder, shape.is_decoder, shape.has_pooler)?;
        let head = HeadSite::of(shape.is_decoder, shape.hidden, shape.initializer_range);
        let (layers, prefix) = (shape.layers.clone().into(), shape.prefix.clone());
        let site = AdapterSite { layers, head, prefix, transposed: shape.transposed };
        Ok(Self { contents, shape, pooling, site })
    }

    /// Passes if it can be asked for tokens.
    ///
    /// # Errors
    /// If it is an encoder, or the checkpoint lacks its own head.
    pub fn check_language_model(&self) -> Result<()> {
        let ForeignShape { architecture, has_language_head, .. } = &self.shape;
        if *has_language_head { Ok(()) } else { Err(Error::NoLanguageHead { architecture: architecture.clone() }) }
    }

    /// What it is.
    pub fn shape(&self) -> &ForeignShape {
        &self.shape
    }

    /// How sequences become vectors.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// A hash of the configuration and the weights, computed when it is first asked for.
    ///
    /// # Errors
    /// If config.json cannot be read any more.
    pub fn content_hash(&self) -> Result<[u8; 32]> {
        self.contents.hash()
    }

    /// Passes if the files that the weights lie in are still those that were opened.
    ///
    /// # Errors
    /// If one has changed.
    pub fn check_unchanged(&self) -> Result<()> {
        self.contents.check_unchanged()
    }

    /// A freshly initialised adapter and head, with the numbers that a [`Classifier`](crate::Classifier) would give it.
    ///
    /// # Errors
    /// None so far: adapters are on the host.
    pub fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Result<Adapter> {
        Adapter::initial(&self.site, settings, seed, &Device::Host)
    }

    /// The adapter that labelmix kept in a folder.
    ///
    /// # Errors
    /// If it is missing or damaged, or of another model.
    pub fn kept_adapter(&self, folder: &Path) -> Result<Adapter> {
        Adapter::kept(&self.site, folder, &Device::Host)
    }
}
