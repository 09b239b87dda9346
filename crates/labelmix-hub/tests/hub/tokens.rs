//! Who gets to see the token.

use labelmix_loopback::Server;

use crate::scratch::{Scratch, assert_whole, fetch, tiny_model};

#[test]
fn the_hub_sees_the_token_and_the_storage_host_does_not() {
    let scratch = Scratch::new();
    scratch.served.add(tiny_model().private(&["hf_secret"]));
    assert_whole(&fetch(&scratch.hub_with_token("hf_secret")).unwrap());
    let requests = scratch.served.requests();
    let (hub, storage): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.server == Server::Hub);
    // The relative redirects of small files are among them.
    assert!(hub.iter().any(|request| request.path.contains("/resolve-cache/")));
    assert!(hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_secret")));
    assert!(!storage.is_empty());
    assert!(storage.iter().all(|request| request.authorization.is_none()));
}

#[test]
fn without_a_token_none_is_sent() {
    let (scratch, _) = Scratch::with_model();
    fetch(&scratch.hub()).unwrap();
    assert!(scratch.served.requests().iter().all(|request| request.authorization.is_none()));
}

#[test]
fn errors_do_not_tell_the_token() {
    let scratch = Scratch::new();
    scratch.served.add(tiny_model().gated(&[]));
    let error = fetch(&scratch.hub_with_token("hf_secret")).unwrap_err();
    assert!(!format!("{error:?} {}", scratch.report(&error)).contains("hf_secret"));
}
