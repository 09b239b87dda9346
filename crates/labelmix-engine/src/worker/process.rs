//! One worker: started, asked, and given up when it dies, hangs or says what is no answer.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use labelmix_train::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::seats::{Place, lock};
use super::{PROTOCOL, WorkerOptions, WorkerProgram, exchange, not_exchanged, refused};

/// The worker that comes along.
const TORCH: &str = include_str!("labelmix_worker.py");

/// How many of a worker's last lines an error shows.
const LAST_WORDS: usize = 12;

/// What a worker says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    /// The engine's name.
    pub(crate) name: String,
    /// The kind of device that it runs models on.
    pub(crate) device: String,
    /// The graphics processors that it sees.
    #[serde(default)]
    pub(crate) devices: Vec<Gpu>,
    /// Its packages.
    #[serde(default)]
    pub(crate) versions: BTreeMap<String, String>,
}

/// A graphics processor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gpu {
    pub name: String,
    /// In bytes.
    #[serde(default)]
    pub memory: u64,
}

impl Hello {
    pub(super) fn is_on_gpu(&self) -> bool {
        self.device != "cpu"
    }

    /// Versions and the device's name.
    pub(super) fn details(&self) -> String {
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let device = self.devices.first().map_or(&self.device, |gpu| &gpu.name);
        format!("{} on {device}", versions.join(", "))
    }
}

/// A running worker.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    timeout: Duration,
    tell: fn(&str),
    asked: u64,
    lost: bool,
    /// Where its program lies, if labelmix brought it along.
    _program: tempfile::TempDir,
}

/// A line of a worker's.
#[derive(Deserialize)]
struct Line {
    id: Option<u64>,
    ok: Option<Json>,
    error: Option<Refusal>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    help: Option<String>,
}

impl Process {
    /// Starts a worker and greets it.
    pub(super) fn start(options: &WorkerOptions, place: &Place) -> Result<(Self, Hello)> {
        let Place { device, visible, threads } = place;
        let program = exchange()?;
        let mut command = match &options.program {
            WorkerProgram::Torch(python) => {
                let path = program.path().join("labelmix_worker.py");
                std::fs::write(&path, TORCH).map_err(not_exchanged)?;
                let mut command = Command::new(python);
                command.arg("-u").arg(path);
                command
            }
            WorkerProgram::Command(words) => {
                let (first, rest) = words.split_first().expect("a study's command has a word");
                let mut command = Command::new(first);
                command.args(rest);
                command
            }
        };
        if let Some(visible) = visible {
            command.env("CUDA_VISIBLE_DEVICES", visible);
        }
        let shown = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            refused(
                format!("the engine {shown} cannot be started: {error}"),
                "name an interpreter with torch and transformers: LABELMIX_PYTHON, an active virtual environment, or \
                 `python` in [engine] (docs/engines.md)",
            )
        })?;
        let (sender, lines) = channel();
        let output = child.stdout.take().expect("it is a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(std::result::Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let last_words: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let (errors, kept) = (child.stderr.take().expect("it is a pipe"), Arc::clone(&last_words));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(std::result::Result::ok) {
                let mut kept = lock(&kept);
                kept.push_back(String::from_utf8_lossy(&line).into_owned());
                if kept.len() > LAST_WORDS {
                    kept.pop_front();
                }
            }
        });
        let input = child.stdin.take();
        let timeout = Duration::from_secs(options.timeout);
        let tell = options.tell;
        let mut process =
            Self { child, input, lines, last_words, timeout, tell, asked: 0, lost: false, _program: program };
        let greeting = json!({
            "protocol": PROTOCOL,
            "threads": threads,
            "device": device,
            "processes": options.processes(),
        });
        let hello: Hello = process.ask("hello", greeting)?;
        if hello.protocol != PROTOCOL {
            return Err(refused(
                format!("the engine {shown} speaks protocol {}, and this labelmix {PROTOCOL}", hello.protocol),
                "take versions of the two that belong together",
            ));
        }
        Ok((process, hello))
    }

    /// What the operating system calls it.
    pub(super) fn number(&self) -> u32 {
        self.child.id()
    }

    /// Whether nothing more can be had from it.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Asks for something, and waits for the answer as long as it shows that it is alive.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, what: &str, mut request: Json) -> Result<T> {
        self.asked += 1;
        request["id"] = json!(self.asked);
        request["do"] = json!(what);
        let mut line = request.to_string();
        line.push('\n');
        let sent = self.input.as_mut().map(|input| input.write_all(line.as_bytes()).and_then(|()| input.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.ended(what));
        }
        loop {
            let line = match self.lines.recv_timeout(self.timeout) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(what)),
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.timeout.as_secs();
                    return Err(self.give_up(
                        &format!("the engine said nothing for {seconds} seconds while it was asked for {what:?}"),
                        "the same command goes on where it was; `timeout` in [engine] is how long is waited",
                    ));
                }
            };
            let Ok(said) = serde_json::from_str::<Line>(&line) else {
                let shown: String = line.chars().take(80).collect();
                return Err(self.give_up(
                    &format!("the engine said {shown:?}, which is no line of JSON"),
                    "its standard output is for answers alone (docs/engines.md)",
                ));
            };
            if let Some(note) = said.note {
                (self.tell)(&note);
            }
            if said.id != Some(self.asked) {
                continue;
            }
            if let Some(Refusal { message, help }) = said.error {
                return Err(Error::Backend { message, help });
            }
            return serde_json::from_value(said.ok.unwrap_or_default()).map_err(|error| {
                self.give_up(
                    &format!("the engine's answer to {what:?} is not what it should be: {error}"),
                    "docs/engines.md says what it is to answer",
                )
            });
        }
    }

    /// The error that it is there no more.
    fn ended(&mut self, what: &str) -> Error {
        // Its last words may still be on their way.
        std::thread::sleep(Duration::from_millis(100));
        let how = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        self.give_up(
            &format!("the engine ended ({how}) while it was asked for {what:?}"),
            "what was kept stays: the same command goes on where it was",
        )
    }

    fn give_up(&mut self, message: &str, help: &str) -> Error {
        self.lost = true;
        let _ = self.child.kill();
        let words: Vec<String> = lock(&self.last_words).iter().cloned().collect();
        let words = words.join("\n");
        let message =
            if words.trim().is_empty() { message.to_owned() } else { format!("{message}; it last wrote:\n{words}") };
        refused(message, help)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A worker whose input ends goes by itself, but one that computes would go on until it has the answer.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
