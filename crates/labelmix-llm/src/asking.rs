//! Asking about many texts: some at a time, patiently, within a limit of dollars, and never twice for what was answered.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use labelmix_store::{Abstention, Tally, Tokens};
use labelmix_study::{LlmConfidence, Rates};
use serde::Serialize;

use crate::batch::Batches;
use crate::error::Error;
use crate::journal::{Answer, Journal};
use crate::question::Question;
use crate::reading::{self, Reading, Source};
use crate::service::{Client, Outcome, Service};
use crate::spending::{End, Purse, usd};

/// How often whoever waits looks whether it should.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often answers are written to the disk for good. What a process wrote outlives it at once; this is for the machine's end.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How often the first request is sent.
const ATTEMPTS_OF_THE_FIRST: u32 = 4;

/// As many answers as may lack probabilities by chance.
const FEW: usize = 8;

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
    fn keys(&self, text: &str) -> impl Iterator<Item = String> + use<> {
        let keys: Vec<String> = (0..self.question.votes).map(|vote| Question::answer_key(text, vote)).collect();
        keys.into_iter()
    }

    /// The most that a request can take.
    pub(crate) fn most(&self, text: &str) -> Tokens {
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
        let most: Tokens = jobs.iter().map(|job| self.most(job.text)).sum();
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
    fn jobs<'t>(&'t self, journal: &Journal) -> VecDeque<Job<'t>> {
        let mut seen = HashSet::new();
        let mut jobs = VecDeque::new();
        for text in self.texts {
            for key in self.keys(text) {
                if journal.answer(&key).is_none() && seen.insert(key.clone()) {
                    jobs.push_back(Job { key, text, failures: 0, not_before: None });
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
        let journal = Journal::open(self.answers)?;
        let queue = self.jobs(&journal);
        if !queue.is_empty() && self.lacks_probabilities(&journal) {
            return Err(Error::NoProbabilities { host: client.host() });
        }
        let of = self.texts.len() * self.question.votes as usize;
        if self.batch {
            let mut journal = journal;
            let batches = Batches { purchase: self, client: &client, interrupted, observe, of };
            batches.make(queue.into(), &mut journal)?;
            journal.sync()?;
            return Ok(self.bought(&journal));
        }
        let [paid, perhaps] = journal.tokens();
        let has_answers = journal.answers().any(|answer| answer.reply.is_some());
        let state = State {
            answers: of.saturating_sub(queue.len()),
            of,
            purse: Purse::new(self.rates, self.max_usd, paid, perhaps),
            has_answers,
            journal,
            on_their_way: 0,
            failed: 0,
            failures_in_a_row: 0,
            last_failure: String::new(),
            not_before: Instant::now(),
            stop: None,
            synced: Instant::now(),
            queue,
        };
        let asking = Asking { purchase: self, client, service, state: Mutex::new(state), interrupted, observe };
        let threads = service.concurrency.clamp(1, asking.locked().queue.len().max(1));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| asking.work());
            }
        });
        let State { journal, stop, failed, last_failure, .. } =
            asking.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        journal.sync()?;
        if let Some(error) = stop {
            return Err(error);
        }
        if failed > 0 {
            let (texts, attempts) = (self.texts.len(), service.retries.attempts);
            return Err(Error::Unanswered { unanswered: failed, texts, attempts, reason: last_failure });
        }
        Ok(self.bought(&journal))
    }

    /// Whether the first answers have words and none has a probability that was to be had: the next ones would be paid too.
    fn lacks_probabilities(&self, journal: &Journal) -> bool {
        if self.question.confidence != LlmConfidence::Logprobs {
            return false;
        }
        let mut spoke = journal
            .answers()
            .filter_map(|answer| answer.reply.as_ref())
            .filter(|reply| !reply.content.trim().is_empty());
        let mut few = spoke.by_ref().take(FEW).peekable();
        few.peek().is_some()
            && few.all(|reply| reply.tokens.iter().all(|token| token.top.is_empty()))
            && spoke.next().is_none()
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

/// A request that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) key: String,
    pub(crate) text: &'a str,
    failures: u32,
    not_before: Option<Instant>,
}

/// What the threads of a purchase share.
struct Asking<'a> {
    purchase: &'a Purchase<'a>,
    client: Client<'a>,
    service: &'a Service,
    state: Mutex<State<'a>>,
    interrupted: &'a (dyn Fn() -> bool + Sync),
    observe: &'a (dyn Fn(Progress<'_>) + Sync),
}

struct State<'a> {
    queue: VecDeque<Job<'a>>,
    journal: Journal,
    purse: Purse,
    answers: usize,
    of: usize,
    /// Whether the service has answered the question before.
    has_answers: bool,
    /// Requests that were sent and have not come to their end.
    on_their_way: usize,
    /// Requests that are given up.
    failed: usize,
    failures_in_a_row: usize,
    last_failure: String,
    /// The service wants to be left alone until then.
    not_before: Instant,
    /// Why nothing more is sent.
    stop: Option<Error>,
    synced: Instant,
}

/// What a thread is to do next.
enum Next<'a> {
    Send(Job<'a>, Tokens),
    Wait,
    Nothing,
}

impl<'a> Asking<'a> {
    fn locked(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends requests until there are none.
    fn work(&self) {
        loop {
            match self.next() {
                Next::Send(job, most) => {
                    let began = Instant::now();
                    let outcome = self.client.ask(self.purchase.question, job.text);
                    let result = self.settle(job, most, outcome, began.elapsed());
                    if let Err(error) = result {
                        self.locked().stop.get_or_insert(error);
                    }
                }
                Next::Wait => thread::sleep(LOOK_EVERY),
                Next::Nothing => return,
            }
        }
    }

    fn next(&self) -> Next<'a> {
        let mut state = self.locked();
        if state.stop.is_none() && (self.interrupted)() {
            state.stop = Some(Error::Interrupted);
        }
        if state.stop.is_some() {
            return Next::Nothing;
        }
        let now = Instant::now();
        if now < state.not_before {
            return if state.queue.is_empty() && state.on_their_way == 0 { Next::Nothing } else { Next::Wait };
        }
        let Some(place) = state.queue.iter().position(|job| job.not_before.is_none_or(|then| then <= now)) else {
            return if state.queue.is_empty() && state.on_their_way == 0 { Next::Nothing } else { Next::Wait };
        };
        if !state.has_answers && state.on_their_way > 0 {
            // One first, to learn whether it works at all.
            return Next::Wait;
        }
        let most = self.purchase.most(state.queue[place].text);
        if !state.purse.reserve(most) {
            if state.on_their_way > 0 {
                return Next::Wait;
            }
            let answered = state.answers / self.purchase.question.votes as usize;
            state.stop = Some(self.purchase.spent(&state.purse, answered));
            return Next::Nothing;
        }
        let job = state.queue.remove(place).expect("it was found there");
        if let Err(error) = state.journal.asks(&job.key, most) {
            state.stop = Some(error);
            return Next::Nothing;
        }
        state.on_their_way += 1;
        Next::Send(job, most)
    }

    /// Keeps what came of a request.
    fn settle(&self, job: Job<'a>, most: Tokens, outcome: Outcome, took: Duration) -> Result<(), Error> {
        let mut state = self.locked();
        state.on_their_way -= 1;
        let milliseconds = took.as_millis() as u64;
        let answer = |tokens, reply, abstention| Answer { tokens, milliseconds, reply, abstention };
        match outcome {
            Outcome::Reply(reply, usage) => {
                let tokens = usage.tokens(most);
                state.purse.settle(most, End::Paid(tokens));
                state.has_answers = true;
                state.answered(&job.key, answer(tokens, Some(reply), None))?;
                if self.purchase.lacks_probabilities(&state.journal) {
                    return Err(Error::NoProbabilities { host: self.client.host() });
                }
            }
            Outcome::Abstention(Abstention::Rejected, reason) if !state.has_answers => {
                state.purse.settle(most, End::NotPaid);
                state.journal.failed(&job.key, End::NotPaid)?;
                let address = format!("{}/{}", self.service.base_url, self.purchase.question.path());
                return Err(Error::Refused { address, status: 400, reason });
            }
            Outcome::Abstention(why, _) => {
                state.purse.settle(most, End::NotPaid);
                state.answered(&job.key, answer(Tokens::default(), None, Some(why)))?;
            }
            Outcome::Failure { reason, after, perhaps_paid } => {
                let end = if perhaps_paid { End::PerhapsPaid } else { End::NotPaid };
                state.purse.settle(most, end);
                state.journal.failed(&job.key, end)?;
                return state.fails(job, reason, after, self);
            }
            Outcome::Again => {
                state.purse.settle(most, End::NotPaid);
                state.journal.failed(&job.key, End::NotPaid)?;
                state.queue.push_front(job);
                return Ok(());
            }
            Outcome::Fatal(error) => {
                state.purse.settle(most, End::NotPaid);
                state.journal.failed(&job.key, End::NotPaid)?;
                return Err(error);
            }
        }
        let (answers, of, usd) = (state.answers, state.of, state.purse.spent());
        drop(state);
        (self.observe)(Progress::Asked { answers, of, usd });
        Ok(())
    }
}

impl<'a> State<'a> {
    fn answered(&mut self, key: &str, answer: Answer) -> Result<(), Error> {
        self.journal.answered(key, answer)?;
        self.answers += 1;
        self.failures_in_a_row = 0;
        if self.synced.elapsed() > SYNC_EVERY {
            self.synced = Instant::now();
            self.journal.sync()?;
        }
        Ok(())
    }

    /// A request came to nothing: it is sent again later, or given up. Where all are given up that were sent at a time, there is no
    /// sense in sending others.
    fn fails(
        &mut self,
        mut job: Job<'a>,
        reason: String,
        after: Option<Duration>,
        asking: &Asking<'a>,
    ) -> Result<(), Error> {
        job.failures += 1;
        let mut retries = asking.service.retries;
        if !self.has_answers && after.is_none() {
            // Who has never answered, and does not say when it will, is rather asked in the wrong way than busy.
            retries.attempts = retries.attempts.min(ATTEMPTS_OF_THE_FIRST);
        }
        let Some(delay) = retries.delay(job.failures, after) else {
            self.failed += 1;
            self.failures_in_a_row += 1;
            self.last_failure.clone_from(&reason);
            if !self.has_answers || self.failures_in_a_row >= asking.service.concurrency.max(3) {
                let (unanswered, texts) = (self.failed + self.queue.len(), asking.purchase.texts.len());
                return Err(Error::Unanswered { unanswered, texts, attempts: job.failures, reason });
            }
            return Ok(());
        };
        let then = Instant::now() + delay;
        if after.is_some() {
            // It is the service that wants to be left alone, not this request that failed.
            self.not_before = self.not_before.max(then);
        }
        job.not_before = Some(then);
        self.queue.push_back(job);
        (asking.observe)(Progress::Waiting { reason: &reason, delay });
        Ok(())
    }
}
