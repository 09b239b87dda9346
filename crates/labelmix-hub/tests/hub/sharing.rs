//! One cache and several who use it.

use std::fs;
use std::sync::Barrier;
use std::thread;

use labelmix_hub::{Hub, Links, Settings, Silent};
use labelmix_loopback_hub::{Fault, Script, Server};

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
#[cfg(unix)]
#[test]
fn a_cache_that_may_only_be_read() {
    use std::os::unix::fs::PermissionsExt;

    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    fs::remove_file(scratch.cached("refs/main")).unwrap();
    let folders = [scratch.cached("refs"), scratch.cached("trees"), scratch.cached("blobs"), scratch.cached("")];
    let allow = |mode: u32| {
        for folder in &folders {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    allow(0o555);
    let fetched = fetch(&scratch.hub());
    let file = scratch.hub().file(&model(), "config.json", &Silent);
    allow(0o755);
    assert_whole(&fetched.unwrap());
    file.unwrap();
}
