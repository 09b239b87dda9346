//! `inspect` and `doctor`, and training that does not fit into memory.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

fn checkpoint() -> String {
    example().join("checkpoint").display().to_string()
}

#[test]
fn inspect_says_what_a_checkpoint_is_and_how_it_goes_on() {
    let workplace = Workplace::new();
    workplace.write("texts.jsonl", "{\"text\": \"the soup was simply perfect .\"}\n{\"text\": \"we\"}\n");
    let output = workplace.output_of(&["inspect", &checkpoint(), "--texts", "texts.jsonl"]);
    insta::assert_snapshot!(output, @r#"
    architecture  Llama (decoder)
    blocks        4: hidden size 64, feed-forward 160
    attention     4 heads of 16, 2 of keys and values; causal
    parameters    188,160, and 15,552 of the language-modelling head
    stored        203,712 in f16
    context       256 tokens
    tokenizer     WordLevel of 243 tokens (the model has 243)
    memory        LoRA with the default recipe: weights 369 KiB, 25.1 MiB per run, 85.4 MiB at the peak

    0  "the soup was simply perfect ."
       ids   1 207 190 232 183 155 5
       next   75.95%  "the" (207, logit 11.2817)
       next   10.17%  "we" (234, logit 9.2706)
       next    9.80%  "i" (102, logit 9.2336)
       next    2.43%  "although" (13, logit 7.8378)
       next    0.95%  "my" (137, logit 6.9038)

    1  "we"
       ids   1 234
       next   13.16%  "expected" (78, logit 7.4729)
       next    9.83%  "ordered" (150, logit 7.1809)
       next    7.48%  "had" (93, logit 6.9074)
       next    7.18%  "bought" (36, logit 6.8667)
       next    5.91%  "came" (44, logit 6.6723)
    "#);
    let json: Json = serde_json::from_str(&workplace.output_of(&["inspect", &checkpoint(), "--json"])).unwrap();
    assert_eq!(json["model"]["architecture"], "Llama");
    assert_eq!(json["model"]["key_value_heads"], 2);
    assert!(json.get("texts").is_none());
}

#[test]
fn inspect_fails_where_there_are_no_weights() {
    let workplace = Workplace::new();
    for file in ["config.json", "tokenizer.json"] {
        workplace.write(&format!("model/{file}"), fs::read(example().join("checkpoint").join(file)).unwrap());
    }
    let failed = workplace.labelmix(&["inspect", "model"]).assert().code(1);
    insta::assert_snapshot!(String::from_utf8_lossy(&failed.get_output().stderr), @r#"
error: model: it has no model.safetensors
hint: its weights are missing, or kept in another format: load it with transformers, call save_pretrained, and name the folder; or name a revision that has them (organisation/name@revision)
"#);
    // The memory that it takes needs no weights.
    workplace.output_of(&["doctor", "--model", "model"]);
}

#[test]
fn inspect_says_what_may_not_be_expected() {
    let workplace = Workplace::new();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        workplace.write(&format!("model/{file}"), fs::read(example().join("checkpoint").join(file)).unwrap());
    }
    workplace.write("model/model.safetensors.index.json", "{}");
    let output = workplace.output_of(&["inspect", "model"]);
    insta::assert_snapshot!(output.lines().last().unwrap(), @"note          model.safetensors is read, as transformers does; model.safetensors.index.json beside it is not");
}

#[test]
fn inspect_writes_the_logits_of_every_token() {
    let workplace = Workplace::new();
    workplace.write("texts.jsonl", "{\"text\": \"the soup was simply perfect .\"}\n{\"text\": \"we\"}\n");
    let arguments = ["inspect", &checkpoint(), "--texts", "texts.jsonl", "--logits", "out.safetensors", "--json"];
    let json: Json = serde_json::from_str(&workplace.output_of(&arguments)).unwrap();
    let bytes = fs::read(workplace.path().join("out.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for (index, text) in json["texts"].as_array().unwrap().iter().enumerate() {
        let ids: Vec<i64> = text["token_ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let stored = tensors.tensor(&format!("token_ids_{index}")).unwrap();
        let stored: Vec<i64> = stored.data().as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id)).collect();
        assert_eq!(stored, ids);
        let logits = tensors.tensor(&format!("logits_{index}")).unwrap();
        assert_eq!(logits.shape(), [ids.len(), 243]);
        // The likeliest next token is the largest of the last row.
        let values: Vec<f32> = logits.data().as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect();
        let last = &values[values.len() - 243..];
        let likeliest = (0..243).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
        assert_eq!(text["next"][0]["id"], likeliest);
    }
}

#[test]
fn doctor_says_what_fits() {
    let workplace = Workplace::new();
    let report = |memory: &str| -> Json {
        let arguments = ["doctor", "--model", &checkpoint(), "--memory", memory, "--json"];
        serde_json::from_str(&workplace.output_of(&arguments)).unwrap()
    };
    let fits = |report: &Json, index: usize| report["model"]["options"][index]["runs_that_fit"].as_u64().unwrap();
    // Twenty-two megabytes of activations; eight where they are computed twice.
    let (plenty, little) = (report("1GiB"), report("72MiB"));
    assert!(fits(&plenty, 0) > 10);
    assert_eq!([fits(&little, 0), fits(&little, 1)], [0, 1]);
    assert_eq!(plenty["model"]["shape"]["blocks"], 4);
    let machine = workplace.output_of(&["doctor"]);
    assert!(machine.starts_with("labelmix ") && machine.contains("cores"), "{machine}");
}

#[test]
fn a_sweep_that_does_not_fit_is_refused_with_what_would_fit() {
    let workplace = Workplace::new();
    let refusal = |arguments: &[&str]| {
        let output = workplace.labelmix(arguments).assert().code(1).get_output().stderr.clone();
        String::from_utf8(output).unwrap()
    };
    insta::assert_snapshot!(refusal(&["sweep", "study.toml", "--memory", "100MiB", "--jobs", "3"]), @"
    error: training would take 136 MiB of memory, and 100 MiB are available
    hint: with --jobs 1 it takes 85.4 MiB, which fits
    ");
    insta::assert_snapshot!(refusal(&["sweep", "study.toml", "--memory", "70MiB"]), @"
    error: training would take 85.4 MiB of memory, and 70.0 MiB are available
    hint: with micro_batch_tokens = 256 in [recipe] it takes 67.3 MiB, which fits
    ");
    insta::assert_snapshot!(refusal(&["sweep", "study.toml", "--memory", "30MiB"]), @"
    error: training would take 85.4 MiB of memory, and 30.0 MiB are available
    hint: no setting makes it fit: free memory, or take a smaller model or shorter texts
    ");
    assert!(!workplace.path().join("labelmix-store/stages").read_dir().unwrap().any(|_| true), "nothing was trained");
    let checkpointing =
        Workplace::study().replace("[grid]", "activation_checkpointing = true\nweights = \"nf4\"\n[grid]");
    workplace.write("study.toml", checkpointing.replace("[recipe]", "[recipe]\nmicro_batch_tokens = 256"));
    workplace.output_of(&["sweep", "study.toml", "--memory", "70MiB"]);
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let workplace = Workplace::new();
    let refusal = |device: &str| {
        let arguments = ["sweep", "study.toml", "--device", device];
        let output = workplace.labelmix(&arguments).assert().code(1).get_output().stderr.clone();
        String::from_utf8(output).unwrap()
    };
    insta::assert_snapshot!(refusal("cuda:0"), @r#"
error: --device cuda:0: the native engine runs models on the processor
hint: leave --device out; or let PyTorch run them: --engine torch, or `kind` in the study's [engine]
"#);
}
