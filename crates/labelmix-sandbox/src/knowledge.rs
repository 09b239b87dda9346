//! What a pretrained model knows.

use std::path::Path;

use labelmix_models::{Error, LanguageModel, LoadOptions, Model, TextLimit, TokenBatch, Tokenizer};
use serde::Serialize;

use crate::corpus::{Row, answered, statement};
use crate::error::Result;
use crate::world::{RELATION_COUNT, Subject, World};

/// In which form a model is asked for the objects of entities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A sentence that states the fact, up to its object.
    Statement,
    /// A question of the task.
    Question,
}

/// What a pretrained model is and what it knows.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ModelCard {
    /// The BLAKE3 hash of its weights file.
    pub blake3: String,
    /// [`object_losses`] in sentences, by relation.
    pub statements: [f64; RELATION_COUNT],
    /// [`object_losses`] in questions, by relation.
    pub questions: [f64; RELATION_COUNT],
}

impl ModelCard {
    /// The card of the model in a folder.
    ///
    /// # Errors
    /// If the folder holds no language model of the world's words.
    pub fn of(world: &World, folder: &Path) -> Result<Self> {
        let path = folder.join("model.safetensors");
        let weights = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
        Ok(Self {
            blake3: blake3::hash(&weights).to_hex().to_string(),
            statements: object_losses(world, folder, Form::Statement)?,
            questions: object_losses(world, folder, Form::Question)?,
        })
    }
}

/// How surprised a model is at the true object of each relation: the mean of −log p(object) over all entities, in nats.
/// Who knows no fact but all objects is at ln 16 = 2.77.
///
/// # Errors
/// If the folder holds no language model of the world's words.
pub fn object_losses(world: &World, folder: &Path, form: Form) -> Result<[f64; RELATION_COUNT]> {
    let tokenizer = Tokenizer::load(folder)?;
    let model = LanguageModel::new(&Model::load(folder, &LoadOptions::default())?)?;
    let entities = 0..world.names().len();
    let mut losses = [0.0; RELATION_COUNT];
    for (relation, loss) in losses.iter_mut().enumerate() {
        let mut prompts = Vec::with_capacity(entities.len());
        let mut objects = Vec::with_capacity(entities.len());
        for entity in entities.clone() {
            let subject = Subject { entity, relation };
            let Row { pieces } = match form {
                Form::Statement => statement(world, subject, 0),
                Form::Question => answered(world, subject, 0),
            };
            let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
            let object = world.object(subject);
            let (before, _) = text.split_once(object).expect("both forms name the object");
            prompts.push(tokenizer.encode(before, TextLimit::Refuse)?);
            objects.push(tokenizer.encode(object, TextLimit::Refuse)?[0] as usize);
        }
        let logits = model.last_logits(&TokenBatch::new(prompts.iter().map(Vec::as_slice)), None)?.to_vec()?;
        let rows = logits.chunks_exact(model.model().vocabulary()).zip(&objects);
        let sum: f64 = rows.map(|(row, object)| surprise(row, *object)).sum();
        *loss = sum / entities.len() as f64;
    }
    Ok(losses)
}

/// −log p of one class.
fn surprise(logits: &[f32], class: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    sum.ln() - f64::from(logits[class] - largest)
}
