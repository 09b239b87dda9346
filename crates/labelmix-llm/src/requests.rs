//! Requests one by one: some at a time, patiently, and within a limit of dollars.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use labelmix_store::{Abstention, Tokens};

use crate::error::Error;
use crate::journal::{Answer, Journal};
use crate::purchase::{Progress, Purchase};
use crate::service::{Client, Outcome, Said, Service};
use crate::spending::{End, Purse};

/// How often whoever waits looks whether it should.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often answers are written to the disk for good. What a process wrote outlives it at once; this is for the machine's end.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often the first request is sent.
const ATTEMPTS_OF_THE_FIRST: u32 = 4;

/// A request that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) key: String,
    pub(crate) text: &'a str,
    /// The most that it can take.
    pub(crate) most: Tokens,
    failures: u32,
    not_before: Option<Instant>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(key: String, text: &'a str, most: Tokens) -> Self {
        Self { key, text, most, failures: 0, not_before: None }
    }
}

/// Sends the requests of a purchase one by one.
pub(crate) struct Requests<'a> {
    pub(crate) purchase: &'a Purchase<'a>,
    pub(crate) client: &'a Client<'a>,
    pub(crate) service: &'a Service,
    pub(crate) interrupted: &'a (dyn Fn() -> bool + Sync),
    pub(crate) observe: &'a (dyn Fn(Progress<'_>) + Sync),
    /// Answers in all.
    pub(crate) of: usize,
}

impl<'a> Requests<'a> {
    /// Has all jobs answered, and keeps each answer as it comes.
    pub(crate) fn make(&self, jobs: Vec<Job<'a>>, journal: &mut Journal) -> Result<(), Error> {
        let [paid, perhaps] = journal.tokens();
        let threads = self.service.concurrency.clamp(1, jobs.len().max(1));
        let has_answers = journal.answers().any(|answer| answer.reply.is_some());
        let state = State {
            answers: self.of.saturating_sub(jobs.len()),
            purse: Purse::new(self.purchase.rates, self.purchase.max_usd, paid, perhaps),
            has_answers,
            journal,
            on_their_way: 0,
            failed: 0,
            failures_in_a_row: 0,
            last_failure: String::new(),
            not_before: Instant::now(),
            stop: None,
            synced: Instant::now(),
            queue: jobs.into(),
        };
        let sender = Sender { of: self, state: Mutex::new(state) };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| sender.work());
            }
        });
        let state = sender.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.stop {
            return Err(error);
        }
        if state.failed > 0 {
            let (texts, attempts) = (self.purchase.texts.len(), self.service.retries.attempts);
            return Err(Error::Unanswered { unanswered: state.failed, texts, attempts, reason: state.last_failure });
        }
        Ok(())
    }
}

/// What the threads of a purchase share.
struct Sender<'a, 'j> {
    of: &'j Requests<'a>,
    state: Mutex<State<'a, 'j>>,
}

struct State<'a, 'j> {
    queue: VecDeque<Job<'a>>,
    journal: &'j mut Journal,
    purse: Purse,
    answers: usize,
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
    Send(Job<'a>),
    Wait,
    Nothing,
}

impl<'a, 'j> Sender<'a, 'j> {
    fn locked(&self) -> MutexGuard<'_, State<'a, 'j>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends requests until there are none.
    fn work(&self) {
        loop {
            match self.next() {
                Next::Send(job) => {
                    let began = Instant::now();
                    let outcome = self.of.client.ask(self.of.purchase.question, job.text);
                    if let Err(error) = self.settle(job, outcome, began.elapsed()) {
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
        if state.stop.is_none() && (self.of.interrupted)() {
            state.stop = Some(Error::Interrupted);
        }
        if state.stop.is_some() {
            return Next::Nothing;
        }
        let now = Instant::now();
        let is_ready = |job: &Job<'a>| job.not_before.is_none_or(|then| then <= now);
        let ready = if now < state.not_before { None } else { state.queue.iter().position(is_ready) };
        let Some(place) = ready else {
            return if state.queue.is_empty() && state.on_their_way == 0 { Next::Nothing } else { Next::Wait };
        };
        if !state.has_answers && state.on_their_way > 0 {
            // One first, to learn whether it works at all.
            return Next::Wait;
        }
        let most = state.queue[place].most;
        if !state.purse.reserve(most) {
            if state.on_their_way > 0 {
                return Next::Wait;
            }
            let answered = state.answers / self.of.purchase.question.votes as usize;
            state.stop = Some(self.of.purchase.spent(&state.purse, answered));
            return Next::Nothing;
        }
        let job = state.queue.remove(place).expect("it was found there");
        if let Err(error) = state.journal.asks(&job.key, most) {
            state.stop = Some(error);
            return Next::Nothing;
        }
        state.on_their_way += 1;
        Next::Send(job)
    }

    /// Keeps what came of a request.
    fn settle(&self, job: Job<'a>, outcome: Outcome, took: Duration) -> Result<(), Error> {
        let mut state = self.locked();
        state.on_their_way -= 1;
        match outcome {
            Outcome::Said(Said::Abstention(Abstention::Rejected, reason)) if !state.has_answers => {
                state.comes_to_nothing(&job, End::NotPaid)?;
                let address = self.of.client.address(self.of.purchase.question.path());
                Err(Error::Refused { address, status: 400, reason })
            }
            Outcome::Said(said) => {
                let answer = said.kept(job.most, took);
                state.purse.settle(job.most, End::Paid(answer.tokens));
                state.has_answers |= answer.reply.is_some();
                state.answered(&job.key, answer)?;
                if self.of.purchase.lacks_probabilities(state.journal) {
                    return Err(Error::NoProbabilities { host: self.of.client.host() });
                }
                let (answers, usd) = (state.answers, state.purse.spent());
                drop(state);
                (self.of.observe)(Progress::Asked { answers, of: self.of.of, usd });
                Ok(())
            }
            Outcome::Failure { reason, after, perhaps_paid } => {
                state.comes_to_nothing(&job, if perhaps_paid { End::PerhapsPaid } else { End::NotPaid })?;
                state.fails(job, reason, after, self.of)
            }
            Outcome::Again => {
                state.comes_to_nothing(&job, End::NotPaid)?;
                state.queue.push_front(job);
                Ok(())
            }
            Outcome::Fatal(error) => {
                state.comes_to_nothing(&job, End::NotPaid)?;
                Err(error)
            }
        }
    }
}

impl<'a> State<'a, '_> {
    fn comes_to_nothing(&mut self, job: &Job<'a>, end: End) -> Result<(), Error> {
        self.purse.settle(job.most, end);
        self.journal.failed(&job.key, end)
    }

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
        of: &Requests<'a>,
    ) -> Result<(), Error> {
        job.failures += 1;
        let mut retries = of.service.retries;
        if !self.has_answers && after.is_none() {
            // Who has never answered, and does not say when it will, is rather asked in the wrong way than busy.
            retries.attempts = retries.attempts.min(ATTEMPTS_OF_THE_FIRST);
        }
        let Some(delay) = retries.delay(job.failures, after) else {
            self.failed += 1;
            self.failures_in_a_row += 1;
            self.last_failure.clone_from(&reason);
            if !self.has_answers || self.failures_in_a_row >= of.service.concurrency.max(3) {
                let (unanswered, texts) = (self.failed + self.queue.len(), of.purchase.texts.len());
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
        (of.observe)(Progress::Waiting { reason: &reason, delay });
        Ok(())
    }
}
