//! What a user reads when the Hub, or this machine, says no.

use std::fs;

use insta::assert_snapshot;
use labelmix_hub::{Hub, HubError, Repository, Settings, Silent};
use labelmix_loopback::{Fault, Script, ServedRepository};

use crate::scratch::{Scratch, fetch, model, tiny_model};

#[test]
fn repository_not_found() {
    let scratch = Scratch::new();
    let (_, error) = with_and_without_file(&scratch.hub());
    assert_snapshot!(scratch.report(&error), @r"
    there is no model `org/tiny` at http://HUB, or it is not shown to you
    hint: check the name; if the repository is private, set HF_TOKEN to a token from http://HUB/settings/tokens
    ");
    let (_, error) = with_and_without_file(&scratch.hub_with_token("hf_mine"));
    assert_snapshot!(scratch.report(&error), @r"
    there is no model `org/tiny` at http://HUB, or it is not shown to you
    hint: check the name; if the repository is private, your token must belong to someone who may see it
    ");
    assert_eq!(scratch.asked().len(), 4, "what is refused is not asked for again");
}

/// The same is said for a file as for a snapshot.
fn with_and_without_file(hub: &Hub) -> (HubError, HubError) {
    let for_file = hub.file(&model(), "config.json", &Silent).unwrap_err();
    let for_snapshot = fetch(hub).unwrap_err();
    assert_eq!(for_file.to_string(), for_snapshot.to_string());
    (for_file, for_snapshot)
}

#[test]
fn a_dataset_is_no_model() {
    let scratch = Scratch::new();
    scratch.served.add(ServedRepository::dataset("org/tiny").file("config.json", "{}"));
    assert!(matches!(fetch(&scratch.hub()).unwrap_err(), HubError::RepositoryNotFound { .. }));
}

#[test]
fn revision_not_found() {
    let (scratch, _) = Scratch::with_model();
    let repository = model().at("v2").unwrap();
    let error = scratch.hub().snapshot(&repository, &|_| true, &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the model `org/tiny` has no revision `v2`
    hint: its branches and tags are named at http://HUB/org/tiny/tree/main; without @v2 the main branch is used
    ");
}

#[test]
fn file_not_found() {
    let (scratch, _) = Scratch::with_model();
    let error = scratch.hub().file(&model(), "Config.json", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the model `org/tiny` has no file `Config.json`
    hint: its files are listed at http://HUB/org/tiny/tree/main: check the name, capitals and folders included
    ");
    let scratch = Scratch::new();
    scratch.served.add(ServedRepository::dataset("org/texts").revision("v1").file("a.csv", ""));
    let dataset = Repository::dataset("org/texts@v1").unwrap();
    let error = scratch.hub().file(&dataset, "b.csv", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the dataset `org/texts@v1` has no file `b.csv`
    hint: its files are listed at http://HUB/datasets/org/texts/tree/v1: check the name, capitals and folders included
    ");
}

#[test]
fn gated() {
    let scratch = Scratch::new();
    scratch.served.add(tiny_model().gated(&["hf_accepted"]));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    the model `org/tiny` is gated: its owner gives it to those who accept its conditions
    hint: accept the conditions at http://HUB/org/tiny, then set HF_TOKEN to a token of the same account from http://HUB/settings/tokens
    ");
    assert_snapshot!(scratch.report(&fetch(&scratch.hub_with_token("hf_other")).unwrap_err()), @r"
    the model `org/tiny` is gated: its owner gives it to those who accept its conditions
    hint: accept the conditions at http://HUB/org/tiny with the account of your token, wait if the owner decides by hand, and see that the token may read gated repositories (http://HUB/settings/tokens)
    ");
    fetch(&scratch.hub_with_token("hf_accepted")).unwrap();
}

#[test]
fn not_authorised() {
    let (scratch, _) = Scratch::with_model();
    let wrong = vec![("X-Error-Message".to_owned(), "Invalid credentials in Authorization header".to_owned())];
    scratch.served.script(Script::times(1, Fault::Status(401, wrong)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub_with_token("hf_old")).unwrap_err()), @r"
    http://HUB does not let you have the model `org/tiny`: Invalid credentials in Authorization header
    hint: your token (HF_TOKEN, or the one that `hf auth login` stored) is not accepted for this: make one that may read it at http://HUB/settings/tokens
    ");
    scratch.served.script(Script::times(1, Fault::status(403)));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    http://HUB does not let you have the model `org/tiny`: status 403
    hint: set HF_TOKEN to a token from http://HUB/settings/tokens
    ");
}

#[test]
fn refused_by_the_storage_host() {
    let (scratch, _) = Scratch::with_model();
    scratch.served.script(Script::always(Fault::status(403)).at("model.safetensors?"));
    let error = scratch.hub().file(&model(), "model.safetensors", &Silent).unwrap_err();
    let HubError::ServerError { status: 403, address, .. } = &error else { panic!("{error}") };
    assert!(address.ends_with("/model.safetensors"), "a signature is nobody's business: {address}");
}

#[test]
fn names_that_lead_out_of_the_cache() {
    let scratch = Scratch::new();
    scratch.served.add(ServedRepository::model("org/tiny").file("../../../evil.json", "{}"));
    assert_snapshot!(scratch.report(&fetch(&scratch.hub()).unwrap_err()), @r"
    `../../../evil.json` in the model `org/tiny` is no name of a file below a folder
    hint: names are relative, with `/` between folders and without `..`; where the repository itself has such a name, do not use it
    ");
    for name in ["", "/etc/passwd", "a//b", "a/./b", "..", "a\\b"] {
        let error = scratch.hub().file(&model(), name, &Silent).unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. }), "{name}: {error}");
    }
    assert!(!scratch.cache().join("evil.json").exists());
}

#[test]
fn hashes_that_lead_out_of_the_cache() {
    let (scratch, commit) = Scratch::with_model();
    let headers = [("X-Repo-Commit", commit.as_str()), ("X-Linked-Etag", "\"../../evil\""), ("X-Linked-Size", "2")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    scratch.served.script(Script::always(Fault::Status(200, headers)).method("HEAD"));
    let error = scratch.hub().file(&model(), "config.json", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    http://HUB/org/tiny/resolve/main/config.json does not answer as a Hugging Face Hub: `../../evil` is neither a commit nor a hash
    hint: if HF_ENDPOINT is set, check that it is a Hub's address; otherwise a proxy or a login page of your network may answer in the Hub's place
    ");
}

#[test]
fn a_cache_that_cannot_be_written_to() {
    let (scratch, _) = Scratch::with_model();
    // A file where the folder should be stops everybody, root too.
    fs::write(scratch.cache(), "").unwrap();
    let error = fetch(&scratch.hub()).unwrap_err();
    let HubError::CacheUnusable { path, .. } = &error else { panic!("{error}") };
    assert!(path.starts_with(scratch.cache()));
    let report = scratch.report(&error);
    assert_snapshot!(report.split_once('\n').unwrap().1, @"hint: make the folder one that you may write to, or set HF_HOME to another one");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full() {
    let (scratch, _) = Scratch::with_model();
    let path = scratch.hub().file(&model(), "model.safetensors", &Silent).unwrap().path;
    let content = fs::canonicalize(path).unwrap();
    fs::remove_file(&content).unwrap();
    // Linux's device that has no room for anything.
    std::os::unix::fs::symlink("/dev/full", content.with_extension("incomplete")).unwrap();
    let error = fetch(&scratch.hub()).unwrap_err();
    let name = content.file_name().unwrap().to_str().unwrap();
    assert_snapshot!(scratch.report(&error).replace(name, "SHA256"), @r"
    there is no room for CACHE/models--org--tiny/blobs/SHA256.incomplete: No space left on device (os error 28)
    hint: make room and run again, which goes on where it broke off; or set HF_HOME to a folder on a larger disk
    ");
}

#[test]
fn errors_fit_where_results_go() {
    // Every function here returns one, so none may be large.
    assert!(size_of::<HubError>() <= 128);
    let settings = Settings::new("/cache");
    assert_eq!(settings.endpoint, "https://huggingface.co");
}
