//! Failures, as people read them, and the exit status that they lead to.

use std::io::{self, Write};
use std::process::ExitCode;

use labelmix_files::WriteError;
use miette::Diagnostic;
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Done,
    UserError,
    OurError,
    SomeStagesFailed,
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::UserError => 1,
            Status::OurError => 2,
            Status::SomeStagesFailed => 3,
            Status::Interrupted => 4,
        })
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// With a message and a remedy.
    #[error("{0}")]
    Diagnosed(Box<dyn Diagnostic + Send + Sync>),
    /// Whoever read standard output stopped reading, which is no error.
    #[error("the reader left")]
    ReaderLeft,
}

impl<E: Diagnostic + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Diagnosed(Box::new(error))
    }
}

/// Signals that cannot be handled.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the system does not let signals be handled: {0}")]
#[diagnostic(code(internal))]
pub(crate) struct SignalError(pub(crate) io::Error);

impl Failure {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::ReaderLeft => Status::Done,
            Self::Diagnosed(error) if error.code().is_some_and(|code| code.to_string() == "internal") => {
                Status::OurError
            }
            Self::Diagnosed(_) => Status::UserError,
        }
    }
}

/// Prints data to standard output.
pub(crate) fn print_data(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderLeft),
        Err(source) => Err(WriteError { path: "standard output".into(), source }.into()),
    }
}

/// Prints a value to standard output as JSON, for programs.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).expect("what is printed is text and numbers with names");
    print_data(&format!("{json}\n"))
}

/// Prints a failure to standard error: the message, and what to do about it.
pub(crate) fn print(failure: &Failure) {
    if let Failure::Diagnosed(error) = failure {
        print_diagnostic(&**error);
    }
}

/// Prints an error with its causes, and the innermost advice there is. What is related to it is the account of what was read.
pub(crate) fn print_diagnostic(error: &dyn Diagnostic) {
    let mut message = format!("error: {error}");
    let mut help = error.help().map(|help| help.to_string());
    let mut cause = error.diagnostic_source();
    while let Some(inner) = cause {
        message = format!("{message}\n  because: {inner}");
        help = inner.help().map(|help| help.to_string()).or(help);
        cause = inner.diagnostic_source();
    }
    // What was read comes before what is wrong with it.
    for account in error.related().into_iter().flatten() {
        say!("{account}");
    }
    say!("{message}");
    if let Some(help) = help {
        say!("hint: {help}");
    }
}

/// Says that work was interrupted, and what becomes of it.
pub(crate) fn print_interrupted() -> Status {
    say!("interrupted: what was done is kept, and the same command goes on where it was");
    Status::Interrupted
}
