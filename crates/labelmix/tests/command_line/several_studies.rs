//! Reports over several studies.

use std::fs;

use serde_json::Value as Json;

use crate::workplace::Workplace;

/// Two tasks, told apart by their test texts, and a second model on the first.
fn swept() -> Workplace {
    let workplace = Workplace::new();
    let study = Workplace::study();
    let checkpoint = crate::workplace::example().join("checkpoint");
    for file in fs::read_dir(&checkpoint).unwrap() {
        let file = file.unwrap();
        workplace.write(&format!("copy/{}", file.file_name().display()), fs::read(file.path()).unwrap());
    }
    let named = |name: &str| study.replace("name = \"small\"", &format!("name = \"{name}\""));
    workplace.write("small.toml", &study);
    workplace.write("shorter.toml", named("shorter").replace("max_test = 100", "max_test = 80"));
    let copy = format!("path = \"{}\"", checkpoint.display());
    workplace.write("copied.toml", named("copied").replace(&copy, "path = \"copy\"").replace("[8, 16]", "[8]"));
    for study in ["small.toml", "shorter.toml", "copied.toml"] {
        workplace.output_of(&["sweep", study]);
    }
    workplace
}

#[test]
fn studies_are_reported_each_and_together() {
    let workplace = swept();
    let together = ["report", "small.toml", "shorter.toml", "copied.toml", "--out", "report", "--figures", "svg"];
    let written = workplace.output_of(&together);
    let of_all: Vec<&str> = written.lines().filter(|path| !path.contains("/studies/")).collect();
    insta::assert_snapshot!(of_all.join("\n"), @"
    report/figures/accuracy_by_task_checkpoint.svg
    report/figures/accuracy_by_model_small.svg
    report/figures/scaling.svg
    report/mean_checkpoint/report.html
    report/mean_checkpoint/answer.json
    report/mean_checkpoint/table.txt
    report/mean_checkpoint/figures/accuracy_by_weak_fraction.svg
    report/mean_checkpoint/figures/regime_map.svg
    report/mean_checkpoint/figures/isoquants.svg
    report/mean_checkpoint/figures/cost_accuracy.svg
    report/mean_checkpoint/figures/cost_accuracy_by_price.svg
    report/mean_checkpoint/figures/exchange_rates.svg
    report/mean_checkpoint/tables/methods.md
    report/mean_checkpoint/tables/methods.tex
    report/mean_checkpoint/tables/splits.md
    report/mean_checkpoint/tables/splits.tex
    report/mean_checkpoint/tables/frontier.md
    report/mean_checkpoint/tables/frontier.tex
    report/mean_checkpoint/tables/regimes.md
    report/mean_checkpoint/tables/regimes.tex
    report/mean_checkpoint/tables/methods.csv
    report/mean_checkpoint/tables/splits.csv
    report/mean_checkpoint/tables/frontier.csv
    report/mean_checkpoint/tables/regimes.csv
    report/mean_checkpoint/tables/runs.csv
    report/mean_checkpoint/tables/runs.parquet
    report/mean_checkpoint/economics.json
    report/mean_checkpoint/economics.txt
    ");

    let read = |folder: &str| -> Json {
        let path = workplace.path().join("report").join(folder).join("answer.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let accuracy = |answer: &Json, split: usize| answer["budgets"][split]["accuracy_mean"].as_f64().unwrap();
    let [mean, small, shorter] = ["mean_checkpoint", "studies/small", "studies/shorter"].map(read);
    assert_eq!((mean["study"].as_str(), mean["budgets"].as_array().unwrap().len()), (Some("mean of 2 tasks"), 6));
    for split in 0..6 {
        let expected = f64::midpoint(accuracy(&small, split), accuracy(&shorter, split));
        assert!((accuracy(&mean, split) - expected).abs() < 1e-12);
    }
    let scaling = fs::read_to_string(workplace.path().join("report/figures/scaling.svg")).unwrap();
    assert!(scaling.contains("1: checkpoint") && scaling.contains("2: copy"), "of one size, so by their number");

    // One study alone is reported as ever.
    let alone = workplace.output_of(&["report", "small.toml", "--out", "alone", "--figures", "svg"]);
    assert!(alone.starts_with("alone/report.html\n"), "{alone}");
    let page = |path: &str| fs::read(workplace.path().join(path)).unwrap();
    assert!(page("alone/report.html") == page("report/studies/small/report.html"), "the same page");
}

#[test]
fn studies_that_do_not_belong_together_are_refused_before_anything_is_written() {
    let workplace = Workplace::new();
    let study = Workplace::study().replace("seeds = [0, 1]", "seeds = [0]").replace("[8, 16]", "[8]");
    workplace.write("small.toml", &study);
    workplace.output_of(&["sweep", "small.toml"]);
    workplace.write("twin.toml", study.replace("name = \"small\"", "name = \"twin\""));
    workplace.write("unswept.toml", study.replace("small", "unswept").replace("max_test = 100", "max_test = 60"));
    workplace.output_of(&["sweep", "twin.toml"]);
    insta::assert_snapshot!(workplace.complaint(&["report", "small.toml", "twin.toml", "--out", "report"]), @r#"
    error: the studies "small" and "twin" are both of the task "small" with the model "[example]/checkpoint"
    hint: give one of them; methods are compared within a study
    "#);
    insta::assert_snapshot!(workplace.complaint(&["report", "small.toml", "small.toml", "--out", "report"]), @r#"
    error: two studies are called "small"
    hint: give each study a name of its own; results in the store are found under the name
    "#);
    assert!(!workplace.path().join("report").exists());
    let complaint = workplace.complaint(&["report", "small.toml", "unswept.toml", "--out", "report"]);
    assert!(complaint.contains("the study unswept has not been swept into labelmix-store"), "{complaint}");
}
