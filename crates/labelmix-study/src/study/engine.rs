//! `[engine]`: who runs the model.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `[engine]`: who runs the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineTable {
    pub kind: EngineKind,
    /// The interpreter that runs the worker of `"torch"`, in place of the environment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<PathBuf>,
    /// The program that runs models for `"command"`, with its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How attention is computed: transformers' name of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// Over how many graphics processors one model is spread.
    pub gpus: usize,
    /// How it is spread.
    pub sharding: Sharding,
    /// Seconds without a word after which a worker counts as hung.
    pub timeout: u64,
}

impl Default for EngineTable {
    fn default() -> Self {
        let kind = EngineKind::Native;
        Self {
            kind,
            python: None,
            command: Vec::new(),
            attention: None,
            gpus: 1,
            sharding: Sharding::Layers,
            timeout: 300,
        }
    }
}

/// How a model is spread over several graphics processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharding {
    /// Some layers on each, one after the other.
    #[default]
    Layers,
    /// A part of every block on each, all at the same time (FSDP).
    Fsdp,
}

/// Who runs the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// labelmix itself.
    #[default]
    Native,
    /// PyTorch, in a process of its own.
    Torch,
    /// A program of the user's.
    Command,
}

impl EngineKind {
    /// All of them, with their names in study files.
    pub const ALL: [(&'static str, Self); 3] =
        [("native", Self::Native), ("torch", Self::Torch), ("command", Self::Command)];
}

impl EngineTable {
    /// Whether it is what a study has that says nothing.
    pub fn is_native(&self) -> bool {
        *self == Self::default()
    }

    /// The same with its paths seen from a folder.
    pub(crate) fn seen_from(&self, folder: &Path) -> Self {
        let mut table = self.clone();
        let there = |path: &Path| if path.components().count() > 1 { folder.join(path) } else { path.to_owned() };
        table.python = self.python.as_deref().map(there);
        if let Some(program) = table.command.first_mut() {
            *program = there(Path::new(program)).to_string_lossy().into_owned();
        }
        table
    }

    /// What is wrong with it, and a remedy.
    pub(crate) fn check(&self) -> std::result::Result<(), (String, String)> {
        let Self { kind, python, command, attention, gpus, sharding, timeout } = self;
        let is = |wanted| *kind == wanted;
        let wrong = |reason: String, help: &str| Err((reason, help.to_owned()));
        if is(EngineKind::Command) && command.first().is_none_or(|word| word.trim().is_empty()) {
            return wrong(
                "kind = \"command\" without a `command`".to_owned(),
                "name the program: command = [\"my-trainer\"]",
            );
        }
        let misplaced = [
            ("command", !command.is_empty() && !is(EngineKind::Command), "\"command\""),
            ("python", python.is_some() && !is(EngineKind::Torch), "\"torch\""),
            ("attention", attention.is_some() && !is(EngineKind::Torch), "\"torch\""),
            ("gpus", *gpus != 1 && is(EngineKind::Native), "\"torch\""),
            ("sharding", *sharding != Sharding::Layers && is(EngineKind::Native), "\"torch\""),
        ];
        if let Some((key, _, kind)) = misplaced.iter().find(|(_, misplaced, _)| *misplaced) {
            return wrong(format!("`{key}` is for kind = {kind}"), "leave it out, or choose that kind");
        }
        if *gpus == 0 || *gpus > 1024 {
            return wrong(format!("gpus = {gpus}"), "one model is spread over at least one graphics processor");
        }
        if *timeout < 10 || *timeout > 1_000_000 {
            return wrong(
                format!("timeout = {timeout}"),
                "a worker says something every five seconds: wait at least ten",
            );
        }
        Ok(())
    }
}
