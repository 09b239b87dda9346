//! Chat templates: how a conversation becomes the text that a chat model was trained on.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error as TemplateError, ErrorKind, context};
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};

/// What a chat template puts around the words of a conversation, which begins with a user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTurns {
    /// Before the user's first words, with what the template itself tells the model.
    pub start: String,
    /// Between a user's words and the model's answer.
    pub answer: String,
    /// Between the model's answer and the user's next words.
    pub next: String,
}

const TEMPLATE_FILE: &str = "chat_template.jinja";
const CONFIG_FILE: &str = "tokenizer_config.json";
/// What the rendering of a stranger's template may use up, in instructions.
const FUEL: u64 = 200_000;
/// The longest template, in bytes.
const LONGEST: usize = 1 << 17;

impl ChatTurns {
    /// Reads the template beside a tokenizer, as transformers finds it.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let config_path = folder.join(CONFIG_FILE);
        let config: Map<String, Json> = if config_path.exists() {
            serde_json::from_slice(&crate::lfs::read(&config_path)?).map_err(|error| Error::Config {
                path: config_path.clone(),
                reason: error.to_string(),
                help: "it should be what transformers saves".into(),
            })?
        } else {
            Map::new()
        };
        let own = folder.join(TEMPLATE_FILE);
        let (path, source) = if own.exists() {
            let bytes = crate::lfs::read(&own)?;
            (own, Some(String::from_utf8_lossy(&bytes).into_owned()))
        } else {
            (config_path, of_config(&config).map(str::to_owned))
        };
        let Some(source) = source else { return Err(Error::NoChatTemplate { folder: folder.to_owned() }) };
        let broken = |reason: String| Error::Config {
            path: path.clone(),
            reason: format!("the chat template: {reason}"),
            help: "leave `chat` out of the study's [prompt], and give what stands around texts by hand".into(),
        };
        if source.len() > LONGEST {
            return Err(broken(format!("it has {} bytes, and {LONGEST} are the most", source.len())));
        }
        let special = config.iter().filter(|(key, _)| key.ends_with("_token"));
        let special = special.filter_map(|(key, token)| Some((key.as_str(), token_text(token)?)));
        Self::of(&source, &special.collect::<Vec<_>>()).map_err(broken)
    }

    /// What this template, which may use these special tokens, puts around words.
    fn of(source: &str, special: &[(&str, &str)]) -> std::result::Result<Self, String> {
        let [user, model, next_user] = ["wordsofauser", "wordsofthemodel", "nextwordsofauser"];
        let one = render(source, special, &[("user", user)])?;
        let more = render(source, special, &[("user", user), ("assistant", model), ("user", next_user)])?;
        let parts = |text: &str, before: &str, after: &str| -> Option<String> {
            let between = text.split_once(before)?.1;
            let between = if after.is_empty() { between } else { between.split_once(after)?.0 };
            Some(between.to_owned())
        };
        let start = one.split_once(user).map(|(start, _)| start.to_owned());
        let found = (start, parts(&one, user, ""), parts(&more, model, next_user));
        let (Some(start), Some(answer), Some(next)) = found else {
            return Err("it does not give the words of a conversation back".to_owned());
        };
        Ok(Self { start, answer, next })
    }
}

/// The template of `tokenizer_config.json`: one, or the usual one of several.
fn of_config(config: &Map<String, Json>) -> Option<&str> {
    match config.get("chat_template")? {
        Json::String(template) => Some(template),
        Json::Array(several) => {
            several.iter().find(|template| template["name"] == "default")?.get("template")?.as_str()
        }
        _ => None,
    }
}

fn token_text(token: &Json) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// A conversation and the beginning of the model's answer, as transformers' `apply_chat_template` renders it. The date, which some
/// templates ask for, is not told.
fn render(source: &str, special: &[(&str, &str)], turns: &[(&str, &str)]) -> std::result::Result<String, String> {
    const NOTHING: Option<bool> = None;
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are minijinja's own"));
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> std::result::Result<Value, TemplateError> {
        Err(TemplateError::new(ErrorKind::InvalidOperation, reason))
    });
    let messages: Vec<Value> =
        turns.iter().map(|(role, content)| context! { role => *role, content => *content }).collect();
    let special: BTreeMap<String, Value> =
        special.iter().map(|(name, token)| ((*name).to_owned(), Value::from(*token))).collect();
    let values = context! { messages, add_generation_prompt => true, tools => NOTHING, documents => NOTHING, ..Value::from(special) };
    environment
        .template_from_str(source)
        .and_then(|template| template.render(values))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: &str = "{% for message in messages %}\n    {%- if loop.first and message['role'] != 'system' %}<s>system: be kind</s>{% endif %}\n\
        {{- '<s>' + message.role + ': ' + message.content.strip() + '</s>\\n' }}\n{%- endfor %}\n\
        {%- if add_generation_prompt %}{{ '<s>assistant: ' }}{% endif %}";

    #[test]
    fn a_conversation_is_taken_apart() {
        let turns = ChatTurns::of(TURNS, &[]).unwrap();
        assert_eq!(turns.start, "<s>system: be kind</s><s>user: ");
        assert_eq!(turns.answer, "</s>\n<s>assistant: ");
        assert_eq!(turns.next, "</s>\n<s>user: ");
    }

    #[test]
    fn special_tokens_are_those_of_the_tokenizer() {
        let source = "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[Q] {{ message.content }} [/Q]\
            {% else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}";
        let turns = ChatTurns::of(source, &[("bos_token", "<b>"), ("eos_token", "<e>")]).unwrap();
        let expected = ["<b>[Q] ", " [/Q]", "<e>[Q] "].map(str::to_owned);
        assert_eq!([turns.start, turns.answer, turns.next], expected);
    }

    #[test]
    fn what_is_no_chat_template_is_refused() {
        let reason = |source: &str| ChatTurns::of(source, &[]).unwrap_err();
        assert!(reason("{{ raise_exception('roles must alternate') }}").contains("roles must alternate"));
        assert!(reason("{% for message in messages %}").contains("syntax error"));
        assert!(reason("hello").contains("does not give the words"));
        assert!(
            reason("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}").contains("fuel")
        );
    }

    #[test]
    fn the_usual_one_of_several_is_taken() {
        let config = |json: &str| serde_json::from_str::<Map<String, Json>>(json).unwrap();
        let several =
            config(r#"{"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}"#);
        assert_eq!(of_config(&several), Some("d"));
        assert_eq!(of_config(&config(r#"{"chat_template": "one"}"#)), Some("one"));
        assert_eq!(of_config(&config("{}")), None);
    }
}
