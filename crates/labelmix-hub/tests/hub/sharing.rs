//! One cache and several who use it.

use std::cell::RefCell;
use std::fs::{self, File};
use std::sync::Barrier;
use std::thread;

use labelmix_hub::{Hub, Links, Progress, Settings, Silent};
use labelmix_loopback::{Fault, Script, Server};

use crate::scratch::{Scratch, assert_whole, fetch, model};

#[test]
fn many_fetch_the_same_and_one_downloads() {
    const USERS: usize = 8;
    let (scratch, _) = Scratch::with_model();
    // A drop in the middle, so that there is a half-written file for the others to fall over.
    scratch.served.script(Script::times(1, Fault::DropAfter(500_000)).at("model.safetensors?"));
    let start = Barrier::new(USERS);
    thread::scope(|threads| {
        for _ in 0..USERS {
            // Each has an own Hub, as another process has: the file locks are all they share.
            let hub = scratch.hub();
            let start = &start;
            threads.spawn(move || {
                start.wait();
                assert_whole(&fetch(&hub).unwrap());
            });
        }
    });
    let requests = scratch.served.requests();
    let bodies = requests.iter().filter(|request| request.server == Server::Storage && request.method == "GET");
    assert_eq!(bodies.count(), 2, "the download that broke off and its rest");
}

#[test]
fn copies_where_links_are_not_wanted() {
    let (scratch, _) = Scratch::with_model();
    let hub = Hub::new(Settings { links: Links::Copies, ..scratch.settings() }).unwrap();
    let snapshot = fetch(&hub).unwrap();
    assert_whole(&snapshot);
    for file in &snapshot.files {
        assert!(fs::symlink_metadata(snapshot.folder.join(file)).unwrap().is_file());
    }
    assert_whole(&fetch(&scratch.offline_hub()).unwrap());
}

/// A department's cache: everything is there, and nothing may be written.
#[test]
fn a_cache_that_may_only_be_read() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    // Files where the folders should be: what cannot be written to by anybody, not even by root.
    for folder in ["refs", "trees"] {
        fs::remove_dir_all(scratch.cached(folder)).unwrap();
        fs::write(scratch.cached(folder), "").unwrap();
    }
    fs::remove_dir_all(scratch.cache().join(".locks")).unwrap();
    fs::write(scratch.cache().join(".locks"), "").unwrap();
    assert_whole(&fetch(&scratch.hub()).unwrap());
    scratch.hub().file(&model(), "config.json", &Silent).unwrap();
}

/// Lets the other download go as soon as it hears that it is waited for.
struct Releasing {
    other: RefCell<Option<File>>,
    queued: RefCell<Vec<String>>,
}

impl Progress for Releasing {
    fn bytes(&self, _file: &str, _done: u64, _total: u64) {}

    fn queued(&self, file: &str) {
        self.queued.borrow_mut().push(file.to_owned());
        self.other.take();
    }
}

#[test]
fn who_waits_for_another_download_is_told() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    let locks = scratch.cache().join(".locks/models--org--tiny");
    let config = scratch.hub().file(&model(), "config.json", &Silent).unwrap().path;
    let etag = fs::canonicalize(&config).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    fs::remove_file(config).unwrap();

    let other = File::options().write(true).open(locks.join(format!("{etag}.lock"))).unwrap();
    other.lock().unwrap();
    let releasing = Releasing { other: RefCell::new(Some(other)), queued: RefCell::default() };
    scratch.hub().file(&model(), "config.json", &releasing).unwrap();
    assert_eq!(releasing.queued.take(), ["config.json"]);
}
