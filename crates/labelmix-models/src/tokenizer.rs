//! Texts to token ids, as the checkpoint's own tokenizer does it.

mod chat;
mod settings;
mod vocabulary;

use std::path::{Path, PathBuf};

use tokenizers::{TruncationDirection, TruncationParams, TruncationStrategy};

use crate::error::{Error, Result};
use crate::export::write_json;
use crate::folder::ModelFolder;
use chat::ChatTemplate;
pub use chat::ChatTurns;
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
    /// The limit below the model's own, if one was set.
    max_length: Option<usize>,
    content_hash: [u8; 32],
    path: PathBuf,
    chat_template: ChatTemplate,
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
        let context = config.context()?;
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
        let cutting = cutting(&whole, context).map_err(|error| broken(error.to_string()))?;
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
        let content_hash = *hasher.finalize().as_bytes();
        let chat_template = ChatTemplate::new(&folder, &settings);
        Ok(Self { whole, cutting, context, max_length: None, content_hash, path, chat_template, notes })
    }

    /// The same tokenizer, for texts of at most `max_length` tokens with the special ones.
    ///
    /// # Errors
    /// If the model does not read so many, or the special tokens leave no room for a text.
    pub fn with_max_length(mut self, max_length: usize) -> Result<Self> {
        let (before, after) = self.special_tokens()?;
        let special = before.len() + after.len();
        if max_length > self.context || max_length <= special {
            return Err(Error::MaxLength { max_length, special, context: self.context });
        }
        if max_length < self.context {
            self.cutting = cutting(&self.whole, max_length).map_err(|error| Error::Config {
                path: self.path.clone(),
                reason: error.to_string(),
                help: "leave `max_length` out".into(),
            })?;
            self.context = max_length;
            self.max_length = Some(max_length);
        }
        Ok(self)
    }

    /// The largest number of tokens of a text, where it was set below what the model reads.
    pub fn max_length(&self) -> Option<usize> {
        self.max_length
    }

    /// What a reader of the folder may not expect of the tokenizer.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// A hash of tokenizer.json, and of what other files change about it.
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// The largest number of tokens that are read: the model's context, or the smaller limit that was set.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The number of token ids, with added ones.
    pub fn vocabulary(&self) -> usize {
        self.whole.get_vocab_size(true)
    }

    /// The kind of the tokenizer's model: `BPE`, `WordPiece`, `Unigram` or `WordLevel`.
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

    /// Writes tokenizer.json and a `tokenizer_config.json` into an existing folder, with which `AutoTokenizer` makes the same
    /// tokens: without padding or a limit of its own, and with the limit that this tokenizer has for texts that are to be cut.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn export(&self, folder: &Path) -> Result<()> {
        let path = folder.join("tokenizer.json");
        self.whole
            .save(&path, false)
            .map_err(|error| Error::Write { path: path.clone(), source: std::io::Error::other(error.to_string()) })?;
        let mut config = serde_json::json!({
            // The class that takes tokenizer.json as it is; others have rules of their own for some models.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.context,
            "model_input_names": ["input_ids", "attention_mask"],
            "padding_side": "right",
            "truncation_side": "right",
            "clean_up_tokenization_spaces": false,
        });
        if let Some(token) = self.pad_token()?.and_then(|id| self.token(id)) {
            config["pad_token"] = token.into();
        }
        write_json(&folder.join("tokenizer_config.json"), &config)
    }

    /// The token that fills batches up in Python: a special one that the tokenizer ends no text with (as it may with the one for
    /// unknown words), because decoders take what stands before it for a text's last token. One whose name says that it is for
    /// padding, if there is one.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn pad_token(&self) -> Result<Option<u32>> {
        let (_, after) = self.special_tokens()?;
        let added = self.whole.get_added_tokens_decoder();
        let mut special: Vec<(u32, &str)> = added
            .iter()
            .filter(|(id, token)| token.special && !after.contains(id) && !token.content.to_lowercase().contains("unk"))
            .map(|(id, token)| (*id, token.content.as_str()))
            .collect();
        special.sort_unstable();
        let named = special.iter().find(|(_, name)| name.to_lowercase().contains("pad"));
        Ok(named.or(special.first()).map(|(id, _)| *id))
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

    /// What the chat template beside the tokenizer puts around the words of a conversation.
    ///
    /// # Errors
    /// If there is none, or it does not work.
    pub fn chat_turns(&self) -> Result<ChatTurns> {
        self.chat_template.turns()
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

/// The same tokenizer, which cuts a text's end.
fn cutting(whole: &tokenizers::Tokenizer, max_length: usize) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut cutting = whole.clone();
    cutting.with_truncation(Some(TruncationParams {
        direction: TruncationDirection::Right,
        max_length,
        strategy: TruncationStrategy::LongestFirst,
        stride: 0,
    }))?;
    Ok(cutting)
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
