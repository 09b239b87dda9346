//! The executor on an engine that trains nothing: scripted scores, delays and failures.

mod damage;
mod fake;
mod features;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use labelmix_engine::Error as EngineError;
use labelmix_store::{StageKey, Store, StoreError};
use labelmix_study::Study;
use labelmix_train::{Error as TrainError, Interrupt};

use self::fake::Place;
use super::{ExecuteOptions, Execution, Observer, SweepEvent, execute};
use crate::estimate::estimate;
use crate::fake_engine::in_words;

struct Silent;

impl Observer for Silent {
    fn hear(&self, _: &SweepEvent<'_>) {}
}

/// Takes note of every event in a word or two.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Observer for Noted {
    fn hear(&self, event: &SweepEvent<'_>) {
        let word = format!("{event:?}");
        let word = word.split([' ', '{']).next().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(word);
    }
}

impl Noted {
    fn count(&self, name: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|word| *word == name).count()
    }
}

/// 2 × 2 splits of a seed: three weak or gold stages, and one on the shoulders of another.
const SMALL: &str = "[grid]\nweak_counts = [0, 16]\ngold_counts = [0, 8]\nseeds = [0]\n";

fn diverged() -> EngineError {
    TrainError::Diverged { step: 3, loss: f32::NAN }.into()
}

#[test]
fn parents_come_before_children_and_equal_stages_once() {
    let place = Place::new(SMALL);
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), execution.failures.len()), (3, 0));
    assert_eq!(place.begun(), ["16 weak seed 0", "8 gold seed 0", "8 gold seed 0"]);
}

#[test]
fn what_is_kept_is_not_done_again() {
    let place = Place::new(SMALL);
    let first = place.execute(&ExecuteOptions::default());
    let (kept, _) = (place.kept(), place.begun());
    let again = place.execute(&ExecuteOptions::default());
    assert_eq!((place.begun(), place.kept()), (Vec::new(), kept));
    assert_eq!(again.records, first.records);
}

#[test]
fn a_grid_that_grows_does_what_is_new() {
    let mut place = Place::new(SMALL);
    place.execute(&ExecuteOptions::default());
    place.begun();
    place.grid = SMALL.replace("[0, 8]", "[0, 8, 12]");
    place.execute(&ExecuteOptions::default());
    assert_eq!(place.begun(), ["12 gold seed 0", "12 gold seed 0"]);
}

#[test]
fn records_say_what_the_engine_scored() {
    let execution = Place::new(SMALL).execute(&ExecuteOptions::default());
    assert!(execution.records.iter().all(|record| record.metrics.accuracy == 1.0 && record.metrics.n_test == 8));
    let costs: Vec<f64> = execution.records.iter().filter_map(|record| record.cost_usd).collect();
    assert_eq!(costs, [8.0, 1.6, 9.6]);
}

#[test]
fn as_many_stages_at_once_as_the_engine_has_slots() {
    for slots in [1, 2, 4] {
        // Nobody goes on before so many are there.
        let barrier = Barrier::new(slots);
        let place =
            Place::new("[grid]\nweak_counts = [0]\ngold_counts = [4, 8, 12, 16]\nseeds = [0, 1]\n").script(move |_| {
                barrier.wait();
                Ok(())
            });
        let place = Place { slots, ..place };
        place.execute(&ExecuteOptions::default());
        assert_eq!(place.asked.most_at_once.load(Ordering::SeqCst), slots);
    }
}

#[test]
fn the_order_of_finishing_changes_no_byte() {
    let delayed = |slow: &'static str| {
        let place = Place::new(SMALL).script(move |job| {
            if in_words(job).starts_with(slow) {
                std::thread::sleep(Duration::from_millis(30));
            }
            Ok(())
        });
        place.execute(&ExecuteOptions::default());
        place.kept()
    };
    assert_eq!(delayed("8 gold"), delayed("16 weak"));
}

#[test]
fn one_slot_or_many_the_same_bytes() {
    let kept = |slots| {
        let place = Place { slots, ..Place::new(SMALL) };
        place.execute(&ExecuteOptions::default());
        place.kept()
    };
    assert_eq!(kept(1), kept(8));
}

#[test]
fn a_failure_takes_its_children_along_and_no_sibling() {
    let place =
        Place::new(SMALL).script(|job| if in_words(job).starts_with("16 weak") { Err(diverged()) } else { Ok(()) });
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!(execution.records.len(), 1, "8 gold labels alone");
    assert_eq!(execution.failures.len(), 1);
    assert_eq!(place.begun(), ["16 weak seed 0", "8 gold seed 0"]);
    assert_eq!(place.left("unfinished"), 0);
}

#[test]
fn what_is_bound_to_fail_again_is_not_tried_unless_it_is_asked_for() {
    let place =
        Place::new(SMALL).script(|job| if in_words(job).starts_with("16 weak") { Err(diverged()) } else { Ok(()) });
    place.execute(&ExecuteOptions::default());
    place.begun();
    let again = place.execute(&ExecuteOptions::default());
    assert_eq!((place.begun(), again.failures.len()), (Vec::new(), 1));
    place.execute(&ExecuteOptions { retry_failed: true, ..ExecuteOptions::default() });
    assert_eq!(place.begun(), ["16 weak seed 0"]);
}

#[test]
fn what_may_do_better_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let place = Place::new("[grid]\nweak_counts = [0]\ngold_counts = [8]\nseeds = [0]\n").script(move |_| {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
        if first { Err(StoreError::Io { path: "disk".into(), source }.into()) } else { Ok(()) }
    });
    assert_eq!(place.execute(&ExecuteOptions::default()).failures.len(), 1);
    assert_eq!(place.left("failures"), 1);
    let again = place.execute(&ExecuteOptions::default());
    assert_eq!((again.failures.len(), again.records.len(), place.left("failures")), (0, 1, 0));
}

#[test]
fn a_panic_is_a_failure_of_its_stage_alone() {
    let place = Place::new(SMALL).script(|job| {
        assert!(!in_words(job).starts_with("16 weak"), "scripted");
        Ok(())
    });
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), execution.failures.len()), (1, 1));
    assert!(execution.failures[0].cause.to_string().contains("scripted"));
}

#[test]
fn a_full_disk_ends_the_sweep() {
    for kind in
        [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded, std::io::ErrorKind::ReadOnlyFilesystem]
    {
        let place = Place::new(SMALL)
            .script(move |_| Err(StoreError::Io { path: "disk".into(), source: std::io::Error::from(kind) }.into()));
        let error = execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &Silent).unwrap_err();
        assert!(error.to_string().contains("disk"), "{error}");
        assert_eq!((place.left("stages"), place.left("unfinished")), (0, 0));
    }
}

#[test]
fn an_interruption_leaves_what_was_done_and_goes_on() {
    let interrupt = Interrupt::default();
    let asked_for = interrupt.clone();
    let place = Place::new(SMALL).script(move |job| {
        if in_words(job).starts_with("16 weak") {
            asked_for.request();
        }
        Ok(())
    });
    let place = Place { slots: 1, ..place };
    let options = ExecuteOptions { interrupt, ..ExecuteOptions::default() };
    let execution = place.execute(&options);
    assert!(execution.interrupted && execution.failures.is_empty() && execution.records.is_empty());
    assert_eq!(place.left("unfinished"), 0);
    let undisturbed = Place::new(SMALL);
    undisturbed.execute(&ExecuteOptions::default());
    let place = place.script(|_| Ok(()));
    assert!(!place.execute(&ExecuteOptions::default()).interrupted);
    assert_eq!(place.kept(), undisturbed.kept());
}

#[test]
fn two_sweeps_on_one_store_do_each_stage_once() {
    let grid = "[grid]\nweak_counts = [0, 4, 8]\ngold_counts = [0, 4, 8]\nseeds = [0, 1]\n";
    let place = Place::new(grid).script(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    });
    let (sweeps, store) = ([place.sweep(), place.sweep()], place.store());
    let executions: Vec<Execution> = std::thread::scope(|scope| {
        let executed = |sweep| execute(sweep, &store, &ExecuteOptions::default(), &Silent).unwrap();
        let workers: Vec<_> = sweeps.iter().map(|sweep| scope.spawn(move || executed(sweep))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert!(executions.iter().all(|execution| execution.records.len() == 16 && execution.failures.is_empty()));
    assert_eq!(place.begun().len(), place.sweep().graph().nodes().len());
}

#[test]
fn a_part_of_the_graph_does_its_stages_and_writes_no_answer() {
    let place = Place::new(SMALL);
    let sweep = place.sweep();
    let first: HashSet<StageKey> = [sweep.graph().nodes()[0].key.clone()].into();
    let options = ExecuteOptions { only: Some(first), ..ExecuteOptions::default() };
    let execution = place.execute(&options);
    assert_eq!((place.begun().len(), execution.records.len(), place.left("stages")), (1, 0, 1));
}

#[test]
fn a_part_whose_start_is_missing_says_so() {
    let place = Place::new(SMALL);
    let sweep = place.sweep();
    let child = sweep.graph().nodes().iter().find(|node| node.parent.is_some()).unwrap();
    let options = ExecuteOptions { only: Some([child.key.clone()].into()), ..ExecuteOptions::default() };
    let execution = place.execute(&options);
    assert_eq!((place.begun().len(), execution.failures.len()), (0, 1));
    assert!(execution.failures[0].cause.to_string().contains("the stage that it starts from is not in the store"));
}

#[test]
fn a_stage_of_another_process_is_waited_for() {
    let place = Place::new("[grid]\nweak_counts = [0]\ngold_counts = [8]\nseeds = [0]\n");
    let (sweep, store) = (place.sweep(), place.store());
    let key = sweep.graph().nodes()[0].key.to_string();
    let claim = store.claim(&key, &labelmix_store::Watch::default()).unwrap();
    let noted = Noted::default();
    let execution = std::thread::scope(|scope| {
        let running = scope.spawn(|| execute(&sweep, &store, &ExecuteOptions::default(), &noted));
        while noted.count("StageElsewhere") == 0 {
            std::thread::yield_now();
        }
        drop(claim);
        running.join().unwrap().unwrap()
    });
    assert_eq!((execution.records.len(), noted.count("StageElsewhere"), noted.count("StageBegan")), (1, 1, 1));
}

#[test]
fn events_are_told_once_for_every_stage_and_run() {
    let place = Place::new(SMALL);
    let noted = Noted::default();
    execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &noted).unwrap();
    let counts =
        ["Began", "StageBegan", "StageProgressed", "StageFinished", "RunFinished"].map(|name| noted.count(name));
    assert_eq!(counts, [1, 3, 3, 3, 3]);
    let again = Noted::default();
    execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &again).unwrap();
    assert_eq!(["Began", "StageKept", "StageBegan"].map(|name| again.count(name)), [0, 3, 0]);
}

#[test]
fn traces_of_a_stage_go_with_its_outcome() {
    let place = Place::new(SMALL);
    let (sweep, store) = (place.sweep(), place.store());
    let key = sweep.graph().nodes()[0].key.to_string();
    fs::write(store.checkpoint_file(&key).unwrap(), "a state").unwrap();
    place.execute(&ExecuteOptions::default());
    assert_eq!(["checkpoints", "failures", "claims", "unfinished"].map(|folder| place.left(folder)), [0; 4]);
}

#[test]
fn a_mean_of_trainings_asks_the_engine_for_none() {
    let grid =
        "[grid]\nweak_counts = [0]\ngold_counts = [8]\nseeds = [0]\n[[methods]]\nname = 'ensemble'\nmembers = 3\n";
    let place = Place::new(grid);
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), place.begun().len(), place.left("stages")), (1, 3, 4));
    let outcome = place.sweep().graph().nodes().last().map(|node| place.store().outcome(&node.key).unwrap().unwrap());
    assert_eq!(outcome.unwrap().averages.len(), 3);
}

#[test]
fn calibration_asks_the_engine_to_read_and_for_no_training() {
    let grid = "[grid]\nweak_counts = [8]\ngold_counts = [8]\nseeds = [0]\n[[methods]]\nname = 'seq-sft'\n";
    let place = Place::new(grid);
    let raw = place.execute(&ExecuteOptions::default()).records;
    assert_eq!(place.begun().len(), 2);
    // The scorer takes texts of even length, which most are, for class 1.
    let place = place.asking(&format!("{grid}calibration = 'prior'\n"));
    let calibrated = place.execute(&ExecuteOptions::default()).records;
    assert_eq!((place.begun().len(), place.left("stages")), (0, 3), "what is trained is the same");
    let outcome = place.sweep().graph().nodes().last().map(|node| place.store().outcome(&node.key).unwrap().unwrap());
    let shift = outcome.unwrap().shift.unwrap();
    assert!(-2.0 < shift && shift < -0.5, "{shift}");
    assert_eq!(calibrated[0].metrics.auroc, raw[0].metrics.auroc);
}

#[test]
fn a_failed_member_leaves_no_mean() {
    let grid =
        "[grid]\nweak_counts = [0]\ngold_counts = [8]\nseeds = [0]\n[[methods]]\nname = 'ensemble'\nmembers = 3\n";
    let place = Place::new(grid)
        .script(|job| if job.plan.training().unwrap().repetition == 1 { Err(diverged()) } else { Ok(()) });
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), execution.failures.len(), place.left("stages")), (0, 1, 2));
}

#[test]
fn methods_share_what_is_the_same() {
    let grid = format!("{SMALL}[[methods]]\nname = 'seq-sft'\n[[methods]]\nname = 'again'\nmethod = 'seq-sft'\n");
    let place = Place::new(&grid);
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), place.begun().len()), (6, 3));
}

#[test]
fn a_thousand_stages() {
    let counts: Vec<String> = (1..=31).map(|count| count.to_string()).collect();
    let counts = counts.join(", ");
    let grid = format!("[grid]\nbudgets = [100]\nweak_counts = [{counts}]\ngold_counts = [{counts}]\nseeds = [0]\n");
    let place = Place::new(&grid);
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), execution.failures.len()), (31 * 31, 0));
    let begun = place.begun();
    assert_eq!((begun.len(), begun.iter().collect::<BTreeSet<_>>().len()), (31 + 31 * 31, 62));
}

#[test]
fn an_estimate_asks_the_engine() {
    let place = Place { slots: 1, ..Place::new(SMALL) };
    let before = estimate(&place.sweep(), &place.store()).unwrap();
    assert_eq!((before.stages, before.missing, before.jobs, before.memory_bytes), (3, 3, 1, 1 << 20));
    assert!(before.seconds.unwrap() > 0.0);
    place.execute(&ExecuteOptions::default());
    let after = estimate(&place.sweep(), &place.store()).unwrap();
    assert_eq!((after.missing, after.seconds), (0, None));
}

#[test]
fn a_plan_is_kept_before_the_first_stage() {
    let place = Place::new(SMALL).script(|_| Err(diverged()));
    place.execute(&ExecuteOptions::default());
    let plan = place.store().plan("fake").unwrap().unwrap();
    assert_eq!((plan.runs.len(), plan.stages.len()), (3, 3));
    let found = plan.question.unwrap().found.unwrap();
    assert_eq!(place.store().test_set(&found.test_set).unwrap().unwrap().len(), 8);
}

#[test]
fn what_is_finished_is_read_without_the_engine() {
    let place = Place::new(SMALL);
    place.execute(&ExecuteOptions::default());
    let study = Study::read(&place.folder.path().join("study.toml")).unwrap();
    let finished = Store::to_look_at(&place.folder.path().join("store")).study(&study).unwrap();
    assert_eq!((finished.runs.len(), finished.unfinished, finished.test.len()), (3, 0, 8));
    assert!(finished.measured().iter().all(|run| run.outcome.accuracy() == 1.0));
}

#[test]
fn a_sweep_in_the_middle_counts_what_is_not_finished() {
    let place =
        Place::new(SMALL).script(|job| if in_words(job).starts_with("16 weak") { Err(diverged()) } else { Ok(()) });
    place.execute(&ExecuteOptions::default());
    let study = Study::read(&place.folder.path().join("study.toml")).unwrap();
    let asked = place.store().asked(&study).unwrap();
    let status = asked.status(&place.store()).unwrap();
    assert_eq!((status.runs, status.finished_runs, status.failed.len(), status.blocked), (3, 1, 1, 1));
    assert_eq!(place.store().study(&study).unwrap().unfinished, 2);
}
