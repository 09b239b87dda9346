//! Numbers in config.json: absurd ones are errors, never a panic, an abort, a huge allocation or a result that is not a
//! number; and rotary embeddings are what transformers makes of the keys of three generations.

use std::fs;
use std::path::Path;

use labelmix_models::{
    Error, LanguageModel, LoadOptions, MemoryRequest, Model, ModelShape, TokenBatch, Tokenizer, check_configuration,
};
use serde_json::{Value as Json, json};

use crate::folder::fixture_folder;

const FIXTURES: [&str; 19] = [
    "bert_mean",
    "bert_pooler",
    "distilbert",
    "gemma",
    "gemma2",
    "gemma3",
    "gpt2",
    "gpt_neox",
    "gpt_neox_sequential",
    "llama3_scaled",
    "llama_gqa",
    "llama_linear",
    "llama_mha_tied",
    "mistral",
    "modernbert",
    "qwen2",
    "qwen2_window",
    "qwen3",
    "roberta",
];

/// Values that no key should have, or that come out otherwise than they went in.
fn extremes() -> Vec<Json> {
    vec![
        json!(0),
        json!(-1),
        json!(1),
        json!(3),
        json!(0.5),
        json!(1e300),
        json!(-1e300),
        json!(1e-300),
        json!(1u64 << 31),
        json!(1u64 << 62),
        json!(1u64 << 63),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(100_000_000),
        json!(""),
        json!("NaN"),
        json!(true),
        json!([]),
        json!({}),
        json!([1e300]),
        Json::Null,
    ]
}

fn config_of(fixture: &str) -> Json {
    serde_json::from_slice(&fs::read(fixture_folder(fixture).join("config.json")).unwrap()).unwrap()
}

/// A folder with a fixture's weights and a tokenizer.
fn weights_of(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture_folder(fixture)).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("model") {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let tokenizer = fixture_folder("tokenizers").join("byte_bpe_gpt2/tokenizer.json");
    fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();
    folder
}

/// Everything that reads a folder, up to the model's answers.
fn run(folder: &Path) -> Result<Vec<f32>, Error> {
    check_configuration(&folder.join("config.json"))?;
    let shape = ModelShape::read(folder)?;
    let _ =
        shape.memory(&MemoryRequest { tokens: 8192, lora_rank: 8, precision: None, activation_checkpointing: false });
    let _ = shape.summary();
    Tokenizer::load(folder)?;
    let model = Model::load(folder, &LoadOptions::default())?;
    let ids: &[u32] = &[3, 9, 4];
    let batch = TokenBatch::new([ids]);
    let output = if model.is_decoder() {
        LanguageModel::new(&model)?.logits(&batch, None)?
    } else {
        model.hidden_states(&batch)?
    };
    Ok(output.to_vec()?)
}

#[test]
fn absurd_values_of_every_key_are_errors_or_give_numbers() {
    let mut refused = 0;
    for fixture in FIXTURES {
        let folder = weights_of(fixture);
        let config = config_of(fixture);
        let mut pointers: Vec<String> = config.as_object().unwrap().keys().map(|key| format!("/{key}")).collect();
        for parent in ["rope_parameters", "rope_scaling"] {
            let inner = config[parent].as_object().into_iter().flat_map(|table| table.keys());
            pointers.extend(inner.map(|key| format!("/{parent}/{key}")));
        }
        for pointer in pointers {
            for value in extremes() {
                let mut changed = config.clone();
                *changed.pointer_mut(&pointer).unwrap() = value.clone();
                fs::write(folder.path().join("config.json"), changed.to_string()).unwrap();
                match run(folder.path()) {
                    Ok(output) => {
                        assert!(output.iter().all(|number| number.is_finite()), "{fixture}: {pointer} is {value}");
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(!matches!(error, Error::Computation(_)), "{fixture}: {pointer} is {value}: {error}");
                    }
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn keys_that_are_left_out_are_errors_or_have_a_default() {
    for fixture in FIXTURES {
        let folder = weights_of(fixture);
        let config = config_of(fixture);
        for key in config.as_object().unwrap().keys() {
            let mut changed = config.clone();
            changed.as_object_mut().unwrap().remove(key);
            fs::write(folder.path().join("config.json"), changed.to_string()).unwrap();
            if let Ok(output) = run(folder.path()) {
                assert!(output.iter().all(|number| number.is_finite()), "{fixture} without {key}");
            }
        }
    }
}

/// What is said of a fixture's checkpoint with some keys changed.
fn complaint(fixture: &str, changes: &Json) -> String {
    let folder = weights_of(fixture);
    let mut config = config_of(fixture);
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let error = run(folder.path()).unwrap_err().to_string();
    error.replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn errors_name_the_key_the_value_and_what_is_possible() {
    let said: Vec<String> = [
        ("llama_gqa", json!({"head_dim": 1u64 << 63})),
        ("llama_gqa", json!({"head_dim": 5})),
        ("llama_gqa", json!({"num_hidden_layers": 1u64 << 63})),
        ("llama_gqa", json!({"num_hidden_layers": 9000})),
        ("llama_gqa", json!({"max_position_embeddings": 1u64 << 62})),
        ("llama_gqa", json!({"rms_norm_eps": -1})),
        ("llama_gqa", json!({"rope_theta": 0})),
        ("llama_gqa", json!({"num_key_value_heads": 3})),
        ("llama_gqa", json!({"hidden_act": 5})),
        ("llama_gqa", json!({"vocab_size": "56"})),
        ("llama3_scaled", json!({"rope_scaling": {"rope_type": "llama3", "factor": 0}})),
        ("llama_linear", json!({"rope_parameters": {"rope_type": "linear", "factor": -2.0}})),
        ("llama_linear", json!({"rope_parameters": {"rope_type": "longrope", "factor": 2.0}})),
        ("llama_linear", json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}})),
        ("gpt_neox", json!({"rotary_pct": 3})),
        ("gpt_neox", json!({"rotary_pct": 0.01})),
        ("gpt2", json!({"n_layer": 1u64 << 63})),
        ("gpt2", json!({"n_head": 0})),
        ("gemma2", json!({"attn_logit_softcapping": 0})),
        ("qwen2_window", json!({"layer_types": ["full_attention"]})),
        ("qwen2_window", json!({"layer_types": ["full_attention", "linear_attention"]})),
        ("roberta", json!({"pad_token_id": 100})),
        ("modernbert", json!({"num_hidden_layers": 10000, "hidden_size": 1 << 20, "intermediate_size": 1 << 20})),
    ]
    .iter()
    .map(|(fixture, changes)| complaint(fixture, changes))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
FOLDER/config.json: head_dim: 9223372036854775808 is not a whole number from 1 to 1048576
FOLDER/config.json: the rotary embedding turns 5 dimensions of each head
FOLDER/config.json: num_hidden_layers: 9223372036854775808 is not a whole number from 1 to 10000
FOLDER: config.json describes 9000 blocks, and there are weights of 2
FOLDER/config.json: max_position_embeddings: 4611686018427387904 is not a whole number from 1 to 134217728
FOLDER/config.json: rms_norm_eps: -1 is not a number from 1e-30 to 1.0
FOLDER/config.json: rope_theta: 0 is not a number from 1.0 to 1000000000000.0
FOLDER/config.json: 4 query heads cannot share 3 key/value heads
FOLDER/config.json: hidden_act: invalid type: integer `5`, expected a string
FOLDER/config.json: vocab_size: "56" is not a whole number from 1 to 16777216
FOLDER/config.json: rope_scaling.factor: 0 is not a number from 0.001 to 1000000.0
FOLDER/config.json: rope_parameters.factor: -2.0 is not a number from 0.001 to 1000000.0
FOLDER/config.json: rope_parameters.rope_type is "longrope": rotary embeddings cannot be scaled so
FOLDER/config.json: rope_parameters has parameters of its own for the layers of type "full_attention"
FOLDER/config.json: rotary_pct: 3 is not a number from 1e-6 to 1.0
FOLDER/config.json: the rotary embedding turns 0 dimensions of each head
FOLDER/config.json: n_layer: 9223372036854775808 is not a whole number from 1 to 10000
FOLDER/config.json: n_head: 0 is not a whole number from 1 to 1048576
FOLDER/config.json: attn_logit_softcapping: 0 is not a number from 1e-6 to 1000000.0
FOLDER/config.json: layer_types names 1 layers, and num_hidden_layers is 2
FOLDER/config.json: layer_types[1]: unknown variant `linear_attention`, expected `full_attention` or `sliding_attention`
FOLDER/config.json: max_position_embeddings is 18, and the first position is row 101
FOLDER/config.json: the sizes make a model of 8e16 parameters, more than any file has
"#);
    let folder = weights_of("qwen3");
    for (contents, said) in
        [("", "EOF"), ("[]", "not a table"), ("{\"hidden_size\": NaN}", "line 1"), ("{}", "no model_type")]
    {
        fs::write(folder.path().join("config.json"), contents).unwrap();
        let error = run(folder.path()).unwrap_err().to_string();
        assert!(error.contains(said), "{contents}: {error}");
    }
}

/// The logits of a fixture with some keys changed; a key that is null is left out.
fn logits(fixture: &str, changes: &Json) -> Vec<f32> {
    let folder = weights_of(fixture);
    let mut config = config_of(fixture);
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Json::Null => drop(config.as_object_mut().unwrap().remove(key)),
            value => config[key] = value.clone(),
        }
    }
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    run(folder.path()).unwrap()
}

#[test]
fn rotary_keys_hold_in_the_order_of_transformers() {
    let theta = |theta: f64| json!({"rope_theta": theta, "rope_parameters": null, "rope_scaling": null});
    let plain = logits("llama_gqa", &theta(500_000.0));
    assert_ne!(plain, logits("llama_gqa", &theta(10_000.0)));
    for same in [
        // What is inside holds over the top of the file,
        json!({"rope_theta": 10_000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}}),
        // which fills in what is missing inside.
        json!({"rope_theta": 500_000.0, "rope_parameters": {"rope_type": "default"}}),
        json!({"rope_theta": 500_000.0, "rope_parameters": {"rope_theta": null}}),
        // An older table, if it is not empty, stands in the place of the newer one.
        json!({"rope_theta": 500_000.0, "rope_parameters": {"rope_theta": 7.0}, "rope_scaling": {"type": "default"}}),
        json!({"rope_theta": 500_000.0, "rope_scaling": {"rope_type": "default", "type": "linear", "factor": 8.0}}),
        json!({"rope_theta": 2.0, "rope_scaling": {}, "rope_parameters": {"rope_theta": 500_000.0}}),
        // Within the context, which no text leaves, nothing is scaled.
        json!({"rope_theta": 500_000.0, "rope_scaling": {"type": "dynamic", "factor": 4.0}}),
    ] {
        assert_eq!(logits("llama_gqa", &same), plain, "{same}");
    }
    // NeoX has names of its own at the top, and the usual ones inside.
    let neox = json!({"rotary_emb_base": 500, "rotary_pct": 0.5});
    let inside = json!({"rotary_emb_base": 3, "rotary_pct": 0.25, "rope_parameters": {"rope_theta": 500, "partial_rotary_factor": 0.5}});
    assert_eq!(logits("gpt_neox", &neox), logits("gpt_neox", &inside));
    // Llama 3's original context is the context, where nothing says otherwise, and a key at the top holds.
    let scaling = |original: Json| {
        let table = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": original});
        json!({"rope_scaling": table, "rope_parameters": null})
    };
    let context = config_of("llama3_scaled")["max_position_embeddings"].clone();
    assert_eq!(logits("llama3_scaled", &scaling(Json::Null)), logits("llama3_scaled", &scaling(context)));
    let mut top = scaling(json!(8192));
    top["original_max_position_embeddings"] = json!(64);
    assert_eq!(logits("llama3_scaled", &top), logits("llama3_scaled", &scaling(json!(64))));
    // ModernBERT's layers of each type have their own, and a local base that is null is the global one.
    let global = json!({"global_rope_theta": 77.0, "local_rope_theta": 77.0});
    let folder = weights_of("modernbert");
    let mut config = config_of("modernbert");
    config["global_rope_theta"] = json!(77.0);
    config["local_rope_theta"] = Json::Null;
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    assert_eq!(run(folder.path()).unwrap(), logits("modernbert", &global));
    let nested = json!({"global_rope_theta": 2.0, "local_rope_theta": 3.0, "rope_parameters": {
        "full_attention": {"rope_theta": 77.0}, "sliding_attention": {"rope_theta": 77.0}}});
    assert_eq!(logits("modernbert", &nested), logits("modernbert", &global));
}

#[test]
fn yarn_is_that_of_transformers() {
    // The first logits after the last token, from transformers 5.24.
    let references = [
        (
            json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 400, "beta_fast": 8.0}),
            [-0.989_294, -1.638_619, -0.949_268, 0.346_915, 2.151_909, -0.634_98],
        ),
        (
            json!({"type": "yarn", "factor": 2.5, "beta_fast": 2.0, "beta_slow": 0.5, "truncate": false,
                "attention_factor": 1.2, "original_max_position_embeddings": 90}),
            [-0.904_988, -1.591_571, -0.873_146, 0.361_434, 2.067_31, -0.621_591],
        ),
    ];
    for (scaling, expected) in references {
        let changes = json!({"rope_parameters": null, "rope_theta": 100.0, "rope_scaling": scaling});
        let logits = logits("llama_mha_tied", &changes);
        let last = &logits[logits.len() / 3 * 2..][..expected.len()];
        assert!(last.iter().zip(expected).all(|(ours, theirs): (&f32, f32)| (ours - theirs).abs() < 1e-4), "{last:?}");
    }
}
