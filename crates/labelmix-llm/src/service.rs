//! Who is asked: one request, and what becomes of it.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use labelmix_http::{Connections, Retries, Secret, host, is_http, may_pass, retry_after};
use labelmix_store::{Abstention, Tokens};
use labelmix_study::{LlmForm, LlmTable};
use serde_json::Value as Json;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use crate::error::Error;
use crate::journal::Answer;
use crate::question::{Dialect, Question};
use crate::reply::{self, Reply, Usage};

/// Longer than the answers to any batch.
const LARGEST_ANSWER: u64 = 1024 * 1024 * 1024;
/// How often a request is sent: for five minutes or so.
const ATTEMPTS: u32 = 9;
/// As much of a server's words as an error shows.
const SHOWN: usize = 300;

/// A service that speaks OpenAI's protocol.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its address, to which `/chat/completions` is added.
    pub base_url: String,
    /// What shows it who asks.
    pub key: Option<Secret>,
    pub connections: Connections,
    pub retries: Retries,
    /// Requests at a time.
    pub concurrency: usize,
}

impl Service {
    /// The one that a study names, with its key from the environment.
    ///
    /// # Errors
    /// If the key is not there, or is none.
    pub fn of(table: &LlmTable, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let key = match &table.api_key_env {
            None => None,
            Some(name) => {
                let key = variable(name).and_then(|key| Secret::new(&key.to_string_lossy()));
                let key = key.ok_or_else(|| Error::NoKey { variable: name.to_owned() })?;
                if !key.is_well_formed() {
                    return Err(Error::MalformedKey { variable: name.to_owned() });
                }
                Some(key)
            }
        };
        let connections = Connections::new(|name| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from));
        Ok(Self {
            base_url: table.base_url.clone(),
            key,
            connections: Connections { silence_timeout: Duration::from_secs(table.timeout), ..connections },
            retries: Retries { attempts: ATTEMPTS, longest_delay: Duration::from_mins(1), ..Retries::default() },
            concurrency: table.concurrency,
        })
    }
}

/// A service with its connections.
pub(crate) struct Client<'a> {
    service: &'a Service,
    agent: Agent,
    /// What was learned of its ways.
    dialect: Mutex<Dialect>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Said(Said),
    /// It may pass: after so long, if the service said so.
    Failure {
        reason: String,
        after: Option<Duration>,
        perhaps_paid: bool,
    },
    /// It was put in words that the service does not know, and is sent again in others.
    Again,
    /// It does not pass.
    Fatal(Error),
}

/// What is kept of a request.
#[derive(Debug)]
pub(crate) enum Said {
    Reply(Reply, Usage),
    /// The service does not do it, and asked nothing for that.
    Abstention(Abstention, String),
}

impl Said {
    /// As it is kept, of a request that could take so much.
    pub(crate) fn kept(self, most: Tokens, took: Duration) -> Answer {
        let milliseconds = took.as_millis() as u64;
        match self {
            Self::Reply(reply, usage) => {
                Answer { tokens: usage.tokens(most), milliseconds, reply: Some(reply), abstention: None }
            }
            Self::Abstention(why, _) => {
                Answer { tokens: Tokens::default(), milliseconds, reply: None, abstention: Some(why) }
            }
        }
    }
}

/// In which other words a service wants to be asked, by what it says of a request.
fn learned(question: &Question, dialect: Dialect, body: &str) -> Option<Dialect> {
    if !dialect.other_limit && body.contains("max_completion_tokens") {
        return Some(Dialect { other_limit: true, ..dialect });
    }
    let continues = question.form == LlmForm::Completion;
    (!dialect.few_logprobs && continues && body.contains("logprobs"))
        .then_some(Dialect { few_logprobs: true, ..dialect })
}

/// The status of an answer, how long to wait, and the body.
type Answered = (u16, Option<Duration>, String);

fn answered(answer: Result<Response<Body>, ureq::Error>) -> Result<Answered, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let after = retry_after(status, answer.headers());
    let mut bytes = Vec::new();
    match answer.into_body().into_reader().take(LARGEST_ANSWER).read_to_end(&mut bytes) {
        // What a refusal says is not needed to understand it.
        Err(error) if status < 300 => Err(error.to_string()),
        _ => Ok((status, after, String::from_utf8_lossy(&bytes).into_owned())),
    }
}

impl<'a> Client<'a> {
    pub(crate) fn new(service: &'a Service) -> Result<Self, Error> {
        if !is_http(&service.base_url) {
            return Err(Error::NoAddress { url: service.base_url.clone() });
        }
        let agent = service.connections.to(&service.base_url)?;
        Ok(Self { service, agent, dialect: Mutex::default() })
    }

    pub(crate) fn host(&self) -> String {
        host(&self.service.base_url)
    }

    /// Asks once.
    pub(crate) fn ask(&self, question: &Question, text: &str) -> Outcome {
        let dialect = self.dialect();
        let (address, body) = (self.address(question.path()), question.request(text, dialect).to_string());
        let (status, after, body) = match self.post(&address, "application/json", body.as_bytes()) {
            Ok(answer) => answer,
            Err(reason) => {
                return Outcome::Failure { reason: self.shown(&reason), after: None, perhaps_paid: true };
            }
        };
        if status == 400
            && let Some(learned) = learned(question, dialect, &body)
        {
            *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = learned;
            return Outcome::Again;
        }
        self.outcome(&address, status, after, &body)
    }

    /// What an answer means.
    pub(crate) fn outcome(&self, address: &str, status: u16, after: Option<Duration>, body: &str) -> Outcome {
        if !(200..300).contains(&status) {
            return self.refusal(address, status, after, body);
        }
        if let Some((reply, usage)) = reply::read(body) {
            return Outcome::Said(Said::Reply(reply, usage));
        }
        let reason = format!("{} answers {status} with what is no reply: {}", self.host(), self.said(body));
        Outcome::Failure { reason, after, perhaps_paid: true }
    }

    /// The address of a path of the service.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.service.base_url.trim_end_matches('/'))
    }

    /// What would be sent about a text.
    pub(crate) fn body(&self, question: &Question, text: &str) -> Json {
        question.request(text, self.dialect())
    }

    fn dialect(&self) -> Dialect {
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a path of the service holds, in JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Json, Error> {
        serde_json::from_str(&self.get_text(path)?).map_err(|_| self.no_reply(path))
    }

    /// What a path of the service holds.
    pub(crate) fn get_text(&self, path: &str) -> Result<String, Error> {
        let address = self.address(path);
        self.patiently(path, || answered(self.authorized(self.agent.get(&address)).call()))
    }

    /// Has a file of requests kept by the service, and returns what it calls it.
    pub(crate) fn upload(&self, name: &str, lines: &str) -> Result<String, Error> {
        let boundary = "labelmix-4e1f7c0a9b62";
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{boundary}\r\nContent-Disposition: \
             form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/jsonl\r\n\r\n{lines}\r\n--{boundary}--\r\n"
        );
        let kind = format!("multipart/form-data; boundary={boundary}");
        let file = self.patiently("files", || self.post(&self.address("files"), &kind, body.as_bytes()))?;
        let file: Json = serde_json::from_str(&file).unwrap_or_default();
        file["id"].as_str().map(str::to_owned).ok_or_else(|| self.no_reply("files"))
    }

    /// Sends JSON to a path, and returns what comes back.
    pub(crate) fn post_json(&self, path: &str, body: &Json) -> Result<Json, Error> {
        let body = body.to_string();
        // Once: what was sent and not answered may have been taken, and is looked for before it is sent again.
        let answer = self.post(&self.address(path), "application/json", body.as_bytes());
        let (status, _, body) = answer.map_err(|reason| self.refused(path, 0, &reason))?;
        if !(200..300).contains(&status) {
            return Err(self.refused(path, status, &self.said(&body)));
        }
        serde_json::from_str(&body).map_err(|_| self.no_reply(path))
    }

    /// The error that an answer is none.
    pub(crate) fn no_reply(&self, path: &str) -> Error {
        self.refused(path, 200, "what is no answer to that")
    }

    fn refused(&self, path: &str, status: u16, reason: &str) -> Error {
        Error::Refused { address: self.address(path), status, reason: self.shown(reason) }
    }

    /// Asks, and asks again, until there is an answer or no hope.
    fn patiently(&self, path: &str, ask: impl Fn() -> Result<Answered, String>) -> Result<String, Error> {
        let mut failures = 0;
        loop {
            let (error, after, passes) = match ask() {
                Ok((200..=299, _, body)) => return Ok(body),
                Ok((status, after, body)) => match self.refusal(&self.address(path), status, after, &body) {
                    Outcome::Failure { reason, after, .. } => (self.refused(path, status, &reason), after, true),
                    Outcome::Fatal(error) => (error, None, false),
                    _ => (self.refused(path, status, &self.said(&body)), None, false),
                },
                Err(reason) => (self.refused(path, 0, &reason), None, true),
            };
            failures += 1;
            let Some(delay) = self.service.retries.delay(failures, after).filter(|_| passes) else { return Err(error) };
            std::thread::sleep(delay);
        }
    }

    /// The status, how long to wait, and the body.
    fn post(&self, address: &str, kind: &str, body: &[u8]) -> Result<Answered, String> {
        answered(self.authorized(self.agent.post(address).header("Content-Type", kind)).send(body))
    }

    /// A request that shows who asks.
    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.service.key {
            Some(key) => request.header("Authorization", key.authorization()),
            None => request,
        }
    }

    /// What a status means that is no success.
    fn refusal(&self, address: &str, status: u16, after: Option<Duration>, body: &str) -> Outcome {
        let (host, reason) = (self.host(), self.said(body));
        let says = |words: &[&str]| {
            let body = body.to_lowercase();
            words.iter().any(|word| body.contains(word))
        };
        let abstention = |why| Outcome::Said(Said::Abstention(why, reason.clone()));
        match status {
            401 | 403 => Outcome::Fatal(Error::KeyRefused { host, reason }),
            402 => Outcome::Fatal(Error::NoQuota { host, reason }),
            429 if says(&["insufficient_quota", "billing"]) => Outcome::Fatal(Error::NoQuota { host, reason }),
            409 | 425 => Outcome::Failure { reason: format!("{host} answers {status}"), after, perhaps_paid: false },
            _ if may_pass(status) => {
                // A proxy that ran out of patience says nothing of what is behind it.
                let perhaps_paid = matches!(status, 408 | 504);
                Outcome::Failure { reason: format!("{host} answers {status}: {reason}"), after, perhaps_paid }
            }
            400 | 413 | 422 if says(&["content_filter", "content management policy", "responsibleaipolicy"]) => {
                abstention(Abstention::Filtered)
            }
            400 | 413 | 422 if says(&["context_length", "context length", "maximum context", "too long"]) => {
                abstention(Abstention::TooLong)
            }
            400 | 413 | 422 => abstention(Abstention::Rejected),
            _ => Outcome::Fatal(Error::Refused { address: address.to_owned(), status, reason }),
        }
    }

    /// The message of an error's body, or its beginning.
    fn said(&self, body: &str) -> String {
        let json: Json = serde_json::from_str(body).unwrap_or_default();
        let error = &json["error"];
        let message = error["message"].as_str().or_else(|| error.as_str()).or_else(|| json["message"].as_str());
        self.shown(message.unwrap_or(body))
    }

    /// A server's words on one line, cut, and without the key.
    pub(crate) fn shown(&self, words: &str) -> String {
        let words = self.service.key.as_ref().map_or_else(|| words.to_owned(), |key| key.removed_from(words));
        let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = line.chars().take(SHOWN).collect();
        if shown.is_empty() { "without a word".to_owned() } else { shown }
    }
}
