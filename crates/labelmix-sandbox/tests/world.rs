//! The world, its corpus and its questions, through the public face.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::collections::{BTreeMap, BTreeSet};

use labelmix_models::{TextLimit, Tokenizer};
use labelmix_sandbox::{
    Mixture, RELATION_COUNT, Role, SandboxModel, Shape, World, WorldSettings, corpus_rows, write_untrained,
};

const SMALL: Shape = Shape { layers: 1, hidden: 16, heads: 2, intermediate: 16 };

fn world(seed: u64) -> World {
    World::new(WorldSettings { seed, ..WorldSettings::default() })
}

/// The tokenizer of a world's models.
fn tokenizer(world: &World) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    write_untrained(world, &SMALL, 0, folder.path()).unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

#[test]
fn a_world_is_a_function_of_its_seed() {
    let texts = |seed| world(seed).questions(Role::Test).into_iter().map(|question| question.text).collect::<Vec<_>>();
    assert_eq!(texts(0), texts(0));
    assert_ne!(texts(0), texts(1));
    insta::assert_snapshot!(texts(0)[..3].join("\n"), @"
Which tool does zusurer work with, and is it red? Answer:
What is the tool of zusurer, and is it red? Answer:
What does zusurer carry to work, and is it red? Answer:
");
}

#[test]
fn no_entity_has_two_roles_and_questions_speak_of_their_own() {
    let world = world(0);
    let names =
        |role| -> BTreeSet<&str> { world.entities(role).map(|entity| world.names()[entity].as_str()).collect() };
    let words = |text: &str| -> BTreeSet<String> {
        text.to_lowercase().split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    for role in Role::ALL {
        for question in world.questions(role) {
            let named: Vec<String> =
                words(&question.text).into_iter().filter(|word| world.names().contains(word)).collect();
            assert_eq!(named.len(), 1, "{}", question.text);
            assert!(names(role).contains(named[0].as_str()), "{}", question.text);
        }
    }
    assert_eq!(world.names().iter().collect::<BTreeSet<_>>().len(), world.names().len());
}

#[test]
fn about_half_of_the_questions_are_about_something_red() {
    for seed in 0..5 {
        for role in [Role::Labeler, Role::Pool, Role::Test] {
            let questions = world(seed).questions(role);
            let red = questions.iter().filter(|question| question.is_red).count() as f64 / questions.len() as f64;
            assert!((0.4..0.6).contains(&red), "{role:?} of seed {seed}: {red}");
        }
    }
}

#[test]
fn every_word_of_the_corpus_and_of_the_questions_is_a_token() {
    let world = world(0);
    let tokenizer = tokenizer(&world);
    let unknown = tokenizer.encode("xylophone-maker", TextLimit::Refuse).unwrap()[0];
    let mixture = Mixture { prompts: 2, ..SandboxModel::Strong.pretraining().mixture };
    let rows = (0..20).flat_map(|step| corpus_rows(&world, &mixture, 0, 500 + step, 1000));
    let of_rows = rows.map(|row| row.pieces.into_iter().map(|(text, _)| text).collect::<String>());
    let of_questions = world.questions(Role::Test).into_iter().map(|question| question.text);
    for text in of_rows.chain(of_questions) {
        // One word has no token on purpose.
        let text = text.replace("colour", "red");
        assert!(!tokenizer.encode(&text, TextLimit::Refuse).unwrap().contains(&unknown), "{text}");
    }
    for name in world.names() {
        assert_eq!(tokenizer.encode(name, TextLimit::Refuse).unwrap().len(), 1, "{name}");
    }
}

#[test]
fn the_corpus_never_states_what_the_test_asks() {
    let world = world(0);
    let tested: BTreeSet<&str> = world.entities(Role::Test).map(|entity| world.names()[entity].as_str()).collect();
    let mixture = Mixture { prompts: 4, ..SandboxModel::Strong.pretraining().mixture };
    let mut kinds = BTreeMap::new();
    for step in 0..200 {
        for row in corpus_rows(&world, &mixture, 0, step, 200) {
            let text: String = row.pieces.iter().map(|(text, _)| text.as_str()).collect();
            let lower = text.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphanumeric());
            let about_the_tested = words.clone().any(|word| tested.contains(word));
            // The question itself names a colour; a label or a statement would name it elsewhere.
            let colours = words.by_ref().filter(|word| ["red", "blue", "0", "1"].contains(word)).count();
            let asked = lower.matches("is it red").count();
            if about_the_tested {
                assert_eq!(colours, asked, "{text}");
            }
            *kinds.entry((about_the_tested, colours > asked)).or_insert(0) += 1;
        }
    }
    // Facts about the tested, facts about others, and colours or labels about others: all three occur.
    assert!(kinds[&(true, false)] > 0 && kinds[&(false, false)] > 0 && kinds[&(false, true)] > 0);
    assert_eq!(world.questions(Role::Test).len(), 6 * RELATION_COUNT * tested.len());
}
