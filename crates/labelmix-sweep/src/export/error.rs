//! Why a run cannot be exported.

use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// What cannot be exported, or not to there.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ExportError {
    #[error("{} is there already, and is no empty folder", .0.display())]
    #[diagnostic(help("name another folder with --out, or take this one away first: nothing is written over"))]
    Taken(PathBuf),
    /// The folder cannot be written.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("choose a folder that you may write to, on a disk with space, with --out"))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    #[error("the run {0} asks on from what the model itself answers to a text (`follow_up`), which is not exported")]
    #[diagnostic(help(
        "`labelmix predict` gives its log-odds; runs of the same method without `follow_up`, and of every other method but \
         few-shot-sft with several shots, can be exported"
    ))]
    FollowUp(String),
    #[error("the run {run} shows every text its {shots} shots in an order of its own, which is not exported")]
    #[diagnostic(help(
        "`labelmix predict` gives its log-odds; runs of few-shot, which has one order for all texts, of few-shot-sft with \
         `shots = 1`, and of methods without shots can be exported"
    ))]
    FreshShots { run: String, shots: usize },
    #[error("the run {0} is a linear probe, which is not exported")]
    #[diagnostic(help(
        "`labelmix predict` classifies with it; its stage holds the weights and the intercept in probe.json"
    ))]
    Probe(String),
    #[error("the run {0} judges answers by their likelihood, which is not exported")]
    #[diagnostic(help("`labelmix predict` gives its scores"))]
    Answers(String),
    #[error("the classifiers that the run {0} averages read different prompts, which is not exported")]
    #[diagnostic(help(
        "`labelmix predict` gives its log-odds; its parts can be exported where the study has runs of them"
    ))]
    DifferentPrompts(String),
    #[error("the run {0} asks the language model, and has trained nothing that could be merged")]
    #[diagnostic(help("leave --merged out: what is exported is the prompt, and the Python that asks the model"))]
    NothingTrained(String),
    #[error(
        "the run {run} kept the checkpoint's weights in {weights}: with an adapter, Python would read them as they are stored"
    )]
    #[diagnostic(help("--merged writes the weights as the run kept them, with the adapter in them"))]
    RoundedWeights { run: String, weights: &'static str },
}

impl ExportError {
    pub(super) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Write { path: path.to_owned(), source }
    }
}
