//! Labels by language models behind a web service that speaks OpenAI's protocol: a hosted one, or one of this machine.
//!
//! A [`Purchase`] asks a [`Service`] a [`Question`] about each of many texts. Every answer is kept as it comes, so a purchase that
//! is interrupted or killed goes on without asking again, and two purchases of the same question share what they paid. Answers
//! that cannot be read are abstentions: counted, paid, and not guessed.

mod batch;
mod error;
mod journal;
mod purchase;
mod question;
mod reading;
mod reply;
mod requests;
mod service;
mod spending;

pub use error::Error;
pub use purchase::{Bought, Estimate, Progress, Purchase};
pub use question::Question;
pub use service::Service;
