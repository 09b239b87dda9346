//! Buying labels: what is asked, what it would take, and what comes of it.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use labelmix_store::{Abstention, Tally, Tokens};
use labelmix_study::{LlmConfidence, Rates};
use serde::Serialize;

use crate::batch::Batches;
use crate::error::Error;
use crate::journal::{Answer, Journal};
use crate::question::Question;
use crate::reading::{self, Reading, Source};
use crate::requests::{Job, Requests};
use crate::service::{Client, Service};
use crate::spending::{Purse, usd};

/// Labels to be had from a service.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    pub question: &'a Question,
    pub rates: Rates,
    /// Dollars that are never exceeded: those of earlier purchases of the same question count.
    pub max_usd: Option<f64>,
    /// The file in which the question's answers are kept.
    pub answers: &'a Path,
    /// Whether requests go in batches, which the service does within a day.
    pub batch: bool,
    pub texts: &'a [&'a str],
}

/// Where a purchase is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    Asked {
        /// Answers that are there.
        answers: usize,
        /// Answers in all.
        of: usize,
        /// Dollars for all answers to the question.
        usd: f64,
    },
    /// A request came to nothing, and is sent again after a while.
    Waiting { reason: &'a str, delay: Duration },
}

/// Labels, and what there is to say of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Bought {
    /// For each text the probability of class 1; none where the model abstained.
    pub labels: Vec<Option<f32>>,
    pub tally: Tally,
}

/// What a purchase would take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Texts in all.
    pub texts: usize,
    /// Requests that are to be sent.
    pub requests: usize,
    /// What they take, by the answers that are there, or four bytes a token without any.
    pub tokens: Tokens,
    /// What that costs.
    pub usd: f64,
    /// What they cost at most.
    pub most_usd: f64,
    /// Dollars that are spent already, those that may have been among them.
    pub spent_usd: f64,
    /// How long it takes, by the answers that are there.
    pub seconds: Option<f64>,
}

impl Purchase<'_> {
    /// The name of a text's answer, for each vote.
    fn keys(&self, text: &str) -> impl Iterator<Item = String> {
        (0..self.question.votes).map(|vote| Question::answer_key(text, vote))
    }

    /// The most that a request can take.
    fn most(&self, text: &str) -> Tokens {
        let (input, output) = (self.question.most_input_tokens(text), u64::from(self.question.max_tokens));
        Tokens { input, cached: 0, output }
    }

    /// That nothing more can be sent.
    pub(crate) fn spent(&self, purse: &Purse, answered: usize) -> Error {
        let (spent, perhaps, max_usd) = (purse.spent(), purse.perhaps(), self.max_usd.unwrap_or(0.0));
        Error::Spent { spent, perhaps, answered, texts: self.texts.len(), max_usd }
    }

    /// What all answers cost.
    pub(crate) fn usd_of(&self, journal: &Journal) -> f64 {
        usd(self.rates, journal.tokens()[0])
    }

    /// What it would take, with so many requests at a time. Nothing is sent.
    ///
    /// # Errors
    /// If kept answers cannot be read.
    pub fn estimate(&self, concurrency: usize) -> Result<Estimate, Error> {
        let journal = Journal::read(self.answers)?;
        let jobs = self.jobs(&journal);
        let done: Vec<&Answer> = journal.answers().filter(|answer| answer.reply.is_some()).collect();
        let most: Tokens = jobs.iter().map(|job| job.most).sum();
        let known: Tokens = done.iter().map(|answer| answer.tokens).sum();
        // Kept answers do not know their texts: those of this purchase tell how many tokens a byte has.
        let of_these: Vec<(&str, &Answer)> =
            self.texts.iter().filter_map(|text| Some((*text, journal.answer(&self.keys(text).next()?)?))).collect();
        let bytes: u64 = of_these.iter().map(|(text, _)| self.most(text).input).sum();
        let input: u64 = of_these.iter().map(|(_, answer)| answer.tokens.input).sum();
        let share = if bytes > 0 && input > 0 { input as f64 / bytes as f64 } else { 0.25 };
        let each = if done.is_empty() {
            most.output as f64
        } else {
            known.output as f64 / done.len() as f64 * jobs.len() as f64
        };
        let tokens =
            Tokens { input: (most.input as f64 * share).round() as u64, cached: 0, output: each.round() as u64 };
        let milliseconds: u64 = done.iter().map(|answer| answer.milliseconds).sum();
        let seconds = (!done.is_empty())
            .then(|| milliseconds as f64 / 1e3 / done.len() as f64 * jobs.len() as f64 / concurrency.max(1) as f64);
        let [paid, perhaps] = journal.tokens();
        Ok(Estimate {
            texts: self.texts.len(),
            requests: jobs.len(),
            tokens,
            usd: usd(self.rates, tokens),
            most_usd: usd(self.rates, most),
            spent_usd: usd(self.rates, paid) + usd(self.rates, perhaps),
            seconds,
        })
    }

    /// The requests that are missing: each text once, however often it is there.
    fn jobs(&self, journal: &Journal) -> Vec<Job<'_>> {
        let mut seen = HashSet::new();
        let mut jobs = Vec::new();
        for text in self.texts {
            for key in self.keys(text) {
                if journal.answer(&key).is_none() && seen.insert(key.clone()) {
                    jobs.push(Job::new(key, text, self.most(text)));
                }
            }
        }
        jobs
    }

    /// Buys the labels: asks for every answer that is not kept, and keeps each as it comes.
    ///
    /// # Errors
    /// If the service cannot be used or answers nothing, the dollars are spent, answers cannot be kept, or it is interrupted. What
    /// was answered stays.
    pub fn make(
        &self,
        service: &Service,
        interrupted: &(dyn Fn() -> bool + Sync),
        observe: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Bought, Error> {
        let client = Client::new(service)?;
        let mut journal = Journal::open(self.answers)?;
        let jobs = self.jobs(&journal);
        if !jobs.is_empty() && self.lacks_probabilities(&journal) {
            return Err(Error::NoProbabilities { host: client.host() });
        }
        let of = self.texts.len() * self.question.votes as usize;
        let made = if self.batch {
            Batches { purchase: self, client: &client, interrupted, observe, of }.make(jobs, &mut journal)
        } else {
            Requests { purchase: self, client: &client, service, interrupted, observe, of }.make(jobs, &mut journal)
        };
        journal.sync()?;
        made?;
        Ok(self.bought(&journal))
    }

    /// Whether there are answers in words and none has a probability that was to be had: the next ones would be paid too.
    pub(crate) fn lacks_probabilities(&self, journal: &Journal) -> bool {
        if self.question.confidence != LlmConfidence::Logprobs {
            return false;
        }
        let replies = journal.answers().filter_map(|answer| answer.reply.as_ref());
        let mut spoke = replies.filter(|reply| !reply.content.trim().is_empty()).peekable();
        spoke.peek().is_some() && spoke.all(|reply| reply.tokens.iter().all(|token| token.top.is_empty()))
    }

    /// The labels that kept answers give.
    fn bought(&self, journal: &Journal) -> Bought {
        let mut tally = Tally { perhaps_usd: usd(self.rates, journal.tokens()[1]), ..Tally::default() };
        let mut paid = HashSet::new();
        let labels = self.texts.iter().map(|text| {
            let (mut sum, mut count, mut why) = (0.0, 0, None);
            for key in self.keys(text) {
                let Some(answer) = journal.answer(&key) else { continue };
                if paid.insert(key) {
                    tally.tokens += answer.tokens;
                }
                match self.read(answer) {
                    Reading::Label { probability, source } => {
                        sum += probability;
                        count += 1;
                        tally.bounded += usize::from(source == Source::Bounded);
                        tally.sure += usize::from(source == Source::Word && self.question.votes == 1);
                    }
                    Reading::Abstention(abstention) => why = Some(abstention),
                }
            }
            if count == 0 {
                *tally.abstentions.entry(why.unwrap_or(Abstention::Empty)).or_default() += 1;
                return None;
            }
            tally.labels += 1;
            Some((sum / f64::from(count)) as f32)
        });
        let labels = labels.collect();
        tally.usd = usd(self.rates, tally.tokens);
        Bought { labels, tally }
    }

    fn read(&self, answer: &Answer) -> Reading {
        match (&answer.reply, answer.abstention) {
            (Some(reply), _) => reading::read(reply, self.question),
            (None, why) => Reading::Abstention(why.unwrap_or(Abstention::Rejected)),
        }
    }
}
