//! Tokenizers with other files beside them, and those that are made of a vocabulary: the token ids that transformers gives.
//! `fixtures/make_tokenizer_settings.py` made the references.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use labelmix_models::{TextLimit, Tokenizer};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::folder::fixture_folder;

#[derive(Deserialize)]
struct References {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    tokenizer: String,
    vocabulary_alone: bool,
    model_type: String,
    files: BTreeMap<String, Json>,
    ids: Vec<Vec<u32>>,
}

/// A folder with the configuration of a model of some type, and a tokenizer.
fn folder(model_type: &str, tokenizer: &str, vocabulary_alone: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let like = match model_type {
        "bert" => "bert_mean",
        other => other,
    };
    let config = fs::read_to_string(fixture_folder(like).join("config.json")).unwrap();
    let mut config: Json = serde_json::from_str(&config).unwrap();
    let context = if model_type == "gpt2" { "n_positions" } else { "max_position_embeddings" };
    config[context] = 1000.into();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let tokenizer = fixture_folder("tokenizers").join(tokenizer).join("tokenizer.json");
    if vocabulary_alone {
        write_vocabulary(&serde_json::from_slice(&fs::read(tokenizer).unwrap()).unwrap(), folder.path());
    } else {
        fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    }
    folder
}

fn write_vocabulary(tokenizer: &Json, folder: &Path) {
    let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap();
    if tokenizer["model"]["type"] == "WordPiece" {
        let mut words: Vec<(&String, u64)> = vocabulary.iter().map(|(word, id)| (word, id.as_u64().unwrap())).collect();
        words.sort_by_key(|(_, id)| *id);
        let words: Vec<&str> = words.into_iter().map(|(word, _)| word.as_str()).collect();
        fs::write(folder.join("vocab.txt"), words.join("\n")).unwrap();
        return;
    }
    fs::write(folder.join("vocab.json"), tokenizer["model"]["vocab"].to_string()).unwrap();
    let merges = tokenizer["model"]["merges"].as_array().unwrap().iter().map(|merge| match merge {
        Json::String(line) => format!("{line}\n"),
        pair => format!("{} {}\n", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
    });
    fs::write(folder.join("merges.txt"), format!("#version: 0.2\n{}", merges.collect::<String>())).unwrap();
}

#[test]
fn files_beside_a_tokenizer_change_it_as_in_transformers() {
    let references = fs::read_to_string(fixture_folder("tokenizers").join("settings.json")).unwrap();
    let References { texts, cases } = serde_json::from_str(&references).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let folder = folder(&case.model_type, &case.tokenizer, case.vocabulary_alone);
        let plain = (!case.vocabulary_alone).then(|| Tokenizer::load(folder.path()).unwrap());
        for (file, contents) in &case.files {
            fs::write(folder.path().join(file), contents.to_string()).unwrap();
        }
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        for (text, expected) in texts.iter().zip(&case.ids) {
            let ids = tokenizer.encode(text, TextLimit::Refuse).unwrap();
            assert_eq!(&ids, expected, "{}: {text:?}", case.name);
        }
        // The results of tokenizers that give other ids are kept apart.
        if let Some(plain) = plain {
            let ids = |tokenizer: &Tokenizer| {
                texts.iter().map(|text| tokenizer.encode_inner(text).unwrap()).collect::<Vec<_>>()
            };
            if ids(&plain) != ids(&tokenizer) {
                assert_ne!(plain.content_hash(), tokenizer.content_hash(), "{}", case.name);
                assert!(!tokenizer.notes().is_empty(), "{}", case.name);
            }
        }
    }
}

#[test]
fn a_file_beside_a_tokenizer_that_says_nothing_new_changes_no_hash() {
    let folder = folder("bert", "wordpiece", false);
    let plain = Tokenizer::load(folder.path()).unwrap();
    let bytes = fs::read(folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(plain.content_hash(), *blake3::hash(&bytes).as_bytes());
    let config =
        r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": true, "strip_accents": null, "cls_token": "[CLS]"}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let same = Tokenizer::load(folder.path()).unwrap();
    assert_eq!((same.content_hash(), same.notes().len()), (plain.content_hash(), 0));
}

#[test]
fn tokenizers_that_cannot_be_made_say_what_to_do() {
    let complaint = |folder: &Path| {
        let error = Tokenizer::load(folder).err().unwrap();
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        format!("{error}\n{help}").replace(&folder.display().to_string(), "FOLDER")
    };
    let llama = folder("llama_gqa", "byte_bpe_gpt2", true);
    insta::assert_snapshot!(complaint(llama.path()), @r#"
FOLDER: it has no tokenizer.json
for models of the type "llama" none can be made of a vocabulary: load the tokenizer with transformers' AutoTokenizer (pip install transformers sentencepiece protobuf), call save_pretrained, and name the folder
"#);
    let empty = folder("bert", "wordpiece", true);
    fs::remove_file(empty.path().join("vocab.txt")).unwrap();
    insta::assert_snapshot!(complaint(empty.path()), @r#"
FOLDER: it has no tokenizer.json
convert its tokenizer: load it with transformers' AutoTokenizer, save it, and name the folder
"#);
    fs::write(empty.path().join("sentencepiece.bpe.model"), "").unwrap();
    insta::assert_snapshot!(complaint(empty.path()), @r#"
FOLDER: it has no tokenizer.json
its tokenizer is SentencePiece's: load it with transformers' AutoTokenizer (pip install transformers sentencepiece protobuf), call save_pretrained, and name the folder
"#);
    let pairs = folder("gpt2", "byte_bpe_gpt2", true);
    fs::write(pairs.path().join("merges.txt"), "#version: 0.2\nab\n").unwrap();
    insta::assert_snapshot!(complaint(pairs.path()), @r#"
FOLDER/merges.txt: line 2 is "ab", not two parts of a word
it should be the vocabulary that the model was trained with, as transformers saves it
"#);
    fs::write(pairs.path().join("merges.txt"), "zz yy\n").unwrap();
    insta::assert_snapshot!(complaint(pairs.path()), @r#"
FOLDER/merges.txt: Token `zz` out of vocabulary
it should be the vocabulary that the model was trained with, as transformers saves it
"#);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let large = folder("gpt2", "byte_bpe_gpt2", false);
    fs::write(large.path().join("tokenizer.json"), pointer).unwrap();
    insta::assert_snapshot!(complaint(large.path()), @r#"
FOLDER/tokenizer.json: this is a Git LFS pointer, not the file
the repository was cloned without its large files: run `git lfs pull` in it (after `git lfs install`), or download the file
"#);
}
