//! What stands beside `tokenizer.json`, or in its place, and changes what a tokenizer does: `tokenizer_config.json`,
//! `special_tokens_map.json` and `added_tokens.json`, as transformers 5 reads them.
//!
//! Only what the classes of BERT, RoBERTa and GPT-2 take from there is taken. All other classes run `tokenizer.json` as it
//! is, but for tokens that it lacks.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer};

use crate::error::{Error, Result};

/// transformers' classes of tokenizers that take more from beside `tokenizer.json` than tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Bert,
    Roberta,
    Gpt2,
    Other,
}

/// The keys of `tokenizer_config.json` that are read.
#[derive(Default, Deserialize)]
pub(super) struct TokenizerConfig {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    add_prefix_space: Option<bool>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
    /// Written as 1e30 where there is no limit.
    model_max_length: Option<f64>,
    added_tokens_decoder: Option<BTreeMap<String, Json>>,
    #[serde(flatten)]
    others: BTreeMap<String, Json>,
}

/// Everything that stands beside.
pub(super) struct Settings {
    pub(super) class: Class,
    config: TokenizerConfig,
    special_tokens_map: BTreeMap<String, Json>,
    added_tokens: BTreeMap<String, u64>,
}

/// The keys that name special tokens, in the order in which they are added.
const SPECIAL: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// The keys that list more of them.
const LISTS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// What was changed about a tokenizer, for a hash of what it does.
#[derive(Default, Serialize)]
pub(super) struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    normalizer: Option<BertNormalizer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_prefix_space: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<AddedToken>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    around: Vec<String>,
}

impl Changes {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.normalizer.is_none() && self.add_prefix_space.is_none() && self.added.is_empty() && self.around.is_empty()
    }
}

impl Class {
    /// As transformers chooses it: by name, in `tokenizer_config.json` or config.json, else by the model's type.
    fn of(name: Option<&str>, model_type: &str) -> Self {
        // For these, transformers takes no class of tokenizer_config.json at its word.
        if ["modernbert", "mistral"].contains(&model_type) {
            return Self::Other;
        }
        match name.map_or("", |name| name.strip_suffix("Fast").unwrap_or(name)) {
            "BertTokenizer" | "DistilBertTokenizer" => Self::Bert,
            "RobertaTokenizer" => Self::Roberta,
            "GPT2Tokenizer" | "GPTNeoXTokenizer" => Self::Gpt2,
            "" => match model_type {
                "bert" | "distilbert" => Self::Bert,
                "roberta" => Self::Roberta,
                "gpt2" | "gpt_neox" => Self::Gpt2,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// The special token that the class has where nothing names one.
    fn default_token(self, key: &str) -> Option<&'static str> {
        match (self, key) {
            (Self::Bert, "unk_token") => Some("[UNK]"),
            (Self::Bert, "sep_token") => Some("[SEP]"),
            (Self::Bert, "pad_token") => Some("[PAD]"),
            (Self::Bert, "cls_token") => Some("[CLS]"),
            (Self::Bert, "mask_token") => Some("[MASK]"),
            (Self::Roberta, "bos_token" | "cls_token") => Some("<s>"),
            (Self::Roberta, "eos_token" | "sep_token") => Some("</s>"),
            (Self::Roberta, "unk_token") => Some("<unk>"),
            (Self::Roberta, "pad_token") => Some("<pad>"),
            (Self::Roberta, "mask_token") => Some("<mask>"),
            (Self::Gpt2, "bos_token" | "eos_token" | "unk_token") => Some("<|endoftext|>"),
            _ => None,
        }
    }
}

impl Settings {
    /// Reads what stands beside the tokenizer in `folder`. `model_class` is the class that config.json names.
    pub(super) fn read(folder: &Path, model_type: &str, model_class: Option<&str>) -> Result<Self> {
        let config: TokenizerConfig = read(&folder.join("tokenizer_config.json"))?;
        let class = Class::of(config.tokenizer_class.as_deref().or(model_class), model_type);
        let (special_tokens_map, added_tokens) = if config.added_tokens_decoder.is_some() {
            (BTreeMap::new(), BTreeMap::new())
        } else {
            (read(&folder.join("special_tokens_map.json"))?, read(&folder.join("added_tokens.json"))?)
        };
        Ok(Self { class, config, special_tokens_map, added_tokens })
    }

    /// The length to which transformers cuts texts if it is asked to cut them.
    pub(super) fn cutting_length(&self) -> Option<f64> {
        self.config.model_max_length
    }

    /// The contents of one of the special tokens that have a name.
    pub(super) fn special_token(&self, key: &str) -> Option<String> {
        self.named(key).map(|token| token.content)
    }

    /// All special tokens that have a name.
    pub(super) fn special_tokens(&self) -> BTreeMap<String, String> {
        SPECIAL.iter().filter_map(|key| Some(((*key).to_owned(), self.special_token(key)?))).collect()
    }

    /// The chat template of `tokenizer_config.json`: one, or the usual one of several.
    pub(super) fn chat_template(&self) -> Option<&str> {
        match self.config.others.get("chat_template")? {
            Json::Array(several) => several.iter().find(|template| template["name"] == "default")?["template"].as_str(),
            template => template.as_str(),
        }
    }

    fn named(&self, key: &str) -> Option<AddedToken> {
        match self.special_tokens_map.get(key).or_else(|| self.config.others.get(key)) {
            Some(value) => token(value),
            None => Some(AddedToken::from(self.class.default_token(key)?, true)),
        }
    }

    /// The tokens that have to be matched as a whole, in the order in which they are added.
    fn tokens(&self) -> Vec<AddedToken> {
        let mut tokens: Vec<(u64, AddedToken)> = Vec::new();
        for (id, value) in self.config.added_tokens_decoder.iter().flatten() {
            let is_special = value.get("special").and_then(Json::as_bool).unwrap_or(false);
            tokens.extend(token(value).map(|token| (id.parse().unwrap_or(u64::MAX), token.special(is_special))));
        }
        let named: Vec<AddedToken> = SPECIAL.iter().filter_map(|key| self.named(key)).collect();
        let listed =
            LISTS.iter().filter_map(|key| self.special_tokens_map.get(*key).or_else(|| self.config.others.get(*key)));
        let listed: Vec<AddedToken> = listed.filter_map(Json::as_array).flatten().filter_map(token).collect();
        let special: Vec<AddedToken> = named.into_iter().chain(listed).collect();
        for (content, id) in &self.added_tokens {
            let is_special = special.iter().any(|token| token.content == *content);
            tokens.push((*id, AddedToken::from(content.clone(), is_special)));
        }
        tokens.sort_by_key(|(id, _)| *id);
        let mut tokens: Vec<AddedToken> = tokens.into_iter().map(|(_, token)| token).collect();
        for token in special {
            if !tokens.iter().any(|known| known.content == token.content) {
                tokens.push(token);
            }
        }
        tokens
    }

    /// Changes a tokenizer as transformers does. `from_vocabulary` says that it was made of a vocabulary, and knows no
    /// more than that.
    pub(super) fn apply(
        &self,
        tokenizer: &mut Tokenizer,
        from_vocabulary: bool,
    ) -> std::result::Result<Changes, String> {
        let mut changes = Changes::default();
        if self.class == Class::Bert {
            let wanted = self.bert_normalizer();
            if !is_normalizer(tokenizer.get_normalizer(), wanted) {
                tokenizer.with_normalizer(Some(wanted)).map_err(|error| error.to_string())?;
                changes.normalizer = Some(wanted);
            }
        }
        if matches!(self.class, Class::Roberta | Class::Gpt2) {
            let wanted = self.config.add_prefix_space.unwrap_or(false);
            if let Some(PreTokenizerWrapper::ByteLevel(known)) = tokenizer.get_pre_tokenizer().cloned()
                && known.add_prefix_space != wanted
            {
                tokenizer.with_pre_tokenizer(Some(known.add_prefix_space(wanted)));
                changes.add_prefix_space = Some(wanted);
            }
        }
        changes.added = self.lacking(tokenizer);
        tokenizer.add_tokens(changes.added.clone()).map_err(|error| error.to_string())?;
        if tokenizer.get_post_processor().is_none() {
            let (processor, around) = self.post_processor(tokenizer, from_vocabulary)?;
            tokenizer.with_post_processor(processor);
            changes.around = around;
        }
        Ok(changes)
    }

    fn bert_normalizer(&self) -> BertNormalizer {
        let TokenizerConfig { do_lower_case, strip_accents, tokenize_chinese_chars, .. } = self.config;
        BertNormalizer::new(true, tokenize_chinese_chars.unwrap_or(true), strip_accents, do_lower_case.unwrap_or(true))
    }

    /// The tokens that a tokenizer does not match as a whole yet.
    fn lacking(&self, tokenizer: &Tokenizer) -> Vec<AddedToken> {
        let known = tokenizer.get_added_tokens_decoder();
        let is_known = |token: &AddedToken| known.values().any(|known| known.content == token.content);
        self.tokens().into_iter().filter(|token| !token.content.is_empty() && !is_known(token)).collect()
    }

    /// What puts special tokens around a text, where `tokenizer.json` does not say; and their names.
    fn post_processor(
        &self,
        tokenizer: &Tokenizer,
        from_vocabulary: bool,
    ) -> std::result::Result<(Option<PostProcessorWrapper>, Vec<String>), String> {
        let special = |key: &str| {
            let token = self.special_token(key).ok_or_else(|| format!("{key} is null"))?;
            let id = tokenizer.token_to_id(&token).ok_or_else(|| format!("{key} is {token:?}, which is no token"))?;
            Ok::<_, String>((token, id))
        };
        let ends = match self.class {
            Class::Bert => [Some("cls_token"), Some("sep_token")],
            Class::Roberta => {
                let (sep, cls) = (special("sep_token")?, special("cls_token")?);
                let around = vec![cls.0.clone(), sep.0.clone()];
                let space = self.config.add_prefix_space.unwrap_or(false);
                let processor = RobertaProcessing::new(sep, cls).trim_offsets(true).add_prefix_space(space);
                return Ok((Some(processor.into()), around));
            }
            // Beside a tokenizer.json, transformers does not look at these keys.
            Class::Gpt2 if from_vocabulary => [
                self.config.add_bos_token.unwrap_or(false).then_some("bos_token"),
                self.config.add_eos_token.unwrap_or(false).then_some("eos_token"),
            ],
            Class::Gpt2 | Class::Other => [None, None],
        };
        let [first, last] = ends.map(|key| key.map(special).transpose());
        let (first, last) = (first?, last?);
        if first.is_none() && last.is_none() {
            return Ok((None, Vec::new()));
        }
        let piece = |token: &Option<(String, u32)>| token.iter().map(|(token, _)| token.clone()).collect::<Vec<_>>();
        let pieces = [piece(&first), vec!["$A".to_owned()], piece(&last)].concat();
        let mut special: Vec<(String, u32)> = first.into_iter().chain(last).collect();
        special.dedup();
        let template = TemplateProcessing::builder()
            .try_single(pieces.clone())
            .map_err(|error| error.clone())?
            .special_tokens(special)
            .build();
        Ok((Some(template.map_err(|error| error.to_string())?.into()), pieces))
    }
}

/// A token as these files write it: its contents, or a table.
fn token(value: &Json) -> Option<AddedToken> {
    match value {
        Json::String(content) => Some(AddedToken::from(content.clone(), true)),
        Json::Object(table) => {
            let flag = |key| table.get(key).and_then(Json::as_bool).unwrap_or(false);
            let token = AddedToken::from(table.get("content")?.as_str()?, true).single_word(flag("single_word"));
            Some(token.lstrip(flag("lstrip")).rstrip(flag("rstrip")).normalized(flag("normalized")))
        }
        _ => None,
    }
}

/// Whether a tokenizer normalises as wanted; one that does not normalise as BERT's do is left as it is.
fn is_normalizer(known: Option<&NormalizerWrapper>, wanted: BertNormalizer) -> bool {
    let parts = |normalizer: &BertNormalizer| {
        (normalizer.clean_text, normalizer.handle_chinese_chars, normalizer.strip_accents, normalizer.lowercase)
    };
    match known {
        None => false,
        Some(NormalizerWrapper::BertNormalizer(known)) => parts(known) == parts(&wanted),
        Some(_) => true,
    }
}

/// The contents of a file, or nothing if it is not there.
fn read<T: Default + for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    if !path.exists() {
        return Ok(T::default());
    }
    serde_json::from_slice(&crate::lfs::read(path)?).map_err(|error| Error::Config {
        path: path.into(),
        reason: error.to_string(),
        help: "it should be what transformers' save_pretrained writes".into(),
    })
}

/// The pre-tokenizer of GPT-2 and RoBERTa.
pub(super) fn byte_level() -> ByteLevel {
    ByteLevel::new(false, true, true)
}
