//! Downloads that break off, stall, come damaged or are put off, and what is left of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use insta::assert_snapshot;
use labelmix_http::Retries;
use labelmix_hub::{Hub, HubError, Settings, Silent};
use labelmix_loopback::{Fault, Script, Server};

use crate::scratch::{Listener, Scratch, assert_whole, fetch, model, weights};

/// Fetches the large file alone.
fn fetch_weights(hub: &Hub) -> Result<PathBuf, HubError> {
    hub.file(&model(), "model.safetensors", &Silent).map(|file| file.path)
}

/// The `Range` headers that the storage host saw, in order.
fn ranges(scratch: &Scratch) -> Vec<String> {
    let requests = scratch.served.requests().into_iter();
    let of_storage = requests.filter(|request| request.server == Server::Storage);
    of_storage.map(|request| request.range.unwrap_or_else(|| "whole".to_owned())).collect()
}

fn incomplete(scratch: &Scratch) -> Vec<u64> {
    let blobs = fs::read_dir(scratch.cached("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let incomplete = blobs.filter(|path| path.extension().is_some_and(|extension| extension == "incomplete"));
    incomplete.map(|path| path.metadata().unwrap().len()).collect()
}

#[test]
fn a_dropped_connection_is_continued() {
    let (scratch, _) = Scratch::with_model();
    // More drops than attempts: each gains something, so none of them is the last.
    scratch.served.script(Script::times(5, Fault::DropAfter(150_000)).at("model.safetensors?"));
    let listener = Listener::default();
    let path = scratch.hub().file(&model(), "model.safetensors", &listener).unwrap().path;
    assert!(fs::read(path).unwrap() == weights());
    let expected = ["whole", "bytes=150000-", "bytes=300000-", "bytes=450000-", "bytes=600000-", "bytes=750000-"];
    assert_eq!(ranges(&scratch), expected);
    assert!(listener.bytes.borrow().is_sorted_by_key(|(_, done, _)| *done));
    assert_eq!(listener.waits.borrow().len(), 5);
    assert!(incomplete(&scratch).is_empty());
}

#[test]
fn the_next_process_continues() {
    let (scratch, _) = Scratch::with_model();
    let once = Retries { attempts: 1, ..Retries::default() };
    let impatient = Hub::new(Settings { retries: once, ..scratch.settings() }).unwrap();
    scratch.served.script(Script::times(1, Fault::DropAfter(600_000)).at("model.safetensors?"));
    let error = fetch_weights(&impatient).unwrap_err();
    let report = scratch.report(&error);
    let (message, hint) = report.split_once('\n').unwrap();
    let what = "the download of `model.safetensors` broke off after 600000 of 1000000 bytes: 127.0.0.1: ";
    assert!(message.starts_with(what), "{message}");
    assert_snapshot!(hint, @"hint: run again: it goes on where it broke off. If it always breaks off there, a proxy or a mirror named in HF_ENDPOINT may be the cause");
    assert_eq!(incomplete(&scratch), [600_000]);

    scratch.served.forget_requests();
    assert!(fs::read(fetch_weights(&scratch.hub()).unwrap()).unwrap() == weights());
    assert_eq!(ranges(&scratch), ["bytes=600000-"]);
}

#[test]
fn a_server_that_ignores_ranges_starts_again() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::times(1, Fault::DropAfter(600_000)).at("model.safetensors?"));
    scratch.served.script(Script::always(Fault::IgnoreRange));
    assert!(fs::read(fetch_weights(&scratch.hub()).unwrap()).unwrap() == weights());
    assert_eq!(ranges(&scratch), ["whole", "bytes=600000-"]);
}

#[test]
fn a_server_that_always_breaks_off_is_given_up() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::Truncate(600_000)).at("model.safetensors?"));
    let error = fetch_weights(&scratch.hub()).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the download of `model.safetensors` broke off after 600000 of 1000000 bytes: 127.0.0.1: the server ended the file too early
    hint: run again: it goes on where it broke off. If it always breaks off there, a proxy or a mirror named in HF_ENDPOINT may be the cause
    ");
    // By turns the same beginning and a range that the server does not have; the third beginning is the last.
    assert_eq!(ranges(&scratch), ["whole", "bytes=600000-", "whole", "bytes=600000-", "whole"]);
}

#[test]
fn what_is_left_of_something_else_is_not_believed() {
    let (scratch, _) = Scratch::with_model();
    let path = fetch_weights(&scratch.hub()).unwrap();
    let content = fs::canonicalize(&path).unwrap();
    let incomplete = content.with_extension("incomplete");
    for left in [vec![7; 1_000], vec![7; 1_000_000], vec![7; 1_000_001]] {
        fs::remove_file(&content).unwrap();
        fs::write(&incomplete, left).unwrap();
        assert!(fs::read(fetch_weights(&scratch.hub()).unwrap()).unwrap() == weights());
        assert!(!incomplete.exists());
    }
}

#[test]
fn a_whole_content_left_behind_costs_no_bytes() {
    let (scratch, _) = Scratch::with_model();
    let path = fetch_weights(&scratch.hub()).unwrap();
    let content = fs::canonicalize(&path).unwrap();
    fs::rename(&content, content.with_extension("incomplete")).unwrap();
    scratch.served.forget_requests();
    assert!(fs::read(fetch_weights(&scratch.hub()).unwrap()).unwrap() == weights());
    assert!(ranges(&scratch).is_empty());
}

#[test]
fn a_damaged_file_is_not_kept() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::Corrupt).at("model.safetensors?"));
    let error = fetch_weights(&scratch.hub()).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    `model.safetensors` was damaged on its way: its SHA-256 is 19b0f07c4c6b3afce6171ddcb134d273abd15eee0c2f4f5029e507ec895d87ab, where the Hub has dfc23fa55a13f425cab9239ada27c59c6d8ffa1be528b1726b139124dde43027
    hint: nothing of it is kept: run again. If it stays so, a proxy or a mirror named in HF_ENDPOINT alters what it passes on
    ");
    assert!(incomplete(&scratch).is_empty());
    scratch.served.behave();
    assert!(fs::read(fetch_weights(&scratch.hub()).unwrap()).unwrap() == weights());
}

#[test]
fn a_rate_limit_is_waited_for() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::times(2, Fault::rate_limited(0)));
    let never = Retries { first_delay: Duration::from_hours(1), attempts: 3, ..Retries::default() };
    let hub = Hub::new(Settings { retries: never, ..scratch.settings() }).unwrap();
    let listener = Listener::default();
    hub.file(&model(), "config.json", &listener).unwrap();
    // The server's word counts, not the doubling delay.
    let expected = ("127.0.0.1 answers 429".to_owned(), Duration::ZERO);
    assert_eq!(*listener.waits.borrow(), [expected.clone(), expected]);
}

#[test]
fn a_rate_limit_that_is_too_long() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::rate_limited(3_600)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    127.0.0.1 has had too many requests from you (status 429) and asks for a pause of 3600 seconds
    hint: wait and run again: what was downloaded is kept. A token in HF_TOKEN gives a higher limit than none, and so does sharing one cache (HF_HOME) between your machines
    ");
    assert_eq!(scratch.asked().len(), 1);
    scratch.served.behave();
    let window = vec![("RateLimit".to_owned(), "\"resolvers\";r=0;t=7200".to_owned())];
    scratch.served.script(Script::always(Fault::Status(429, window)));
    let error = fetch(&scratch.hub()).unwrap_err();
    assert!(matches!(error, HubError::RateLimited { wait_seconds: Some(7_200), .. }), "{error}");
}

#[test]
fn a_rate_limit_that_does_not_end() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::status(429)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    127.0.0.1 has had too many requests from you (status 429)
    hint: wait and run again: what was downloaded is kept. A token in HF_TOKEN gives a higher limit than none, and so does sharing one cache (HF_HOME) between your machines
    ");
    assert_eq!(scratch.asked().len(), 3);
}

#[test]
fn a_server_error_that_passes() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::times(2, Fault::status(500)).at("/api/models"));
    scratch.served.script(Script::times(2, Fault::status(504)).method("HEAD"));
    scratch.served.script(Script::times(2, Fault::status(503)).at("model.safetensors?"));
    scratch.served.script(Script::times(2, Fault::Close).at("model.safetensors?"));
    // Two and two in a row for the weights: one more than three attempts allow.
    let error = fetch(&scratch.hub()).unwrap_err();
    assert!(matches!(error, HubError::Dropped { done_bytes: 0, .. } | HubError::ServerError { .. }), "{error}");
    assert_whole(&fetch(&scratch.hub()).unwrap());
}

#[test]
fn a_server_error_that_does_not_pass() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::status(500)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    http://HUB/api/models/org/tiny/revision/main answers with status 500
    hint: the fault is on the server's side, or of what stands between (a proxy, a mirror named in HF_ENDPOINT): run again later, see https://status.huggingface.co; what was downloaded is kept
    ");
    assert_eq!(scratch.asked().len(), 3);
}

#[test]
fn delays_double_up_to_the_longest() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::times(4, Fault::Close));
    let retries = Retries {
        attempts: 5,
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(3),
        ..Retries::default()
    };
    let hub = Hub::new(Settings { retries, ..scratch.settings() }).unwrap();
    let listener = Listener::default();
    hub.list(&model(), &listener).unwrap();
    let delays: Vec<u128> = listener.waits.borrow().iter().map(|(_, delay)| delay.as_millis()).collect();
    assert_eq!(delays, [1, 2, 3, 3]);
}

#[test]
fn a_silent_server_is_left() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::times(1, Fault::Stall).at("/api/models"));
    scratch.served.script(Script::times(1, Fault::Stall).at("model.safetensors?"));
    let mut settings = scratch.settings();
    settings.connections.silence_timeout = Duration::from_millis(100);
    assert_whole(&fetch(&Hub::new(settings).unwrap()).unwrap());
}

#[test]
fn the_answer_of_no_hub() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::status(200)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    http://HUB/api/models/org/tiny/revision/main does not answer as a Hugging Face Hub: EOF while parsing a value at line 1 column 0
    hint: if HF_ENDPOINT is set, check that it is a Hub's address; otherwise a proxy or a login page of your network may answer in the Hub's place
    ");
    let error = scratch.hub().file(&model(), "config.json", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    http://HUB/org/tiny/resolve/main/config.json does not answer as a Hugging Face Hub: the answer lacks the file's commit, hash or size
    hint: if HF_ENDPOINT is set, check that it is a Hub's address; otherwise a proxy or a login page of your network may answer in the Hub's place
    ");
    scratch.served.behave();
    let circle = vec![("Location".to_owned(), "/org/tiny/resolve/main/config.json".to_owned())];
    scratch.served.script(Script::always(Fault::Status(302, circle)));
    let error = scratch.hub().file(&model(), "config.json", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    http://HUB/org/tiny/resolve/main/config.json does not answer as a Hugging Face Hub: there is no end to the redirects
    hint: if HF_ENDPOINT is set, check that it is a Hub's address; otherwise a proxy or a login page of your network may answer in the Hub's place
    ");
}
