//! Qwen1.5, Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on queries, keys and values, and a sliding window
//! in the later layers of some; and Qwen3 (Yang et al. 2025), which normalises each head of queries and keys instead.

use serde::Deserialize;

use super::gated_decoder::{Biases, GatedDecoderConfig, Variant, Windowed};
use crate::config::Config;
use crate::description::Description;
use crate::error::Result;
use crate::numbers;

#[derive(Deserialize)]
struct QwenConfig {
    #[serde(default)]
    use_sliding_window: bool,
    #[serde(default = "default_window", deserialize_with = "numbers::optional_count")]
    sliding_window: Option<usize>,
    #[serde(default = "default_first_windowed", deserialize_with = "numbers::place")]
    max_window_layers: usize,
}

/// What transformers takes where config.json has no such key.
#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn default_window() -> Option<usize> {
    Some(4096)
}

fn default_first_windowed() -> usize {
    28
}

/// The size of Qwen3's heads where config.json does not give it.
const QWEN3_HEAD_DIM: usize = 128;

/// Puts in what both generations have, and the window.
fn describe_with(config: &Config, decoder: &GatedDecoderConfig, variant: Variant) -> Result<Description> {
    let qwen: QwenConfig = config.parse()?;
    let window = qwen.sliding_window.filter(|_| qwen.use_sliding_window);
    decoder.describe(config, &Variant { window, windowed: Windowed::From(qwen.max_window_layers), ..variant })
}

pub(super) fn describe(config: &Config) -> Result<Description> {
    let decoder: GatedDecoderConfig = config.parse()?;
    let biases = Biases { query_key_value: true, ..Biases::default() };
    let variant = Variant { biases, ..decoder.llama(config, "Qwen2")? };
    describe_with(config, &decoder, variant)
}

pub(super) fn describe_third(config: &Config) -> Result<Description> {
    let mut decoder: GatedDecoderConfig = config.parse()?;
    decoder.head_dim.get_or_insert(QWEN3_HEAD_DIM);
    let llama = decoder.llama(config, "Qwen3")?;
    let biases = Biases { feed_forward: false, ..llama.biases };
    describe_with(config, &decoder, Variant { biases, query_key_norms: true, ..llama })
}
