//! Prompts: what stands in them, in which order, and what happens where they do not work.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::collections::HashSet;
use std::path::Path;

use labelmix_data::{ExampleId, PromptTemplate};
use labelmix_methods::ShotOrder;
use labelmix_models::{TextLimit, Tokenizer};
use labelmix_train::{AnswerEncoder, PromptEncoder, PromptError, Shots};
use miette::Diagnostic;

const EXAMPLES: [(&str, bool); 3] =
    [("the soup was cold", false), ("a lovely evening", true), ("the staff were", true)];

/// The example's tokenizer, which splits at white space and knows few words.
fn tokenizer() -> Tokenizer {
    Tokenizer::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews/checkpoint")).unwrap()
}

fn template() -> PromptTemplate {
    PromptTemplate {
        targets: ["slow".into(), "perfect".into()],
        before_target: " is ".into(),
        between: " . ".into(),
        ..PromptTemplate::default()
    }
}

fn words(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    tokens.iter().map(|token| tokenizer.token(*token).unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_prompt_is_shots_with_targets_and_then_the_query() {
    let tokenizer = tokenizer();
    let encoder = PromptEncoder::new(template(), &tokenizer).unwrap();
    assert_eq!(words(&tokenizer, &encoder.targets()), "slow perfect");
    let shots = Shots::new(&encoder, EXAMPLES, ShotOrder::OneForAll, 3).unwrap();
    let prompt = shots.before(ExampleId::of("the wine"), &encoder.query("the wine").unwrap());
    let text = words(&tokenizer, &prompt.token_ids());
    assert!(text.starts_with("<s> ") && text.ends_with(" . the wine is"), "{text}");
    for shot in ["the soup was cold is slow .", "a lovely evening is perfect .", "the staff were is perfect ."] {
        assert!(text.contains(shot), "{text}");
    }
    assert_eq!(text.matches("<s>").count(), 1);
}

#[test]
fn what_stands_before_a_text_stands_before_shots_and_query() {
    let tokenizer = tokenizer();
    let before_text = "the plot ".to_owned();
    let encoder = PromptEncoder::new(PromptTemplate { before_text, ..template() }, &tokenizer).unwrap();
    let shots = Shots::new(&encoder, EXAMPLES, ShotOrder::OneForAll, 3).unwrap();
    let prompt = shots.before(ExampleId::of("the wine"), &encoder.query("the wine").unwrap());
    let text = words(&tokenizer, &prompt.token_ids());
    assert_eq!(text.matches("the plot ").count(), 4, "{text}");
    assert!(text.ends_with("the plot the wine is"), "{text}");
    // Of a text that is cut the end goes, not what stands around it.
    let longer = encoder.cut_query(&"the wine ".repeat(200)).unwrap();
    let longer = words(&tokenizer, &longer);
    assert!(longer.starts_with("the plot the wine") && longer.ends_with("the wine is"), "{longer}");
}

#[test]
fn a_conversation_begins_once() {
    let tokenizer = tokenizer();
    // A chat template may write the tokenizer's own special token.
    for start in ["the plot ", "<s> the plot "] {
        let template = template().in_conversation(start.to_owned(), " ! the bread ", " . the bread ".to_owned());
        let encoder = PromptEncoder::new(template, &tokenizer).unwrap();
        let shots = Shots::new(&encoder, EXAMPLES, ShotOrder::OneForAll, 3).unwrap();
        let prompt = shots.before(ExampleId::of("the wine"), &encoder.query("the wine").unwrap());
        let text = words(&tokenizer, &prompt.token_ids());
        assert!(text.starts_with("<s> the plot "), "{text}");
        assert!(text.ends_with("the bread the wine is ! the bread"), "{text}");
        assert_eq!((text.matches("<s>").count(), text.matches("the plot").count()), (1, 1), "{text}");
        assert_eq!(text.matches("is ! the bread").count(), 4, "{text}");
    }
}

#[test]
fn no_example_is_its_own_shot_and_every_text_has_one_shuffle_of_its_own() {
    let tokenizer = tokenizer();
    let encoder = PromptEncoder::new(template(), &tokenizer).unwrap();
    let fresh = Shots::new(&encoder, EXAMPLES, ShotOrder::FreshForEach, 3).unwrap();
    let prompt = |shots: &Shots, text: &str| {
        words(&tokenizer, &shots.before(ExampleId::of(text), &encoder.query(text).unwrap()).token_ids())
    };
    for (own, _) in EXAMPLES {
        assert_eq!(prompt(&fresh, own).matches(own).count(), 1, "{own}");
        for (other, _) in EXAMPLES {
            assert!(prompt(&fresh, own).contains(other));
        }
    }
    let one = Shots::new(&encoder, EXAMPLES, ShotOrder::OneForAll, 3).unwrap();
    let texts: Vec<String> = (0..60).map(|n| format!("the plot {n}")).collect();
    let orders = |shots: &Shots| -> HashSet<String> {
        texts.iter().map(|text| prompt(shots, text).split("the plot").next().unwrap().to_owned()).collect()
    };
    assert_eq!(orders(&fresh).len(), 6, "all orders of three shots");
    assert_eq!(orders(&one).len(), 1);
    assert_eq!(prompt(&fresh, &texts[0]), prompt(&fresh, &texts[0]));
}

#[test]
fn a_step_has_one_prompt_in_an_order_of_its_own() {
    let tokenizer = tokenizer();
    let encoder = PromptEncoder::new(template(), &tokenizer).unwrap();
    let shots = Shots::new(&encoder, EXAMPLES, ShotOrder::FreshForEachStep, 3).unwrap();
    let query = encoder.query("the wine").unwrap();
    let step = |step: usize, text: &[u32]| shots.before_step(step, &[&query, text]);
    let orders: HashSet<Vec<u32>> = (0..60).map(|number| step(number, &query)).collect();
    assert_eq!(orders.len(), 6, "all orders of three shots");
    assert_eq!(step(7, &query), step(7, &query));
    // What is read has one prompt, as if nothing were trained.
    let one = Shots::new(&encoder, EXAMPLES, ShotOrder::OneForAll, 3).unwrap();
    assert_eq!(shots.before(ExampleId::of("the wine"), &query), one.before(ExampleId::of("the wine"), &query));
    // Before a text of 247 tokens there is room for one shot of the 256.
    assert!((1 + 5..1 + 9).contains(&step(0, &[7; 247]).len()));
    assert_eq!(step(0, &[7; 255]).len(), 1);
    // No text stands in its own prompt, nor in that of the others of its step.
    let own = words(&tokenizer, &step(0, &encoder.query("the soup was cold").unwrap()));
    assert!(!own.contains("the soup was cold") && own.contains("the staff were is perfect"), "{own}");
}

#[test]
fn shots_that_do_not_fit_are_left_out_whole_and_counted() {
    let tokenizer = tokenizer();
    let encoder = PromptEncoder::new(template(), &tokenizer).unwrap();
    let examples: Vec<(String, bool)> = (0..60).map(|n| (format!("the soup was cold {n}"), n % 2 == 0)).collect();
    let examples = || examples.iter().map(|(text, class)| (&**text, *class));
    let shots = Shots::new(&encoder, examples(), ShotOrder::FreshForEach, 3).unwrap();
    let prompt = |text: &str| shots.before(ExampleId::of(text), &encoder.query(text).unwrap());
    // A shot has 8 tokens, the beginning 1, "the wine is" 3: 31 of 60 shots fit 256.
    let short = prompt("the wine");
    assert_eq!((short.token_ids().len(), short.lost), (1 + 31 * 8 + 3, 29));
    let long = "the wine ".repeat(120);
    assert_eq!(prompt(&long).lost, 60 - 1);
    assert!(shots.longest_prompt(3) == 256 && shots.longest_prompt(241) == 256);
    // A query that does not fit is cut, with what stands before its target.
    let longer = encoder.cut_query(&"the wine ".repeat(200)).unwrap();
    assert_eq!(longer.len(), encoder.room());
    assert!(words(&tokenizer, &longer).ends_with("the wine is"));
}

#[test]
fn targets_that_tell_nothing_are_refused_with_the_remedy() {
    let tokenizer = tokenizer();
    let complaint = |template: PromptTemplate| match PromptEncoder::new(template, &tokenizer) {
        Ok(_) => panic!("these targets work"),
        Err(error) => error,
    };
    // Neither word is in the vocabulary.
    let error = complaint(PromptTemplate { targets: ["0".into(), "1".into()], ..template() });
    assert!(matches!(error, PromptError::SameToken { .. }));
    assert_eq!(error.to_string(), r#"the targets "0" and "1" both begin with the token "<unk>" after " is ""#);
    assert!(error.help().unwrap().to_string().contains("[prompt]"));
    // Without a space the target and the word before it are one word.
    let error = complaint(PromptTemplate { before_target: " so".into(), ..template() });
    assert!(matches!(error, PromptError::Merged { .. }), "{error}");
    assert!(error.help().unwrap().to_string().contains("before_target"));
}

#[test]
fn an_answer_is_what_follows_the_last_of_what_introduces_answers() {
    let tokenizer = tokenizer();
    let encoder = AnswerEncoder::new("\nit was", &tokenizer, TextLimit::Refuse).unwrap();
    let text = "how was the soup ?\nit was cold\nit was a lovely evening";
    assert_eq!(encoder.split(text).unwrap(), (&text[..text.len() - " a lovely evening".len()], " a lovely evening"));
    assert!(encoder.answer(text).is_ok());
    for text in ["how was the soup ?", "how was the soup ?\nit was", "how was the soup ?\nit was \n"] {
        let error = encoder.answer(text).unwrap_err();
        assert!(matches!(error, PromptError::NoAnswer { .. }), "{error}");
        assert!(error.help().unwrap().to_string().contains("before_answer"));
    }
    // Of a text that is too long the beginning goes, or it is refused.
    let long = format!("{}\nit was cold", "the soup ".repeat(tokenizer.context()));
    assert!(encoder.answer(&long).unwrap_err().to_string().contains("tokens"));
    let cutting = AnswerEncoder::new("\nit was", &tokenizer, TextLimit::Cut).unwrap();
    let one_less = format!("{}\nit was cold", "the soup ".repeat(tokenizer.context() - 1));
    assert_eq!(cutting.answer(&long).unwrap(), cutting.answer(&one_less).unwrap());
}
