//! The reference of the study file.

use std::path::Path;

use serde_json::Value as Json;

use crate::workplace::Workplace;

#[test]
fn a_table_is_explained() {
    let text = Workplace::new().output_of(&["study-file", "grid"]);
    insta::assert_snapshot!(text, @r#"
    [grid]
    Every budget is split in every way, and every number of weak labels goes with every number of
    gold ones; all with every seed.

      budgets = [16.0, 64.0, 256.0, 512.0, 1024.0, 4096.0, 8192.0]
          Budgets in dollars. Takes: list of positive numbers.

      weak_fractions = [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0]
          Shares of a budget that are spent on weak labels. With numbers of labels there are none unless
          they are given. Takes: list of numbers from 0 to 1.

      weak_counts (none, or such as [0, 80, 640])
          Each of these numbers of weak labels goes with each number of gold ones, on the smallest budget
          that pays for both. Takes: list of numbers of labels, with `gold_counts`.

      gold_counts (none, or such as [0, 16, 64])
          The numbers of gold labels. Takes: list of numbers of labels, with `weak_counts`.

      seeds = [0, 1, 2]
          Each seed has its own pools, initial weights and batches. Intervals need two, and are better
          with more. Takes: list of numbers.
    "#);
    assert_eq!(Workplace::new().output_of(&["study-file", "[grid]"]), text);
}

#[test]
fn programs_get_every_table() {
    let tables: Json = serde_json::from_str(&Workplace::new().output_of(&["study-file", "--json"])).unwrap();
    let headings: Vec<&str> =
        tables.as_array().unwrap().iter().map(|table| table["heading"].as_str().unwrap()).collect();
    assert!(headings.contains(&"[labeler]") && headings.contains(&"[task.weak]"), "{headings:?}");
    let recipe = tables.as_array().unwrap().iter().find(|table| table["heading"] == "[recipe]").unwrap();
    assert_eq!((&recipe["defaults"]["lora_rank"], &recipe["keys"][0]["need"]), (&8.into(), &"optional".into()));
}

#[test]
fn an_unknown_table_is_answered_with_the_known_ones() {
    let output = Workplace::new().labelmix(&["study-file", "gird"]).assert().code(1).get_output().stderr.clone();
    let said = String::from_utf8(output).unwrap();
    assert!(said.contains("no table \"gird\"") && said.contains("grid, methods, prompt"), "{said}");
}

#[test]
fn the_page_of_the_book_is_what_the_code_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/study-file.md");
    let printed = Workplace::new().output_of(&["study-file", "--markdown"]);
    let kept = std::fs::read_to_string(page).unwrap();
    assert!(printed == kept, "run `labelmix study-file --markdown > docs/study-file.md`");
}
