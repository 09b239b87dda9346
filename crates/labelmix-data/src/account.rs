//! Errors with the account of what was read before them: who is told that nothing is left wants to see where it went.

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

/// The account of what was read, as a message that stands before another.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Account(pub String);

impl Diagnostic for Account {}

/// An error with the account of what was read. Its messages are the error's own; the account is its only related diagnostic.
#[derive(Debug)]
pub struct Accounted<E> {
    /// What is wrong.
    pub cause: Box<E>,
    account: Account,
}

impl<E> Accounted<E> {
    /// An error after what was read.
    pub fn new(cause: E, account: &impl fmt::Display) -> Self {
        Self { cause: Box::new(cause), account: Account(account.to_string()) }
    }
}

impl<E: fmt::Display> fmt::Display for Accounted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl<E: std::error::Error> std::error::Error for Accounted<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

impl<E: Diagnostic> Diagnostic for Accounted<E> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.cause.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.cause.help()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.cause.diagnostic_source()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(std::iter::once(&self.account as &dyn Diagnostic)))
    }
}
