//! What a service replies: JSON of two forms, or a stream of it.

use labelmix_store::Tokens;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// An answer as it came, with what is needed to read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) content: String,
    /// Why it ended, in the service's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish: Option<String>,
    /// The model's own words where it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
    /// The tokens of the answer with their alternatives, as far as the service tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tokens: Vec<Token>,
}

/// A token, and what might have stood in its place with which log-probability: itself among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) top: Vec<(String, f64)>,
}

/// What was counted of a request; nothing of what the service did not say, or not in whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: Option<u64>,
    pub(crate) cached: u64,
    pub(crate) output: Option<u64>,
}

impl Usage {
    fn of(body: &Json) -> Self {
        let usage = &body["usage"];
        Self {
            input: usage["prompt_tokens"].as_u64(),
            cached: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
            output: usage["completion_tokens"].as_u64(),
        }
    }

    /// The tokens that are paid: those that were counted, as far as they can be true, and else the most that there can be.
    pub(crate) fn tokens(self, most: Tokens) -> Tokens {
        let input = self.input.filter(|input| (1..=most.input).contains(input)).unwrap_or(most.input);
        // A service may let a model think beyond the limit. Nobody's context is longer than this.
        let output = self.output.filter(|output| *output <= 10_000_000).unwrap_or(most.output);
        Tokens { input, cached: self.cached.min(input), output }
    }
}

/// What a body says, or nothing where it is no reply.
pub(crate) fn read(body: &str) -> Option<(Reply, Usage)> {
    let body = body.trim_start_matches('\u{feff}').trim_start();
    if body.starts_with("data:") || body.starts_with("event:") || body.starts_with(':') {
        return streamed(body);
    }
    let body: Json = serde_json::from_str(body).ok()?;
    // A service that reports an error with status 200 has no choices.
    let choices = body.get("choices")?.as_array()?;
    let reply = choices.first().map_or_else(Reply::default, Reply::of);
    Some((reply, Usage::of(&body)))
}

/// The parts of a stream as one reply.
fn streamed(body: &str) -> Option<(Reply, Usage)> {
    let (mut whole, mut usage, mut is_there) = (Reply::default(), Usage::default(), false);
    for line in body.lines() {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let Ok(event) = serde_json::from_str::<Json>(data.trim()) else { continue };
        let Some(choices) = event["choices"].as_array() else { continue };
        is_there = true;
        if let Some(choice) = choices.first() {
            let part = Reply::of(choice);
            whole.content.push_str(&part.content);
            whole.tokens.extend(part.tokens);
            whole.finish = part.finish.or(whole.finish);
            whole.refusal = part.refusal.or(whole.refusal);
        }
        if event["usage"].is_object() {
            usage = Usage::of(&event);
        }
    }
    // One that was cut off is none.
    (is_there && whole.finish.is_some()).then_some((whole, usage))
}

impl Reply {
    /// Of a choice in either form, whole or a part of a stream.
    fn of(choice: &Json) -> Self {
        let message = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let content = choice["text"].as_str().or_else(|| message["content"].as_str()).unwrap_or_default();
        let logprobs = &choice["logprobs"];
        let tokens = match (logprobs["content"].as_array(), logprobs["tokens"].as_array()) {
            (Some(tokens), _) => tokens.iter().map(Token::of_chat).collect(),
            (None, Some(tokens)) => (0..tokens.len()).map(|place| Token::of_completion(logprobs, place)).collect(),
            (None, None) => Vec::new(),
        };
        Self {
            content: content.to_owned(),
            finish: text(&choice["finish_reason"]),
            refusal: text(&message["refusal"]),
            tokens,
        }
    }
}

impl Token {
    fn of_chat(token: &Json) -> Self {
        let pair = |token: &Json| Some((token["token"].as_str()?.to_owned(), token["logprob"].as_f64()?));
        let top = token["top_logprobs"].as_array().into_iter().flatten().filter_map(pair).collect();
        Self::new(token["token"].as_str().unwrap_or_default(), top, pair(token))
    }

    fn of_completion(logprobs: &Json, place: usize) -> Self {
        let text = logprobs["tokens"][place].as_str().unwrap_or_default();
        let pair = |(token, logprob): (&String, &Json)| Some((token.clone(), logprob.as_f64()?));
        let top = logprobs["top_logprobs"][place].as_object().into_iter().flatten().filter_map(pair).collect();
        let own = logprobs["token_logprobs"][place].as_f64().map(|logprob| (text.to_owned(), logprob));
        Self::new(text, top, own)
    }

    fn new(text: &str, mut top: Vec<(String, f64)>, own: Option<(String, f64)>) -> Self {
        if let Some(own) = own
            && top.iter().all(|(token, _)| *token != own.0)
        {
            top.push(own);
        }
        top.retain(|(_, logprob)| *logprob <= 1e-6);
        Self { text: text.to_owned(), top }
    }
}
