//! The backend of this process.

mod learner;
mod reading;

use std::path::Path;
use std::sync::OnceLock;

use labelmix_models::{Adapter, Classifier, LanguageModel, LoraSettings, Model, Pooling};
use labelmix_nn::Array;

use self::learner::NativeLearner;
use crate::backend::{Backend, Learner, Learning, Reading};
use crate::error::Result;
use crate::prompt::Prompt;

/// A model that runs in this process.
pub struct NativeBackend {
    classifier: Classifier,
    language_model: OnceLock<LanguageModel>,
}

impl NativeBackend {
    /// Puts a head on a model; see [`Classifier::new`].
    ///
    /// # Errors
    /// If the model has no such pooling.
    pub fn new(model: &Model, pooling: Option<Pooling>) -> Result<Self> {
        Ok(Self { classifier: Classifier::new(model, pooling)?, language_model: OnceLock::new() })
    }

    fn language_model(&self) -> Result<&LanguageModel> {
        if let Some(model) = self.language_model.get() {
            return Ok(model);
        }
        let model = LanguageModel::new(self.classifier.model())?;
        Ok(self.language_model.get_or_init(|| model))
    }
}

impl Backend for NativeBackend {
    fn content_hash(&self) -> Result<[u8; 32]> {
        Ok(self.classifier.model().content_hash()?)
    }

    fn check_unchanged(&self) -> Result<()> {
        Ok(self.classifier.model().check_unchanged()?)
    }

    fn check_language_model(&self) -> Result<()> {
        self.language_model().map(drop)
    }

    fn pooling(&self) -> Pooling {
        self.classifier.pooling()
    }

    fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Result<Adapter> {
        Ok(self.classifier.initial_adapter(settings, seed)?)
    }

    fn kept_adapter(&self, folder: &Path) -> Result<Adapter> {
        Ok(self.classifier.kept_adapter(folder)?)
    }

    fn learner<'a>(&'a self, learning: Learning<'_>) -> Result<Box<dyn Learner + 'a>> {
        Ok(Box::new(NativeLearner::new(&self.classifier, learning)))
    }

    fn log_odds(&self, adapter: &Adapter, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<f32>> {
        reading::log_odds(&self.classifier, adapter, texts, reading)
    }

    fn hidden_states(&self, layers: Option<usize>, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<Vec<f32>>> {
        reading::hidden_states(&self.classifier, layers, texts, reading)
    }

    fn next_token_scores(&self, prompts: &[Prompt], targets: [u32; 2], reading: Reading<'_>) -> Result<Vec<f32>> {
        reading::next_token_scores(self.language_model()?, prompts, targets, reading)
    }

    fn likeliest_next(&self, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<u32>> {
        reading::likeliest_next(self.language_model()?, texts, reading)
    }

    fn log_likelihoods(&self, texts: &[(&[u32], usize)], reading: Reading<'_>) -> Result<Vec<f64>> {
        reading::log_likelihoods(self.language_model()?, texts, reading)
    }

    fn head_rows(&self, tokens: &[u32]) -> Result<Array> {
        Ok(self.language_model()?.head_rows(tokens)?)
    }
}
