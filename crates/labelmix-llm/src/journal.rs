//! What was asked and answered, kept as it comes: a line of JSON for every event, in one file for one question.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use labelmix_store::{Abstention, Tokens};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::reply::Reply;
use crate::spending::End;

/// An event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
enum Event {
    /// A request leaves; it costs so much at most.
    Asked { key: String, most: Tokens },
    /// The service answered.
    Answered {
        key: String,
        #[serde(flatten)]
        answer: Answer,
    },
    /// A request came to nothing.
    Failed { key: String, perhaps_paid: bool },
    /// A batch of requests is with the service.
    Batch { id: String },
    /// All that it answered is kept.
    BatchRead { id: String },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// What was paid.
    pub(crate) tokens: Tokens,
    /// How long it took.
    #[serde(default)]
    pub(crate) milliseconds: u64,
    /// What the service said, if it did the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<Reply>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) abstention: Option<Abstention>,
}

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    /// Nobody else writes as long as this is open. None where nothing is written.
    file: Option<File>,
    answers: HashMap<String, Answer>,
    /// Requests that are on their way, or were at a kill, and what they cost at most.
    open: HashMap<String, Tokens>,
    /// What other requests without an answer can have cost.
    lost: Tokens,
    /// Batches that are with the service.
    batches: Vec<String>,
}

impl Journal {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            answers: HashMap::new(),
            open: HashMap::new(),
            lost: Tokens::default(),
            batches: Vec::new(),
        }
    }

    /// What is in the file, and nothing more is written; nothing where there is none.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let mut journal = Self::new(path);
        match File::open(path) {
            Ok(file) => journal.load(&file).map(drop)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(journal.unkept(&error)),
        }
        Ok(journal)
    }

    /// The file as it is, to be written on.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut journal = Self::new(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| journal.unkept(&error))?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(|error| journal.unkept(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::AskedElsewhere { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(journal.unkept(&error)),
        }
        // A line that a kill cut off is none.
        let whole = journal.load(&file)?;
        let cut = file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|error| journal.unkept(&error))?;
        journal.file = Some(file);
        Ok(journal)
    }

    /// Reads all whole lines; with the number of bytes that they take.
    fn load(&mut self, file: &File) -> Result<u64, Error> {
        let mut reader = BufReader::new(file);
        let (mut whole, mut line, mut number) = (0, Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|error| self.unkept(&error))?;
            if !line.ends_with(b"\n") {
                break;
            }
            number += 1;
            whole += read as u64;
            let event = serde_json::from_slice(&line).map_err(|error| Error::Damaged {
                path: self.path.clone(),
                line: number,
                reason: error.to_string(),
            })?;
            self.takes(event);
        }
        Ok(whole)
    }

    /// What is known after an event.
    fn takes(&mut self, event: Event) {
        match event {
            // Asked again with nothing in between: the first may have been paid too.
            Event::Asked { key, most } => {
                if let Some(lost) = self.open.insert(key, most) {
                    self.lost += lost;
                }
            }
            Event::Answered { key, answer } => {
                self.open.remove(&key);
                self.answers.insert(key, answer);
            }
            Event::Failed { key, perhaps_paid } => {
                if let Some(lost) = self.open.remove(&key).filter(|_| perhaps_paid) {
                    self.lost += lost;
                }
            }
            Event::Batch { id } => self.batches.push(id),
            Event::BatchRead { id } => self.batches.retain(|open| *open != id),
        }
    }

    pub(crate) fn answer(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    pub(crate) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values()
    }

    /// The tokens of all answers, and those that requests without one can have cost.
    pub(crate) fn tokens(&self) -> [Tokens; 2] {
        let mut perhaps = self.lost;
        perhaps += self.open.values().copied().sum();
        [self.answers.values().map(|answer| answer.tokens).sum(), perhaps]
    }

    /// What a request that is on its way costs at most.
    pub(crate) fn asked(&self, key: &str) -> Option<Tokens> {
        self.open.get(key).copied()
    }

    /// The batches that are with the service.
    pub(crate) fn open_batches(&self) -> Vec<String> {
        self.batches.clone()
    }

    pub(crate) fn asks(&mut self, key: &str, most: Tokens) -> Result<(), Error> {
        self.write(Event::Asked { key: key.to_owned(), most })
    }

    pub(crate) fn answered(&mut self, key: &str, answer: Answer) -> Result<(), Error> {
        self.write(Event::Answered { key: key.to_owned(), answer })
    }

    pub(crate) fn failed(&mut self, key: &str, end: End) -> Result<(), Error> {
        self.write(Event::Failed { key: key.to_owned(), perhaps_paid: end == End::PerhapsPaid })
    }

    pub(crate) fn sends_batch(&mut self, id: &str) -> Result<(), Error> {
        self.write(Event::Batch { id: id.to_owned() })
    }

    pub(crate) fn ends_batch(&mut self, id: &str) -> Result<(), Error> {
        self.write(Event::BatchRead { id: id.to_owned() })
    }

    /// A line in one piece: a kill leaves all of it, or a last line that is none.
    fn write(&mut self, event: Event) -> Result<(), Error> {
        let mut line = serde_json::to_vec(&event).expect("an event can be written");
        line.push(b'\n');
        let file = self.file.as_mut().expect("who writes has opened the file for it");
        let written = file.write_all(&line);
        written.map_err(|error| self.unkept(&error))?;
        self.takes(event);
        Ok(())
    }

    /// Has the operating system write everything to the disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(|error| self.unkept(&error))
    }

    fn unkept(&self, error: &std::io::Error) -> Error {
        Error::Unkept { path: self.path.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input: u64) -> Tokens {
        Tokens { input, ..Tokens::default() }
    }

    fn answer(input: u64) -> Answer {
        Answer { tokens: tokens(input), milliseconds: 1, reply: Some(Reply::default()), abstention: None }
    }

    #[test]
    fn a_kill_loses_nothing_and_requests_on_their_way_may_have_been_paid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers/a.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        for key in ["a", "b", "c", "d"] {
            journal.asks(key, tokens(100)).unwrap();
        }
        journal.answered("a", answer(7)).unwrap();
        journal.failed("b", End::NotPaid).unwrap();
        journal.failed("c", End::PerhapsPaid).unwrap();
        assert!(matches!(Journal::open(&path), Err(Error::AskedElsewhere { .. })));
        assert_eq!(journal.tokens(), [tokens(7), tokens(200)], "`c` may have been paid, and `d` is on its way");
        drop(journal);
        // As if a kill had come in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"answered\",\"key\":\"d\",\"tok").unwrap();
        drop(file);
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.tokens(), [tokens(7), tokens(200)], "`d` was on its way");
        assert_eq!(journal.answer("a"), Some(&answer(7)));
        assert_eq!(journal.answer("d"), None);
        journal.asks("d", tokens(100)).unwrap();
        journal.answered("d", answer(8)).unwrap();
        drop(journal);
        assert_eq!(Journal::read(&path).unwrap().tokens(), [tokens(15), tokens(200)]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "{\"event\":\"asked\",\"key\":\"a\",\"most\":{\"input\":1,\"output\":1}}\nnone\n")
            .unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
