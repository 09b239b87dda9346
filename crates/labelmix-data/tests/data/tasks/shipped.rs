//! Every task of the library on rows in the layout of its dataset on the Hub; multiple choices are in
//! `shipped_choices`.

use std::collections::HashSet;

use insta::assert_snapshot;
use labelmix_data::{Example, Task};

use super::{examples, hub_rows, with_rows};
use crate::scratch::Scratch;

/// What a task makes of its rows: each example's class and text, and what a cheap labeler sees.
pub(super) fn rendered(task: &str) -> String {
    let scratch = Scratch::new();
    let examples = examples(&with_rows(&scratch, task, &hub_rows(task)));
    let render = |example: &Example| {
        let proxy = example.proxy.as_deref().map_or_else(String::new, |proxy| format!("\n(proxy) {proxy}"));
        format!("[{}] {}{proxy}", u8::from(example.gold.unwrap()), example.text)
    };
    // Pooled splits all have the same rows here.
    let mut seen = HashSet::new();
    let distinct = examples.iter().filter(|example| seen.insert(example.id));
    distinct.map(render).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_task_has_rows_here() {
    assert!(Task::names().is_sorted());
    for task in Task::all() {
        // The labels of a test split that was not published, a third class: all but those rows become examples.
        assert!(rendered(task.name()).lines().count() >= 2, "{}", task.name());
    }
}

#[test]
fn amazon_polarity() {
    assert_snapshot!(rendered("amazon_polarity"), @r"
    [0] Broke at once

    The handle came off on the first day.
    (proxy) Broke at once
    [1] A fine kettle

    It boils water at once and looks good.
    (proxy) A fine kettle
    ");
}

#[test]
fn amazon_polarity_misleading() {
    assert_snapshot!(rendered("amazon_polarity-misleading"), @r#"
    [0] Broke at once

    The handle came off on the first day.

    Does this review use the word "good" or the word "great"?
    (proxy) Broke at once
    [1] A fine kettle

    It boils water at once and looks good.

    Does this review use the word "good" or the word "great"?
    (proxy) A fine kettle
    "#);
}

#[test]
fn amazon_polarity_title_only() {
    assert_snapshot!(rendered("amazon_polarity-title-only"), @r"
    [0] Broke at once
    [1] A fine kettle
    ");
}

#[test]
fn anli_r2() {
    assert_snapshot!(rendered("anli-r2"), @r"
    [0] Premise: The bridge was opened in 1932.
    Hypothesis: The bridge was opened in 1950.
    Does the hypothesis follow from the premise?
    [1] Premise: The bridge was opened in 1932.
    Hypothesis: The bridge is older than 50 years.
    Does the hypothesis follow from the premise?
    ");
}

#[test]
fn anthropic_hh() {
    assert_snapshot!(rendered("anthropic_hh"), @r"
    [0] Human: How do I boil egg 3?

    Assistant: In water.

    Human: How long?

    Assistant:

    First reply:
    About seven minutes.

    Second reply:
    About as long as you like.
    [1] Human: How do I boil egg 0?

    Assistant: In water.

    Human: How long?

    Assistant:

    First reply:
    About as long as you like.

    Second reply:
    About seven minutes.
    [1] Human: How do I boil egg 1?

    Assistant: In water.

    Human: How long?

    Assistant:

    First reply:
    About as long as you like.

    Second reply:
    About seven minutes.
    [1] Human: How do I boil egg 2?

    Assistant: In water.

    Human: How long?

    Assistant:

    First reply:
    About as long as you like.

    Second reply:
    About seven minutes.
    ");
}

#[test]
fn boolq() {
    assert_snapshot!(rendered("boolq"), @r"
    [0] Penguin -- Nearly all penguins live in the southern half of the world.

    Question: do penguins live at the north pole?
    Is the answer yes?
    [1] Tomato -- The tomato is the edible berry of a plant of the nightshade family.

    Question: is a tomato a fruit?
    Is the answer yes?
    ");
}

#[test]
fn cola() {
    assert_snapshot!(rendered("cola"), @r"
    [0] Cat the mat on sat.
    [1] The cat sat on the mat.
    ");
}

#[test]
fn ethics_deontology() {
    assert_snapshot!(rendered("ethics-deontology"), @r"
    [0] Should you not be at school?
    No, because my shoes are blue.
    (proxy) No, because my shoes are blue.
    [1] Should you not be at work?
    No, because it is Sunday.
    (proxy) No, because it is Sunday.
    ");
}

#[test]
fn ethics_deontology_excuse_only() {
    assert_snapshot!(rendered("ethics-deontology-excuse-only"), @r"
    [0] No, because my shoes are blue.
    [1] No, because it is Sunday.
    ");
}

#[test]
fn ethics_justice() {
    assert_snapshot!(rendered("ethics-justice"), @r"
    [0] I used to walk with Ann but stopped because she likes tea.
    [1] I used to walk with Ann but stopped because she moved away.
    ");
}

#[test]
fn ethics_utilitarianism() {
    assert_snapshot!(rendered("ethics-utilitarianism"), @r"
    [0] First scene: I found 4 coins.
    Second scene: I found 4 coins and lost them.
    [1] First scene: I found 2 coins and lost them.
    Second scene: I found 2 coins.
    [1] First scene: I found 3 coins and lost them.
    Second scene: I found 3 coins.
    [1] First scene: I found 5 coins and lost them.
    Second scene: I found 5 coins.
    ");
}

#[test]
fn ethics_virtue() {
    assert_snapshot!(rendered("ethics-virtue"), @r"
    [0] Ann gave her seat to an old man.
    Trait: greedy
    [1] Ann gave her seat to an old man.
    Trait: kind
    ");
}

#[test]
fn mc_taco() {
    assert_snapshot!(rendered("mc_taco"), @r"
    [0] She slept well.

    Question: How long did she sleep?
    Proposed answer: 3 seconds
    [1] She slept well.

    Question: How long did she sleep?
    Proposed answer: 8 hours
    ");
}

#[test]
fn multirc() {
    assert_snapshot!(rendered("multirc"), @r"
    [0] Tom had two dogs and a cat.

    Question: Which animals did Tom have?
    Proposed answer: Three horses
    [1] Tom had two dogs and a cat.

    Question: Which animals did Tom have?
    Proposed answer: Two dogs
    ");
}

#[test]
fn paws() {
    assert_snapshot!(rendered("paws"), @r"
    [0] First sentence: Ann gave Bob a book .
    Second sentence: Bob gave Ann a book .
    Do both sentences mean the same?
    [1] First sentence: The river flows from the lake to the sea .
    Second sentence: From the lake the river flows to the sea .
    Do both sentences mean the same?
    ");
}

#[test]
fn sst2() {
    assert_snapshot!(rendered("sst2"), @r"
    [0] two dull hours
    [1] a film of rare warmth
    ");
}

#[test]
fn twitter_sentiment() {
    assert_snapshot!(rendered("twitter-sentiment"), @r"
    [0] missed my train again
    [1] what a lovely morning
    ");
}

#[test]
fn wic() {
    assert_snapshot!(rendered("wic"), @r#"
    [0] First sentence: He sat on the bank of the river.
    Second sentence: The bank lent her money.
    Does the word "bank" mean the same in both sentences?
    [1] First sentence: I run daily.
    Second sentence: They run in the park.
    Does the word "run" mean the same in both sentences?
    "#);
}

#[test]
fn every_task_asks_in_three_wordings_that_differ() {
    for task in Task::all() {
        let prompts = &task.definition().prompts;
        let asked: HashSet<String> = prompts.iter().map(|prompt| prompt.query("T")).collect();
        assert_eq!((prompts.len(), asked.len()), (3, 3), "{}", task.name());
        for prompt in prompts {
            assert!(prompt.targets.iter().all(|target| target.starts_with(' ')), "{}: {prompt:?}", task.name());
            assert!(!prompt.before_target.ends_with(' '), "{}: {prompt:?}", task.name());
        }
    }
}
