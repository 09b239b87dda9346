//! Gemma (Gemma Team 2024a): Llama with scaled embeddings, a GELU gate and norms whose stored weight is what is added
//! to one; Gemma 2 (Gemma Team 2024b), which also normalises what each branch gives, caps scores and logits, and
//! attends in a window in every other layer; and Gemma 3 (Gemma Team 2025), which normalises each head of queries and keys
//! in place of the caps, and attends in a window in five of six layers, whose heads turn faster.

use labelmix_nn::Activation;
use serde::Deserialize;

use super::gated_decoder::{Biases, GatedDecoderConfig, Turning, Variant, Windowed};
use crate::config::Config;
use crate::description::{Description, NormKind};
use crate::error::Result;
use crate::numbers;

#[derive(Deserialize)]
struct GemmaConfig {
    /// Which GELU. The first files said "gelu" under `hidden_act` and meant the hyperbolic tangent's form.
    hidden_activation: Option<String>,
}

#[derive(Deserialize)]
struct SecondConfig {
    #[serde(default = "default_attention_cap", deserialize_with = "numbers::optional_positive")]
    attn_logit_softcapping: Option<f32>,
    #[serde(default = "default_final_cap", deserialize_with = "numbers::optional_positive")]
    final_logit_softcapping: Option<f32>,
    #[serde(default = "default_query_scalar", deserialize_with = "numbers::positive")]
    query_pre_attn_scalar: f32,
    #[serde(default = "default_window", deserialize_with = "numbers::optional_count")]
    sliding_window: Option<usize>,
}

#[derive(Deserialize)]
struct ThirdConfig {
    #[serde(default, deserialize_with = "numbers::optional_positive")]
    attn_logit_softcapping: Option<f32>,
    #[serde(default, deserialize_with = "numbers::optional_positive")]
    final_logit_softcapping: Option<f32>,
    #[serde(default = "default_query_scalar", deserialize_with = "numbers::positive")]
    query_pre_attn_scalar: f32,
    #[serde(default = "default_window", deserialize_with = "numbers::optional_count")]
    sliding_window: Option<usize>,
    /// One layer of so many attends to everything.
    #[serde(default = "default_pattern", deserialize_with = "numbers::layers")]
    sliding_window_pattern: usize,
    use_bidirectional_attention: Option<bool>,
}

fn default_pattern() -> usize {
    6
}

// What transformers takes where config.json has no such key; `null` there means none.

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn default_attention_cap() -> Option<f32> {
    Some(50.0)
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn default_final_cap() -> Option<f32> {
    Some(30.0)
}

fn default_query_scalar() -> f32 {
    256.0
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn default_window() -> Option<usize> {
    Some(4096)
}

/// The size of Gemma's heads where config.json does not give it.
const HEAD_DIM: usize = 256;

/// What both generations have.
fn read(config: &Config, architecture: &'static str) -> Result<(GatedDecoderConfig, Variant)> {
    let mut decoder: GatedDecoderConfig = config.parse()?;
    decoder.head_dim.get_or_insert(HEAD_DIM);
    // What `hidden_act` says is read below, with its own rule.
    decoder.hidden_act = None;
    let GemmaConfig { hidden_activation } = config.parse()?;
    let activation = match hidden_activation.as_deref() {
        None => Activation::GeluTanh,
        Some(name) => config.activation("hidden_activation", name)?,
    };
    let llama = decoder.llama(config, architecture)?;
    let variant = Variant {
        biases: Biases { feed_forward: false, ..llama.biases },
        norm: NormKind::RootMeanSquarePlusOne,
        activation,
        embedding_scale: Some((decoder.hidden_size as f32).sqrt()),
        tied: decoder.tie_word_embeddings.unwrap_or(true),
        ..llama
    };
    Ok((decoder, variant))
}

pub(super) fn describe(config: &Config) -> Result<Description> {
    let (decoder, variant) = read(config, "Gemma")?;
    decoder.describe(config, &variant)
}

pub(super) fn describe_second(config: &Config) -> Result<Description> {
    let (decoder, variant) = read(config, "Gemma 2")?;
    let second: SecondConfig = config.parse()?;
    let variant = Variant {
        norms_around: true,
        attention_scale: 1.0 / second.query_pre_attn_scalar.sqrt(),
        attention_soft_cap: second.attn_logit_softcapping,
        final_soft_cap: second.final_logit_softcapping,
        window: second.sliding_window,
        windowed: Windowed::AllButEvery(2),
        ..variant
    };
    decoder.describe(config, &variant)
}

pub(super) fn describe_third(config: &Config) -> Result<Description> {
    let (decoder, variant) = read(config, "Gemma 3")?;
    let third: ThirdConfig = config.parse()?;
    config.require(third.use_bidirectional_attention != Some(true), || {
        "use_bidirectional_attention: this decoder looks at what comes after, too".to_owned()
    })?;
    let variant = Variant {
        norms_around: true,
        query_key_norms: true,
        attention_scale: 1.0 / third.query_pre_attn_scalar.sqrt(),
        attention_soft_cap: third.attn_logit_softcapping,
        final_soft_cap: third.final_logit_softcapping,
        window: third.sliding_window,
        windowed: Windowed::AllButEvery(third.sliding_window_pattern),
        turning: Turning::ByWindow,
        ..variant
    };
    decoder.describe(config, &variant)
}
