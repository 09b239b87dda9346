use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::study::{Problem, Study};

const MODEL: &str = "[model]\npath = 'model'\n";
const FILES: &str = "[task]\ntrain = 'a.csv'\ntest = 'b.csv'\n";

/// A folder with what examples name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let task = "description = 'd'\ntemplate = '{{ a }}'\n[local]\nfolder = 'data'\n[binary]\nlabel = 'b'\n";
    std::fs::write(folder.path().join("mine.toml"), task).unwrap();
    folder
}

/// A study in which a table has one key with this value, and beside it what the key needs.
fn study_with(heading: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let without = |text: &str| without_line(text, |line| line.starts_with(&format!("{key} =")));
    let of_task = ["folder", "template", "proxy"].contains(&key);
    match (heading, key) {
        ("", _) => format!("{}{line}{FILES}{MODEL}", without("name = 'a'\n")),
        ("[task]", "name" | "file") => format!("name = 'a'\n[task]\n{line}{MODEL}"),
        ("[task]", "merge") => format!("name = 'a'\n[task]\nname = 'sciq'\nweak = ['ann', 'bob']\n{line}{MODEL}"),
        ("[task]", "test_size" | "test_seed") => format!("name = 'a'\n[task]\ntrain = 'a.csv'\n{line}{MODEL}"),
        ("[task]", _) if of_task => format!("name = 'a'\n[task]\nname = 'sciq'\n{line}{MODEL}"),
        ("[task]", _) => format!("name = 'a'\n{}{line}{MODEL}", without(FILES)),
        ("[task.weak]", _) => {
            let others = if key == "key" { "file = 'crowd.csv'\ncolumns = 'w'\n" } else { "columns = 'w'\n" };
            format!("name = 'a'\n[task]\nname = 'sciq'\n[task.weak]\n{}{line}{MODEL}", without(others))
        }
        ("[model]", _) => format!("name = 'a'\n{FILES}{}{line}", without(MODEL)),
        ("[labeler]", "sensitivity" | "specificity") => {
            let rates = "sensitivity = 0.9\nspecificity = 0.9\n";
            format!("name = 'a'\n{FILES}{MODEL}[labeler]\nkind = 'class-dependent'\n{}{line}", without(rates))
        }
        ("[labeler]", "shots" | "prior") => {
            format!("name = 'a'\n{FILES}{MODEL}[labeler]\nkind = 'prompted'\nmodel = 'small'\n{line}")
        }
        ("[labeler]", _) => format!("name = 'a'\n{FILES}{MODEL}[labeler]\n{}{line}", without("model = 'small'\n")),
        ("[labeler.llm]", key) => {
            let with = match key {
                "votes" => "confidence = 'votes'\n",
                "max_usd" => "usd_per_million = { input = 1.0, output = 1.0 }\n",
                _ => "",
            };
            let usual = without("base_url = 'http://127.0.0.1/v1'\nmodel = 'm'\n");
            format!("name = 'a'\n{FILES}{MODEL}[labeler]\nkind = 'llm'\n[labeler.llm]\n{usual}{with}{line}")
        }
        ("[grid]", "weak_counts" | "gold_counts") => {
            let other = without("weak_counts = [0]\ngold_counts = [0]\n");
            // None of either is refused.
            let other = if value == "[0]" { other } else { other.replace("[0]", "[0, 8]") };
            format!("name = 'a'\n{FILES}{MODEL}[grid]\n{line}{other}")
        }
        ("[[methods]]", "calibration" | "gold_texts" | "recipe") => {
            format!("name = 'a'\n{FILES}{MODEL}[[methods]]\nname = 'seq-sft'\n{line}")
        }
        ("[[methods]]", "method") => format!("name = 'a'\n{FILES}{MODEL}[[methods]]\nname = 'mine'\n{line}"),
        ("[engine]", "python" | "attention" | "gpus" | "sharding") => {
            format!("name = 'a'\n{FILES}{MODEL}[engine]\nkind = 'torch'\n{line}")
        }
        ("[engine]", "command") => format!("name = 'a'\n{FILES}{MODEL}[engine]\nkind = 'command'\n{line}"),
        ("[prompt]", "wording") => format!("name = 'a'\n[task]\nname = 'sst2'\n{MODEL}[prompt]\n{line}"),
        _ => format!("name = 'a'\n{FILES}{MODEL}{heading}\n{line}"),
    }
}

fn without_line(text: &str, unwanted: impl Fn(&str) -> bool) -> String {
    text.split_inclusive('\n').filter(|line| !unwanted(line.trim_end())).collect()
}

fn parse(text: &str, folder: &Path) -> Result<Study, String> {
    Study::parse(text, folder.to_owned()).map_err(|Problem { reason, help }| format!("{reason} | {help}"))
}

/// Every key with its table.
fn for_all_keys(mut check: impl FnMut(&StudyTable, &KeyHelp)) {
    for table in study_tables() {
        for key in &table.keys {
            check(&table, key);
        }
    }
}

#[test]
fn the_keys_are_those_that_are_read() {
    let folder = folder();
    let tables = study_tables();
    for table in &tables {
        let error = match &*table.heading {
            // Other keys are a method's options.
            "[[methods]]" => continue,
            heading => parse(&study_with(heading, "zzz", "1"), folder.path()).unwrap_err(),
        };
        let reason = error.split(" | ").next().unwrap();
        assert!(reason.contains("unknown field `zzz`"), "{}: {reason}", table.heading);
        let read: BTreeSet<&str> = reason.split('`').skip(1).step_by(2).filter(|key| *key != "zzz").collect();
        let mut explained: BTreeSet<&str> = table.keys.iter().map(|key| &*key.name).collect();
        let own = table.heading.trim_matches(['[', ']']);
        let names = tables.iter().map(|table| table.heading.trim_matches(['[', ']']));
        explained.extend(names.filter_map(|name| match (own, name.split_once('.')) {
            ("", None) => Some(name).filter(|name| !name.is_empty()),
            (_, Some((of, name))) => Some(name).filter(|_| of == own),
            _ => None,
        }));
        assert_eq!(read, explained, "{}", table.heading);
    }
}

#[test]
fn examples_are_taken_and_what_is_said_to_make_no_sense_is_refused() {
    let folder = folder();
    for_all_keys(|table, key| {
        let text = study_with(&table.heading, &key.name, &key.example);
        parse(&text, folder.path()).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert!(!key.refused.is_empty(), "{} {}: what is refused?", table.heading, key.name);
        for value in &key.refused {
            let text = study_with(&table.heading, &key.name, value);
            assert!(parse(&text, folder.path()).is_err(), "taken:\n{text}");
        }
    });
}

#[test]
fn saying_a_default_changes_nothing() {
    let folder = folder();
    let mut said = 0;
    for_all_keys(|table, key| {
        let Some(default) = table.default_of(&key.name) else { return };
        let text = study_with(&table.heading, &key.name, &default);
        let study = parse(&text, folder.path()).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let without = without_line(&text, |line| line == format!("{} = {default}", key.name));
        let mut plain = parse(&without, folder.path()).unwrap();
        if let (Some(plain), Some(study)) = (&mut plain.labeler, &study.labeler) {
            // Numbers that are worked out where they are used stay unsaid in the table.
            assert_eq!(
                (plain.train(), plain.validation(), plain.recipe(10)),
                (study.train(), study.validation(), study.recipe(10))
            );
            plain.clone_from(study);
        }
        // Words of the study's own are kept as they were said.
        assert_eq!(plain.prompt_template, study.prompt_template);
        plain.prompt.clone_from(&study.prompt);
        assert_eq!(plain, study, "{} {}", table.heading, key.name);
        said += 1;
    });
    assert!(said > 40, "{said} defaults");
}

#[test]
fn what_must_be_there_has_no_default() {
    for_all_keys(|table, key| {
        if key.need != Need::Optional {
            assert_eq!(table.default_of(&key.name), None, "{} {}", table.heading, key.name);
        }
    });
}

#[test]
fn numbers_are_written_as_people_write_them() {
    assert_eq!(written(&Value::Float(5e-4)), "5e-4");
    assert_eq!(written(&Value::Float(0.1)), "0.1");
    assert_eq!(written(&Value::try_from([16.0, 64.0]).unwrap()), "[16.0, 64.0]");
}
