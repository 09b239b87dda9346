//! A service of a language model, as tests script it.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::answer::Answer;
use crate::fault::{self, Fault, Script};
use crate::listener::Listener;
use crate::locked;
use crate::request::{LoggedRequest, Server};

/// A running service that speaks OpenAI's protocol. Dropping it stops it and ends its connections.
#[derive(Debug)]
pub struct LoopbackModel {
    listener: Listener,
    state: Arc<Mutex<ModelState>>,
}

#[derive(Debug, Default)]
struct ModelState {
    scripts: Vec<Script>,
    log: Vec<LoggedRequest>,
}

impl LoopbackModel {
    /// Starts a service that answers a request's body like this.
    ///
    /// # Panics
    ///
    /// If 127.0.0.1 has no free port: there is nothing that a test could do about it.
    pub fn start(respond: impl Fn(&Json) -> Answer + Send + Sync + 'static) -> Self {
        Self::answering(move |request| respond(&request.json()))
    }

    /// Starts a service that answers requests like this, whatever their paths.
    ///
    /// # Panics
    ///
    /// If 127.0.0.1 has no free port.
    pub fn answering(respond: impl Fn(&LoggedRequest) -> Answer + Send + Sync + 'static) -> Self {
        let state = Arc::<Mutex<ModelState>>::default();
        let shared = Arc::clone(&state);
        let listener = Listener::start(Server::Model, move |request: &LoggedRequest| {
            let fault = {
                let mut state = locked(&shared);
                state.log.push(request.clone());
                fault::take(&mut state.scripts, request)
            };
            let needs_none = matches!(fault, Some(Fault::Status(..) | Fault::Close | Fault::Stall));
            let answer = if needs_none { Answer::new(200, Vec::new()) } else { respond(request) };
            (answer, fault)
        });
        Self { listener, state }
    }

    /// The address for `base_url`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.listener.origin())
    }

    /// Makes the service misbehave. Of several scripts that fit a request, the oldest acts.
    pub fn script(&self, script: Script) {
        locked(&self.state).scripts.push(script);
    }

    /// Every request since the start, in the order of arrival.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        locked(&self.state).log.clone()
    }
}

/// A chat's answer of one token, with what might have stood in its place with which probability.
pub fn chat(word: &str, top: &[(&str, f64)]) -> Json {
    let token = |(token, share): &(&str, f64)| json!({"token": token, "logprob": share.ln(), "bytes": null});
    let mut choice = json!({
        "index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": word, "refusal": null},
    });
    if !top.is_empty() {
        let own = top.iter().find(|(token, _)| *token == word).map_or(0.5, |(_, share)| *share);
        let mut told = token(&(word, own));
        told["top_logprobs"] = top.iter().map(token).collect();
        choice["logprobs"] = json!({"content": [told], "refusal": null});
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21},
    })
}
