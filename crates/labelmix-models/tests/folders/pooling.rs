//! How folders of sentence-transformers say that they pool.

use labelmix_models::{Classifier, LoraSettings, Pooling};
use serde_json::{Value as Json, json};

use crate::folder::{Folder, batch, close, hidden, said};

#[test]
fn sentence_transformers_say_how_they_pool() {
    let pooling = |fixture: &str, config: Option<Json>| {
        let folder = Folder::of(fixture);
        folder.write("modules.json", "[]");
        if let Some(config) = config {
            folder.write("1_Pooling/config.json", config.to_string());
        }
        let classifier = Classifier::new(&folder.model().unwrap(), None);
        classifier.map(|classifier| classifier.pooling()).map_err(|error| said(&error))
    };
    let keys = |mode: &str| {
        let mut keys = json!({"word_embedding_dimension": 24, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": false,
            "pooling_mode_max_tokens": false, "pooling_mode_lasttoken": false, "include_prompt": true});
        keys[mode] = true.into();
        Some(keys)
    };
    assert_eq!(pooling("bert_pooler", None), Ok(Pooling::Mean), "as before");
    assert_eq!(pooling("bert_pooler", keys("pooling_mode_mean_tokens")), Ok(Pooling::Mean));
    assert_eq!(pooling("bert_pooler", keys("pooling_mode_cls_token")), Ok(Pooling::FirstToken));
    assert_eq!(pooling("bert_mean", keys("pooling_mode_max_tokens")), Ok(Pooling::Max));
    assert_eq!(pooling("bert_mean", keys("pooling_mode_lasttoken")), Ok(Pooling::LastToken));
    assert_eq!(
        pooling("bert_mean", Some(json!({"pooling_mode": "cls"}))),
        Ok(Pooling::FirstToken),
        "as newer versions write it"
    );
    assert_eq!(pooling("qwen3", keys("pooling_mode_cls_token")), Ok(Pooling::LastToken), "a decoder");
    let weighted = pooling("bert_mean", keys("pooling_mode_weightedmean_tokens")).unwrap_err();
    assert!(weighted.contains("weightedmean"), "{weighted}");

    let folder = Folder::of("bert_pooler");
    folder.write(
        "modules.json",
        r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "pooler", "type": "sentence_transformers.models.Pooling"}]"#,
    );
    folder.write("pooler/config.json", r#"{"pooling_mode_max_tokens": true}"#);
    let model = folder.model().unwrap();
    let classifier = Classifier::new(&model, None).unwrap();
    assert_eq!(classifier.pooling(), Pooling::Max);
    // The head's logits are products with the largest numbers of the hidden states.
    let adapter = classifier.initial_adapter(LoraSettings { rank: 2, alpha: 4.0 }, 7).unwrap();
    let (hidden, size) = (hidden(&model), model.hidden_size());
    let largest: Vec<f32> = (0..size)
        .map(|column| hidden.iter().skip(column).step_by(size).copied().fold(f32::NEG_INFINITY, f32::max))
        .collect();
    let weight = adapter.parameters()[adapter.head_at()].value().to_vec().unwrap();
    let expected: Vec<f32> =
        weight.chunks_exact(size).map(|row| row.iter().zip(&largest).map(|(a, b)| a * b).sum()).collect();
    let logits = classifier.logits(&batch(), &adapter).unwrap().to_vec().unwrap();
    assert!(close(&logits, &expected), "{logits:?} {expected:?}");
}
