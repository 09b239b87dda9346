//! What is damaged, or goes away.

use super::*;

#[test]
fn a_damaged_stage_is_set_aside_and_done_again() {
    for file in ["outcome.json", "test_log_odds.json", "manifest.json"] {
        let place = Place::new(SMALL);
        place.execute(&ExecuteOptions::default());
        let kept = place.kept();
        place.begun();
        let key = place.sweep().graph().nodes()[0].key.clone();
        fs::write(place.store().stage_folder(&key).join(file), "{}").unwrap();
        let noted = Noted::default();
        execute(&place.sweep(), &place.store(), &ExecuteOptions::default(), &noted).unwrap();
        assert_eq!((noted.count("StageDamaged"), place.begun().len(), place.left("damaged")), (1, 1, 1), "{file}");
        assert_eq!(place.kept(), kept);
    }
}

#[test]
fn what_a_missing_stage_starts_from_is_read_to_the_last_byte() {
    let place = Place::new(SMALL);
    place.execute(&ExecuteOptions::default());
    let sweep = place.sweep();
    let (child, parent) =
        sweep.graph().nodes().iter().find_map(|node| Some((node, node.parent?))).expect("one starts from another");
    fs::remove_dir_all(place.store().stage_folder(&child.key)).unwrap();
    fs::write(place.store().stage_folder(&sweep.graph().nodes()[parent].key).join("trained"), "16 weak seed 1")
        .unwrap();
    place.begun();
    place.execute(&ExecuteOptions::default());
    assert_eq!(place.begun(), ["16 weak seed 0", "8 gold seed 0"]);
}

#[test]
fn a_stage_that_went_away_is_done_again() {
    let place = Place::new(SMALL);
    place.execute(&ExecuteOptions::default());
    let kept = place.kept();
    for node in place.sweep().graph().nodes() {
        fs::remove_dir_all(place.store().stage_folder(&node.key)).unwrap();
        place.begun();
        place.execute(&ExecuteOptions::default());
        assert_eq!((place.begun().len(), place.kept() == kept), (1, true));
    }
}

#[test]
fn a_record_that_went_away_is_written_again() {
    let place = Place::new(SMALL);
    let first = place.execute(&ExecuteOptions::default());
    fs::remove_dir_all(place.folder.path().join("store/runs")).unwrap();
    assert_eq!(place.execute(&ExecuteOptions::default()).records, first.records);
    assert_eq!(place.left("runs/fake"), 3);
}

#[test]
fn a_start_that_is_damaged_or_gone_in_the_middle_is_done_anew() {
    for remove in [false, true] {
        let undisturbed = Place::new(SMALL);
        undisturbed.execute(&ExecuteOptions::default());
        let place = Place::new(SMALL);
        let store = place.store();
        let disturbed = AtomicUsize::new(0);
        let place = place.script(move |job| {
            // As somebody else's hand would, when the child has just begun.
            if let Some(parent) = &job.parent
                && disturbed.fetch_add(1, Ordering::SeqCst) == 0
            {
                if remove { fs::remove_dir_all(parent) } else { fs::write(parent.join("trained"), "other") }.unwrap();
                return Err(labelmix_store::check_folder(parent).unwrap_err().into());
            }
            Ok(())
        });
        let execution = place.execute(&ExecuteOptions::default());
        assert_eq!((execution.records.len(), execution.failures.len()), (3, 0));
        assert_eq!(place.kept(), undisturbed.kept());
        assert_eq!(place.begun().iter().filter(|stage| **stage == "16 weak seed 0").count(), 2);
        assert_eq!(store.failures().unwrap(), []);
    }
}

#[test]
fn a_stage_that_went_away_is_missed_at_the_end() {
    let place = Place::new(SMALL);
    let store = place.folder.path().join("store/stages");
    let gone = AtomicUsize::new(0);
    let place = place.script(move |job| {
        // The last stage to be done takes one away that nothing starts from.
        if job.parent.is_some() && gone.fetch_add(1, Ordering::SeqCst) == 0 {
            for stage in fs::read_dir(&store).unwrap() {
                let stage = stage.unwrap().path();
                if fs::read_to_string(stage.join("trained")).unwrap().starts_with("8 gold") {
                    fs::remove_dir_all(stage).unwrap();
                }
            }
        }
        Ok(())
    });
    let place = Place { slots: 1, ..place };
    let execution = place.execute(&ExecuteOptions::default());
    assert_eq!((execution.records.len(), execution.failures.len()), (3, 0));
    assert_eq!(place.left("stages"), 3);
}
