//! What is exported for Python, held against what was exported: a merged checkpoint computes what the adapter did.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_models::{
    Adapter, BaseModel, Classifier, LoadOptions, LoraSettings, Model, Pooling, Precision, PythonClass, TokenBatch,
    Tokenizer,
};
use labelmix_nn::Array;
use safetensors::SafeTensors;
use serde_json::Value as Json;

const LORA: LoraSettings = LoraSettings { rank: 3, alpha: 6.0 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn classifier(folder: &Path, pooling: Pooling, precision: Option<Precision>) -> Classifier {
    let options = LoadOptions { precision, ..LoadOptions::default() };
    Classifier::new(&Model::load(folder, &options).unwrap(), Some(pooling)).unwrap()
}

/// An adapter whose every number does something.
fn adapter(classifier: &Classifier) -> Adapter {
    let mut adapter = classifier.initial_adapter(LORA, 0).unwrap();
    let numbers = |name: &str, length: usize| {
        (0..length).map(|index| (0.1 * (0.37 * (index + name.len()) as f64).sin()) as f32).collect()
    };
    let snapshot: Vec<Array> = adapter
        .parameters()
        .iter()
        .map(|parameter| {
            let shape = parameter.value().shape();
            Array::new(numbers(parameter.name(), shape.iter().product()), shape)
        })
        .collect();
    adapter.restore(&snapshot).unwrap();
    adapter
}

fn logits(classifier: &Classifier, adapter: &Adapter) -> Vec<f32> {
    let texts: [&[u32]; 3] = [&[1, 5, 9, 3, 2], &[7, 4], &[3, 3, 8, 1, 6, 2, 5]];
    classifier.logits(&TokenBatch::new(texts), adapter).unwrap().to_vec().unwrap()
}

fn names(file: PathBuf) -> BTreeSet<String> {
    let bytes = fs::read(file).unwrap();
    SafeTensors::deserialize(&bytes).unwrap().names().into_iter().map(str::to_owned).collect()
}

fn json(file: PathBuf) -> Json {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

const FIXTURES: [(&str, Pooling, PythonClass); 14] = [
    ("bert_mean", Pooling::Mean, PythonClass::Transformer),
    ("bert_pooler", Pooling::Pooler, PythonClass::SequenceClassifier),
    ("bert_pooler", Pooling::LastToken, PythonClass::Transformer),
    ("distilbert", Pooling::Mean, PythonClass::Transformer),
    ("modernbert", Pooling::Mean, PythonClass::Transformer),
    ("roberta", Pooling::Mean, PythonClass::Transformer),
    ("gemma2", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("gemma3", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("gpt2", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("gpt_neox", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("llama_gqa", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("llama_gqa", Pooling::Mean, PythonClass::Transformer),
    ("llama_mha_tied", Pooling::LastToken, PythonClass::SequenceClassifier),
    ("qwen3", Pooling::LastToken, PythonClass::SequenceClassifier),
];

#[test]
fn a_merged_checkpoint_computes_what_the_adapter_did() {
    for (name, pooling, class) in FIXTURES {
        for precision in [None, Some(Precision::Bf16), Some(Precision::Nf4)] {
            let of_base = classifier(&fixture(name), pooling, precision);
            assert_eq!(of_base.python_class(), class, "{name}");
            assert_eq!(of_base.rounds_weights(), precision.is_some(), "{name}");
            let trained = adapter(&of_base);
            let folder = tempfile::tempdir().unwrap();
            of_base.export_merged(&trained, folder.path(), folder.path(), Some(0)).unwrap();

            let merged = classifier(folder.path(), pooling, None);
            let mut head_alone = merged.initial_adapter(LORA, 0).unwrap();
            let head = trained.head_at();
            let mut snapshot = head_alone.snapshot().unwrap();
            snapshot.splice(head.., trained.snapshot().unwrap().drain(head..));
            head_alone.restore(&snapshot).unwrap();
            let (ours, merged) = (logits(&of_base, &trained), logits(&merged, &head_alone));
            for (ours, merged) in ours.iter().zip(merged) {
                assert!((ours - merged).abs() < 2e-5, "{name} in {precision:?}: {ours} and {merged}");
            }
            let heads = names(folder.path().join("model.safetensors"));
            let head = if of_base.model().is_decoder() { "score.weight" } else { "classifier.weight" };
            assert_eq!(heads.contains(head), class == PythonClass::SequenceClassifier, "{name}: {heads:?}");
            assert_eq!(folder.path().join("head.safetensors").exists(), class == PythonClass::Transformer, "{name}");
        }
    }
}

#[test]
fn an_adapter_names_the_layers_of_the_class_that_it_is_for() {
    let base = BaseModel { name: "org/name".to_owned(), revision: Some("a1b2".to_owned()) };
    for (name, pooling, class) in FIXTURES {
        let classifier = classifier(&fixture(name), pooling, None);
        let folder = tempfile::tempdir().unwrap();
        classifier.export_adapter(&adapter(&classifier), folder.path(), &base).unwrap();
        let config = json(folder.path().join("adapter_config.json"));
        assert_eq!((&config["base_model_name_or_path"], &config["revision"]), (&"org/name".into(), &"a1b2".into()));
        let tensors = names(folder.path().join("adapter_model.safetensors"));
        match class {
            PythonClass::SequenceClassifier => {
                assert_eq!(config["task_type"], "SEQ_CLS");
                // It is what the store keeps, which Python loads too.
                let read = classifier.load_adapter(folder.path()).unwrap();
                assert_eq!(logits(&classifier, &read), logits(&classifier, &adapter(&classifier)), "{name}");
            }
            PythonClass::Transformer => {
                assert_eq!(config["task_type"], "FEATURE_EXTRACTION");
                assert!(config["target_modules"].is_string(), "a pattern takes whole names alone");
                let head = names(folder.path().join("head.safetensors"));
                assert_eq!(head.contains("bias"), !classifier.model().is_decoder(), "{name}");
                assert!(tensors.iter().all(|tensor| tensor.contains(".lora_")), "{name}: {tensors:?}");
            }
        }
    }
}

#[test]
fn a_configuration_says_nothing_of_the_bases_head() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    fs::create_dir(&base).unwrap();
    for file in fs::read_dir(fixture("llama_mha_tied")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), base.join(file.file_name())).unwrap();
    }
    let mut config = json(base.join("config.json"));
    config["id2label"] = serde_json::json!({"0": "a", "1": "b", "2": "c"});
    config["auto_map"] = serde_json::json!({"AutoModel": "code.Model"});
    fs::write(base.join("config.json"), config.to_string()).unwrap();
    let classifier = classifier(&base, Pooling::LastToken, None);
    classifier.export_merged(&adapter(&classifier), folder.path(), folder.path(), None).unwrap();
    let merged = json(folder.path().join("config.json"));
    assert_eq!(merged["id2label"], serde_json::json!({"0": "0", "1": "1"}));
    assert_eq!(merged["architectures"], serde_json::json!(["LlamaForSequenceClassification"]));
    assert!(merged["auto_map"].is_null() && merged["pad_token_id"].is_null());
    assert_eq!(merged["hidden_size"], config["hidden_size"]);
}

/// A folder with a tokenizer of the fixtures and the configuration of a model.
fn tokenizer_folder(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("tokenizers").join(name).join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    fs::copy(fixture("llama_gqa/config.json"), folder.path().join("config.json")).unwrap();
    folder
}

#[test]
fn an_exported_tokenizer_makes_the_same_tokens_and_pads_with_what_ends_no_text() {
    for name in [
        "byte_bpe_gpt2",
        "byte_bpe_llama3",
        "byte_bpe_qwen",
        "byte_bpe_roberta",
        "metaspace_bpe",
        "unigram",
        "wordpiece",
    ] {
        let folder = tokenizer_folder(name);
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        tokenizer.export(folder.path()).unwrap();
        let exported = Tokenizer::load(folder.path()).unwrap();
        for text in ["a tiny text", "  Ünïcode, 数字 \n and\ttabs</s><pad>"] {
            assert_eq!(exported.encode_inner(text).unwrap(), tokenizer.encode_inner(text).unwrap(), "{name}: {text:?}");
        }
        assert_eq!(exported.special_tokens().unwrap(), tokenizer.special_tokens().unwrap(), "{name}");
        let config = json(folder.path().join("tokenizer_config.json"));
        let pad = tokenizer.pad_token().unwrap();
        assert_eq!(config["pad_token"].as_str().map(str::to_owned), pad.and_then(|id| tokenizer.token(id)), "{name}");
        let (_, after) = tokenizer.special_tokens().unwrap();
        assert!(pad.is_none_or(|id| !after.contains(&id)), "{name} pads with {pad:?}");
    }
}

#[test]
fn a_limit_for_texts_is_below_what_the_model_reads() {
    use labelmix_models::TextLimit::{Cut, Refuse};
    let folder = tokenizer_folder("wordpiece");
    let load = || Tokenizer::load(folder.path()).unwrap();
    let (whole, context) = (load(), load().context());
    assert_eq!(whole.max_length(), None);
    // What the model reads is no limit of one's own.
    assert_eq!(load().with_max_length(context).unwrap().max_length(), None);
    let limited = load().with_max_length(5).unwrap();
    assert_eq!((limited.context(), limited.max_length()), (5, Some(5)));
    let text = "one two three four five six seven";
    let (all, cut) = (whole.encode(text, Refuse).unwrap(), limited.encode(text, Cut).unwrap());
    // [CLS], three tokens, [SEP].
    assert_eq!((&cut[..4], cut[4]), (&all[..4], all[all.len() - 1]));
    assert_eq!(
        limited.encode(text, Refuse).unwrap_err().to_string(),
        format!("the text {text:?} has {} tokens; at most 5 are read", all.len())
    );
    for wrong in [1, 2, context + 1] {
        let error = load().with_max_length(wrong).err().unwrap().to_string();
        assert_eq!(error, format!("`max_length` = {wrong}: the model reads from 3 to {context} tokens"));
    }
}
