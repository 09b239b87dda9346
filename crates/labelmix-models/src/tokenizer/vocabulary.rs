//! Tokenizers of checkpoints from before `tokenizer.json`: BERT's words in vocab.txt, and GPT-2's and RoBERTa's byte
//! pairs in vocab.json and merges.txt. They are what transformers makes of these files.

use std::path::Path;

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{ModelWrapper, Tokenizer};

use super::settings::{Class, Settings, byte_level};
use crate::checkpoint::{explain_missing, missing_tokenizer};
use crate::error::{Error, Result};

/// The tokenizer of the vocabulary in `folder`, and the contents of the files that it is made of.
pub(super) fn load(folder: &Path, model_type: &str, settings: &Settings) -> Result<(Tokenizer, Vec<u8>)> {
    match settings.class {
        Class::Bert => word_piece(folder, settings),
        Class::Roberta | Class::Gpt2 => byte_pairs(folder, model_type),
        Class::Other => Err(Error::Folder {
            path: folder.into(),
            reason: "it has no tokenizer.json".to_owned(),
            help: format!(
                "for models of the type {model_type:?} none can be made of a vocabulary: load the tokenizer with \
                 transformers' AutoTokenizer (pip install transformers sentencepiece protobuf), call save_pretrained, and \
                 name the folder"
            ),
        }),
    }
    .map_err(|error| explain_missing(error, folder, missing_tokenizer))
}

fn word_piece(folder: &Path, settings: &Settings) -> Result<(Tokenizer, Vec<u8>)> {
    let path = folder.join("vocab.txt");
    let bytes = crate::lfs::read(&path)?;
    let wrong = |reason: String| wrong(&path, reason);
    let vocabulary = WordPiece::read_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
    let unknown = settings.special_token("unk_token").unwrap_or_else(|| "[UNK]".to_owned());
    let model =
        WordPiece::builder().vocab(vocabulary).unk_token(unknown).build().map_err(|error| wrong(error.to_string()))?;
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(model));
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer)).with_decoder(Some(WordPieceDecoder::default()));
    Ok((tokenizer, bytes))
}

fn byte_pairs(folder: &Path, model_type: &str) -> Result<(Tokenizer, Vec<u8>)> {
    let (path, merges_path) = (folder.join("vocab.json"), folder.join("merges.txt"));
    let (mut bytes, merges) = (crate::lfs::read(&path)?, crate::lfs::read(&merges_path)?);
    let vocabulary: tokenizers::models::bpe::Vocab =
        serde_json::from_slice::<std::collections::HashMap<String, u32>>(&bytes)
            .map_err(|error| wrong(&path, error.to_string()))?
            .into_iter()
            .collect();
    let text = std::str::from_utf8(&merges).map_err(|error| wrong(&merges_path, error.to_string()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version") && !line.trim().is_empty());
    let pairs = lines.map(|(index, line)| {
        let pair = line.trim_end().split_once(' ').map(|(first, second)| (first.to_owned(), second.to_owned()));
        pair.ok_or_else(|| wrong(&merges_path, format!("line {} is {line:?}, not two parts of a word", index + 1)))
    });
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    let model = BPE::builder().vocab_and_merges(vocabulary, pairs).build();
    let model = model.map_err(|error| wrong(&merges_path, error.to_string()))?;
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(model));
    tokenizer.with_pre_tokenizer(Some(byte_level())).with_decoder(Some(byte_level()));
    if model_type == "gpt_neox" {
        tokenizer.with_normalizer(Some(NFC)).map_err(|error| wrong(&path, error.to_string()))?;
    }
    bytes.extend(merges);
    Ok((tokenizer, bytes))
}

fn wrong(path: &Path, reason: String) -> Error {
    let help = "it should be the vocabulary that the model was trained with, as transformers saves it".to_owned();
    Error::Config { path: path.into(), reason, help }
}
