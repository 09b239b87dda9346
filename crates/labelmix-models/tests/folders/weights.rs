//! Which files hold the weights, and under which names.

use std::collections::BTreeMap;
use std::fs;

use labelmix_models::ModelShape;
use serde_json::json;

use crate::folder::{Folder, Stored, changed, close, fixture_folder, write_tensors};

#[test]
fn a_single_file_comes_before_an_index_that_is_left_over() {
    let folder = Folder::of("qwen3");
    let hidden = folder.hidden();
    let hash = folder.model().unwrap().content_hash().unwrap();
    let old: BTreeMap<String, Stored> =
        folder.tensors().iter().map(|(name, stored)| (name.clone(), changed(stored, |_, value| 0.5 * value))).collect();
    let shard = "model-00001-of-00001.safetensors";
    write_tensors(&folder.path().join(shard), &old);
    let weight_map: BTreeMap<&String, &str> = old.keys().map(|name| (name, shard)).collect();
    folder.write("model.safetensors.index.json", json!({ "weight_map": weight_map }).to_string());
    folder.write("pytorch_model.bin", "older still");
    assert_eq!(folder.hidden(), hidden);
    assert_eq!(folder.model().unwrap().content_hash().unwrap(), hash, "the results of the folder stay");
    insta::assert_snapshot!(folder.notes().join("\n"), @"model.safetensors is read, as transformers does; model.safetensors.index.json beside it is not");
    folder.remove(shard);
    assert_eq!(folder.hidden(), hidden);
    folder.remove("model.safetensors");
    insta::assert_snapshot!(folder.complaint(), @r#"
FOLDER/model.safetensors.index.json: it names model-00001-of-00001.safetensors, which is not there
copy or download what is missing; where the index is left over from an earlier save, delete it and put the newer weights there as model.safetensors
"#);
}

#[test]
fn weights_of_torch_save_are_read_in_both_of_its_layouts() {
    for fixture in ["bert_mean", "distilbert"] {
        let folder = Folder::of(fixture);
        let hidden = folder.hidden();
        folder.remove("model.safetensors");
        let bin = fixture_folder("pickles").join(format!("{fixture}.bin"));
        let bytes = fs::read(bin).unwrap();
        folder.write("pytorch_model.bin", &bytes);
        assert_eq!(folder.hidden(), hidden, "{fixture}");
        // In several files, under an index.
        folder.remove("pytorch_model.bin");
        folder.write("pytorch_model-00001-of-00001.bin", &bytes);
        let index = json!({"weight_map": {"anything": "pytorch_model-00001-of-00001.bin"}});
        folder.write("pytorch_model.bin.index.json", index.to_string());
        assert_eq!(folder.hidden(), hidden, "{fixture}");
    }
}

#[test]
fn damaged_files_of_torch_save_are_errors() {
    for fixture in ["bert_mean", "distilbert"] {
        let folder = Folder::of(fixture);
        folder.remove("model.safetensors");
        let bytes = fs::read(fixture_folder("pickles").join(format!("{fixture}.bin"))).unwrap();
        for length in (0..bytes.len()).step_by(997) {
            folder.write("pytorch_model.bin", &bytes[..length]);
            assert!(folder.model().is_err(), "{fixture}: {length} bytes");
        }
        for place in (0..bytes.len()).step_by(61) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x55;
            folder.write("pytorch_model.bin", &damaged);
            // Some bytes are of no consequence, most are of a weight; none may end the program.
            let _ = folder.model();
        }
    }
}

#[test]
fn prefixes_of_wrappers_are_taken_off_the_names() {
    let folder = Folder::of("qwen3");
    let (hidden, logits, tensors) = (folder.hidden(), folder.logits(), folder.tensors());
    for prefix in ["module.", "_orig_mod.", "base_model.model.", "_orig_mod.module.base_model.model."] {
        folder.set_tensors(&tensors.iter().map(|(name, stored)| (format!("{prefix}{name}"), stored.clone())).collect());
        assert_eq!(folder.hidden(), hidden, "{prefix}");
        assert_eq!(folder.logits(), logits, "{prefix}");
        assert!(folder.notes()[0].contains(prefix.trim_end_matches('.').rsplit('.').next().unwrap()), "{prefix}");
    }
    // Compiled block by block.
    let inside = |name: &String| name.replace("model.layers.0.", "model.layers.0._orig_mod.");
    folder.set_tensors(&tensors.iter().map(|(name, stored)| (inside(name), stored.clone())).collect());
    assert_eq!(folder.hidden(), hidden);
    insta::assert_snapshot!(folder.notes().join("\n"), @"names of weights are read without the prefix of a wrapper: _orig_mod");
}

#[test]
fn a_tied_head_that_is_stored_apart_is_used() {
    let folder = Folder::of("qwen2");
    let tied = folder.logits();
    let mut tensors = folder.tensors();
    let words = tensors["model.embed_tokens.weight"].clone();
    tensors.insert("lm_head.weight".into(), words.clone());
    folder.set_tensors(&tensors);
    assert_eq!(folder.logits(), tied);
    assert_eq!(ModelShape::read(folder.path()).unwrap().summary().tied_head, Some(true));
    tensors.insert("lm_head.weight".into(), changed(&words, |_, value| 2.0 * value));
    folder.set_tensors(&tensors);
    assert_eq!(ModelShape::read(folder.path()).unwrap().summary().tied_head, Some(false));
    let doubled: Vec<f32> = tied.iter().map(|logit| 2.0 * logit).collect();
    assert!(close(&folder.logits(), &doubled));
    insta::assert_snapshot!(folder.notes().join("\n"), @"lm_head.weight is stored, and differs from the word embedding: it is used, though config.json says that they are tied");
    folder.set("tie_word_embeddings", false.into());
    assert!(close(&folder.logits(), &doubled));
    // Of the two, some files have the head alone.
    tensors.remove("model.embed_tokens.weight");
    tensors.insert("lm_head.weight".into(), words);
    folder.set_tensors(&tensors);
    folder.set("tie_word_embeddings", true.into());
    assert_eq!(folder.logits(), tied);
}
