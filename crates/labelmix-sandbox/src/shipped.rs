//! The models that come with labelmix: what `labelmix sandbox pretrain` made.

use std::path::Path;

use crate::checkpoint::write_description;
use crate::error::{Error, Result};
use crate::pretraining::write_untrained;
use crate::question_files::write_questions;
use crate::recipes::SandboxModel;
use crate::world::{World, WorldSettings};

/// The folder of the control: a model of the strong one's shape that was never trained.
pub const UNTRAINED: &str = "untrained";

impl SandboxModel {
    /// The shipped weights: a safetensors file in f16.
    pub fn weights(self) -> &'static [u8] {
        match self {
            Self::Strong => include_bytes!("../weights/strong.safetensors"),
            Self::Weak => include_bytes!("../weights/weak.safetensors"),
        }
    }
}

/// Writes the shipped models, an untrained one, and the questions of their world into a folder, which is created:
/// `strong`, `weak`, `untrained`, and the files of training texts, of test texts and of the
/// labeler's own.
///
/// # Errors
/// If a file cannot be written.
pub fn write_question_files(folder: &Path) -> Result<()> {
    let world = World::new(WorldSettings::default());
    for model in SandboxModel::ALL {
        let checkpoint = folder.join(model.name());
        write_description(&checkpoint, &world, &model.pretraining().shape)?;
        let path = checkpoint.join("model.safetensors");
        std::fs::write(&path, model.weights()).map_err(|source| Error::Write { path, source })?;
    }
    let strong = SandboxModel::Strong.pretraining();
    write_untrained(&world, &strong.shape, strong.seed, &folder.join(UNTRAINED))?;
    write_questions(&world, folder)
}
