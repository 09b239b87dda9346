//! One file's way from the Hub into the cache: locked against others, continued where it broke off, judged before it
//! counts.

use std::io::{self, Read};
use std::path::PathBuf;

use ureq::Body;
use ureq::http::Response;

use crate::cache::RepositoryCache;
use crate::client::{Client, Failure, FileFacts, no_answer};
use crate::error::HubError;
use crate::partial::{PIECE, Partial, Verdict};
use crate::progress::Progress;
use crate::repository::Repository;

/// Why a download stopped.
pub(crate) enum Stop {
    /// The Hub or the network, after so many bytes.
    Network(Failure, u64),
    /// Something that trying again does not mend.
    Error(HubError),
}

impl From<HubError> for Stop {
    fn from(error: HubError) -> Self {
        Self::Error(error)
    }
}

/// Why a body ended before its end.
enum Interruption {
    Network(Failure),
    Disk(io::Error),
    TooLong,
}

/// Gets one file of the commit in `facts`, unless another download got it in the meantime, and puts it into the
/// commit's snapshot.
pub(crate) fn download(
    client: &Client,
    cache: &RepositoryCache,
    repository: &Repository,
    file: &str,
    facts: &FileFacts,
    progress: &dyn Progress,
) -> Result<PathBuf, Stop> {
    let lock = cache.lock(&facts.etag, || progress.queued(file))?;
    if let Some(path) = cache.file(&facts.commit, file) {
        return Ok(path);
    }
    let content = cache.content(&facts.etag);
    if !content.exists() {
        let path = cache.incomplete(&facts.etag, &lock);
        let disk = |reason: io::Error| HubError::cache(&path, &reason);
        let mut partial = Partial::open(path.clone(), &facts.etag, facts.size).map_err(disk)?;
        progress.bytes(file, partial.done(), facts.size);
        loop {
            let filled = fill(client, repository, file, facts, &mut partial, progress);
            if let Err(stop) = filled {
                if !lock.excludes {
                    // Nobody will find it again. The download's own failure is the one to tell.
                    let _ = partial.discard();
                }
                return Err(stop);
            }
            match partial.verdict().map_err(disk)? {
                Verdict::Right => break,
                Verdict::Stale => partial.restart().map_err(disk)?,
                Verdict::Wrong(what) => {
                    partial.discard().map_err(disk)?;
                    return Err(HubError::Damaged { file: file.to_owned(), what }.into());
                }
            }
        }
        partial.keep_as(&content).map_err(disk)?;
    }
    Ok(cache.place(&facts.etag, &facts.commit, file)?)
}

/// Appends until the content is whole, however often the connection breaks off, as long as each failure in the row
/// that patience allows gains something.
fn fill(
    client: &Client,
    repository: &Repository,
    file: &str,
    facts: &FileFacts,
    partial: &mut Partial,
    progress: &dyn Progress,
) -> Result<(), Stop> {
    let address = repository.file_path(&facts.commit, file);
    let mut patience = client.patience();
    // Not the bytes of the last attempt: a server that begins again each time, and breaks off, gains nothing.
    let mut furthest = partial.done();
    while !partial.is_whole() {
        let done = partial.done();
        // Every attempt begins at the Hub again: the signed address of a storage host is not valid for long.
        let interruption = match client.bytes(&address, done) {
            Ok((answer, from)) => receive(answer, &from, partial, facts.size, &mut |done| {
                progress.bytes(file, done, facts.size);
            }),
            // The range is out of the file: what is there cannot be the file's beginning.
            Err(Failure::Refused(refusal)) if refusal.status == 416 && done > 0 => {
                partial.restart().map_err(Interruption::Disk)
            }
            Err(failure) => Err(Interruption::Network(failure)),
        };
        match interruption {
            Ok(()) => {}
            Err(Interruption::Disk(reason)) => return Err(HubError::cache(partial.path(), &reason).into()),
            Err(Interruption::TooLong) => {
                partial.restart().map_err(|reason| HubError::cache(partial.path(), &reason))?;
                let what = format!("the server sends more than the {} bytes that the Hub has", facts.size);
                return Err(HubError::Damaged { file: file.to_owned(), what }.into());
            }
            Err(Interruption::Network(failure)) => {
                if partial.done() > furthest {
                    furthest = partial.done();
                    patience.renew();
                }
                patience.wait(failure, progress).map_err(|failure| Stop::Network(failure, partial.done()))?;
            }
        }
    }
    Ok(())
}

/// Appends one answer's body.
fn receive(
    answer: Response<Body>,
    address: &str,
    partial: &mut Partial,
    size: u64,
    told: &mut dyn FnMut(u64),
) -> Result<(), Interruption> {
    if partial.done() > 0 && !continues(&answer, partial.done()) {
        partial.restart().map_err(Interruption::Disk)?;
        told(0);
    }
    let mut body = answer.into_body().into_reader();
    let mut piece = vec![0; PIECE];
    loop {
        let read = body.read(&mut piece).map_err(|reason| Interruption::Network(no_answer(address, &reason)))?;
        if read == 0 {
            break;
        }
        let done = partial.done() + read as u64;
        if done > size {
            return Err(Interruption::TooLong);
        }
        partial.append(&piece[..read]).map_err(Interruption::Disk)?;
        told(done);
    }
    if partial.is_whole() {
        return Ok(());
    }
    Err(Interruption::Network(no_answer(address, "the server ended the file too early")))
}

/// Whether the answer begins with this byte of the file. A server that knows no ranges begins with the first.
fn continues(answer: &Response<Body>, from: u64) -> bool {
    let range = answer.headers().get("content-range").and_then(|range| range.to_str().ok());
    answer.status() == 206 && range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}
