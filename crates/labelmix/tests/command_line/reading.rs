//! Results are read from the store alone: without model and data, without writing, and whatever the study asks now.

use std::fs;
use std::path::Path;

use crate::workplace::{Workplace, example};

/// Commands that read a swept store.
const READERS: [&[&str]; 6] = [
    &["report", "study.toml", "--out", "report"],
    &["compare", "study.toml"],
    &["plan", "study.toml", "--budget", "16"],
    &["plan", "--backtest", "labelmix-store", "study.toml"],
    &["show", "labelmix-store/runs/small/seq-sft_w80_g8_s0"],
    &["status", "study.toml"],
];

const METHODS: &str = "[[methods]]\nname = \"seq-sft\"\n[[methods]]\nname = \"most-confident\"\n";

/// A swept study whose model and data are in its own folder.
fn swept() -> Workplace {
    let workplace = Workplace::new();
    for name in ["train.jsonl", "test.jsonl"] {
        workplace.write(name, fs::read(example().join(name)).unwrap());
    }
    workplace.own_checkpoint();
    let study = Workplace::study().replace(&format!("{}/", example().display()), "") + METHODS;
    workplace.write("study.toml", study);
    workplace.output_of(&["sweep", "study.toml"]);
    workplace
}

/// What the readers print and write.
fn read(workplace: &Workplace) -> Vec<String> {
    let mut said: Vec<String> = READERS.iter().map(|arguments| workplace.output_of(arguments)).collect();
    for file in ["report.html", "answer.json", "table.txt", "economics.json"] {
        said.push(fs::read_to_string(workplace.path().join("report").join(file)).unwrap());
    }
    said
}

/// Every file below a folder, with its time of change.
fn state(folder: &Path) -> Vec<String> {
    let mut state = vec![format!("{} {:?}", folder.display(), fs::metadata(folder).unwrap().modified().unwrap())];
    for entry in fs::read_dir(folder).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        state.push(format!("{} {:?}", path.display(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            state.extend(self::state(&path));
        }
    }
    state.sort();
    state
}

#[test]
fn a_store_says_the_same_without_model_and_data_and_nothing_is_written() {
    let workplace = swept();
    let before = read(&workplace);
    for name in ["checkpoint", "train.jsonl", "test.jsonl"] {
        fs::rename(workplace.path().join(name), workplace.path().join(format!("{name}.gone"))).unwrap();
    }
    let store = state(&workplace.path().join("labelmix-store"));
    assert_eq!(read(&workplace), before);
    assert_eq!(state(&workplace.path().join("labelmix-store")), store);
    // What is to be labelled next is a question about the data.
    fs::rename(workplace.path().join("checkpoint.gone"), workplace.path().join("checkpoint")).unwrap();
    let said = workplace.complaint(&["plan", "study.toml", "--next", "8", "--out", "buy"]);
    assert!(said.contains("train.jsonl"), "{said}");
}

#[test]
fn reading_needs_no_writing() {
    let workplace = swept();
    let study = fs::read_to_string(workplace.path().join("study.toml")).unwrap();
    let labeler = "[labeler]\nmodel = \"checkpoint\"\ntrain = 100\nepochs = 1\n";
    let of_labeler = study.replace("weak = \"weak\"\n", "").replace("name = \"small\"", "name = \"labeled\"") + labeler;
    workplace.write("labeler.toml", of_labeler);
    workplace.output_of(&["weak-label", "labeler.toml", "--out", "labels.csv"]);
    let (run, elsewhere) = ("labelmix-store/runs/small/seq-sft_w80_g8_s0", Workplace::new());
    let out = |name: &str| elsewhere.path().join(name).display().to_string();
    let [report, labels, exported, store, records, predictions] =
        ["report", "labels", "exported", "store", "records.jsonl", "predictions.csv"].map(out);
    let readers: [&[&str]; 19] = [
        &["report", "study.toml", "--out", &report],
        &["compare", "study.toml"],
        &["plan", "study.toml", "--budget", "16"],
        &["plan", "--backtest", "labelmix-store", "study.toml"],
        &["show", run],
        &["status", "study.toml"],
        &["label-report", "study.toml", "--out", &labels],
        &["label-report", "labeler.toml"],
        &["store", "ls", "labelmix-store"],
        &["store", "show", "labelmix-store", "seq-sft_w80_g8_s0"],
        &["store", "verify", "labelmix-store"],
        &["store", "export", "labelmix-store", "small", "--out", &store],
        &["store", "export", "labelmix-store", "small", "--out", &records],
        &["predict", "--run", run, "--input", "test.jsonl", "--output", &predictions],
        &["export", run, "--out", &exported],
        &["inspect", "checkpoint", "--texts", "test.jsonl"],
        &["sweep", "study.toml", "--dry-run"],
        &["doctor"],
        &["tasks"],
    ];
    let before = state(workplace.path());
    for reader in readers {
        workplace.output_of(reader);
        let changed: Vec<String> = state(workplace.path()).into_iter().filter(|file| !before.contains(file)).collect();
        assert_eq!(changed, [""; 0], "{reader:?}");
    }
}

#[test]
fn a_store_from_before_test_sets_were_kept_is_read_with_the_data() {
    let workplace = swept();
    let before = read(&workplace);
    let plan_file = workplace.path().join("labelmix-store/studies/small.json");
    let mut plan: serde_json::Value = serde_json::from_str(&fs::read_to_string(&plan_file).unwrap()).unwrap();
    assert!(plan["question"].as_object_mut().unwrap().remove("found").is_some());
    fs::write(&plan_file, plan.to_string()).unwrap();
    fs::remove_dir_all(workplace.path().join("labelmix-store/test_sets")).unwrap();
    assert_eq!(read(&workplace), before);
    workplace.output_of(&["sweep", "study.toml"]);
    fs::remove_file(workplace.path().join("test.jsonl")).unwrap();
    assert_eq!(read(&workplace), before);
}

#[test]
fn prices_and_budgets_are_the_study_files_and_what_was_not_swept_is_told() {
    let workplace = swept();
    let study = fs::read_to_string(workplace.path().join("study.toml")).unwrap();
    let answer = |study: &str| {
        workplace.write("study.toml", study);
        let [_, said] = workplace.said(&["report", "study.toml", "--out", "report"], 0);
        let answer = fs::read_to_string(workplace.path().join("report/answer.json")).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let told = said.lines().filter(|line| !line.starts_with("resampling"));
        (answer, told.collect::<Vec<_>>().join("\n"))
    };
    let runs = |answer: &serde_json::Value| answer["runs"].as_array().unwrap().len();

    // The same allocations at twice the price, for twice the budgets.
    let dear = study.replace("[8, 16]", "[16, 32]") + "[prices]\nweak = 0.2\ngold = 2.0\n";
    let (as_swept, _) = answer(&study);
    let (dearer, said) = answer(&dear);
    assert_eq!((runs(&dearer), said.as_str()), (runs(&as_swept), ""));
    let cost = |answer: &serde_json::Value| answer["runs"][3]["cost_usd"].as_f64().unwrap();
    assert!((cost(&dearer) - 2.0 * cost(&as_swept)).abs() < 1e-9);

    let (more, said) = answer(&study.replace("[8, 16]", "[8, 16, 32]"));
    assert_eq!(runs(&more), runs(&as_swept));
    insta::assert_snapshot!(said, @"12 runs are not finished yet and are left out; `labelmix sweep` finishes them");

    let (other, said) = answer(&study.replace("5e-3", "4e-3"));
    assert_eq!(runs(&other), 0);
    insta::assert_snapshot!(said, @"
    24 runs are not finished yet and are left out; `labelmix sweep` finishes them
    since its last sweep the study has another [recipe]
    ");

    let (other, said) = answer(&study.replace("name = \"most-confident\"", "name = \"most-confident\"\nkeep = 0.25"));
    assert!(runs(&other) > 0 && runs(&other) < runs(&as_swept));
    insta::assert_snapshot!(said, @"
    12 runs are not finished yet and are left out; `labelmix sweep` finishes them
    since its last sweep the study has another [methods]
    ");
}

#[test]
fn a_damaged_test_set_is_named() {
    let workplace = swept();
    let folder = workplace.path().join("labelmix-store/test_sets");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap().replacen("\"gold\":true", "\"gold\":false", 1);
    fs::write(&file, text).unwrap();
    let said = workplace.complaint(&["report", "study.toml", "--out", "report"]);
    assert!(said.contains("test_sets/") && said.contains("checksum"), "{said}");
    let [out, _] = workplace.said(&["store", "verify", "labelmix-store"], 3);
    assert!(out.contains("test_sets/"), "{out}");
}

#[test]
fn nothing_foreign_is_written_over() {
    let workplace = swept();
    let run = "labelmix-store/runs/small/seq-sft_w80_g8_s0";
    // Each command, and a name that it writes.
    let writers: [(&[&str], &str); 8] = [
        (&["report", "study.toml", "--out", "out"], "table.txt"),
        (&["report", "study.toml", "--out", "out"], "figures/cost_accuracy.svg"),
        (&["label-report", "study.toml", "--out", "out"], "labels.json"),
        (&["plan", "study.toml", "--next", "8", "--out", "out"], "purchase.json"),
        (&["demo", "--fast", "--out", "out"], "train.jsonl"),
        (&["sandbox", "pretrain", "--steps", "1", "--out", "out"], "card.json"),
        (&["export", run, "--out", "out"], "notes.txt"),
        (&["store", "export", "labelmix-store", "small", "--out", "out"], "notes.txt"),
    ];
    for (writer, name) in writers {
        workplace.write(&format!("out/{name}"), "mine");
        workplace.write("out/diary", "mine");
        let said = workplace.complaint(writer);
        assert!(said.contains("there already"), "{writer:?}: {said}");
        for kept in [name, "diary"] {
            assert_eq!(fs::read_to_string(workplace.path().join("out").join(kept)).unwrap(), "mine", "{writer:?}");
        }
        fs::remove_dir_all(workplace.path().join("out")).unwrap();
    }
    workplace.write("out.jsonl", "mine");
    workplace.complaint(&["store", "export", "labelmix-store", "small", "--out", "out.jsonl"]);
    assert_eq!(fs::read_to_string(workplace.path().join("out.jsonl")).unwrap(), "mine");
}
