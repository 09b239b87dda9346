use std::path::Path;

use labelmix_models::{BaseModel, Classifier, LoadOptions, Model, Pooling};

use super::script::{Loads, Script};

fn classifier(fixture: &str, pooling: Option<Pooling>) -> Classifier {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../labelmix-models/tests/fixtures").join(fixture);
    Classifier::new(&Model::load(&folder, &LoadOptions::default()).unwrap(), pooling).unwrap()
}

/// The page's Python behind a mark.
fn shown<'a>(page: &'a str, mark: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<!-- {mark} -->\n```python\n")).unwrap();
    rest.split_once("```\n").unwrap().0
}

#[test]
fn the_book_shows_the_scripts_that_are_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/exporting.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (mark, fixture, base, max_length) in [
        ("an encoder's classify.py", "bert_mean", "sentence-transformers/all-MiniLM-L6-v2", 512),
        ("a decoder's classify.py", "llama_gqa", "HuggingFaceTB/SmolLM2-135M-Instruct", 8192),
    ] {
        let classifier = classifier(fixture, None);
        let base = BaseModel { name: base.to_owned(), revision: None };
        let loads = Loads::Adapter(&classifier, &base);
        let written = Script::new("seq-sft_w320_g32_s0", loads, "tokenizer.json", max_length, false).render();
        assert!(shown(&page, mark) == written, "docs/exporting.md is to show this as {mark}:\n{written}");
    }
}

#[test]
fn every_pooling_has_its_script() {
    for fixture in ["bert_pooler", "llama_gqa"] {
        for pooling in Pooling::ALL.into_iter().filter(|pooling| fixture != "llama_gqa" || *pooling != Pooling::Pooler)
        {
            let classifier = classifier(fixture, Some(pooling));
            for members in [None, Some("[\"member-1\", \"member-2\"]".to_owned())] {
                let mut script = Script::new("a-run", Loads::Merged(&classifier), "tokenizer.json", 8, true);
                script.members = members;
                let text = script.render();
                assert!(text.starts_with("\"\"\"Log-odds") && !text.contains("{{") && !text.contains(" \n"), "{text}");
            }
        }
    }
}

#[test]
fn a_repository_is_named_with_its_commit() {
    let classifier = classifier("llama_gqa", None);
    let base = BaseModel { name: "org/name".to_owned(), revision: Some("a1b2".to_owned()) };
    let script = Script::new("a-run", Loads::Adapter(&classifier, &base), "tokenizer.json", 8, false).render();
    assert!(script.contains("BASE = \"org/name\"  # the model that was fine-tuned\nREVISION = \"a1b2\"\n"), "{script}");
    assert!(script.contains("from_pretrained(BASE, revision=REVISION, num_labels=2, dtype=torch.float32)"), "{script}");
}
