//! Texts to token ids, as the checkpoint's own tokenizer does it.

mod settings;
mod vocabulary;

use std::path::{Path, PathBuf};

use tokenizers::{TruncationDirection, TruncationParams, TruncationStrategy};

use crate::error::{Error, Result};
use crate::folder::ModelFolder;
use settings::Settings;

/// What to do with texts that are longer than the model's context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextLimit {
    /// Refuse them with an error.
    Refuse,
    /// Cut them, keeping the beginning and the special tokens.
    Cut,
}

/// A tokenizer together with the length of its model's context.
pub struct Tokenizer {
    whole: tokenizers::Tokenizer,
    cutting: tokenizers::Tokenizer,
    context: usize,
    content_hash: [u8; 32],
    path: PathBuf,
    notes: Vec<String>,
}

/// Where checkpoints of today keep it.
const FILE: &str = "tokenizer.json";
/// How much of a text an error message shows.
const SHOWN_CHARACTERS: usize = 60;

impl Tokenizer {
    /// Reads the tokenizer of the checkpoint in `folder`: `tokenizer.json`, or the vocabulary of an older checkpoint, with
    /// what stands beside it.
    ///
    /// # Errors
    /// If config.json or all that a tokenizer can be made of is missing, or not what it should be.
    pub fn load(folder: &Path) -> Result<Self> {
        let found = ModelFolder::find(folder)?;
        let config = found.config()?;
        let context = config.describe()?.context;
        let model_class = config.value("tokenizer_class").and_then(|name| name.as_str());
        // An adapter may bring a tokenizer of its own.
        let folder = found.adapter.filter(|adapter| adapter.join(FILE).exists()).unwrap_or(found.checkpoint);
        let settings = Settings::read(&folder, config.model_type(), model_class)?;
        let path = folder.join(FILE);
        let from_vocabulary = !path.exists();
        let broken = |reason: String| Error::Config {
            path: path.clone(),
            reason,
            help: "it should be a tokenizer of Hugging Face's tokenizers library".into(),
        };
        let (mut whole, bytes) = if from_vocabulary {
            vocabulary::load(&folder, config.model_type(), &settings)?
        } else {
            let bytes = crate::lfs::read(&path)?;
            (tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| broken(error.to_string()))?, bytes)
        };
        let changes = settings.apply(&mut whole, from_vocabulary).map_err(|reason| Error::Config {
            path: folder.join("tokenizer_config.json"),
            reason,
            help: "it should belong to the tokenizer beside it".into(),
        })?;
        // Sentence-transformers' files ask for padding and for their own, shorter limit.
        whole.with_padding(None);
        whole.with_truncation(None).map_err(|error| broken(error.to_string()))?;
        let mut cutting = whole.clone();
        cutting
            .with_truncation(Some(TruncationParams {
                direction: TruncationDirection::Right,
                max_length: context,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
            }))
            .map_err(|error| broken(error.to_string()))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        let mut notes = Vec::new();
        if from_vocabulary {
            notes.push("there is no tokenizer.json: the tokenizer is made of the vocabulary".to_owned());
        }
        if !changes.is_empty() {
            let changes = serde_json::to_string(&changes).expect("a table of texts can be written");
            hasher.update(changes.as_bytes());
            notes.push(format!("the files beside the tokenizer change it, as in transformers: {changes}"));
        }
        if let Some(length) = settings.cutting_length().filter(|length| *length < context as f64) {
            notes.push(format!(
                "tokenizer_config.json says model_max_length {length}, where transformers cuts texts; the model reads {context} \
                 tokens"
            ));
        }
        Ok(Self { whole, cutting, context, content_hash: *hasher.finalize().as_bytes(), path, notes })
    }

    /// What a reader of the folder may not expect of the tokenizer.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A hash of tokenizer.json, and of what other files change about it.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// The largest number of tokens that the model reads.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context
    }

    /// The number of token ids, with added ones.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.whole.get_vocab_size(true)
    }

    /// The kind of the tokenizer's model: `BPE`, `WordPiece`, `Unigram` or `WordLevel`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        use tokenizers::ModelWrapper;
        match self.whole.get_model() {
            ModelWrapper::BPE(_) => "BPE",
            ModelWrapper::WordPiece(_) => "WordPiece",
            ModelWrapper::WordLevel(_) => "WordLevel",
            ModelWrapper::Unigram(_) => "Unigram",
        }
    }

    /// A token as the vocabulary writes it; `None` if there is none of that id.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<String> {
        self.whole.id_to_token(id)
    }

    /// The text of some tokens, without special ones.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn decode(&self, token_ids: &[u32]) -> Result<String> {
        self.whole.decode(token_ids, true).map_err(|error| Error::Tokenize {
            text: format!("the tokens {token_ids:?}"),
            reason: format!("{error} ({})", self.path.display()),
        })
    }

    /// The token ids of a text with the special tokens that the model expects.
    ///
    /// # Errors
    /// If the text is too long and `limit` refuses that, or if it has no tokens.
    pub fn encode(&self, text: &str, limit: TextLimit) -> Result<Vec<u32>> {
        let tokenizer = match limit {
            TextLimit::Refuse => &self.whole,
            TextLimit::Cut => &self.cutting,
        };
        let encoding = tokenizer.encode_fast(text, true).map_err(|error| Error::Tokenize {
            text: beginning(text),
            reason: format!("{error} ({})", self.path.display()),
        })?;
        let token_ids = encoding.get_ids().to_vec();
        if token_ids.is_empty() {
            return Err(Error::NoTokens { text: beginning(text) });
        }
        if token_ids.len() > self.context {
            return Err(Error::TooLong { text: beginning(text), tokens: token_ids.len(), limit: self.context });
        }
        Ok(token_ids)
    }

    /// The token ids of a part of a longer text: without special tokens, of any length.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn encode_inner(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encoding(text, false)?.get_ids().to_vec())
    }

    /// The special tokens that the model expects before and after a text.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn special_tokens(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let encoding = self.encoding("a", true)?;
        let special = encoding.get_special_tokens_mask();
        let before = special.iter().take_while(|mask| **mask == 1).count();
        let after = special[before..].iter().rev().take_while(|mask| **mask == 1).count();
        let ids = encoding.get_ids();
        Ok((ids[..before].to_vec(), ids[ids.len() - after..].to_vec()))
    }

    fn encoding(&self, text: &str, special_tokens: bool) -> Result<tokenizers::Encoding> {
        self.whole.encode(text, special_tokens).map_err(|error| Error::Tokenize {
            text: beginning(text),
            reason: format!("{error} ({})", self.path.display()),
        })
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
