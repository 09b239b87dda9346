//! Texts to token ids, as the checkpoint's own tokenizer does it.

use std::path::{Path, PathBuf};

use tokenizers::{TruncationDirection, TruncationParams, TruncationStrategy};

use crate::config::Config;
use crate::error::{Error, Result};

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
}

/// How much of a text an error message shows.
const SHOWN_CHARACTERS: usize = 60;

impl Tokenizer {
    /// Reads the tokenizer of the checkpoint in `folder`.
    ///
    /// # Errors
    /// If tokenizer.json or config.json is missing or not what it should be.
    pub fn load(folder: &Path) -> Result<Self> {
        let context = Config::read(&folder.join("config.json"))?.describe()?.context;
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let broken = |error: tokenizers::Error| Error::Config {
            path: path.clone(),
            reason: error.to_string(),
            help: "it should be a tokenizer of Hugging Face's tokenizers library".into(),
        };
        let mut whole = tokenizers::Tokenizer::from_bytes(&bytes).map_err(broken)?;
        // Sentence-transformers' files ask for padding and for their own, shorter limit.
        whole.with_padding(None);
        whole.with_truncation(None).map_err(broken)?;
        let mut cutting = whole.clone();
        cutting
            .with_truncation(Some(TruncationParams {
                direction: TruncationDirection::Right,
                max_length: context,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
            }))
            .map_err(broken)?;
        let content_hash = *blake3::hash(&bytes).as_bytes();
        Ok(Self { whole, cutting, context, content_hash, path })
    }

    /// A hash of tokenizer.json.
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
