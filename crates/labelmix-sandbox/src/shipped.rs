//! The models that come with labelmix: what `labelmix sandbox pretrain` made.

use std::path::Path;

use labelmix_files::{WriteError, own, write_whole};

use crate::checkpoint::write_description;
use crate::error::Result;
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
/// If a file cannot be written, or labelmix did not write what is there.
pub fn write_question_files(folder: &Path) -> Result<()> {
    let models = SandboxModel::ALL.map(SandboxModel::name).into_iter().chain([UNTRAINED]);
    own(folder, models)?;
    let world = World::new(WorldSettings::default());
    for model in SandboxModel::ALL {
        let checkpoint = folder.join(model.name());
        write_description(&checkpoint, &world, &model.pretraining().shape)?;
        let path = checkpoint.join("model.safetensors");
        write_whole(&path, model.weights()).map_err(|source| WriteError { path, source })?;
    }
    let strong = SandboxModel::Strong.pretraining();
    write_untrained(&world, &strong.shape, strong.seed, &folder.join(UNTRAINED))?;
    write_questions(&world, folder)
}
