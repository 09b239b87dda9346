//! A checkpoint's folder in the Hugging Face layout.

use std::path::Path;

use labelmix_files::{WriteError, write_whole};
use serde_json::{Value, json};

use crate::error::Result;
use crate::vocabulary;
use crate::world::World;

/// The shape of a Llama with a tied head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    pub layers: usize,
    /// The size of hidden states.
    pub hidden: usize,
    pub heads: usize,
    /// The size of the feed-forward layers.
    pub intermediate: usize,
}

/// Tokens that the models read at most: a prompt of 32 shots and more.
const CONTEXT: usize = 1024;

/// Writes config.json and tokenizer.json, creating the folder.
pub(crate) fn write_description(folder: &Path, world: &World, shape: &Shape) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.into(), source })?;
    write(&folder.join("config.json"), &config(world, shape))?;
    write(&folder.join("tokenizer.json"), &vocabulary::tokenizer(world))
}

fn config(world: &World, shape: &Shape) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary::tokens(world).len(),
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": true,
        "eos_token_id": 1,
        "torch_dtype": "float16",
    })
}

fn write(path: &Path, json: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(json).expect("JSON values can be written");
    Ok(write_whole(path, text).map_err(|source| WriteError { path: path.into(), source })?)
}
