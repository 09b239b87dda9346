use labelmix_econ::Prices;
use labelmix_store::RunRecord;

use super::*;
use crate::worked_example::{measured, points, prices, runs};
use crate::{Columns, FigureFormat, FigureSettings};

/// The worked example's study, as another task and model, `points` of accuracy above it.
fn study(task: &str, model: &str, parameters: Option<usize>, points_above: f64) -> StudyAnswer {
    let (points, not_affordable) = points();
    let better = |run: RunRecord| {
        let mut run = RunRecord { task: task.to_owned(), model: model.to_owned(), ..run };
        run.metrics.accuracy += points_above / 100.0;
        run
    };
    let runs: Vec<RunRecord> = runs().into_iter().map(better).collect();
    let weak = Some(0.68 + points_above / 100.0);
    StudyAnswer {
        task: task.to_owned(),
        model: Model { name: model.to_owned(), parameters },
        tariff: prices().into(),
        answer: Answer::new(&format!("{task}-{model}"), &prices(), &points, &not_affordable, &runs, weak),
        runs: measured(),
    }
}

fn of_two_tasks_and_models() -> Overview {
    let (small, large) = (Some(20_000_000), Some(8_000_000_000));
    Overview::new(vec![
        study("boolq", "org/large-8b", large, 10.0),
        study("boolq", "org/small", small, 0.0),
        study("sciq", "org/small", small, 4.0),
        study("sciq", "org/large-8b", large, 12.0),
    ])
    .unwrap()
}

fn lines(answer: &Answer) -> String {
    let line = |split: &SplitEntry| {
        let SplitEntry { method, budget_usd, weak_fraction, accuracy_mean, accuracy_sd, seeds, best, .. } = split;
        let deviation = accuracy_sd.map_or(String::new(), |deviation| format!(" ± {deviation:.4}"));
        let best = if *best { " best" } else { "" };
        format!("{method} ${budget_usd} at {weak_fraction}: {accuracy_mean:.4}{deviation} of {seeds}{best}")
    };
    answer.budgets.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn tasks_are_averaged_and_so_are_their_deviations() {
    let overview = of_two_tasks_and_models();
    let means: Vec<TaskMean> = overview.means().into_iter().map(|(_, mean)| mean.unwrap()).collect();
    assert_eq!(means.iter().map(|mean| mean.model.name.as_str()).collect::<Vec<_>>(), ["small", "large-8b"]);
    let TaskMean { answer, runs, .. } = &means[0];
    insta::assert_snapshot!(lines(answer), @r#"
    seq-sft $4.5 at 0: 0.5488 ± 0.0100 of 3
    seq-sft $4.5 at 0.25: 0.6186 ± 0.0100 of 3
    seq-sft $4.5 at 1: 0.6685 ± 0.0100 of 3 best
    seq-sft $64 at 0: 0.6848 ± 0.0100 of 3
    seq-sft $64 at 0.25: 0.7344 ± 0.0100 of 3 best
    seq-sft $64 at 1: 0.7239 ± 0.0100 of 3
    few-shot $4.5 at 0: 0.5388 of 1
    few-shot $4.5 at 0.25: 0.6086 of 1
    few-shot $4.5 at 1: 0.6585 of 1 best
    few-shot $64 at 0: 0.6748 of 1
    few-shot $64 at 0.25: 0.7244 of 1 best
    few-shot $64 at 1: 0.7139 of 1
    "#);
    assert!((answer.weak_label_accuracy.unwrap() - 0.70).abs() < 1e-12);
    assert_eq!((answer.study.as_str(), answer.runs.len(), runs.len()), ("mean of 2 tasks", 48, 48));
    assert_eq!(answer.runs[0].run, "boolq/seq-sft-w0-g4-s0");
    assert_eq!(answer.regimes.len(), 4);
    let best = |answer: &Answer| answer.frontier.last().unwrap().accuracy;
    assert!((best(&means[1].answer) - best(answer) - 0.09).abs() < 1e-12);
}

#[test]
fn what_was_not_measured_on_every_task_has_no_mean() {
    let mut other = study("sciq", "small", None, 4.0);
    other.answer.budgets.retain(|split| split.budget_usd > 5.0);
    let with = |other: StudyAnswer| {
        let overview = Overview::new(vec![study("boolq", "small", None, 0.0), other]).unwrap();
        let [(model, mean)] = <[_; 1]>::try_from(overview.means()).unwrap();
        assert_eq!(model.name, "small");
        mean
    };
    let splits = with(other.clone()).unwrap().answer.budgets;
    assert!(splits.len() == 6 && splits.iter().all(|split| split.budget_usd == 64.0));
    other.answer.budgets.clear();
    assert!(with(other).is_none(), "nothing was measured on both");
    assert!(Overview::new(vec![study("boolq", "small", None, 0.0)]).unwrap().means().is_empty(), "a single task");
}

#[test]
fn runs_that_enter_no_mean_are_left_out_of_it() {
    let mut other = study("sciq", "small", None, 4.0);
    other.answer.budgets.retain(|split| split.method == "seq-sft");
    other.answer.runs.retain(|run| run.method == "seq-sft");
    other.runs.retain(|run| run.method == "seq-sft");
    let overview = Overview::new(vec![study("boolq", "small", None, 0.0), other]).unwrap();
    let [(_, mean)] = <[_; 1]>::try_from(overview.means()).unwrap();
    let TaskMean { answer, runs, tariff, .. } = mean.unwrap();
    assert_eq!(answer.methods(), ["seq-sft"]);
    assert!(answer.runs.iter().all(|run| run.method == "seq-sft") && answer.runs.len() == 36);
    assert!(runs.iter().all(|run| run.method == "seq-sft") && runs.len() == 36);
    let economics = crate::Economics::new("mean", runs, tariff, &answer.budgets_usd()).unwrap();
    assert_eq!(economics.methods.len(), 1);
}

#[test]
fn the_best_within_a_budget_is_chosen_on_each_task() {
    let (boolq, mut sciq) = (study("boolq", "small", None, 0.0), study("sciq", "small", None, 0.0));
    // On one task mixtures are best for $64, on the other weak labels alone.
    for split in sciq.answer.budgets.iter_mut().filter(|split| split.budget_usd == 64.0) {
        split.accuracy_mean = if split.n_gold == 0 { 0.9 } else { 0.6 };
    }
    let best = |study: &StudyAnswer| study.answer.methods_within_budgets[1].accuracy_mean;
    sciq.answer = Answer::of_splits("sciq", &prices(), sciq.answer.budgets);
    let expected = f64::midpoint(best(&boolq), best(&sciq));
    let overview = Overview::new(vec![boolq, sciq]).unwrap();
    let mean = overview.means().pop().unwrap().1.unwrap().answer;
    let WithinBudget { accuracy_mean, n_weak, n_gold, .. } = mean.methods_within_budgets[1];
    assert!((accuracy_mean - expected).abs() < 1e-12 && accuracy_mean > 0.8);
    assert_eq!((n_weak, n_gold), (400, 24), "of 160 + 48 and 640 + 0");
    assert!(mean.budgets.iter().all(|split| split.accuracy_mean < 0.81), "no one split is as good on both");
}

#[test]
fn figures_are_named_after_what_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    let settings = FigureSettings { columns: Columns::Two, formats: vec![FigureFormat::Svg] };
    let names = |overview: &Overview| {
        let written = overview.write_figures(folder.path(), &settings).unwrap();
        let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        for path in &written {
            roxmltree::Document::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        }
        written.iter().map(name).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(names(&of_two_tasks_and_models()), @r#"
    accuracy_by_task_small_seq-sft.svg
    accuracy_by_task_large-8b_seq-sft.svg
    accuracy_by_model_mean_of_2_tasks_seq-sft.svg
    accuracy_by_model_boolq_seq-sft.svg
    accuracy_by_model_sciq_seq-sft.svg
    scaling_seq-sft.svg
    accuracy_by_task_small_few-shot.svg
    accuracy_by_task_large-8b_few-shot.svg
    accuracy_by_model_mean_of_2_tasks_few-shot.svg
    accuracy_by_model_boolq_few-shot.svg
    accuracy_by_model_sciq_few-shot.svg
    scaling_few-shot.svg
    "#);
    let one_model = Overview::new(vec![study("boolq", "m", None, 0.0), study("sciq", "m", None, 1.0)]).unwrap();
    insta::assert_snapshot!(names(&one_model), @r#"
    accuracy_by_task_seq-sft.svg
    accuracy_by_task_few-shot.svg
    "#);
}

#[test]
fn models_are_by_size_where_all_sizes_are_known() {
    let models = |studies: Vec<StudyAnswer>| {
        let overview = Overview::new(studies).unwrap();
        overview.models().iter().map(|model| model.name.clone()).collect::<Vec<_>>()
    };
    let large = study("boolq", "a/large", Some(9), 0.0);
    assert_eq!(models(vec![large.clone(), study("boolq", "b/small", Some(3), 0.0)]), ["small", "large"]);
    assert_eq!(models(vec![large.clone(), study("boolq", "b/unknown", None, 0.0)]), ["large", "unknown"]);
    assert_eq!(models(vec![large, study("boolq", "b/large", Some(3), 0.0)]), ["b/large", "a/large"]);
}

#[test]
fn a_size_is_read_from_a_name() {
    let size = |name: &str| Model::named(name).parameters;
    assert_eq!(size("Qwen/Qwen1.5-0.5B"), Some(500_000_000));
    assert_eq!(size("meta-llama/Meta-Llama-3-8B"), Some(8_000_000_000));
    assert_eq!(size("EleutherAI/pythia-410m-deduped"), Some(410_000_000));
    assert_eq!(size("stabilityai/stablelm-2-1_6b"), Some(1_600_000_000));
    for name in ["gpt2", "all-MiniLM-L6-v2", "b", "nan-b", "infB", ""] {
        assert_eq!(size(name), None, "{name}");
    }
}

#[test]
fn studies_that_do_not_belong_together_are_refused() {
    let refused = |second: StudyAnswer| Overview::new(vec![study("boolq", "m", None, 0.0), second]).unwrap_err();
    insta::assert_snapshot!(refused(study("boolq", "m", None, 1.0)), @r#"two studies are called "boolq-m""#);
    let mut same = study("boolq", "m", None, 1.0);
    same.answer.study = "another".to_owned();
    insta::assert_snapshot!(refused(same), @r#"the studies "boolq-m" and "another" are both of the task "boolq" with the model "m""#);
    let mut dear = study("sciq", "m", None, 1.0);
    dear.tariff = Prices::new(0.2, 1.0).unwrap().into();
    insta::assert_snapshot!(refused(dear), @r#"the studies "boolq-m" and "sciq-m" have different prices. The first: A weak label costs $0.10, a gold label $1. The second: A weak label costs $0.20, a gold label $1."#);
}
