//! Training that is interrupted goes on as if nothing had been.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::path::Path;
use std::time::Duration;

use labelmix_methods::{Loss, Recipe, Schedule, StageExample, StageHistory, StageOptions, TargetStop, Trains};
use labelmix_models::{Adapter, LoadOptions, Model, TextLimit, Tokenizer};
use labelmix_train::{
    Backend, Continuation, Error, Interrupt, LabelerRequest, NativeBackend, StageRequest, continue_labeler,
    continue_stage, lora_settings, train_stage,
};

struct Reviews {
    model: NativeBackend,
    rows: Vec<(Vec<u32>, f32)>,
}

impl Reviews {
    fn new(count: usize) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews");
        let checkpoint = folder.join("checkpoint");
        let model = NativeBackend::new(&Model::load(&checkpoint, &LoadOptions::default()).unwrap(), None).unwrap();
        let tokenizer = Tokenizer::load(&checkpoint).unwrap();
        let rows = std::fs::read_to_string(folder.join("train.jsonl")).unwrap();
        let row = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let label = if row["gold"] == 1 { 0.9 } else { 0.2 };
            (tokenizer.encode(row["text"].as_str().unwrap(), TextLimit::Refuse).unwrap(), label)
        };
        Self { model, rows: rows.lines().take(count).map(row).collect() }
    }

    fn examples(&self) -> Vec<StageExample<'_>> {
        self.rows.iter().map(|(token_ids, target)| StageExample::new(token_ids, *target)).collect()
    }

    fn start(&self, recipe: &Recipe) -> Adapter {
        self.model.initial_adapter(lora_settings(recipe), 3).unwrap()
    }
}

/// Every number of an adapter.
fn bits(adapter: &Adapter) -> Vec<u32> {
    let arrays = adapter.snapshot().unwrap();
    arrays.iter().flat_map(|array| array.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>()).collect()
}

/// Trains with an interruption at every `k`-th step, until it is through: what came out, and how often it was
/// interrupted.
fn with_interruptions<T>(
    k: usize,
    mut train: impl FnMut(Continuation<'_>, &dyn Fn(usize)) -> Result<T, Error>,
) -> (T, usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.safetensors");
    let mut interruptions = 0;
    loop {
        let interrupt = Interrupt::default();
        let continuation = Continuation { file: Some(&file), every: Duration::MAX, interrupt: &interrupt };
        let result = train(continuation, &|step| {
            if step.is_multiple_of(k) {
                interrupt.request();
            }
        });
        match result {
            Ok(outcome) => {
                continuation.forget().unwrap();
                assert!(!file.exists());
                return (outcome, interruptions);
            }
            Err(Error::Interrupted) => interruptions += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_stage_that_is_interrupted_at_every_step_ends_as_one_that_is_not() {
    let reviews = Reviews::new(60);
    let examples = reviews.examples();
    let usual = Recipe { total_examples: 320, learning_rate: 5e-3, batch_size: 16, ..Recipe::default() };
    let by_count = Recipe { schedule: Schedule::ByCount, ..usual.clone() };
    let options = StageOptions { loss: Loss::LogConfidence, trains: Trains::Body, ..StageOptions::default() };
    let few = &examples[..2];
    for (recipe, options, examples) in [
        (&usual, StageOptions::default(), &examples[..]),
        (&usual, options, &examples),
        (&usual, StageOptions { reinitialise_head: true, ..StageOptions::default() }, few),
        (&by_count, StageOptions::default(), &examples[..20]),
    ] {
        let examples = &[examples.to_vec()];
        let request = || {
            let (model, start) = (&reviews.model, reviews.start(recipe));
            StageRequest { model, start, examples, recipe, options, optimizer: None, shots: None, seed: 3 }
        };
        let whole = train_stage(request(), |_| ()).unwrap();
        for k in [1, 2, 3, 7] {
            let (resumed, interruptions) = with_interruptions(k, |continuation, step| {
                continue_stage(request(), continuation, |progress| step(progress.step))
            });
            assert!(interruptions >= (whole.history.steps - 1) / k, "{interruptions} at every {k}th step");
            assert_eq!(bits(&resumed.adapter), bits(&whole.adapter), "every {k}th step");
            assert_eq!(resumed.optimizer, whole.optimizer);
            assert_eq!(resumed.history, whole.history);
        }
    }
}

#[test]
fn states_kept_by_time_are_gone_on_from_and_damaged_ones_begun_anew() {
    let reviews = Reviews::new(40);
    let (examples, recipe) = ([reviews.examples()], Recipe { total_examples: 320, ..Recipe::default() });
    let request = || {
        let (model, start, options) = (&reviews.model, reviews.start(&recipe), StageOptions::default());
        StageRequest {
            model,
            start,
            examples: &examples,
            recipe: &recipe,
            options,
            optimizer: None,
            shots: None,
            seed: 3,
        }
    };
    let whole = train_stage(request(), |_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.safetensors");
    let interrupt = Interrupt::default();
    let continuation = Continuation { file: Some(&file), every: Duration::ZERO, interrupt: &interrupt };
    let first_step = |damage: &dyn Fn()| {
        // As if the process were killed.
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            continue_stage(request(), continuation, |progress| {
                if progress.step == 4 {
                    std::panic::resume_unwind(Box::new("killed"));
                }
            })
        }));
        assert!(killed.is_err());
        damage();
        let mut first = None;
        let resumed = continue_stage(request(), continuation, |progress| {
            first.get_or_insert(progress.step);
        });
        assert_eq!(bits(&resumed.unwrap().adapter), bits(&whole.adapter));
        continuation.forget().unwrap();
        first.unwrap()
    };
    assert_eq!(first_step(&|| ()), 4, "after the third, which was kept last");
    let damage = |change: fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(&file).unwrap();
        change(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
    };
    assert_eq!(first_step(&|| damage(|bytes| bytes.truncate(bytes.len() / 2))), 1);
    assert_eq!(first_step(&|| damage(|bytes| *bytes.last_mut().unwrap() ^= 1)), 1);
    assert_eq!(first_step(&|| damage(Vec::clear)), 1);
}

#[test]
fn a_labeler_goes_on_too() {
    let reviews = Reviews::new(200);
    let examples = reviews.examples();
    let recipe = Recipe { total_examples: 640, learning_rate: 5e-3, batch_size: 16, ..Recipe::default() };
    for target_accuracy in [None, Some(0.7)] {
        let train = |continuation: Continuation<'_>, step: &dyn Fn(usize)| {
            let request = LabelerRequest {
                model: &reviews.model,
                start: reviews.start(&recipe),
                train: &examples[..100],
                validation: &examples[100..],
                recipe: &recipe,
                target_accuracy,
                seed: 3,
            };
            let labeler = continue_labeler(request, continuation, |progress| step(progress.step))?;
            Ok::<(Vec<u32>, StageHistory, Option<TargetStop>), Error>((
                bits(&labeler.adapter),
                labeler.history,
                labeler.target_stop,
            ))
        };
        let whole = train(Continuation::none(&Interrupt::default()), &|_| ()).unwrap();
        for k in [1, 5] {
            let (resumed, interruptions) = with_interruptions(k, train);
            assert!(interruptions > 1 && resumed == whole, "{target_accuracy:?}, every {k}th step");
        }
    }
}
