//! Pretraining, and the models that come with labelmix.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::path::Path;

use labelmix_sandbox::{
    Form, Mixture, Pretraining, SandboxModel, Shape, World, WorldSettings, object_losses, pretrain,
    write_question_files,
};

/// A world small enough to be learnt in seconds.
fn small() -> (World, Pretraining) {
    let world = World::new(WorldSettings { entities: [4, 2, 4, 2], ..WorldSettings::default() });
    let strong = SandboxModel::Strong.pretraining();
    let pretraining = Pretraining {
        shape: Shape { layers: 2, hidden: 48, heads: 2, intermediate: 48 },
        mixture: Mixture { statements: 64, answered: 32, colours: 4, prompts: 1, shots: 3, prompts_from: 0.5 },
        scheduled_steps: 240,
        steps: 240,
        ..strong
    };
    (world, pretraining)
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn facts_are_learnt_and_the_same_seed_gives_the_same_bytes() {
    let (world, pretraining) = small();
    let [first, second] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut losses = Vec::new();
    pretrain(&world, &pretraining, first.path(), |progress| losses.push(progress.loss)).unwrap();
    assert_eq!(losses.len(), 240);
    assert!(losses[239] < 0.5 * losses[0], "{} after {}", losses[239], losses[0]);
    let known = object_losses(&world, first.path(), Form::Question).unwrap();
    assert!(known.iter().sum::<f64>() / 6.0 < 1.5, "{known:?}");

    // Killed in the middle, and gone on with.
    let interrupted = std::panic::catch_unwind(|| {
        pretrain(&world, &pretraining, second.path(), |progress| {
            if progress.step == 60 {
                std::panic::resume_unwind(Box::new("killed"));
            }
        })
    });
    assert!(interrupted.is_err() && !second.path().join("model.safetensors").exists());
    let mut steps = Vec::new();
    pretrain(&world, &pretraining, second.path(), |progress| steps.push(progress.step)).unwrap();
    assert_eq!(steps[0], 51, "it goes on from the state that was kept last");
    assert_eq!(weights(first.path()), weights(second.path()));
    assert!(!second.path().join("pretraining.safetensors").exists());

    // The state of another training is of no use.
    let other = Pretraining { seed: 1, ..pretraining };
    pretrain(&world, &other, second.path(), |_| ()).unwrap();
    assert_ne!(weights(first.path()), weights(second.path()));
}

#[test]
fn the_shipped_models_are_what_their_card_says() {
    let folder = tempfile::tempdir().unwrap();
    write_question_files(folder.path()).unwrap();
    let world = World::new(WorldSettings::default());
    let card: serde_json::Value = serde_json::from_str(include_str!("../weights/card.json")).unwrap();
    let mut bytes = 0;
    for model in SandboxModel::ALL {
        let card = &card[model.name()];
        assert_eq!(blake3::hash(model.weights()).to_hex().as_str(), card["blake3"]);
        bytes += model.weights().len();
        for (form, name) in [(Form::Statement, "statements"), (Form::Question, "questions")] {
            let losses = object_losses(&world, &folder.path().join(model.name()), form).unwrap();
            for (loss, stated) in losses.iter().zip(card[name].as_array().unwrap()) {
                let stated = stated.as_f64().unwrap();
                assert!((loss - stated).abs() < 1e-3 * stated.max(1.0), "{}: {loss} against {stated}", model.name());
            }
        }
    }
    assert!(bytes <= 4_000_000, "{bytes} bytes of weights");
}
