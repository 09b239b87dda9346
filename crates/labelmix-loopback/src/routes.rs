//! Which answer belongs to which path, as the Hub has them:
//!
//! - `/api/{models|datasets}/{name}/revision/{revision}`: the commit and the files; with `?blobs=true` their sizes;
//! - `/api/{models|datasets}/{name}/tree/{revision}`: the files with their sizes, which Python asks for;
//! - `/{name}/resolve/{revision}/{file}` and `/datasets/{name}/resolve/...`: a redirect to the file's bytes;
//! - `/api/resolve-cache/{models|datasets}/{name}/{commit}/{file}`: the bytes of a file that git keeps.
//!
//! The storage host has one path, `/{sha256}/{file}`, and asks for a signature instead of a token.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::State;
use crate::answer::Answer;
use crate::repository::{Access, Kind, Repository, ServedFile};
use crate::request::{LoggedRequest, Server};

/// What a signed address of the storage host must carry.
const SIGNATURE: &str = "Signature=only-for-this-file";

pub(crate) fn answer(state: &State, request: &LoggedRequest) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let decoded: Vec<String> =
        path.split('/').skip(1).map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    if request.server == Server::Storage {
        return stored(state, &segments, query);
    }
    match segments[..] {
        ["api", "resolve-cache", "models", ref rest @ ..] => cached(state, request, Kind::Model, rest),
        ["api", "resolve-cache", "datasets", ref rest @ ..] => cached(state, request, Kind::Dataset, rest),
        ["api", "models", ref rest @ ..] => api(state, request, Kind::Model, rest, query),
        ["api", "datasets", ref rest @ ..] => api(state, request, Kind::Dataset, rest, query),
        ["datasets", ref rest @ ..] => resolve(state, request, Kind::Dataset, rest),
        ref rest => resolve(state, request, Kind::Model, rest),
    }
}

fn stored(state: &State, segments: &[&str], query: &str) -> Answer {
    if query != SIGNATURE {
        return Answer::refusal(403, None, "the address is not signed");
    }
    match segments.first().and_then(|sha256| state.repositories.large_file(sha256)) {
        // The storage host has an ETag of its own, which is not the file's name in the cache.
        Some(file) => Answer::new(200, file.bytes.clone()).with("ETag", "\"of-the-storage-host\""),
        None => Answer::refusal(404, None, "there is no such object"),
    }
}

fn api(state: &State, request: &LoggedRequest, kind: Kind, rest: &[&str], query: &str) -> Answer {
    let Some(verb) = rest.iter().position(|&segment| segment == "revision" || segment == "tree") else {
        return Answer::refusal(404, None, "there is no such page");
    };
    let revision = rest.get(verb + 1).copied().unwrap_or("main");
    // Whoever may see a gated repository may see its list of files.
    let (repository, commit) = match find(state, request, kind, &rest[..verb].join("/"), revision, Shown::List) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let files = repository.commits[commit].iter();
    if rest[verb] == "tree" {
        return Answer::json(&files.map(|(path, file)| tree_entry(path, file)).collect());
    }
    let with_sizes = query.split('&').any(|part| part == "blobs=true");
    let siblings: Vec<Value> = files.map(|(path, file)| sibling(path, file, with_sizes)).collect();
    Answer::json(&json!({
        "id": repository.name,
        "sha": commit,
        "private": matches!(repository.access, Access::Private(_)),
        "gated": matches!(repository.access, Access::Gated(_)),
        "siblings": siblings,
    }))
}

fn sibling(path: &str, file: &ServedFile, with_sizes: bool) -> Value {
    let mut sibling = json!({ "rfilename": path });
    if with_sizes {
        sibling["size"] = file.bytes.len().into();
        sibling["blobId"] = file.blob_id().into();
        if file.large {
            sibling["lfs"] = json!({ "sha256": file.sha256, "size": file.bytes.len(), "pointerSize": 130 });
        }
    }
    sibling
}

fn tree_entry(path: &str, file: &ServedFile) -> Value {
    let mut entry = json!({ "type": "file", "path": path, "size": file.bytes.len(), "oid": file.blob_id() });
    if file.large {
        entry["lfs"] = json!({ "oid": file.sha256, "size": file.bytes.len(), "pointerSize": 130 });
    }
    entry
}

fn resolve(state: &State, request: &LoggedRequest, kind: Kind, rest: &[&str]) -> Answer {
    let verb = rest.iter().position(|&segment| segment == "resolve");
    let Some((verb, revision)) = verb.and_then(|verb| Some((verb, *rest.get(verb + 1)?))) else {
        return Answer::refusal(404, None, "there is no such page");
    };
    let (repository, commit) = match find(state, request, kind, &rest[..verb].join("/"), revision, Shown::Files) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    // The path as it was sent, so that a redirect repeats its encoding.
    let sent: Vec<&str> = request.path.split('/').skip(1).collect();
    let sent_file = sent[sent.len() - (rest.len() - verb - 2)..].join("/");
    let Some(file) = repository.commits[commit].get(&rest[verb + 2..].join("/")) else {
        return Answer::refusal(404, Some("EntryNotFound"), "Entry not found").with("X-Repo-Commit", commit);
    };
    let answer = if file.large {
        let location = format!("{}/{}/{sent_file}?{SIGNATURE}", state.storage_origin, file.sha256);
        Answer::new(302, *b"Found").with("Location", location)
    } else {
        let kind = if kind == Kind::Model { "models" } else { "datasets" };
        let location = format!("/api/resolve-cache/{kind}/{}/{commit}/{sent_file}", repository.name);
        Answer::new(307, *b"Temporary Redirect").with("Location", location)
    };
    answer
        .with("X-Repo-Commit", commit)
        .with("X-Linked-Size", file.bytes.len().to_string())
        .with("X-Linked-Etag", format!("\"{}\"", file.etag()))
}

fn cached(state: &State, request: &LoggedRequest, kind: Kind, rest: &[&str]) -> Answer {
    let Some(place) = rest.iter().position(|&segment| segment.len() == 40) else {
        return Answer::refusal(404, None, "there is no such page");
    };
    let found = find(state, request, kind, &rest[..place].join("/"), rest[place], Shown::Files);
    let (repository, commit) = match found {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    match repository.commits[commit].get(&rest[place + 1..].join("/")) {
        Some(file) => Answer::new(200, file.bytes.clone())
            .with("X-Repo-Commit", commit)
            .with("ETag", format!("\"{}\"", file.etag())),
        None => Answer::refusal(404, Some("EntryNotFound"), "Entry not found"),
    }
}

/// What a request would show of a repository.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    List,
    Files,
}

/// The repository and the commit, if this request may have them.
fn find<'a>(
    state: &'a State,
    request: &LoggedRequest,
    kind: Kind,
    name: &str,
    revision: &str,
    shown: Shown,
) -> Result<(&'a Repository, &'a str), Box<Answer>> {
    let allowed = |tokens: &[String]| request.token().is_some_and(|sent| tokens.iter().any(|token| token == sent));
    let repository = state.repositories.find(kind, name).filter(|repository| match &repository.access {
        Access::Private(tokens) => allowed(tokens),
        Access::Public | Access::Gated(_) => true,
    });
    let anonymous = request.token().is_none();
    let Some(repository) = repository else {
        // Without a token the Hub does not say whether a repository is missing or private.
        let status = if anonymous { 401 } else { 404 };
        return Err(Box::new(Answer::refusal(status, Some("RepoNotFound"), "Repository not found")));
    };
    if let Access::Gated(tokens) = &repository.access
        && shown == Shown::Files
        && !allowed(tokens)
    {
        let status = if anonymous { 401 } else { 403 };
        return Err(Box::new(Answer::refusal(status, Some("GatedRepo"), "Access to this repository is restricted")));
    }
    let refusal = || Box::new(Answer::refusal(404, Some("RevisionNotFound"), "Invalid rev id"));
    let commit = repository.commit(revision).ok_or_else(refusal)?;
    Ok((repository, commit))
}
