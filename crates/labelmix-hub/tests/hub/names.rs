//! What is a repository's name, and what is said about other texts.

use std::path::Path;

use insta::assert_snapshot;
use labelmix_hub::{Repository, RepositoryKind};
use miette::Diagnostic;
use proptest::prelude::*;

/// What is wrong with a text, without the rest of the message.
fn fault(text: &str) -> String {
    let message = Repository::model(text).unwrap_err().to_string();
    let beginning = format!("`{text}` is not the name of a model on the Hugging Face Hub: ");
    message.strip_prefix(&beginning).unwrap().to_owned()
}

fn report(text: &str) -> String {
    let error = Repository::model(text).unwrap_err();
    format!("{error}\nhint: {}", error.help().unwrap())
}

#[test]
fn parts_of_a_name() {
    let repository = Repository::dataset("org/na.me_1@refs/convert/parquet").unwrap();
    assert_eq!(repository.kind(), RepositoryKind::Dataset);
    assert_eq!(repository.name(), "org/na.me_1");
    assert_eq!(repository.revision(), "refs/convert/parquet");

    let legacy = Repository::model("gpt2").unwrap();
    assert_eq!((legacy.name(), legacy.revision()), ("gpt2", "main"));
    assert_eq!(legacy.at("v1.0").unwrap().to_string(), "gpt2@v1.0");
}

#[test]
fn a_folder_of_the_cache_names_its_repository_and_commit() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let name = |folder: String| Repository::of_snapshot(Path::new(&folder)).map(|repository| repository.to_string());
    assert_eq!(name(format!("/hub/models--org--name/snapshots/{commit}")), Some(format!("org/name@{commit}")));
    assert_eq!(name(format!("hub/models--gpt2/snapshots/{commit}/")), Some(format!("gpt2@{commit}")));
    for other in [
        "models--org--name/snapshots/main",
        "models--a--b--c/snapshots/{}",
        "datasets--org--name/snapshots/{}",
        "org/name",
        "/",
        "",
    ] {
        assert_eq!(name(other.replace("{}", commit)), None, "{other}");
    }
}

#[test]
fn no_names() {
    assert_snapshot!(report(""), @r"
    `` is not the name of a model on the Hugging Face Hub: it is empty
    hint: write org/name as at the top of the repository's page, with @revision behind it for another branch, tag or commit than main; a folder on this machine must exist under the name given
    ");
    assert_snapshot!(fault("./models/tiny"), @"it has more than one slash");
    assert_snapshot!(fault("https://huggingface.co/org/tiny"), @"it is an address");
    assert_snapshot!(fault("datasets/org/tiny"), @"it has more than one slash");
    assert_snapshot!(fault("org/ti ny"), @"it has a ' ', where only letters, digits, `-`, `_` and `.` may be");
    assert_snapshot!(fault("org/"), @"nothing stands on one side of the slash");
    assert_snapshot!(fault("org/tiny--model"), @"it has a `--`");
    assert_snapshot!(fault("../tiny"), @"it has a `..`");
    assert_snapshot!(fault("org/-tiny"), @"`-tiny` begins or ends with `-` or `.`");
    assert_snapshot!(fault("org/tiny.git"), @"it ends with `.git`");
    assert_snapshot!(fault(&"x".repeat(97)), @"a part of it is longer than 96 characters");
}

#[test]
fn no_revisions() {
    assert_snapshot!(report("org/tiny@"), @r"
    `org/tiny@` is not the name of a model on the Hugging Face Hub: nothing stands behind the @
    hint: behind the @ comes a branch, a tag or a commit, as in org/name@main; leave the @ out for the main branch
    ");
    assert_snapshot!(fault("org/tiny@../../../etc"), @"the revision has a `..`");
    assert_snapshot!(fault("org/tiny@a b"), @"the revision has a ' '");
    assert_snapshot!(fault("org/tiny@refs//main"), @"a slash of the revision has nothing on one side");
    assert_snapshot!(fault("org/tiny@/etc/passwd"), @"a slash of the revision has nothing on one side");
    assert_snapshot!(fault("org/tiny@.hidden"), @"`.hidden` begins or ends with `.`, or ends with `.lock`");
    assert_snapshot!(fault("org/tiny@main.lock"), @"`main.lock` begins or ends with `.`, or ends with `.lock`");
}

proptest! {
    /// Whatever is taken for a name is displayed as it was written, and cannot lead out of a folder.
    #[test]
    fn what_is_parsed_is_displayed(text in "[a-z0-9./@_~^ -]{0,24}|\\PC{0,24}") {
        if let Ok(repository) = Repository::model(&text) {
            prop_assert_eq!(repository.to_string(), text);
            for part in repository.name().split('/').chain(repository.revision().split('/')) {
                prop_assert!(!part.is_empty() && part != "." && part != ".." && !part.contains('\\'));
            }
            prop_assert!(repository.name().matches('/').count() <= 1);
        }
    }

    /// What the Hub lets people choose is taken.
    #[test]
    fn names_of_the_hub_are_parsed(
        owner in "([a-z0-9A-Z]([_.-]?[a-z0-9A-Z]){0,20}/)?",
        name in "[a-z0-9A-Z]([_.-]?[a-z0-9A-Z]){0,20}[a-z0-9A-Z]",
        revision in "(@[a-z0-9]([_-]?[a-z0-9]){0,8}(/[a-z0-9]{1,8}){0,2})?",
    ) {
        prop_assume!(name.strip_suffix(".git").is_none());
        let text = format!("{owner}{name}{revision}");
        let repository = Repository::dataset(&text).unwrap();
        prop_assert_eq!(repository.name(), format!("{owner}{name}"));
        prop_assert_eq!(repository.revision(), revision.strip_prefix('@').unwrap_or("main"));
    }
}
