//! Which files of a folder, or of a repository of the Hub, make its checkpoint, in the order in which transformers looks
//! for them; and what to do where they make none.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use miette::Diagnostic;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::sentence_transformer;

/// The name of the weights where they fit one file.
pub(crate) const SINGLE_FILE: &str = "model.safetensors";

/// How a file stores tensors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Safetensors,
    /// What `torch.save` writes: a pickle, and the numbers.
    Pickle,
}

/// One kind of files with weights: the file that has them all, or the index of several.
struct Kind {
    format: Format,
    single: &'static str,
    index: &'static str,
    shards: [&'static str; 2],
}

/// In the order in which they are looked for.
const KINDS: [Kind; 2] = [
    Kind {
        format: Format::Safetensors,
        single: SINGLE_FILE,
        index: "model.safetensors.index.json",
        shards: ["model-", ".safetensors"],
    },
    Kind {
        format: Format::Pickle,
        single: "pytorch_model.bin",
        index: "pytorch_model.bin.index.json",
        shards: ["pytorch_model-", ".bin"],
    },
];

/// What the tokenizer is made of, beside `tokenizer.json`.
const TOKENIZER_FILES: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
/// What it can be made of where there is no `tokenizer.json`.
const VOCABULARIES: [&[&str]; 2] = [&["vocab.txt"], &["vocab.json", "merges.txt"]];

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that hold a checkpoint's weights.
pub(crate) struct WeightFiles {
    pub(crate) format: Format,
    pub(crate) names: Vec<String>,
    /// An index that stands beside a single file, and is not what is read.
    pub(crate) stale_index: Option<&'static str>,
}

impl WeightFiles {
    /// Those of a folder, all of which are there.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self> {
        let names = names_in(folder)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Some(kind) = kind_of(&names) else {
            let MissingFiles { needed, help } = missing_weights(&names);
            return Err(Error::Folder { path: folder.into(), reason: format!("it has no {needed}"), help });
        };
        let has_index = names.contains(&kind.index);
        if names.contains(&kind.single) {
            let stale_index = has_index.then_some(kind.index);
            return Ok(Self { format: kind.format, names: vec![kind.single.to_owned()], stale_index });
        }
        Ok(Self { format: kind.format, names: shards(folder, kind, &names)?, stale_index: None })
    }
}

/// Whether a folder has weights, or what should lead to them.
pub(crate) fn has_weights(folder: &Path) -> bool {
    KINDS.iter().any(|kind| folder.join(kind.single).exists() || folder.join(kind.index).exists())
}

/// The names of what lies in a folder.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let failed = |source| Error::Read { path: folder.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn kind_of(names: &[&str]) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| names.contains(&kind.single) || names.contains(&kind.index))
}

/// The files that an index names.
fn shards(folder: &Path, kind: &Kind, names: &[&str]) -> Result<Vec<String>> {
    let path = folder.join(kind.index);
    let index: Index = serde_json::from_slice(&crate::lfs::read(&path)?).map_err(|error| Error::Config {
        path: path.clone(),
        reason: error.to_string(),
        help: "it should map each weight's name to the file that holds it".into(),
    })?;
    let mut shards: Vec<String> = index.weight_map.into_values().collect();
    shards.sort_unstable();
    shards.dedup();
    let outside = |name: &&String| {
        let mut components = Path::new(name).components();
        !(matches!(components.next(), Some(Component::Normal(_))) && components.next().is_none())
    };
    if let Some(name) = shards.iter().find(outside) {
        let help = "an index names files that lie beside it".to_owned();
        return Err(Error::Config { path, reason: format!("{name:?} is not the name of a file"), help });
    }
    let missing: Vec<&str> = shards.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
    if shards.is_empty() || !missing.is_empty() {
        let reason = match missing.len() {
            0 => "it names no file".to_owned(),
            1 => format!("it names {}, which is not there", missing[0]),
            count => {
                format!("{count} of the {} files that it names are not there: {}", shards.len(), missing.join(", "))
            }
        };
        let help = format!(
            "copy or download what is missing; where the index is left over from an earlier save, delete it and put the \
             newer weights there as {}",
            kind.single
        );
        return Err(Error::Folder { path, reason, help });
    }
    Ok(shards)
}

/// A repository or a folder that holds no checkpoint.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("it has no {needed}")]
#[diagnostic(help("{help}"))]
pub struct MissingFiles {
    needed: &'static str,
    help: String,
}

/// Of the names of a repository's files, those that make its checkpoint: what a download needs.
///
/// # Errors
/// What is missing, if they make none.
pub fn checkpoint_files<'a>(names: &[&'a str]) -> std::result::Result<Vec<&'a str>, MissingFiles> {
    let tokenizer = tokenizer_files(names)?;
    let Some(kind) = kind_of(names) else { return Err(missing_weights(names)) };
    let [start, end] = kind.shards;
    let is_weights = |name: &str| {
        if names.contains(&kind.single) {
            name == kind.single
        } else {
            name == kind.index || (name.starts_with(start) && name.ends_with(end))
        }
    };
    let is_pooling = |name: &str| sentence_transformer::FILES.contains(&name) || name.ends_with("_Pooling/config.json");
    let wanted = |name: &&str| tokenizer.contains(name) || is_pooling(name) || is_weights(name);
    Ok(names.iter().copied().filter(wanted).collect())
}

/// Of the names of a repository's files, its configuration and those that make its tokenizer.
///
/// # Errors
/// What is missing, if they make none.
pub fn tokenizer_files<'a>(names: &[&'a str]) -> std::result::Result<Vec<&'a str>, MissingFiles> {
    let has = |name: &&str| names.contains(name);
    if !has(&"config.json") {
        return Err(missing_configuration(names));
    }
    let vocabulary: &[&str] = if has(&"tokenizer.json") {
        &["tokenizer.json"]
    } else {
        VOCABULARIES.into_iter().find(|files| files.iter().all(has)).ok_or_else(|| missing_tokenizer(names))?
    };
    let wanted = |name: &&str| *name == "config.json" || vocabulary.contains(name) || TOKENIZER_FILES.contains(name);
    Ok(names.iter().copied().filter(wanted).collect())
}

/// What to do where weights are stored in a format that is not read: how its files end, and the remedy.
const OTHER_FORMATS: [([&str; 2], &str); 6] = [
    (
        [".gguf", ".ggml"],
        "the weights are in GGUF files, which llama.cpp reads: name the checkpoint in transformers' layout that they were \
         made of",
    ),
    (
        [".h5", ".ckpt.index"],
        "the weights are TensorFlow's: load the checkpoint with transformers 4 (from_pretrained(..., from_tf=True)), \
         call save_pretrained, and name the folder",
    ),
    (
        [".msgpack", "flax_model.msgpack.index.json"],
        "the weights are Flax's: load the checkpoint with transformers 4 (from_pretrained(..., from_flax=True)), call \
         save_pretrained, and name the folder",
    ),
    (
        [".pth", "consolidated.safetensors"],
        "the weights are in their makers' own layout: name the checkpoint in transformers' layout (such repositories often \
         end in -hf), or convert them with transformers' script",
    ),
    (
        ["adapter_model.safetensors", "adapter_model.bin"],
        "it holds an adapter's weights: its adapter_config.json belongs beside them, and names the model that they were \
         trained on",
    ),
    (
        [".onnx", ".mlmodel"],
        "the weights are exported for another program: name the checkpoint in transformers' layout that they were made of",
    ),
];

fn missing_weights(names: &[&str]) -> MissingFiles {
    let of_format =
        OTHER_FORMATS.iter().find(|(ends, _)| names.iter().any(|name| ends.iter().any(|e| name.ends_with(e))));
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let help = match of_format {
        _ if KINDS.iter().any(|kind| names.iter().any(|name| name.starts_with(kind.shards[0]))) => {
            "it has several files of weights, but not their index (model.safetensors.index.json): copy or download it too"
        }
        _ if has(".safetensors") && !has("adapter_model.safetensors") && !has("consolidated.safetensors") => {
            "its weights have other names: rename the file to model.safetensors, if it is a whole checkpoint in \
             transformers' layout"
        }
        Some((_, help)) => help,
        None => {
            "its weights are missing, or kept in another format: load it with transformers, call save_pretrained, and name \
             the folder; or name a revision that has them (organisation/name@revision)"
        }
    };
    MissingFiles { needed: SINGLE_FILE, help: help.to_owned() }
}

/// What to do about a folder or a repository without config.json.
pub(crate) fn missing_configuration(names: &[&str]) -> MissingFiles {
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let help = if has("adapter_config.json") {
        "it is an adapter: download it, download the model that its adapter_config.json names too, and write that folder \
         there as base_model_name_or_path"
            .to_owned()
    } else if has(".gguf") {
        missing_weights(names).help
    } else {
        "it does not seem to be in transformers' layout: config.json, tokenizer.json and model.safetensors".to_owned()
    };
    MissingFiles { needed: "config.json", help }
}

/// What to do about a folder or a repository without a tokenizer.
pub(crate) fn missing_tokenizer(names: &[&str]) -> MissingFiles {
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let help = if has(".model") {
        "its tokenizer is SentencePiece's: load it with transformers' AutoTokenizer (pip install transformers \
         sentencepiece protobuf), call save_pretrained, and name the folder"
    } else {
        "convert its tokenizer: load it with transformers' AutoTokenizer, save it, and name the folder"
    };
    MissingFiles { needed: "tokenizer.json", help: help.to_owned() }
}

/// An error about a folder that lacks a file, if that is what went wrong.
pub(crate) fn explain_missing(error: Error, folder: &Path, missing: fn(&[&str]) -> MissingFiles) -> Error {
    match error {
        Error::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {
            let names = names_in(folder).unwrap_or_default();
            let MissingFiles { needed, help } = missing(&names.iter().map(String::as_str).collect::<Vec<_>>());
            Error::Folder { path: folder.into(), reason: format!("it has no {needed}"), help }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_takes_the_files_of_one_checkpoint() {
        let common =
            ["README.md", "config.json", "tokenizer.json", "vocab.txt", "modules.json", "1_Pooling/config.json"];
        let files = |more: &[&'static str]| checkpoint_files(&[&common[..], more].concat());
        let chosen = ["config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"];
        assert_eq!(
            files(&["pytorch_model.bin", "model.safetensors"]).unwrap(),
            [&chosen[..], &["model.safetensors"]].concat()
        );
        let index = "model.safetensors.index.json";
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", index];
        let sharded = files(&[&shards[..], &["consolidated.safetensors", "pytorch_model.bin"]].concat()).unwrap();
        assert_eq!(sharded, [&chosen[..], &shards[..]].concat());
        // An index that is left over from an earlier save.
        let stale = files(&[&shards[..], &["model.safetensors"]].concat()).unwrap();
        assert_eq!(stale, [&chosen[..], &["model.safetensors"]].concat());
        assert_eq!(files(&["pytorch_model.bin"]).unwrap(), [&chosen[..], &["pytorch_model.bin"]].concat());
        assert_eq!(files(&[]).unwrap_err().to_string(), "it has no model.safetensors");
        assert_eq!(checkpoint_files(&["config.json"]).unwrap_err().to_string(), "it has no tokenizer.json");
        let older = ["config.json", "tokenizer_config.json", "vocab.txt", "pytorch_model.bin"];
        assert_eq!(checkpoint_files(&older).unwrap(), older);
    }
}
