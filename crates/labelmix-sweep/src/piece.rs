//! A piece of work that is done once, among all processes that share a store: a stage, or the labels of a labeler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use labelmix_store::{Claim, Claiming, FailureRecord, Holder, StageKey, Store, StoreError, Watch};
use labelmix_train::Continuation;
use miette::Diagnostic;

use crate::options::ExecuteOptions;
use crate::stage_error::StageError;

/// Something that the store keeps under a key.
pub(crate) trait Piece {
    type Outcome;

    fn key(&self) -> &StageKey;

    /// The name under which the state of its training is kept.
    fn checkpoint(&self) -> String {
        self.key().to_string()
    }

    /// What the store has of it.
    ///
    /// # Errors
    /// If that is damaged.
    fn kept(&self, store: &Store) -> Result<Option<Self::Outcome>, StoreError>;

    /// Makes it, and keeps it.
    ///
    /// # Errors
    /// If it cannot be made or kept.
    fn make(&self, store: &Store, continuation: Continuation<'_>) -> Result<Self::Outcome, StageError>;
}

/// What became of a piece of work.
pub(crate) enum Attempt<T> {
    Kept(T),
    /// It was made here.
    Made(T),
    /// Another process is at it.
    Elsewhere(Option<Holder>),
}

/// Does a piece of work, unless it has been done, another process is at it, or it would only fail again. What was
/// found or made comes with its claim, which is let go once all that follows is kept too.
///
/// # Errors
/// If it fails, or failed before and would fail again.
pub(crate) fn attempt<P: Piece>(
    piece: &P,
    store: &Store,
    watch: &Watch,
    options: &ExecuteOptions,
) -> Result<Attempt<(P::Outcome, Claim)>, StageError> {
    let claim = match store.claim(&piece.key().to_string(), watch)? {
        Claiming::Mine(claim) => claim,
        Claiming::Held(holder) => return Ok(Attempt::Elsewhere(holder)),
    };
    if let Some(outcome) = piece.kept(store)? {
        return Ok(Attempt::Kept((outcome, claim)));
    }
    check_failed_before(piece.key(), store, options.retry_failed)?;
    let checkpoint = store.checkpoint_file(&piece.checkpoint())?;
    let continuation =
        Continuation { file: Some(&checkpoint), every: options.keep_every, interrupt: &options.interrupt };
    let outcome = catch_unwind(AssertUnwindSafe(|| piece.make(store, continuation))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(StageError::Panicked { message: message.unwrap_or_default() })
    })?;
    Ok(Attempt::Made((outcome, claim)))
}

/// Passes unless a piece of work failed before and would fail again, and is not to be tried all the same.
///
/// # Errors
/// Says why it failed.
pub(crate) fn check_failed_before(key: &StageKey, store: &Store, retry_failed: bool) -> Result<(), StageError> {
    let record = store.failure(key)?.filter(|failure| failure.repeats && !retry_failed);
    let Some(FailureRecord { log, help, .. }) = record else { return Ok(()) };
    let again = "with --retry-failed it is tried all the same";
    let help = help.map_or_else(|| again.to_owned(), |help| format!("{help}; {again}"));
    Err(StageError::FailedBefore { log, help })
}

/// What is kept of a failure.
pub(crate) fn failure_record(key: &StageKey, in_words: &str, study: &str, cause: &StageError) -> FailureRecord {
    let (mut log, mut help) = (Vec::new(), None);
    let mut error: Option<&dyn Diagnostic> = Some(cause);
    while let Some(cause) = error {
        log.push(cause.to_string());
        help = cause.help().map(|help| help.to_string()).or(help);
        error = cause.diagnostic_source();
    }
    FailureRecord {
        key: key.clone(),
        stage: in_words.to_owned(),
        study: study.to_owned(),
        log,
        help,
        repeats: cause.repeats(),
    }
}
