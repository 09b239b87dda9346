//! Features that stages share, and choices by them.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::Ordering;

use labelmix_data::ExampleId;

use super::fake::Place;
use super::{Noted, SMALL};
use crate::estimate::estimate;
use crate::execute::execute;
use crate::options::ExecuteOptions;

const PROBES: &str =
    "[[methods]]\nname = 'probe'\ncalibration = 'prior'\n[[methods]]\nname = 'last'\nmethod = 'probe'\nlayers = 1\n";

fn read(place: &Place) -> usize {
    place.asked.texts_read.swap(0, Ordering::SeqCst)
}

#[test]
fn texts_are_read_once_for_all_probes_and_kept() {
    let grid = SMALL.replace("[0]\n", "[0, 1]\n").replace("seeds = [0, 1]", "seeds = [0, 1, 2]");
    let mut place = Place::new(&format!("{grid}{PROBES}"));
    let noted = Noted::default();
    let first = execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &noted).unwrap();
    assert_eq!((first.records.len(), place.begun().len()), (18, 0), "no engine is asked for a probe");
    // The calibrated probes read all 64 texts, the others what they learn from; both the test set.
    let all = read(&place);
    assert!((64 + 8 + 8..=2 * (64 + 8)).contains(&all), "{all}");
    assert_eq!((noted.count("TextsRead"), place.left("features")), (2, 2));

    // Other probes of the same texts find them, in other processes too.
    place.grid = place.grid.replace("'prior'", "'prior'\npenalty = 2.0");
    let second = place.execute(&ExecuteOptions::default());
    assert_eq!((second.records.len(), read(&place)), (18, 0));
    let features = place.folder.path().join("store/features");
    let garbage = place.store().garbage().unwrap();
    assert!(garbage.iter().all(|item| !item.path.starts_with(&features)), "{garbage:?}");

    // What is damaged is read anew.
    let part = fs::read_dir(features).unwrap().next().unwrap().unwrap().path();
    fs::write(part.join("features.safetensors"), "no tensors").unwrap();
    let kept = place.kept();
    place.grid = place.grid.replace("2.0", "3.0").replace("layers = 1\n", "layers = 1\npenalty = 3.0\n");
    let estimated = estimate(&place.sweep(), &place.store()).unwrap();
    assert_eq!((estimated.missing, place.left("damaged")), (27, 0), "an estimate moves nothing");
    let noted = Noted::default();
    let third = execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &noted).unwrap();
    assert_eq!(noted.count("FeaturesDamaged"), 1);
    let again = read(&place);
    assert!(third.records.len() == 18 && again > 0 && again < all, "{again} of {all}");
    assert_eq!((place.left("damaged"), place.left("features")), (1, 2));
    assert!(kept.iter().all(|(file, bytes)| place.kept()[file] == *bytes || file.contains("ledger")));
}

#[test]
fn an_interrupted_reading_is_an_interruption() {
    let place = Place::new(&format!("{SMALL}{PROBES}"));
    let options = ExecuteOptions::default();
    options.interrupt.request();
    assert!(place.execute(&options).interrupted);
    assert_eq!(place.left("features"), 0);
}

#[test]
fn words_need_no_model() {
    let place = Place::new(&format!("{SMALL}[[methods]]\nname = 'bag-of-words'\n"));
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), place.begun().len(), read(&place)), (3, 0, 0));
}

#[test]
fn gold_labels_are_bought_for_texts_that_cover_the_pool() {
    // The engine takes texts of even and of odd length for opposite.
    let grid = SMALL.replace("[0, 8]", "[0, 2]").replace("seeds = [0]", "seeds = [0, 1, 2, 3, 4]");
    let methods = "[[methods]]\nname = 'seq-sft'\ngold_texts = 'coverage'\n[[methods]]\nname = 'probe'\ngold_texts = 'coverage'\n";
    let place = Place::new(&format!("{grid}{methods}"));
    let (sweep, store) = (place.sweep(), place.store());
    execute(&sweep, &store, &ExecuteOptions::default(), &Noted::default()).unwrap();
    let mut covering = 0;
    for run in sweep.graph().runs().iter().filter(|run| run.allocation.n_gold == 2) {
        let nodes = run.stages.iter().map(|stage| &sweep.graph().nodes()[*stage]);
        let outcomes: Vec<_> = nodes.map(|node| store.outcome(&node.key).unwrap().unwrap()).collect();
        let last = outcomes.last().unwrap();
        let text = |id: &ExampleId| &sweep.data.train.iter().find(|example| example.id == *id).unwrap().text;
        let parities: BTreeSet<usize> = last.chosen.iter().map(|id| text(id).len() % 2).collect();
        assert_eq!((last.chosen.len(), parities.len()), (2, 2), "{}", run.name);
        assert!(last.features.is_some());
        let ledger = sweep.ledger(run, &outcomes);
        let bought: BTreeSet<&str> = ledger.entries().map(|entry| entry.id).collect();
        assert!(last.chosen.iter().all(|id| bought.contains(id.to_string().as_str())));
        assert_eq!(ledger.paid(), run.allocation);
        covering += 1;
    }
    assert_eq!(covering, 20);
}
