//! What is said of folders that hold no checkpoint that can be run.

use labelmix_models::{Error, ModelShape, check_configuration};
use safetensors::Dtype;
use serde_json::{Value as Json, json};

use crate::folder::{Folder, POINTER};

#[test]
fn an_index_names_files_beside_it() {
    let folder = Folder::of("qwen3");
    folder.remove("model.safetensors");
    folder.write("model.safetensors.index.json", r#"{"weight_map": {"a": "../model.safetensors"}}"#);
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER/model.safetensors.index.json: "../model.safetensors" is not the name of a file
an index names files that lie beside it
"#);
    folder.write("model.safetensors.index.json", r#"{"weight_map": {}}"#);
    insta::assert_snapshot!(folder.complaint().lines().next().unwrap(), @"FOLDER/model.safetensors.index.json: it names no file");
    folder.write("model.safetensors.index.json", POINTER);
    insta::assert_snapshot!(folder.complaint().lines().next().unwrap(), @"FOLDER/model.safetensors.index.json: this is a Git LFS pointer, not the file");
}

#[test]
fn names_that_nobody_knows_are_shown() {
    let folder = Folder::of("qwen3");
    let tensors = folder.tensors();
    folder.set_tensors(&tensors.iter().map(|(name, stored)| (format!("net.{name}"), stored.clone())).collect());
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER: there is no weight named "embed_tokens.weight", but there is "net.model.embed_tokens.weight"
download or copy the checkpoint again; this one is incomplete or damaged
"#);
    let unmerged = |name: &String| name.replace("q_proj.weight", "q_proj.base_layer.weight");
    folder.set_tensors(&tensors.iter().map(|(name, stored)| (unmerged(name), stored.clone())).collect());
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER: there is no weight named "model.layers.0.self_attn.q_proj.weight"; "model.layers.0.self_attn.q_proj.base_layer.weight" is of an adapter that was not merged
load the model in Python, call merge_and_unload() and save_pretrained on what it returns, and name that folder
"#);
}

#[test]
fn quantised_checkpoints_are_called_so() {
    let folder = Folder::of("qwen3");
    let tensors = folder.tensors();
    for (quantization, said) in [
        (json!({"quant_method": "bitsandbytes", "load_in_4bit": true}), "it has a quantization_config (bitsandbytes)"),
        (json!({"quant_method": "gptq", "bits": 4}), "it has a quantization_config (gptq)"),
        (json!({"quant_method": "awq"}), "it has a quantization_config (awq)"),
        (json!({"quant_method": "fp8"}), "it has a quantization_config (fp8)"),
        (json!({"kv_cache_scheme": null}), "it has a quantization_config"),
    ] {
        folder.set("quantization_config", quantization);
        assert!(folder.complaint().contains(said), "{}", folder.complaint());
        assert!(matches!(check_configuration(&folder.path().join("config.json")), Err(Error::Quantised { .. })));
    }
    folder.set("quantization_config", Json::Null);
    assert!(folder.model().is_ok());
    // Where the configuration says nothing, the weights do.
    let name = "model.layers.0.self_attn.q_proj.weight";
    let mut codes = tensors.clone();
    let (_, shape, bytes) = codes[name].clone();
    codes.insert(name.into(), (Dtype::F8_E4M3, shape, bytes[..bytes.len() / 4].to_vec()));
    folder.set_tensors(&codes);
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER/model.safetensors: the checkpoint is quantised: "model.layers.0.self_attn.q_proj.weight" is stored as F8_E4M3
name the checkpoint that it was made of, in f32, f16 or bf16; `weights = "nf4"` in the study's [model] table (`--weights nf4`) quantises its weights to 4 bits here
"#);
    codes.insert(name.into(), (Dtype::U8, vec![bytes.len(), 1], bytes));
    folder.set_tensors(&codes);
    assert!(folder.complaint().contains("is stored as U8"), "{}", folder.complaint());
    let packed = codes.remove(name).unwrap();
    codes.insert(name.replace("weight", "qweight"), packed);
    folder.set_tensors(&codes);
    insta::assert_snapshot!(folder.complaint().lines().next().unwrap(), @r#"FOLDER: the checkpoint is quantised: instead of "model.layers.0.self_attn.q_proj.weight" there is "model.layers.0.self_attn.q_proj.qweight""#);
}

#[test]
fn pointers_of_git_lfs_are_called_so() {
    for name in ["config.json", "model.safetensors"] {
        let folder = Folder::of("qwen3");
        folder.write(name, POINTER);
        let complaint = folder.complaint();
        assert!(
            complaint.starts_with(&format!("FOLDER/{name}: this is a Git LFS pointer, not the file")),
            "{complaint}"
        );
        assert!(complaint.contains("git lfs pull"), "{complaint}");
    }
    let folder = Folder::of("bert_mean");
    folder.remove("model.safetensors");
    folder.write("pytorch_model.bin", POINTER);
    assert!(folder.complaint().contains("Git LFS pointer"));
}

#[test]
fn folders_without_weights_that_can_be_read_say_what_to_do() {
    let with = |files: &[&str]| {
        let folder = Folder::of("qwen3");
        folder.remove("model.safetensors");
        for file in files {
            folder.write(file, "weights");
        }
        folder.complaint()
    };
    insta::assert_snapshot!(with(&[]), @r#"
FOLDER: it has no model.safetensors
its weights are missing, or kept in another format: load it with transformers, call save_pretrained, and name the folder; or name a revision that has them (organisation/name@revision)
"#);
    insta::assert_snapshot!(with(&["qwen3-q4_k_m.gguf"]), @r#"
FOLDER: it has no model.safetensors
the weights are in GGUF files, which llama.cpp reads: name the checkpoint in transformers' layout that they were made of
"#);
    insta::assert_snapshot!(with(&["tf_model.h5"]), @r#"
FOLDER: it has no model.safetensors
the weights are TensorFlow's: load the checkpoint with transformers 4 (from_pretrained(..., from_tf=True)), call save_pretrained, and name the folder
"#);
    insta::assert_snapshot!(with(&["flax_model.msgpack"]), @r#"
FOLDER: it has no model.safetensors
the weights are Flax's: load the checkpoint with transformers 4 (from_pretrained(..., from_flax=True)), call save_pretrained, and name the folder
"#);
    insta::assert_snapshot!(with(&["consolidated.00.pth"]), @r#"
FOLDER: it has no model.safetensors
the weights are in their makers' own layout: name the checkpoint in transformers' layout (such repositories often end in -hf), or convert them with transformers' script
"#);
    insta::assert_snapshot!(with(&["model-00001-of-00002.safetensors"]), @r#"
FOLDER: it has no model.safetensors
it has several files of weights, but not their index (model.safetensors.index.json): copy or download it too
"#);
    insta::assert_snapshot!(with(&["model.fp16.safetensors"]), @r#"
FOLDER: it has no model.safetensors
its weights have other names: rename the file to model.safetensors, if it is a whole checkpoint in transformers' layout
"#);
    insta::assert_snapshot!(with(&["adapter_model.safetensors"]), @r#"
FOLDER: it has no model.safetensors
it holds an adapter's weights: its adapter_config.json belongs beside them, and names the model that they were trained on
"#);
    let folder = Folder::of("qwen3");
    folder.remove("config.json");
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER: it has no config.json
it does not seem to be in transformers' layout: config.json, tokenizer.json and model.safetensors
"#);
    assert!(ModelShape::read(Folder::of("qwen3").path()).is_ok());
}

#[test]
fn a_model_in_code_of_its_own_is_not_run() {
    let folder = Folder::of("qwen3");
    // With an architecture that is known here, the code is not needed.
    folder.set("auto_map", json!({"AutoModel": "modeling.Model"}));
    assert!(folder.model().is_ok());
    folder.set("model_type", "my_qwen".into());
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER/config.json: the architecture "my_qwen" is in Python code of its own (auto_map: {"AutoModel":"modeling.Model"})
a checkpoint's code is not run here: name a checkpoint of an architecture that transformers has itself, such as llama or modernbert
"#);
}
