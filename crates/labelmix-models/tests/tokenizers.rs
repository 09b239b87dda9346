//! The same token ids as transformers on a hundred awkward texts, for every common kind of tokenizer.
//! `fixtures/make_tokenizers.py` made tokenizers and references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use labelmix_models::{Error, TextLimit, Tokenizer};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn awkward_texts() -> Vec<String> {
    let texts = std::fs::read_to_string(fixtures().join("tokenizers/awkward_texts.json")).unwrap();
    serde_json::from_str(&texts).unwrap()
}

fn check(name: &str, tokenizer_file: &Path) {
    // The tokenizer of a checkpoint that reads texts of any length.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(tokenizer_file, folder.path().join("tokenizer.json")).unwrap();
    let config = std::fs::read_to_string(fixtures().join("llama_gqa/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["max_position_embeddings"] = 1_000_000.into();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let tokenizer = Tokenizer::load(folder.path()).unwrap();

    let expected = std::fs::read_to_string(fixtures().join("tokenizers/expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<Vec<u32>>> = serde_json::from_str(&expected).unwrap();
    let texts = awkward_texts();
    assert_eq!((texts.len(), expected[name].len()), (100, 100));
    for (text, expected) in texts.iter().zip(&expected[name]) {
        match tokenizer.encode(text, TextLimit::Refuse) {
            Err(Error::NoTokens { .. }) => assert!(expected.is_empty(), "{name}: {text:?}"),
            token_ids => assert_eq!(&token_ids.unwrap(), expected, "{name}: {text:?}"),
        }
    }
}

#[test]
fn every_kind_of_tokenizer_agrees_on_a_hundred_awkward_texts() {
    let kinds = [
        "byte_bpe_gpt2",
        "byte_bpe_llama3",
        "byte_bpe_qwen",
        "byte_bpe_roberta",
        "metaspace_bpe",
        "unigram",
        "wordpiece",
    ];
    for kind in kinds {
        check(kind, &fixtures().join("tokenizers").join(kind).join("tokenizer.json"));
    }
}

#[test]
fn published_tokenizers_agree_on_a_hundred_awkward_texts() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stories260K");
    if stories.exists() {
        check("stories260k", &stories.join("tokenizer.json"));
    } else {
        eprintln!("skipped: {} is not there", stories.display());
    }
    match std::env::var_os("LABELMIX_TEST_MINILM") {
        Some(folder) => check("minilm", &Path::new(&folder).join("tokenizer.json")),
        None => eprintln!("skipped: LABELMIX_TEST_MINILM does not name the folder of all-MiniLM-L6-v2"),
    }
}
