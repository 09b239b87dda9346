//! A stage's hyper-parameters. The defaults are the published system's (Mallen & Belrose 2024).

use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;

/// How a stage trains. Every field is a key of the study file's `[recipe]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Examples that a stage looks at in all: it passes over its n training labels `max(total_examples / n, 1)` times,
    /// unless early stopping ends it before.
    pub total_examples: usize,
    /// The learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// Examples of one optimisation step.
    pub batch_size: usize,
    /// Steps of warm-up; never more than one epoch's steps, never fewer than 2.
    pub warmup_steps: usize,
    /// The share of a stage's labels that it validates on.
    pub validation_fraction: f64,
    /// Steps between two evaluations; never more than one epoch's steps.
    pub evaluate_every: usize,
    /// Evaluations in a row without improvement after which a stage stops.
    pub patience: usize,
    /// By how much validation AUROC must rise (or validation loss fall, where AUROC is undefined) to count as an
    /// improvement.
    pub minimum_improvement: f64,
    /// The rank of the LoRA factors.
    pub lora_rank: usize,
    /// The LoRA product is multiplied by `lora_alpha / lora_rank`.
    pub lora_alpha: f64,
    /// AdamW's decay of the mean gradient.
    pub beta1: f64,
    /// AdamW's decay of the mean squared gradient.
    pub beta2: f64,
    pub epsilon: f64,
    /// AdamW's weight decay (not applied to biases).
    pub weight_decay: f64,
    /// The largest norm of the gradient of a step.
    pub max_gradient_norm: f64,
    /// How a stage's batches and epochs follow from the number of its labels, and whether it validates.
    pub schedule: Schedule,
    /// Tokens that are processed at once; a step is cut into micro-batches of at most this many (or of one text).
    pub micro_batch_tokens: usize,
}

/// How a stage's batches and epochs follow from the number of its labels: the two presets of Mallen & Belrose (2024), and ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// `batch_size` and `total_examples` decide; a part of the labels is validated on, and stops the stage early.
    #[default]
    EarlyStopping,
    /// The number of labels n alone decides (the paper's MMLU runs): batches of 1 below 1,024 labels, 2 below 4,096,
    /// else 8; ceil(100/⌊n/batch⌋) epochs below 30 labels, 3 below 4,096, 2 below 16,384, else 1. All labels are trained
    /// on, and the last checkpoint is kept.
    ByCount,
    /// Below 1,024 labels batches of 8, and passes enough for 640 examples, from 5 to 20: all labels are trained on, and the
    /// last checkpoint is kept. From there on as with early stopping. Log-odds are shifted by the
    /// [prior](Calibration::Prior).
    Robust,
}

impl Schedule {
    /// Whether a part of a stage's labels is validated on, and stops it early. Asked of a stage's own
    /// [recipe](Recipe::of_stage).
    pub fn validates(self) -> bool {
        self == Self::EarlyStopping
    }

    /// Its name in study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::EarlyStopping => "early-stopping",
            Self::ByCount => "by-count",
            Self::Robust => "robust",
        }
    }

    /// How log-odds are shifted where a study does not say.
    pub fn calibration(self) -> Calibration {
        match self {
            Self::EarlyStopping | Self::ByCount => Calibration::None,
            Self::Robust => Calibration::Prior,
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            total_examples: 30_000,
            learning_rate: 5e-4,
            batch_size: 32,
            warmup_steps: 40,
            validation_fraction: 0.2,
            evaluate_every: 50,
            patience: 4,
            minimum_improvement: 0.01,
            lora_rank: 8,
            lora_alpha: 8.0,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.01,
            max_gradient_norm: 1.0,
            schedule: Schedule::EarlyStopping,
            micro_batch_tokens: 1024,
        }
    }
}

/// Below so many labels the robust schedule spares none for validation.
const FEW_LABELS: usize = 1024;
const ROBUST_BATCH: usize = 8;

const LARGEST_RANK: usize = 1 << 16;

/// A hyper-parameter that makes no sense.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{key} = {value} in [recipe]")]
#[diagnostic(help("{key} must be {expected}"))]
pub struct RecipeError {
    key: &'static str,
    value: f64,
    expected: &'static str,
}

impl Recipe {
    /// Checks that every number lies where it makes sense.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let counts = [
            ("total_examples", self.total_examples),
            ("batch_size", self.batch_size),
            ("evaluate_every", self.evaluate_every),
            ("patience", self.patience),
            ("lora_rank", self.lora_rank),
            ("micro_batch_tokens", self.micro_batch_tokens),
        ];
        for (key, count) in counts {
            if count == 0 {
                return Err(RecipeError { key, value: 0.0, expected: "at least 1" });
            }
        }
        // Beyond any model's width, and small enough that no size of a tensor overflows.
        if self.lora_rank > LARGEST_RANK {
            return Err(RecipeError { key: "lora_rank", value: self.lora_rank as f64, expected: "at most 65536" });
        }
        let positive = [
            ("learning_rate", self.learning_rate),
            ("lora_alpha", self.lora_alpha),
            ("epsilon", self.epsilon),
            ("max_gradient_norm", self.max_gradient_norm),
        ];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(RecipeError { key, value, expected: "a positive number" });
            }
        }
        let shares = [("beta1", self.beta1), ("beta2", self.beta2), ("validation_fraction", self.validation_fraction)];
        for (key, value) in shares {
            if !(0.0..1.0).contains(&value) {
                return Err(RecipeError { key, value, expected: "at least 0 and below 1" });
            }
        }
        let not_negative = [("weight_decay", self.weight_decay), ("minimum_improvement", self.minimum_improvement)];
        for (key, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(RecipeError { key, value, expected: "zero or a positive number" });
            }
        }
        Ok(())
    }

    /// The hyper-parameters of a stage of so many labels, those that it validates on among them.
    pub fn of_stage(&self, labels: usize) -> Self {
        let schedule = match self.schedule {
            Schedule::Robust if labels >= FEW_LABELS => Schedule::EarlyStopping,
            schedule => schedule,
        };
        Self { schedule, ..self.clone() }
    }

    /// Examples of a step, and passes over the data, of a [stage](Self::of_stage) that trains on so many labels, at least one.
    pub fn batch_and_epochs(&self, labels: usize) -> (usize, usize) {
        match self.schedule {
            Schedule::EarlyStopping => (self.batch_size, (self.total_examples / labels).max(1)),
            Schedule::Robust => (ROBUST_BATCH, 640_usize.div_ceil(labels).clamp(5, 20)),
            Schedule::ByCount => {
                let batch = match labels {
                    0..1_024 => 1,
                    1_024..4_096 => 2,
                    _ => 8,
                };
                let epochs = match labels {
                    0..30 => 100_usize.div_ceil(labels / batch),
                    _ => usual_epochs(labels),
                };
                (batch, epochs)
            }
        }
    }

    /// The examples of a step, of a stage that has enough labels for it.
    pub fn usual_batch(&self) -> usize {
        match self.schedule {
            Schedule::EarlyStopping => self.batch_size,
            Schedule::ByCount => 1,
            Schedule::Robust => ROBUST_BATCH.min(self.batch_size),
        }
    }

    /// How many examples a stage of so many labels is expected to train on, and to validate on, repetitions counted. Early
    /// stopping usually ends a stage after some eight evaluations.
    pub fn expected_examples(&self, labels: usize) -> [usize; 2] {
        const EVALUATIONS: usize = 8;
        let recipe = self.of_stage(labels);
        let validates = recipe.schedule.validates();
        let validation = if validates {
            ((self.validation_fraction * labels as f64).round() as usize).max(2).min(labels.saturating_sub(1))
        } else {
            0
        };
        let train = labels - validation;
        if train == 0 {
            return [0, 0];
        }
        let (batch, epochs) = recipe.batch_and_epochs(train);
        if !validates {
            return [epochs * train, 0];
        }
        let steps_per_epoch = train.div_ceil(batch);
        let evaluate_every = self.evaluate_every.min(steps_per_epoch);
        let steps = (EVALUATIONS * evaluate_every).min(epochs * steps_per_epoch);
        [steps * batch.min(train), steps.div_ceil(evaluate_every) * validation]
    }
}

/// Passes over labels that are not few.
fn usual_epochs(labels: usize) -> usize {
    match labels {
        0..4_096 => 3,
        4_096..16_384 => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_nonsense_is_named() {
        Recipe::default().validate().unwrap();
        let error = Recipe { learning_rate: -1.0, ..Recipe::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "learning_rate = -1 in [recipe]");
        assert_eq!(error.help().unwrap().to_string(), "learning_rate must be a positive number");
        let error = Recipe { batch_size: 0, ..Recipe::default() }.validate().unwrap_err();
        assert_eq!(error.help().unwrap().to_string(), "batch_size must be at least 1");
    }

    #[test]
    fn batches_and_epochs_by_count() {
        let recipe = Recipe { schedule: Schedule::ByCount, ..Recipe::default() };
        let expected = [
            (1, (1, 100)),
            (7, (1, 15)),
            (29, (1, 4)),
            (30, (1, 3)),
            (1_023, (1, 3)),
            (1_024, (2, 3)),
            (4_095, (2, 3)),
            (4_096, (8, 2)),
            (16_383, (8, 2)),
            (16_384, (8, 1)),
        ];
        for (labels, batch_and_epochs) in expected {
            assert_eq!(recipe.batch_and_epochs(labels), batch_and_epochs, "{labels}");
        }
    }

    #[test]
    fn few_labels_are_looked_at_often_and_not_for_ever() {
        let recipe = Recipe { schedule: Schedule::Robust, ..Recipe::default() };
        let passes = [1, 8, 16, 64, 160, 640, 1_023].map(|labels| recipe.batch_and_epochs(labels));
        assert_eq!(passes, [20, 20, 20, 10, 5, 5, 5].map(|epochs| (8, epochs)));
        assert_eq!(recipe.expected_examples(64), [640, 0]);
        assert_eq!(recipe.of_stage(1_023), recipe);
        assert_eq!(recipe.of_stage(1_024), Recipe::default());
        assert_eq!(recipe.expected_examples(2_000), Recipe::default().expected_examples(2_000));
    }
}
