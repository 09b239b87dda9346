//! Chat templates: how a conversation becomes the text that a chat model was trained on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error as TemplateError, ErrorKind, context};

use super::settings::Settings;
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

/// A chat template, and what it may use.
pub(super) struct ChatTemplate {
    /// The folder of the tokenizer.
    folder: PathBuf,
    /// That of `tokenizer_config.json`.
    configured: Option<String>,
    special_tokens: BTreeMap<String, String>,
}

const FILE: &str = "chat_template.jinja";
/// What the rendering of a stranger's template may use up, in instructions.
const FUEL: u64 = 200_000;
/// The longest template, in bytes.
const LONGEST: usize = 1 << 16;
/// A stack that is enough for the deepest template of that length: a parser's grows with how deep it is nested.
const STACK: usize = 1 << 29;

impl ChatTemplate {
    /// The template beside a tokenizer with these settings.
    pub(super) fn new(folder: &Path, settings: &Settings) -> Self {
        let (configured, special_tokens) = (settings.chat_template().map(str::to_owned), settings.special_tokens());
        Self { folder: folder.to_owned(), configured, special_tokens }
    }

    /// What it puts around words; the file of its own goes first, as in transformers.
    pub(super) fn turns(&self) -> Result<ChatTurns> {
        let own = self.folder.join(FILE);
        let (path, source) = if own.exists() {
            let bytes = crate::lfs::read(&own)?;
            (own, String::from_utf8_lossy(&bytes).into_owned())
        } else {
            let Some(source) = self.configured.clone() else {
                return Err(Error::NoChatTemplate { folder: self.folder.clone() });
            };
            (self.folder.join("tokenizer_config.json"), source)
        };
        let turns = std::thread::scope(|scope| {
            let reading = || ChatTurns::of(&source, &self.special_tokens);
            let reading = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, reading);
            let reading = reading.map_err(|error| format!("there is no memory to parse it: {error}"))?;
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        turns.map_err(|reason| Error::Config {
            path,
            reason: format!("the chat template: {reason}"),
            help: "leave `chat` out of the study's [prompt], and give what stands around texts by hand".into(),
        })
    }
}

impl ChatTurns {
    /// What this template, which may use these special tokens, puts around words.
    fn of(source: &str, special_tokens: &BTreeMap<String, String>) -> std::result::Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("it has {} bytes, and {LONGEST} are the most", source.len()));
        }
        let [user, model, next_user] = ["wordsofauser", "wordsofthemodel", "nextwordsofauser"];
        let one = render(source, special_tokens, &[("user", user)])?;
        let more = render(source, special_tokens, &[("user", user), ("assistant", model), ("user", next_user)])?;
        let around = || {
            let (start, answer) = one.split_once(user)?;
            let (_, after_answer) = more.split_once(model)?;
            let (next, _) = after_answer.split_once(next_user)?;
            Some(Self { start: start.to_owned(), answer: answer.to_owned(), next: next.to_owned() })
        };
        around().ok_or_else(|| "it does not give the words of a conversation back".to_owned())
    }
}

/// A conversation and the beginning of the model's answer, as transformers' `apply_chat_template` renders it. The date, which some
/// templates ask for, is not told.
fn render(
    source: &str,
    special_tokens: &BTreeMap<String, String>,
    turns: &[(&str, &str)],
) -> std::result::Result<String, String> {
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
    let special_tokens = Value::from_pairs(special_tokens.iter().map(|(name, token)| (name.as_str(), token.as_str())));
    let values =
        context! { messages, add_generation_prompt => true, tools => NOTHING, documents => NOTHING, ..special_tokens };
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
        let turns = ChatTurns::of(TURNS, &BTreeMap::new()).unwrap();
        assert_eq!(turns.start, "<s>system: be kind</s><s>user: ");
        assert_eq!(turns.answer, "</s>\n<s>assistant: ");
        assert_eq!(turns.next, "</s>\n<s>user: ");
    }

    #[test]
    fn special_tokens_are_those_of_the_tokenizer() {
        let source = "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[Q] {{ message.content }} [/Q]\
            {% else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}";
        let turns = ChatTurns::of(
            source,
            &[("bos_token", "<b>"), ("eos_token", "<e>")]
                .map(|(name, token)| (name.to_owned(), token.to_owned()))
                .into(),
        )
        .unwrap();
        let expected = ["<b>[Q] ", " [/Q]", "<e>[Q] "].map(str::to_owned);
        assert_eq!([turns.start, turns.answer, turns.next], expected);
    }

    #[test]
    fn what_is_no_chat_template_is_refused() {
        let reason = |source: &str| ChatTurns::of(source, &BTreeMap::new()).unwrap_err();
        assert!(reason("{{ raise_exception('roles must alternate') }}").contains("roles must alternate"));
        assert!(reason("{% for message in messages %}").contains("syntax error"));
        assert!(reason("hello").contains("does not give the words"));
        assert!(
            reason("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}").contains("fuel")
        );
    }

    #[test]
    fn the_usual_one_of_several_is_taken() {
        let of_config = |config: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
            Settings::read(folder.path(), "llama", None).unwrap().chat_template().map(str::to_owned)
        };
        let several =
            r#"{"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}"#;
        assert_eq!(of_config(several).as_deref(), Some("d"));
        assert_eq!(of_config(r#"{"chat_template": "one"}"#).as_deref(), Some("one"));
        assert_eq!(of_config("{}"), None);
    }

    #[test]
    fn the_depth_of_a_template_does_not_overflow_the_stack() {
        for opening in ["(", "[", "-", "not "] {
            let source = format!("{{{{ {}", opening.repeat((LONGEST - 8) / opening.len()));
            let (folder, special_tokens) = (PathBuf::new(), BTreeMap::new());
            let template = ChatTemplate { folder, configured: Some(source), special_tokens };
            assert!(template.turns().unwrap_err().to_string().contains("syntax error"));
        }
    }
}
