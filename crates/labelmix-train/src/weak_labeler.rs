//! Weak labelers: a small pretrained model that is fine-tuned on gold labels of its own, and whose predictions are the
//! weak labels (Mallen & Belrose 2024).

use labelmix_methods::{Loss, Recipe, StageExample, StageHistory, StopReason, TargetStop, Trains};
use labelmix_models::Adapter;

use crate::backend::{Backend, Learning};
use crate::continuation::Continuation;
use crate::early_stopping::EarlyStopping;
use crate::error::Result;
use crate::target_stopping::TargetStopping;
use crate::trainer::{StageProgress, Training};

/// Everything that determines a labeler.
pub struct LabelerRequest<'a> {
    /// Who runs the model.
    pub model: &'a dyn Backend,
    /// Where training starts.
    pub start: Adapter,
    /// The gold labels that it learns from; at least one.
    pub train: &'a [StageExample<'a>],
    /// The gold labels that decide which checkpoint is kept; at least one.
    pub validation: &'a [StageExample<'a>],
    /// The hyper-parameters. All scheduled steps are made unless a target is reached: patience and the validation
    /// fraction are not used.
    pub recipe: &'a Recipe,
    /// The validation accuracy to stop at; without it the best checkpoint is kept, by a stage's own rule.
    pub target_accuracy: Option<f64>,
    /// Decides the order of the batches.
    pub seed: u64,
}

/// A labeler, ready to label.
pub struct TrainedLabeler {
    /// Its trained tensors.
    pub adapter: Adapter,
    /// How they came about.
    pub history: StageHistory,
    /// Where training stopped, if it aimed at an accuracy.
    pub target_stop: Option<TargetStop>,
}

/// Trains a labeler. The same request gives the same bytes.
///
/// # Errors
/// If the loss diverges, the model cannot be run, it is interrupted, or no checkpoint comes near the target accuracy.
///
/// # Panics
/// If there is nothing to train on, or nothing to validate on.
pub fn continue_labeler(
    request: LabelerRequest<'_>,
    continuation: Continuation<'_>,
    observe: impl FnMut(StageProgress),
) -> Result<TrainedLabeler> {
    let LabelerRequest { model, start: adapter, train, validation, recipe, target_accuracy, seed } = request;
    assert!(!train.is_empty() && !validation.is_empty(), "a labeler has gold labels to train and to validate on");
    let (loss, interrupt) = (Loss::Xent, continuation.interrupt);
    let training = Training { train, validation, recipe, loss, shots: None, seed, interrupt };
    let mut learner = model.learner(Learning { adapter, trains: Trains::All, recipe, optimizer: None })?;
    let Some(target) = target_accuracy else {
        let mut watch =
            EarlyStopping::new(&Recipe { patience: usize::MAX, ..recipe.clone() }, training.evaluate_every(), true);
        let steps = training.run(&mut *learner, &mut watch, continuation, observe)?;
        let (best_step, points) = watch.finish(&mut *learner, steps)?;
        let history = training.history(steps, best_step, StopReason::ScheduleEnded, points);
        return Ok(TrainedLabeler { adapter: learner.finish()?.0, history, target_stop: None });
    };
    let mut watch = TargetStopping::over(&training, target, &*learner)?;
    let steps = training.run(&mut *learner, &mut watch, continuation, observe)?;
    let (stop, crossed, points) = watch.finish(&training, &mut *learner)?;
    let reason = if crossed { StopReason::TargetReached } else { StopReason::ScheduleEnded };
    let history = training.history(steps, stop.to_step, reason, points);
    Ok(TrainedLabeler { adapter: learner.finish()?.0, history, target_stop: Some(stop) })
}

/// The soft weak label, the probability of class 1, that log-odds speak for.
pub fn soft_label(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use labelmix_models::{LoadOptions, Model, TextLimit, Tokenizer};

    use super::*;
    use crate::backend::Reading;
    use crate::error::Error;
    use crate::interrupt::Interrupt;
    use crate::native::NativeBackend;
    use crate::settings::lora_settings;
    use labelmix_stats::auroc;

    fn train_labeler(request: LabelerRequest<'_>, observe: impl FnMut(StageProgress)) -> Result<TrainedLabeler> {
        continue_labeler(request, Continuation::none(&Interrupt::default()), observe)
    }

    /// The example's checkpoint, its token ids and gold labels of so many rows.
    fn reviews(count: usize) -> (NativeBackend, Vec<(Vec<u32>, bool)>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews");
        let checkpoint = folder.join("checkpoint");
        let model = NativeBackend::new(&Model::load(&checkpoint, &LoadOptions::default()).unwrap(), None).unwrap();
        let tokenizer = Tokenizer::load(&checkpoint).unwrap();
        let rows = std::fs::read_to_string(folder.join("train.jsonl")).unwrap();
        let example = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            (tokenizer.encode(row["text"].as_str().unwrap(), TextLimit::Refuse).unwrap(), row["gold"] == 1)
        };
        (model, rows.lines().take(count).map(example).collect())
    }

    fn stage_examples(rows: &[(Vec<u32>, bool)]) -> Vec<StageExample<'_>> {
        rows.iter().map(|(ids, gold)| StageExample::new(ids, f32::from(*gold))).collect()
    }

    fn recipe() -> Recipe {
        Recipe { total_examples: 1200, learning_rate: 5e-3, ..Recipe::default() }
    }

    /// A labeler of 600 examples, and its log-odds of the 400 that it is not validated on.
    fn labeler(target_accuracy: Option<f64>, recipe: &Recipe) -> Result<(TrainedLabeler, Vec<f32>, Vec<bool>)> {
        let (model, rows) = reviews(1600);
        let examples = stage_examples(&rows);
        let request = LabelerRequest {
            model: &model,
            start: model.initial_adapter(lora_settings(recipe), 3)?,
            train: &examples[..600],
            validation: &examples[600..1200],
            recipe,
            target_accuracy,
            seed: 3,
        };
        let labeler = train_labeler(request, |_| ())?;
        let texts: Vec<&[u32]> = examples[1200..].iter().map(|example| example.token_ids).collect();
        let reading = Reading { batch_tokens: recipe.micro_batch_tokens, interrupt: &Interrupt::default() };
        let scores = model.log_odds(&labeler.adapter, &texts, reading)?;
        Ok((labeler, scores, rows[1200..].iter().map(|(_, gold)| *gold).collect()))
    }

    #[test]
    fn a_target_is_hit_on_the_validation_labels_and_the_same_request_gives_the_same_bytes() {
        for target in [0.6, 0.75] {
            let (labeler_at, scores, _) = labeler(Some(target), &recipe()).unwrap();
            let stop = labeler_at.target_stop.unwrap();
            assert!((stop.accuracy - target).abs() < 0.01, "{stop:?}");
            assert_eq!(labeler_at.history.stop_reason, StopReason::TargetReached);
            assert_eq!(labeler_at.history.best_step, stop.to_step);
            // As sure as it is good: a labeler that is right three times in four is that sure on average.
            let sure = scores.iter().map(|score| f64::from(soft_label(score.abs()))).sum::<f64>() / scores.len() as f64;
            assert!((sure - target).abs() < 0.06, "{sure}");
            let (again, scores_again, _) = labeler(Some(target), &recipe()).unwrap();
            assert_eq!((labeler_at.history, scores), (again.history, scores_again));
        }
    }

    #[test]
    fn without_a_target_every_epoch_is_made_and_the_best_checkpoint_kept() {
        let (best, scores, gold) = labeler(None, &recipe()).unwrap();
        let StageHistory { steps, scheduled_steps, best_step, ref validation, .. } = best.history;
        assert_eq!((steps, scheduled_steps), (38, 38));
        let best_auroc = validation.iter().filter_map(|point| point.auroc).fold(0.0, f64::max);
        let kept = validation.iter().find(|point| point.step == best_step).unwrap();
        assert_eq!(kept.auroc, Some(best_auroc));
        let labels: Vec<(f32, bool)> = scores.into_iter().map(soft_label).zip(gold).collect();
        let right = labels.iter().filter(|(weak, gold)| (*weak >= 0.5) == *gold).count();
        let scores: Vec<f64> = labels.iter().map(|(weak, _)| f64::from(*weak)).collect();
        let gold: Vec<bool> = labels.iter().map(|(_, gold)| *gold).collect();
        let (accuracy, auroc) = (right as f64 / labels.len() as f64, auroc(&scores, &gold).unwrap());
        assert!(accuracy > 0.75 && auroc > 0.8, "{accuracy} {auroc}");
    }

    #[test]
    fn a_target_out_of_reach_is_an_error_that_says_what_is_in_reach() {
        let short = Recipe { total_examples: 320, learning_rate: 1e-4, ..recipe() };
        let error = labeler(Some(0.95), &short).map(|_| ()).unwrap_err();
        let Error::TargetNotReached { nearest, steps, .. } = error else { panic!("{error}") };
        assert!(nearest < 0.9);
        // The recipe looks at 320 examples, which is less than once at each of the 600: one epoch of 19 steps.
        assert_eq!(steps, 19);
    }

    #[test]
    fn even_log_odds_are_even_labels() {
        assert_eq!(soft_label(0.0), 0.5);
    }
}
