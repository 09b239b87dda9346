//! Adapters as models: their base with the adapter merged.

use std::collections::BTreeMap;
use std::fs;

use labelmix_models::{LoadOptions, Model};
use safetensors::Dtype;
use serde_json::json;

use crate::folder::{
    Folder, Stored, changed, close, f32_bytes, fixture_folder, hidden, read_tensors, said, write_tensors,
};

/// Random-looking numbers between −0.1 and 0.1.
fn factor(seed: usize, [rows, columns]: [usize; 2]) -> Stored {
    let values = (0..rows * columns).map(|index| 0.1 * ((index * 37 + seed) as f32).sin());
    (Dtype::F32, vec![rows, columns], f32_bytes(values))
}

/// An adapter on the queries of a checkpoint's first block, in a folder of its own beside the checkpoint.
fn adapter(fixture: &str, layer: &str, [outputs, inputs]: [usize; 2]) -> (tempfile::TempDir, [Stored; 2]) {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("base");
    fs::create_dir(&base).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture_folder(fixture).join(name), base.join(name)).unwrap();
    }
    let folder = place.path().join("adapter");
    fs::create_dir(&folder).unwrap();
    let factors = [factor(1, [2, inputs]), factor(2, [outputs, 2])];
    let name = |part: &str| format!("base_model.model.{layer}.lora_{part}.weight");
    let mut tensors: BTreeMap<String, Stored> =
        [(name("A"), factors[0].clone()), (name("B"), factors[1].clone())].into();
    tensors.insert("base_model.model.score.weight".into(), factor(3, [2, inputs]));
    write_tensors(&folder.join("adapter_model.safetensors"), &tensors);
    (place, factors)
}

fn adapter_config(base: &str) -> String {
    json!({"peft_type": "LORA", "r": 2, "lora_alpha": 6.0, "base_model_name_or_path": base}).to_string()
}

fn values((_, _, bytes): &Stored) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

#[test]
fn an_adapter_is_its_base_with_the_adapter_merged() {
    for (fixture, layer, transposed) in
        [("qwen3", "model.layers.0.self_attn.q_proj", false), ("gpt2", "transformer.h.0.attn.c_attn", true)]
    {
        let stored = read_tensors(&fixture_folder(fixture).join("model.safetensors"));
        let weight = stored[&format!("{layer}.weight")].clone();
        let shape = if transposed { [weight.1[1], weight.1[0]] } else { [weight.1[0], weight.1[1]] };
        let (place, [a, b]) = adapter(fixture, layer, shape);
        // The merged weight, by hand: W + 6/2 · B·A.
        let (a, b) = (values(&a), values(&b));
        let merged = changed(&weight, |index, value| {
            let (row, column) = (index / weight.1[1], index % weight.1[1]);
            let (output, input) = if transposed { (column, row) } else { (row, column) };
            let product: f32 = (0..2).map(|part| b[output * 2 + part] * a[part * shape[1] + input]).sum();
            value + 3.0 * product
        });
        let expected = Folder::of(fixture);
        let mut tensors = expected.tensors();
        tensors.insert(format!("{layer}.weight"), merged);
        let plain = expected.hidden();
        expected.set_tensors(&tensors);

        let folder = place.path().join("adapter");
        for base in ["../base", place.path().join("base").to_str().unwrap(), "organisation/base"] {
            fs::write(folder.join("adapter_config.json"), adapter_config(base)).unwrap();
            let model = Model::load(&folder, &LoadOptions::default()).unwrap();
            let ours = hidden(&model);
            assert!(close(&ours, &expected.hidden()), "{fixture}");
            assert!(!close(&ours, &plain), "{fixture}");
            let base = Model::load(&place.path().join("base"), &LoadOptions::default()).unwrap();
            assert_ne!(model.content_hash().unwrap(), base.content_hash().unwrap());
        }
    }
}

#[test]
fn adapters_that_cannot_be_merged_say_why() {
    let (place, _) = adapter("qwen3", "model.layers.0.self_attn.q_proj", [24, 16]);
    let folder = place.path().join("adapter");
    let complaint = |config: String| {
        fs::write(folder.join("adapter_config.json"), config).unwrap();
        let error = Model::load(&folder, &LoadOptions::default()).err().unwrap();
        said(&error).replace(&place.path().display().to_string(), "PLACE")
    };
    insta::assert_snapshot!(complaint(adapter_config("organisation/elsewhere")), @r#"
PLACE/adapter/adapter_config.json: the adapter's base_model_name_or_path is "organisation/elsewhere", and there is no such folder
write the folder of the model that the adapter was trained on; a model of the Hub is downloaded by `hf download organisation/elsewhere --local-dir base`
"#);
    insta::assert_snapshot!(complaint(adapter_config("base").replace("LORA", "IA3")), @r#"
PLACE/adapter/adapter_config.json: the adapter is of the type "IA3"; only LORA can be run
the adapter was trained on another model, or with other LoRA settings
"#);
    insta::assert_snapshot!(complaint(adapter_config("base").replace("\"r\":2", "\"r\":3")), @r#"
PLACE/adapter/adapter_model.safetensors: the factors of "model.layers.0.self_attn.q_proj" have the shapes [2, 16] and [24, 2] (rank 3), its weight [24, 16]
the adapter was trained on another model, or with other LoRA settings
"#);
    insta::assert_snapshot!(complaint("{}".into()), @r#"
PLACE/adapter/adapter_config.json: the adapter's base_model_name_or_path is "", and there is no such folder
write the folder of the model that the adapter was trained on; a model of the Hub is downloaded by `hf download NAME --local-dir base`
"#);
    fs::remove_file(folder.join("adapter_model.safetensors")).unwrap();
    insta::assert_snapshot!(complaint(adapter_config("base")), @r#"
PLACE/adapter: it has no adapter_model.safetensors
an adapter is adapter_config.json with the weights beside it: copy or download them too
"#);
}
