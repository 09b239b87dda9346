//! What is asked of every text, and how that looks in a request.

use labelmix_data::PromptTemplate;
use labelmix_study::{LlmConfidence, LlmForm, LlmTable};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// What is asked of every text. All of it decides the answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// The model's name at the service.
    pub model: String,
    pub form: LlmForm,
    /// What stands around a text, and a word for each class.
    pub prompt: PromptTemplate,
    /// What stands before everything in a chat; nothing if it is empty.
    pub instruction: String,
    /// Labelled texts that stand before the one in question.
    pub shots: Vec<(String, bool)>,
    pub confidence: LlmConfidence,
    /// How often each text is asked about; more than once for votes alone.
    pub votes: u32,
    pub temperature: f64,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Whether the service is asked to answer in JSON of a given form.
    pub structured: bool,
    /// Further fields of the request.
    pub extra: Map<String, Json>,
}

/// As many alternatives of a token as services tell of at most.
const TOP_LOGPROBS: u32 = 20;
/// The same of some that continue texts.
const FEW_TOP_LOGPROBS: u32 = 5;

/// In what services differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dialect {
    /// The longest answer is `max_completion_tokens`.
    pub(crate) other_limit: bool,
    /// Who continues texts tells of five alternatives at most.
    pub(crate) few_logprobs: bool,
}

impl Question {
    /// What a study asks in these words, behind these shots.
    pub fn of(table: &LlmTable, prompt: PromptTemplate, shots: Vec<(String, bool)>) -> Self {
        let extra = serde_json::to_value(&table.extra).expect("what TOML can say, JSON can");
        Self {
            model: table.model.clone(),
            form: table.form,
            instruction: table.instruction(&prompt),
            prompt,
            shots,
            confidence: table.confidence,
            votes: table.votes,
            temperature: table.temperature(),
            max_tokens: table.max_tokens(),
            structured: table.structured,
            extra: extra.as_object().cloned().unwrap_or_default(),
        }
    }

    /// The words for class 0 and class 1, as an answer has them.
    pub(crate) fn words(&self) -> [&str; 2] {
        [0, 1].map(|class: usize| self.prompt.targets[class].trim())
    }

    /// The shots that stand before a text, which is not among its own.
    fn shots_before(&self, text: &str) -> impl Iterator<Item = &(String, bool)> {
        self.shots.iter().filter(move |(shot, _)| shot != text)
    }

    /// The messages of a chat about a text.
    fn messages(&self, text: &str) -> Vec<Json> {
        let message = |role: &str, content: String| json!({"role": role, "content": content});
        let mut messages = Vec::new();
        for (shot, class) in self.shots_before(text) {
            messages.push(message("user", self.asked(shot, messages.is_empty())));
            let word = self.words()[usize::from(*class)];
            let answer = if self.structured { json!({"label": word}).to_string() } else { word.to_owned() };
            messages.push(message("assistant", answer));
        }
        messages.push(message("user", self.asked(text, messages.is_empty())));
        messages
    }

    /// What the user says of a text; the first time behind the instruction.
    fn asked(&self, text: &str, is_first: bool) -> String {
        let query = self.prompt.query(text);
        let query = query.trim_end();
        if is_first && !self.instruction.is_empty() {
            format!("{}\n\n{query}", self.instruction)
        } else {
            query.to_owned()
        }
    }

    /// The text that is continued.
    fn continued(&self, text: &str) -> String {
        let shots: String = self.shots_before(text).map(|(shot, class)| self.prompt.shot(shot, *class)).collect();
        format!("{}{shots}{}", self.prompt.start, self.prompt.query(text))
    }

    /// The body of a request about a text.
    pub(crate) fn request(&self, text: &str, dialect: Dialect) -> Json {
        let limit = if dialect.other_limit { "max_completion_tokens" } else { "max_tokens" };
        let mut body = json!({"model": self.model, "temperature": self.temperature, limit: self.max_tokens});
        match self.form {
            LlmForm::Chat => {
                body["messages"] = self.messages(text).into();
                if self.confidence == LlmConfidence::Logprobs {
                    body["logprobs"] = true.into();
                    body["top_logprobs"] = TOP_LOGPROBS.into();
                }
            }
            LlmForm::Completion => {
                body["prompt"] = self.continued(text).into();
                if self.confidence == LlmConfidence::Logprobs {
                    let told = if dialect.few_logprobs { FEW_TOP_LOGPROBS } else { TOP_LOGPROBS };
                    body["logprobs"] = told.into();
                }
            }
        }
        if self.structured {
            body["response_format"] = json!({"type": "json_schema", "json_schema": self.schema()});
        }
        for (name, value) in &self.extra {
            body[name] = value.clone();
        }
        body
    }

    /// The form of an answer in JSON.
    fn schema(&self) -> Json {
        let mut properties = json!({"label": {"type": "string", "enum": self.words()}});
        let mut required = vec!["label"];
        if self.confidence == LlmConfidence::Stated {
            properties["confidence"] = json!({"type": "number"});
            required.push("confidence");
        }
        let schema = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        json!({"name": "label", "strict": true, "schema": schema})
    }

    /// The path of the form, below the service's address.
    pub(crate) fn path(&self) -> &'static str {
        match self.form {
            LlmForm::Chat => "chat/completions",
            LlmForm::Completion => "completions",
        }
    }

    /// More tokens than a request about a text can have: no token is shorter than a byte, but a chat's template adds some.
    pub(crate) fn most_input_tokens(&self, text: &str) -> u64 {
        let (bytes, messages) = match self.form {
            LlmForm::Chat => {
                let messages = self.messages(text);
                let content = |message: &Json| message["content"].as_str().map_or(0, str::len);
                (messages.iter().map(content).sum(), messages.len())
            }
            LlmForm::Completion => (self.continued(text).len(), 0),
        };
        (bytes + 32 * messages + 64) as u64
    }

    /// The hash of everything that decides the answers.
    pub fn key(&self) -> String {
        let everything = serde_json::to_vec(self).expect("a question can be written");
        blake3::hash(&everything).to_hex()[..32].to_owned()
    }

    /// The name under which the answer about a text is kept.
    pub(crate) fn answer_key(text: &str, vote: u32) -> String {
        format!("{}-{vote}", &blake3::hash(text.as_bytes()).to_hex()[..32])
    }
}
