//! What a working Hub gives, where it lies in the cache, and what is not asked for twice.

use std::fs;

use labelmix_hub::{Hub, ListedFile, Repository, Settings, Silent};
use labelmix_loopback::ServedRepository;

use crate::scratch::{CONFIG, Listener, Scratch, assert_whole, fetch, model, tiny_model, wanted, weights};

const LISTING: &str = "GET /api/models/org/tiny/revision/main?blobs=true";

#[test]
fn list_of_files() {
    let (scratch, commit) = Scratch::with_model();
    let listing = scratch.hub().list(&model(), &Silent).unwrap();
    assert_eq!(listing.commit, commit);
    assert!(listing.warnings.is_empty());
    let mut files = listing.files;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let file = |path: &str, size| ListedFile { path: path.to_owned(), size_bytes: Some(size) };
    assert_eq!(
        files,
        [
            file("1_Pooling/config.json", 2),
            file("config.json", CONFIG.len() as u64),
            file("model.safetensors", 1_000_000),
            file("pytorch_model.bin", 10)
        ]
    );
    assert_eq!(scratch.asked(), [LISTING]);
}

#[test]
fn snapshot_of_the_wanted_files() {
    let (scratch, commit) = Scratch::with_model();
    let snapshot = fetch(&scratch.hub()).unwrap();
    assert_whole(&snapshot);
    assert_eq!(snapshot.commit, commit);
    assert!(snapshot.warnings.is_empty());
    assert_eq!(snapshot.folder, scratch.cached(&format!("snapshots/{commit}")));
    assert!(!snapshot.folder.join("pytorch_model.bin").exists());
}

#[test]
fn layout_is_python_s() {
    let (scratch, commit) = Scratch::with_model();
    let snapshot = fetch(&scratch.hub()).unwrap();
    assert_eq!(fs::read_to_string(scratch.cached("refs/main")).unwrap(), commit);
    let tree: serde_json::Value =
        serde_json::from_slice(&fs::read(scratch.cached(&format!("trees/{commit}.json"))).unwrap()).unwrap();
    let sha256 = tree["files"]["model.safetensors"]["lfs_sha256"].as_str().unwrap();
    assert_eq!(tree["files"]["model.safetensors"]["lfs_size"], 1_000_000);
    assert_eq!(tree["format_version"], 1);
    let blob_id = tree["files"]["1_Pooling/config.json"]["blob_id"].as_str().unwrap();
    if cfg!(unix) {
        let link = |file: &str| fs::read_link(snapshot.folder.join(file)).unwrap();
        assert_eq!(link("model.safetensors").to_str().unwrap(), format!("../../blobs/{sha256}"));
        assert_eq!(link("1_Pooling/config.json").to_str().unwrap(), format!("../../../blobs/{blob_id}"));
    }
    let mut blobs: Vec<String> = fs::read_dir(scratch.cached("blobs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    blobs.sort();
    let config_id = tree["files"]["config.json"]["blob_id"].as_str().unwrap();
    let mut expected = [sha256, blob_id, config_id];
    expected.sort_unstable();
    assert_eq!(blobs, expected);
    assert!(scratch.cache().join(format!(".locks/models--org--tiny/{sha256}.lock")).exists());
}

#[test]
fn what_is_cached_costs_one_request() {
    let (scratch, commit) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.asked();

    assert_whole(&fetch(&scratch.hub()).unwrap());
    assert_eq!(scratch.asked(), [LISTING]);

    let file = scratch.hub().file(&model(), "config.json", &Silent).unwrap();
    assert_eq!(fs::read_to_string(file.path).unwrap(), CONFIG);
    assert_eq!(scratch.asked(), ["HEAD /org/tiny/resolve/main/config.json"]);

    let at_commit = model().at(&commit).unwrap();
    assert_whole(&scratch.hub().snapshot(&at_commit, &wanted, &Silent).unwrap());
    scratch.hub().list(&at_commit, &Silent).unwrap();
    scratch.hub().file(&at_commit, "model.safetensors", &Silent).unwrap();
    assert!(scratch.asked().is_empty(), "a commit never changes");
}

#[test]
fn a_new_commit_costs_only_what_changed() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    scratch.asked();
    let commit = scratch.served.add(tiny_model().file("config.json", "{}").file("tokenizer.json", "{}"));
    let snapshot = fetch(&scratch.hub()).unwrap();
    assert_eq!(snapshot.commit, commit);
    assert_eq!(snapshot.files, ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(fs::read_to_string(snapshot.folder.join("config.json")).unwrap(), "{}");
    assert!(fs::read(snapshot.folder.join("model.safetensors")).unwrap() == weights());
    let bodies: Vec<String> = scratch.asked().into_iter().filter(|asked| asked.contains("GET /org")).collect();
    // The two small files have the same content, and the folder's is the same as before.
    assert!(bodies.is_empty(), "{bodies:?}");
    assert_eq!(fs::read_to_string(scratch.cached("refs/main")).unwrap(), commit);
}

#[test]
fn an_endpoint_with_a_slash_at_its_end() {
    let (scratch, _) = Scratch::with_model();
    let endpoint = format!("{}/", scratch.served.endpoint());
    let hub = Hub::new(Settings { endpoint, ..scratch.settings() }).unwrap();
    assert_whole(&fetch(&hub).unwrap());
    assert!(scratch.asked().iter().all(|asked| !asked.contains("//")));
}

#[test]
fn one_file() {
    let (scratch, commit) = Scratch::with_model();
    let file = scratch.hub().file(&model(), "1_Pooling/config.json", &Silent).unwrap();
    assert_eq!(file.commit, commit);
    assert_eq!(file.path, scratch.cached(&format!("snapshots/{commit}/1_Pooling/config.json")));
    assert_eq!(fs::read_to_string(file.path).unwrap(), "{}");
    assert_eq!(fs::read_to_string(scratch.cached("refs/main")).unwrap(), commit);
}

#[test]
fn a_revision_with_slashes() {
    let scratch = Scratch::new();
    let served = ServedRepository::dataset("org/texts").revision("refs/convert/parquet");
    let commit = scratch.served.add(served.large_file("default/train/0000.parquet", "PAR1"));
    let dataset = Repository::dataset("org/texts@refs/convert/parquet").unwrap();
    let snapshot = scratch.hub().snapshot(&dataset, &|_| true, &Silent).unwrap();
    assert_eq!(snapshot.files, ["default/train/0000.parquet"]);
    assert_eq!(fs::read_to_string(snapshot.folder.join("default/train/0000.parquet")).unwrap(), "PAR1");
    let reference = scratch.cache().join("datasets--org--texts/refs/refs/convert/parquet");
    assert_eq!(fs::read_to_string(reference).unwrap(), commit);
    let asked = scratch.asked();
    assert_eq!(asked[0], "GET /api/datasets/org/texts/revision/refs%2Fconvert%2Fparquet?blobs=true");
    assert_eq!(asked[1], format!("HEAD /datasets/org/texts/resolve/{commit}/default/train/0000.parquet"));

    scratch.hub().file(&dataset, "default/train/0000.parquet", &Silent).unwrap();
    let path = "/datasets/org/texts/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet";
    assert_eq!(scratch.asked(), [format!("HEAD {path}")]);
}

#[test]
fn a_name_without_owner_and_files_with_odd_names() {
    let scratch = Scratch::new();
    let odd = "a b/100% #1+é?.json";
    scratch.served.add(ServedRepository::model("gpt2").file(odd, "odd").file("empty.txt", ""));
    let snapshot = scratch.hub().snapshot(&Repository::model("gpt2").unwrap(), &|_| true, &Silent).unwrap();
    assert_eq!(snapshot.files, [odd, "empty.txt"]);
    assert_eq!(fs::read_to_string(snapshot.folder.join(odd)).unwrap(), "odd");
    assert_eq!(fs::read_to_string(snapshot.folder.join("empty.txt")).unwrap(), "");
    assert_eq!(snapshot.folder.parent().unwrap().parent().unwrap(), scratch.cache().join("models--gpt2"));
}

#[test]
fn a_filter_that_wants_nothing() {
    let (scratch, commit) = Scratch::with_model();
    let snapshot = scratch.hub().snapshot(&model(), &|_| false, &Silent).unwrap();
    assert_eq!(snapshot.commit, commit);
    assert!(snapshot.files.is_empty());
}

#[test]
fn progress_counts_every_byte_once() {
    let (scratch, _) = Scratch::with_model();
    let listener = Listener::default();
    scratch.hub().file(&model(), "model.safetensors", &listener).unwrap();
    let told = listener.bytes.borrow();
    assert_eq!(told.first().unwrap(), &("model.safetensors".to_owned(), 0, 1_000_000));
    assert_eq!(told.last().unwrap(), &("model.safetensors".to_owned(), 1_000_000, 1_000_000));
    assert!(told.is_sorted_by_key(|(_, done, _)| *done));
    assert!(listener.waits.borrow().is_empty());

    let seen = std::cell::Cell::new(0);
    scratch.hub().file(&model(), "config.json", &|_: &str, done: u64, _: u64| seen.set(done)).unwrap();
    assert_eq!(seen.get(), CONFIG.len() as u64);
}
