//! The architectures that can be run: each file reads its configuration and describes the transformer.

mod bert;
mod distilbert;
mod gated_decoder;
mod gemma;
mod gpt2;
mod gpt_neox;
mod llama;
mod mistral;
mod modernbert;
mod qwen;

use crate::config::Config;
use crate::description::Description;
use crate::error::Result;

type Describe = fn(&Config) -> Result<Description>;

/// Every architecture under transformers' name for it (`model_type`).
const KNOWN: [(&str, Describe); 15] = [
    ("bert", bert::describe),
    ("camembert", bert::describe_roberta),
    ("distilbert", distilbert::describe),
    ("gemma", gemma::describe),
    ("gemma2", gemma::describe_second),
    ("gemma3_text", gemma::describe_third),
    ("gpt2", gpt2::describe),
    ("gpt_neox", gpt_neox::describe),
    ("llama", llama::describe),
    ("mistral", mistral::describe),
    ("modernbert", modernbert::describe),
    ("qwen2", qwen::describe),
    ("qwen3", qwen::describe_third),
    ("roberta", bert::describe_roberta),
    ("xlm-roberta", bert::describe_roberta),
];

/// Whether there is a file for a checkpoint's architecture.
pub(crate) fn is_known(config: &Config) -> bool {
    KNOWN.iter().any(|(name, _)| *name == config.model_type())
}

/// Describes a checkpoint's transformer.
pub(crate) fn describe(config: &Config) -> Result<Description> {
    let model_type = config.model_type();
    if let Some((_, describe)) = KNOWN.iter().find(|(name, _)| *name == model_type) {
        return describe(config);
    }
    if let Some(code) = config.value("auto_map") {
        return Err(config.unsupported(
            format!("the architecture {model_type:?} is in Python code of its own (auto_map: {code})"),
            "a checkpoint's code is not run here: name a checkpoint of an architecture that transformers has itself, such as \
             llama or modernbert",
        ));
    }
    let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
    let reason = match model_type {
        "" => "there is no model_type".to_owned(),
        other => format!("unknown architecture {other:?}"),
    };
    Err(config.unsupported(reason, format!("the architectures that can be run are: {}", names.join(", "))))
}
