//! Mistral (Jiang et al. 2023): Llama whose layers see a sliding window.

use serde::Deserialize;

use super::gated_decoder::{Biases, GatedDecoderConfig, Variant};
use crate::config::Config;
use crate::description::Description;
use crate::error::Result;
use crate::numbers;

#[derive(Deserialize)]
struct MistralConfig {
    #[serde(default = "default_window", deserialize_with = "numbers::optional_count")]
    sliding_window: Option<usize>,
}

/// What transformers takes where config.json has no such key; `null` there means no window.
#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn default_window() -> Option<usize> {
    Some(4096)
}

pub(super) fn describe(config: &Config) -> Result<Description> {
    let decoder: GatedDecoderConfig = config.parse()?;
    let MistralConfig { sliding_window } = config.parse()?;
    let variant = Variant { biases: Biases::default(), window: sliding_window, ..decoder.llama(config, "Mistral")? };
    decoder.describe(config, &variant)
}
