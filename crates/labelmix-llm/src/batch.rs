//! Many requests in one piece, which the service does within a day, for less: `/batches`.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::journal::Journal;
use crate::purchase::{Progress, Purchase};
use crate::requests::{Job, LOOK_EVERY};
use crate::service::{Client, Outcome};
use crate::spending::{End, Purse};

/// As many requests as one batch has at most; services take 50,000.
const LARGEST: usize = 10_000;
/// How often a batch is looked at: at first, and at last.
const LOOKS: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];

/// Asks in batches.
pub(crate) struct Batches<'a> {
    pub(crate) purchase: &'a Purchase<'a>,
    pub(crate) client: &'a Client<'a>,
    pub(crate) interrupted: &'a (dyn Fn() -> bool + Sync),
    pub(crate) observe: &'a (dyn Fn(Progress<'_>) + Sync),
    /// Answers in all.
    pub(crate) of: usize,
}

impl Batches<'_> {
    /// Has all jobs answered, as far as dollars reach. What a batch that was sent before a kill answers is read first.
    pub(crate) fn make(&self, mut jobs: Vec<Job<'_>>, journal: &mut Journal) -> Result<(), Error> {
        for id in journal.open_batches() {
            self.wait_for(&id, journal)?;
        }
        jobs.retain(|job| journal.answer(&job.key).is_none());
        let mut last_failure = None;
        while !jobs.is_empty() {
            let [paid, perhaps] = journal.tokens();
            let mut purse = Purse::new(self.purchase.rates, self.purchase.max_usd, paid, perhaps);
            let fits = jobs.iter().take(LARGEST).take_while(|job| purse.reserve(job.most)).count();
            if fits == 0 {
                let answered = (self.of - jobs.len()) / self.purchase.question.votes as usize;
                return Err(self.purchase.spent(&purse, answered));
            }
            let sent: Vec<Job<'_>> = jobs.drain(..fits).collect();
            let id = self.send(&sent, journal)?;
            last_failure = self.wait_for(&id, journal)?.or(last_failure);
            let unanswered = sent.iter().filter(|job| journal.answer(&job.key).is_none()).count();
            if unanswered > 0 {
                let reason = last_failure.unwrap_or_else(|| "the batch has no answer to them".to_owned());
                return Err(Error::Unanswered { unanswered, texts: self.purchase.texts.len(), attempts: 1, reason });
            }
        }
        Ok(())
    }

    /// Sends a batch, and returns what the service calls it. One that was sent by a process that was killed before it could write
    /// that down is found again.
    fn send(&self, jobs: &[Job<'_>], journal: &mut Journal) -> Result<String, Error> {
        let path = self.purchase.question.path();
        let line = |job: &Job<'_>| {
            let body = self.client.body(self.purchase.question, job.text);
            json!({"custom_id": job.key, "method": "POST", "url": format!("/v1/{path}"), "body": body}).to_string()
                + "\n"
        };
        let lines: String = jobs.iter().map(line).collect();
        let name = format!("labelmix-{}", &blake3::hash(lines.as_bytes()).to_hex()[..24]);
        let known = self.client.get("batches?limit=100").ok().and_then(|list| find(&list, &name));
        for job in jobs {
            journal.asks(&job.key, job.most)?;
        }
        let id = if let Some(id) = known {
            id
        } else {
            let file = self.client.upload(&format!("{name}.jsonl"), &lines)?;
            let batch = json!({
                "input_file_id": file,
                "endpoint": format!("/v1/{path}"),
                "completion_window": "24h",
                "metadata": {"labelmix": name},
            });
            let batch = self.client.post_json("batches", &batch)?;
            batch["id"].as_str().ok_or_else(|| self.client.no_reply("batches"))?.to_owned()
        };
        journal.sends_batch(&id)?;
        journal.sync()?;
        Ok(id)
    }

    /// Waits for a batch and keeps its answers; with a reason if one is none.
    fn wait_for(&self, id: &str, journal: &mut Journal) -> Result<Option<String>, Error> {
        let [mut every, longest] = LOOKS;
        let began = Instant::now();
        let batch = loop {
            let batch = self.client.get(&format!("batches/{id}"))?;
            match batch["status"].as_str() {
                Some("completed" | "failed" | "expired" | "cancelled") => break batch,
                Some(_) => {
                    let done = batch["request_counts"]["completed"].as_u64().unwrap_or(0) as usize;
                    let answers = (journal.answers().count() + done).min(self.of);
                    (self.observe)(Progress::Asked { answers, of: self.of, usd: self.purchase.usd_of(journal) });
                }
                None => return Err(self.client.no_reply("batches")),
            }
            let then = Instant::now() + every;
            while Instant::now() < then {
                if (self.interrupted)() {
                    return Err(Error::Interrupted);
                }
                thread::sleep(LOOK_EVERY);
            }
            every = (every * 2).min(longest);
        };
        let mut failure = batch["errors"]["data"][0]["message"].as_str().map(|words| self.client.shown(words));
        let took = began.elapsed();
        for file in ["output_file_id", "error_file_id"] {
            let Some(file) = batch[file].as_str() else { continue };
            for line in self.client.get_text(&format!("files/{file}/content"))?.lines() {
                let Ok(line) = serde_json::from_str::<Json>(line) else { continue };
                failure = self.keep(&line, took, journal)?.or(failure);
            }
        }
        journal.ends_batch(id)?;
        Ok(failure)
    }

    /// Keeps the answer of a line, or the reason why there is none.
    fn keep(&self, line: &Json, took: Duration, journal: &mut Journal) -> Result<Option<String>, Error> {
        let Some(key) = line["custom_id"].as_str().filter(|key| journal.answer(key).is_none()) else { return Ok(None) };
        let Some(most) = journal.asked(key) else { return Ok(None) };
        let body = line["response"]["body"].to_string();
        let status = line["response"]["status_code"].as_u64().unwrap_or(0) as u16;
        let reason = match self.client.outcome("batches", status, None, &body) {
            Outcome::Said(said) => return journal.answered(key, said.kept(most, took)).map(|()| None),
            Outcome::Failure { reason, .. } => reason,
            Outcome::Fatal(error) => error.to_string(),
            Outcome::Again => return Ok(None),
        };
        journal.failed(key, End::NotPaid)?;
        Ok(Some(reason))
    }
}

/// The batch of this name in a list, unless it came to nothing.
fn find(list: &Json, name: &str) -> Option<String> {
    let alive =
        |batch: &&Json| !matches!(batch["status"].as_str(), Some("failed" | "expired" | "cancelled" | "cancelling"));
    let batches = list["data"].as_array()?.iter();
    let batch = batches.filter(|batch| batch["metadata"]["labelmix"] == name).find(alive)?;
    batch["id"].as_str().map(str::to_owned)
}
