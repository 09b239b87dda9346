//! `[labeler.llm]`: a language model behind a web service.

use labelmix_data::PromptTemplate;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::study::Problem;

/// `[labeler.llm]`: a language model behind a service that speaks OpenAI's protocol, what it is asked, and what that costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmTable {
    /// The service's address, to which `/chat/completions` is added.
    pub base_url: String,
    /// The model's name at the service.
    pub model: String,
    /// The environment variable that holds the service's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    #[serde(default)]
    pub form: LlmForm,
    /// What a chat begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Where a label's probability comes from.
    #[serde(default)]
    pub confidence: LlmConfidence,
    /// How often each text is asked about.
    #[serde(default = "one")]
    pub votes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Whether the service is asked to answer in JSON of a given form.
    #[serde(default)]
    pub structured: bool,
    /// Further fields of the request.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub extra: Table,
    /// Dollars for a million tokens.
    #[serde(default)]
    pub usd_per_million: Rates,
    /// Dollars that are never exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_usd: Option<f64>,
    /// How many texts of the pool get a label at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<usize>,
    /// Whether the test set gets labels too, which no training needs.
    #[serde(default)]
    pub test: bool,
    /// Whether requests go in batches, which the service does within a day.
    #[serde(default)]
    pub batch: bool,
    /// Requests at a time.
    #[serde(default = "usual_concurrency")]
    pub concurrency: usize,
    /// Seconds without a word after which a request is given up.
    #[serde(default = "usual_timeout")]
    pub timeout: u64,
}

fn one() -> u32 {
    1
}

fn usual_concurrency() -> usize {
    8
}

fn usual_timeout() -> u64 {
    120
}

/// Which of a service's two forms is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LlmForm {
    /// `/chat/completions`: the model answers a message.
    #[default]
    Chat,
    /// `/completions`: the model continues a text.
    Completion,
}

/// Where a label's probability comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LlmConfidence {
    /// The probabilities of the words' first tokens, which the service tells.
    #[default]
    Logprobs,
    /// The share of several answers.
    Votes,
    /// What the model itself says.
    Stated,
    /// Nowhere: labels are 0 or 1.
    None,
}

/// Dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Of requests.
    pub input: f64,
    /// Of requests, where the service kept them from earlier ones; as of others without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    /// Of answers.
    pub output: f64,
}

impl LlmTable {
    /// What a chat begins with: what to answer with, unless the table says otherwise.
    pub fn instruction(&self, prompt: &PromptTemplate) -> String {
        let [no, yes] = [0, 1].map(|class: usize| prompt.targets[class].trim());
        let usual = || match self.confidence {
            LlmConfidence::Stated => format!(
                "Answer with {no} or {yes}, a comma, and how sure you are in percent, from 50 to 100. For example: {yes}, 80"
            ),
            _ => format!("Answer with {no} or {yes} and nothing else."),
        };
        self.instruction.clone().unwrap_or_else(usual)
    }

    /// 0, so that the same request has the same answer; 1 where several answers are to differ.
    pub fn temperature(&self) -> f64 {
        self.temperature.unwrap_or(f64::from(u8::from(self.confidence == LlmConfidence::Votes)))
    }

    /// Room for a word; for more where the answer is to be in JSON or with a number, and for one token where a text is continued
    /// and its probabilities are told.
    pub fn max_tokens(&self) -> u32 {
        self.max_tokens.unwrap_or(match (self.form, self.confidence) {
            (LlmForm::Completion, LlmConfidence::Logprobs) if !self.structured => 1,
            (_, LlmConfidence::Stated) => 32,
            _ if self.structured => 32,
            _ => 8,
        })
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        let problem = |key: &str, value: &dyn std::fmt::Display, help: &str| {
            Err(Problem { reason: format!("{key} = {value} in [labeler.llm]"), help: help.to_owned() })
        };
        let Rates { input, cached, output } = self.usd_per_million;
        let votes = self.confidence == LlmConfidence::Votes;
        for (key, value) in [("base_url", &self.base_url), ("model", &self.model)] {
            if value.trim().is_empty() {
                return problem(
                    key,
                    &"''",
                    "say who is asked: base_url = \"http://127.0.0.1:8080/v1\", model = \"a name\"",
                );
            }
        }
        for (key, usd) in [("input", Some(input)), ("cached", cached), ("output", Some(output))] {
            if let Some(usd) = usd.filter(|usd| !(usd.is_finite() && *usd >= 0.0)) {
                return problem(&format!("usd_per_million.{key}"), &usd, "it is a number of dollars");
            }
        }
        if let Some(max_usd) = self.max_usd {
            if !(max_usd.is_finite() && max_usd > 0.0) {
                return problem("max_usd", &max_usd, "it is a positive number of dollars");
            }
            if input + output == 0.0 {
                let help = "say what tokens cost: usd_per_million = { input = 0.10, output = 0.50 }";
                return problem("max_usd", &max_usd, help);
            }
        }
        if votes != (self.votes > 1) || self.votes == 0 || self.votes > 1000 {
            let help = "confidence = \"votes\" needs several votes, such as votes = 5; others have one";
            return problem("votes", &self.votes, help);
        }
        if let Some(temperature) = self.temperature
            && (!(0.0..=2.0).contains(&temperature) || votes && temperature == 0.0)
        {
            return problem("temperature", &temperature, "it is at most 2, and above 0 where votes are to differ");
        }
        if self.max_tokens == Some(0) || self.max_tokens.is_some_and(|tokens| tokens > 1_000_000) {
            return problem("max_tokens", &self.max_tokens(), "an answer has a token at least");
        }
        if self.concurrency == 0 || self.concurrency > 1024 {
            return problem("concurrency", &self.concurrency, "it is at least 1 and at most 1024");
        }
        if self.timeout == 0 || self.timeout > 86_400 {
            return problem("timeout", &self.timeout, "it is at least a second and at most a day");
        }
        if self.texts == Some(0) {
            return problem("texts", &0, "at least one text gets a label");
        }
        if self.api_key_env.as_ref().is_some_and(|name| {
            name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        }) {
            let help = "it is the name of an environment variable, such as \"OPENAI_API_KEY\", and not the key";
            return Err(Problem {
                reason: "api_key_env in [labeler.llm] is no name of a variable (it is not shown here)".to_owned(),
                help: help.to_owned(),
            });
        }
        if self.structured && self.form == LlmForm::Completion {
            return problem("structured", &true, "answers in JSON are for form = \"chat\"");
        }
        if self.instruction.is_some() && self.form == LlmForm::Completion {
            return problem("instruction", &"…", "a text that is continued has none: its words are those of [prompt]");
        }
        let ours = ["model", "messages", "prompt", "stream", "n", "logprobs", "top_logprobs"];
        if let Some(key) = ours.iter().find(|key| self.extra.contains_key(**key)) {
            return problem(&format!("extra.{key}"), &"…", "labelmix sets this field itself");
        }
        Ok(())
    }
}
