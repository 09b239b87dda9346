//! Prompts in studies: those that cannot work, and those of chat models.

use std::fs;

use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

/// A prompt that the example's tokenizer, which knows few words, can read.
pub(crate) const PROMPT: &str =
    "[prompt]\ntargets = [\"slow\", \"perfect\"]\nbefore_target = \" is \"\nbetween = \" . \"\n";

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn prompts_that_cannot_work_are_refused() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study() + "[[methods]]\nname = \"few-shot\"\nshots = 2\n");
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml"]), @r#"
        error: the targets "0" and "1" both begin with the token "<unk>" after "\n"
        hint: the next token must tell the classes apart: set `targets` in the study's [prompt] to two words that the model's tokenizer begins differently, such as targets = ["bad", "good"]
        "#);
    let costly = "[[methods]]\nname = \"few-shot\"\nshots = 17\n";
    workplace.write("study.toml", Workplace::study() + PROMPT + costly);
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml"]), @"
    train: [example]/train.jsonl: 3,200 rows, 3,200 kept
           dropped: nothing
           labels: 3,200 gold, 3,200 weak, 3,200 both (weak agrees with gold in 75.2%)
           gold:   1,600 of class 0, 1,600 of class 1 (50.0%)
           weak:   1,516 of class 0, 1,684 of class 1 (52.6%); balancing takes 168 of class 1 off sale
    test:  [example]/test.jsonl: 600 rows, 100 kept (50 of class 0, 50 of class 1)
           dropped: 500 beyond the test set's size
           labels: 100 gold, 100 weak, 100 both (weak agrees with gold in 72.0%)
    error: no point of the grid can be bought: its 17 shots cost $17
    hint: change the budgets of [grid], or get more labels; where balancing the classes left too few, `balance = false` in [task] sells all, and a `gold_pool` there sets texts with both labels aside for gold
    ");
}

#[test]
fn a_head_of_words_needs_a_decoder_and_its_last_token() {
    let workplace = Workplace::new();
    let verbalizer = "[[methods]]\nname = \"verbalizer\"\n";
    let mean = Workplace::study().replace("[model]\n", "[model]\npooling = \"mean\"\n");
    workplace.write("study.toml", mean + PROMPT + verbalizer);
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml"]), @r#"
        error: the head of the method "verbalizer" starts as words, but the pooling is "mean"
        hint: leave `pooling` out of [model]: what a word's row reads is the last token of a decoder
        "#);
}

#[test]
fn prompts_go_through_the_models_chat_template() {
    let workplace = Workplace::new();
    workplace.own_checkpoint();
    let model = format!("{}/checkpoint", example().display());
    let study = Workplace::study().replace(&model, "checkpoint").replace("[0, 1]", "[0]");
    let method = "[[methods]]\nname = \"few-shot\"\nshots = 2\n";
    workplace.write("study.toml", format!("{study}{PROMPT}chat = true\n{method}"));
    let sweep = ["sweep", "study.toml", "--store", "store"];
    insta::assert_snapshot!(workplace.complaint(&sweep), @"
    error: checkpoint has no chat template
    hint: leave `chat` out of the study's [prompt]: a base model has none, and reads texts without
    ");
    workplace.write(
        "checkpoint/chat_template.jinja",
        "{% for message in messages %}\n{% if loop.first %}we begin . {% endif %}\n\
         {{ 'the ' + message.role + ' : ' + message.content + ' ! ' }}{% endfor %}\n\
         {% if add_generation_prompt %}the assistant : {% endif %}",
    );
    workplace.output_of(&sweep);
    let run = fs::read_to_string(workplace.path().join("store/runs/small/few-shot_w0_g2_s0/run.json")).unwrap();
    let stage = json(&run)["stages"][0].as_str().unwrap().to_owned();
    let kept = fs::read_to_string(workplace.path().join("store/stages").join(stage).join("prompt.json")).unwrap();
    insta::assert_snapshot!(json(&kept)["template"], @r#"{"before_target":" is ! the assistant : ","between":" ! the user : ","start":"we begin . the user : ","targets":["slow","perfect"]}"#);
    // A sweep knows the plan of the same study, and a study without is another.
    let report = |chat: &str| {
        workplace.write("study.toml", format!("{study}{PROMPT}{chat}{method}"));
        let [_, said] = workplace.said(&["report", "study.toml", "--out", "report", "--store", "store"], 0);
        said
    };
    assert!(!report("chat = true\n").contains("another [prompt]"));
    assert!(report("").contains("another [prompt]"));
    let texts = fs::read_to_string(example().join("test.jsonl")).unwrap();
    workplace.write("new.jsonl", texts.lines().next().unwrap());
    let run = "store/runs/small/few-shot_w0_g2_s0";
    workplace.output_of(&["predict", "--run", run, "--input", "new.jsonl", "--output", "out.jsonl"]);
}
