//! What stands in a folder of sentence-transformers beside the transformer: how it pools.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::classifier::Pooling;
use crate::error::{Error, Result};

/// Files whose presence says that a checkpoint is a sentence-transformer.
pub(crate) const FILES: [&str; 2] = ["modules.json", "config_sentence_transformers.json"];

/// One of the modules that a sentence-transformer is made of.
#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

/// The pooling that an encoder in `folder` was trained with; `None` if it is no sentence-transformer. Where nothing says
/// how it pools, it is the mean.
pub(crate) fn pooling(folder: &Path) -> Result<Option<Pooling>> {
    let is_one = FILES.iter().any(|name| folder.join(name).exists());
    let path = folder.join(pooling_folder(folder)?).join("config.json");
    if !path.exists() {
        return Ok(is_one.then_some(Pooling::Mean));
    }
    let keys: Map<String, Json> = parse(&path)?;
    let mut asked: Vec<&str> = keys
        .iter()
        .filter(|(_, value)| **value == Json::Bool(true))
        .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
        .map(|mode| mode.strip_suffix("_tokens").unwrap_or(mode))
        .collect();
    // Newer versions write one key.
    asked.extend(keys.get("pooling_mode").and_then(Json::as_str));
    let pooling = match asked.as_slice() {
        ["cls_token" | "cls"] => Pooling::FirstToken,
        [] | ["mean"] => Pooling::Mean,
        ["max"] => Pooling::Max,
        ["lasttoken"] => Pooling::LastToken,
        other => {
            return Err(Error::Config {
                path,
                reason: format!("it pools in a way that cannot be run: {}", other.join(" and ")),
                help: "set `pooling` in the study's [model] table to \"mean\", \"cls\" or \"max\"".into(),
            });
        }
    };
    Ok(Some(pooling))
}

/// Where `modules.json` says that the pooling's configuration is.
fn pooling_folder(folder: &Path) -> Result<String> {
    let path = folder.join("modules.json");
    let modules: Vec<Module> = if path.exists() { parse(&path)? } else { Vec::new() };
    let pooling = modules.into_iter().find(|module| module.r#type.ends_with(".Pooling"));
    Ok(pooling.map_or_else(|| "1_Pooling".to_owned(), |module| module.path))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&crate::lfs::read(path)?).map_err(|error| Error::Config {
        path: path.into(),
        reason: error.to_string(),
        help: "it should be what sentence-transformers saves; or set `pooling` in the study's [model] table".into(),
    })
}
