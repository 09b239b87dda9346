//! Without the Hub: because it may not be asked, or because it does not answer.

use std::fs;

use insta::assert_snapshot;
use labelmix_hub::{Silent, Warning};
use labelmix_loopback::{Fault, Script};

use crate::scratch::{Scratch, assert_whole, fetch, model, tiny_model, wanted};

#[test]
fn offline_the_cache_serves_without_a_request() {
    let (scratch, commit) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.asked();
    let hub = scratch.offline_hub();
    let snapshot = fetch(&hub).unwrap();
    assert_whole(&snapshot);
    assert!(snapshot.warnings.is_empty());
    assert_eq!(hub.list(&model(), &Silent).unwrap().files.len(), 4);
    assert_eq!(hub.file(&model(), "config.json", &Silent).unwrap().commit, commit);
    assert!(scratch.asked().is_empty());
}

#[test]
fn offline_and_nothing_cached() {
    let (scratch, _) = Scratch::with_model();
    let hub = scratch.offline_hub();
    assert_snapshot!(scratch.report(&fetch(&hub).unwrap_err()), @r"
    the cache lacks the files of the model `org/tiny`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set
    hint: the cache has nothing of `org/tiny`; unset the variable and run again with a network, or copy the cache of a machine that has it
    ");
    let error = hub.file(&model(), "config.json", &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the cache lacks `config.json` of the model `org/tiny`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set
    hint: the cache has nothing of `org/tiny`; unset the variable and run again with a network, or copy the cache of a machine that has it
    ");
    let error = hub.list(&model(), &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the cache lacks the files of the model `org/tiny`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set
    hint: the cache has nothing of `org/tiny`; unset the variable and run again with a network, or copy the cache of a machine that has it
    ");
    assert!(scratch.asked().is_empty());
}

#[test]
fn offline_and_a_file_is_missing() {
    let (scratch, _) = Scratch::with_model();
    scratch.hub().snapshot(&model(), &|file| file == "config.json", &Silent).unwrap();
    assert_snapshot!(scratch.report(&fetch(&scratch.offline_hub()).unwrap_err()), @r"
    the cache lacks `1_Pooling/config.json` and `model.safetensors` of the model `org/tiny`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set
    hint: the cache has these revisions of `org/tiny`: `main` (1 file); unset the variable and run again with a network, or copy the cache of a machine that has it
    ");
    let other = model().at("v2").unwrap();
    let error = scratch.offline_hub().snapshot(&other, &wanted, &Silent).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    the cache lacks the files of the model `org/tiny@v2`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set
    hint: the cache has these revisions of `org/tiny`: `main` (1 file); unset the variable and run again with a network, or copy the cache of a machine that has it
    ");
}

#[test]
fn an_interrupted_update_leaves_the_old_commit_for_offline() {
    let (scratch, old) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.served.add(tiny_model().file("config.json", "{\"hidden_size\": 16}"));
    scratch.served.script(Script::always(Fault::status(503)).method("GET").at("resolve-cache"));
    fetch(&scratch.hub()).unwrap_err();
    let snapshot = fetch(&scratch.offline_hub()).unwrap();
    assert_eq!(snapshot.commit, old);
    assert_whole(&snapshot);
}

#[test]
fn unreachable_and_cached() {
    let (scratch, commit) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    let hub = scratch.unreachable_hub();
    let snapshot = fetch(&hub).unwrap();
    assert_whole(&snapshot);
    let [Warning::NotAsked { repository, commit: used, .. }] = &snapshot.warnings[..] else {
        panic!("{:?}", snapshot.warnings)
    };
    assert_eq!((repository.as_str(), used), ("org/tiny", &commit));
    assert_eq!(hub.file(&model(), "config.json", &Silent).unwrap().warnings.len(), 1);
    assert_eq!(hub.list(&model(), &Silent).unwrap().warnings.len(), 1);
}

#[test]
fn a_broken_hub_and_cached() {
    let (scratch, commit) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.served.script(Script::always(Fault::status(503)));
    scratch.asked();
    let snapshot = fetch(&scratch.hub()).unwrap();
    assert_whole(&snapshot);
    let warning = snapshot.warnings[0].to_string().replace(&commit[..8], "COMMIT");
    assert_snapshot!(warning, @"`org/tiny` is used as it is in the cache, at commit COMMIT: 127.0.0.1 answers 503");
    assert_eq!(scratch.asked().len(), 1, "with an answer at hand nothing is tried twice");
}

#[test]
fn unreachable_and_not_cached() {
    let scratch = Scratch::new();
    let error = fetch(&scratch.unreachable_hub()).unwrap_err();
    // What the operating system says differs between systems.
    let report = scratch.report(&error);
    let (message, hint) = report.split_once('\n').unwrap();
    assert!(message.starts_with("127.0.0.1 cannot be reached: "), "{message}");
    assert_snapshot!(hint, @"hint: check the network, HTTPS_PROXY if it has a proxy, SSL_CERT_FILE if it has certificates of its own; the cache has nothing of `org/tiny`");
}

#[test]
fn a_refusal_is_not_hidden_by_the_cache() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.served.remove("org/tiny");
    fetch(&scratch.hub()).unwrap_err();
}

/// Older versions of Python's `huggingface_hub`, and programs that fetch files one by one, leave no list.
#[test]
fn a_cache_without_a_list_serves_what_it_has() {
    let (scratch, commit) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    fs::remove_dir_all(scratch.cached("trees")).unwrap();
    let snapshot = fetch(&scratch.offline_hub()).unwrap();
    assert_whole(&snapshot);
    assert_snapshot!(snapshot.warnings[0], @"the cache does not say whether it has all of `org/tiny`: what it has is used (files: 3)");
    let unreachable = fetch(&scratch.unreachable_hub()).unwrap();
    assert_eq!(unreachable.warnings.len(), 2);
    let listing = scratch.offline_hub().list(&model(), &Silent).unwrap();
    let files: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, snapshot.files);
    assert_eq!(listing.warnings, snapshot.warnings);
    let at_commit = scratch.offline_hub().snapshot(&model().at(&commit).unwrap(), &wanted, &Silent).unwrap();
    assert_whole(&at_commit);
}

#[test]
fn a_link_to_nothing_is_fetched_again() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    fs::remove_dir_all(scratch.cached("blobs")).unwrap();
    assert_whole(&fetch(&scratch.hub()).unwrap());
}
