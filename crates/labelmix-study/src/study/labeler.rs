//! `[labeler]`: who makes the weak labels, where the data has none.

mod llm;

use std::fmt;
use std::path::PathBuf;

use labelmix_methods::Recipe;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use self::llm::{LlmConfidence, LlmForm, LlmTable, Rates};
use super::{ModelTable, Problem};

/// `[labeler]`: a small model that is fine-tuned on gold labels of its own, a language model that is asked, or an annotator who is
/// simulated. Which keys may be there depends on `kind`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelerTable {
    /// What makes the labels.
    #[serde(default)]
    pub kind: LabelerKind,
    /// The labeler's own model: a path or a repository of the Hub, or a table like `[model]`.
    #[serde(default, deserialize_with = "model_by_name_or_table", skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelTable>,
    /// A file of texts with their gold labels, in the columns of the task's files (`text` and `gold` for a named task),
    /// that the model learns from. Without it, it takes its gold labels from the training examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gold_file: Option<PathBuf>,
    /// The service that is asked, and what it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<LlmTable>,
    /// Gold labels of its own that a language model sees before each text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// The share of class 1 that is believed: what a language model says is shifted by one number accordingly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<f64>,
    /// Gold labels that it is trained on: 8,000, and at most half of those there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Gold labels that decide which of its checkpoints is kept: 500, or 4,000 to aim at an accuracy, and at most all
    /// that it is not trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Passes over the labels that it is trained on: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// The learning rate at the end of the warm-up: 5e-4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Tokens that are processed at once: 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch_tokens: Option<usize>,
    /// How often labels are to be right. A model without it keeps its best checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_accuracy: Option<f64>,
    /// How often a class-dependent annotator labels 1 what is of class 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// How often a class-dependent annotator labels 0 what is of class 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub specificity: Option<f64>,
    /// Whether errors are dealt out anew, so that the labels are as good but the errors cannot be learned.
    #[serde(default)]
    pub shuffle_errors: bool,
    /// Whether the examples that the model was trained on get weak labels too.
    #[serde(default)]
    pub include_own_examples: bool,
    /// Whether the model reads an example's proxy text (a review's title, say) where it has one.
    #[serde(default)]
    pub proxy: bool,
    /// Decides which examples are the labeler's own, how it is trained, and how errors fall.
    #[serde(default)]
    pub seed: u64,
}

/// What makes weak labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelerKind {
    /// A fine-tuned model's predictions.
    #[default]
    Model,
    /// What a language model of this machine says when it is asked.
    Prompted,
    /// What a language model behind a web service says.
    Llm,
    /// Gold labels, flipped equally often in both classes.
    Symmetric,
    /// Gold labels, flipped as often as the class says.
    ClassDependent,
    /// Gold labels, flipped the more often the nearer a fine-tuned model is to being undecided.
    Margin,
}

impl LabelerKind {
    /// The name in study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Prompted => "prompted",
            Self::Llm => "llm",
            Self::Symmetric => "symmetric",
            Self::ClassDependent => "class-dependent",
            Self::Margin => "margin",
        }
    }

    /// Whether a model is trained.
    pub fn trains(self) -> bool {
        matches!(self, Self::Model | Self::Margin)
    }

    /// Whether a checkpoint is needed.
    pub fn runs_model(self) -> bool {
        self.trains() || self == Self::Prompted
    }

    /// Whether a language model is asked, which may see gold labels of the labeler's own.
    pub fn asks(self) -> bool {
        matches!(self, Self::Prompted | Self::Llm)
    }
}

impl LabelerTable {
    /// Gold labels to train on at most.
    pub fn train(&self) -> usize {
        self.train.unwrap_or(8_000)
    }

    /// Gold labels of its own that it learns from and those that it is validated on, at most.
    pub fn own_labels(&self) -> [usize; 2] {
        if self.kind.trains() { [self.train(), self.validation()] } else { [self.shots.unwrap_or(0), 0] }
    }

    /// Gold labels to validate on at most. With 4,000, a measured accuracy is within a point and a half of the true one
    /// in 19 of 20 cases.
    pub fn validation(&self) -> usize {
        self.validation.unwrap_or(if self.stops_at().is_some() { 4_000 } else { 500 })
    }

    /// The validation accuracy at which the model's training stops.
    pub fn stops_at(&self) -> Option<f64> {
        self.target_accuracy.filter(|_| self.kind == LabelerKind::Model)
    }

    /// How the model is trained on so many labels.
    pub fn recipe(&self, n_train: usize) -> Recipe {
        let default = Recipe::default();
        Recipe {
            total_examples: self.epochs.unwrap_or(3) * n_train,
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            micro_batch_tokens: self.micro_batch_tokens.unwrap_or(default.micro_batch_tokens),
            ..default
        }
    }

    /// Refuses keys that mean nothing for this kind, keys that it lacks, and values out of range.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let problem = |reason: String, help: String| Err(Problem { reason, help });
        let kind = self.kind;
        let named = kind.name();
        let keys = [
            ("model", self.model.is_some(), kind.runs_model(), "\"model\", \"prompted\" and \"margin\""),
            ("llm", self.llm.is_some(), kind == LabelerKind::Llm, "\"llm\""),
            ("shots", self.shots.is_some(), kind.asks(), "\"prompted\" and \"llm\""),
            ("prior", self.prior.is_some(), kind.asks(), "\"prompted\" and \"llm\""),
        ];
        let learns = kind.trains() || kind.asks();
        let of_examples = [
            ("gold_file", self.gold_file.is_some()),
            ("include_own_examples", self.include_own_examples),
            ("proxy", self.proxy),
        ];
        let of_examples = of_examples
            .map(|(key, is_there)| (key, is_there, learns, "\"model\", \"prompted\", \"llm\" and \"margin\""));
        let of_training = [
            ("train", self.train.is_some()),
            ("validation", self.validation.is_some()),
            ("epochs", self.epochs.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
            ("micro_batch_tokens", self.micro_batch_tokens.is_some()),
            ("shuffle_errors", self.shuffle_errors),
        ];
        let of_training = of_training.map(|(key, is_there)| (key, is_there, kind.trains(), "\"model\" and \"margin\""));
        let mut keys = keys.iter().chain(&of_examples).chain(&of_training);
        if let Some((key, _, _, kinds)) = keys.find(|(_, is_there, is_right, _)| *is_there && !is_right) {
            let plural = if kinds.contains(" and ") { "kinds" } else { "kind" };
            return problem(
                format!("`{key}` in [labeler], whose kind is {named:?}"),
                format!("it is for the {plural} {kinds}"),
            );
        }
        if self.proxy && self.gold_file.is_some() {
            let help = "a `gold_file` has texts only: leave one of the two out".to_owned();
            return problem("`proxy` in [labeler], which has a `gold_file`".to_owned(), help);
        }
        let rates = [("sensitivity", self.sensitivity), ("specificity", self.specificity)];
        for (key, rate) in rates {
            match (rate, kind == LabelerKind::ClassDependent) {
                (Some(_), false) => {
                    let help = "it is for the kind \"class-dependent\"".to_owned();
                    return problem(format!("`{key}` in [labeler], whose kind is {named:?}"), help);
                }
                (None, true) => {
                    let help = format!("give the share of its class that is labelled right, such as {key} = 0.8");
                    return problem(format!("[labeler] of kind {named:?} has no `{key}`"), help);
                }
                (Some(rate), true) if !(0.0..=1.0).contains(&rate) => {
                    return problem(format!("{key} = {rate} in [labeler]"), format!("{key} lies between 0 and 1"));
                }
                _ => {}
            }
        }
        if let Some(prior) = self.prior.filter(|prior| !(*prior > 0.0 && *prior < 1.0)) {
            return problem(
                format!("prior = {prior} in [labeler]"),
                "it is the share of class 1: between 0 and 1".to_owned(),
            );
        }
        match self.target_accuracy {
            Some(_) if kind.asks() => {
                let help = "a model that is asked says what it says: it is for kinds that train or flip".to_owned();
                return problem(format!("`target_accuracy` in [labeler], whose kind is {named:?}"), help);
            }
            Some(_) if kind == LabelerKind::ClassDependent => {
                let help = "a class-dependent annotator is described by `sensitivity` and `specificity`".to_owned();
                return problem(format!("`target_accuracy` in [labeler], whose kind is {named:?}"), help);
            }
            Some(target) if !(target > 0.5 && target <= 1.0) => {
                let help = "it is the share of labels that are right: above 0.5, which is chance, and at most 1";
                return problem(format!("target_accuracy = {target} in [labeler]"), help.to_owned());
            }
            None if matches!(kind, LabelerKind::Symmetric | LabelerKind::Margin) => {
                let help = "give the share of labels that are right, such as target_accuracy = 0.8".to_owned();
                return problem(format!("[labeler] of kind {named:?} has no `target_accuracy`"), help);
            }
            _ => {}
        }
        if kind.runs_model() && self.model.is_none() {
            let what = if kind.trains() { "small model that is fine-tuned" } else { "language model that is asked" };
            let help = format!("give the {what}: model = \"a folder\" or \"organisation/name\"");
            return problem(format!("[labeler] of kind {named:?} has no `model`"), help);
        }
        match &self.llm {
            Some(llm) => llm.check()?,
            None if kind == LabelerKind::Llm => {
                let help =
                    "say who is asked in [labeler.llm]: base_url = \"http://127.0.0.1:8080/v1\", model = \"a name\"";
                return problem("[labeler] of kind \"llm\" has no table [labeler.llm]".to_owned(), help.to_owned());
            }
            None => {}
        }
        let counts = [("train", self.train()), ("validation", self.validation()), ("epochs", self.epochs.unwrap_or(3))];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return problem(format!("{key} = 0 in [labeler]"), format!("{key} must be at least 1"));
        }
        self.recipe(self.train()).validate().map_err(|error| Problem::of_recipe(&error, "[labeler]"))
    }
}

/// A model given as its name, or as a table with settings.
fn model_by_name_or_table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ModelTable>, D::Error> {
    struct NameOrTable;

    impl<'de> Visitor<'de> for NameOrTable {
        type Value = ModelTable;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a model's path, or a table with its path and settings")
        }

        fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<ModelTable, E> {
            Ok(ModelTable::at(PathBuf::from(path)))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelTable, A::Error> {
            ModelTable::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(NameOrTable).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::Study;
    use super::*;

    const STUDY: &str = "name = 'a'\n[task]\ntrain = 'a.jsonl'\ntest = 'b.jsonl'\n[model]\npath = 'model'\n[labeler]\n";

    fn parse(keys: &str) -> Result<LabelerTable, String> {
        match Study::parse(&format!("{STUDY}{keys}"), PathBuf::new()) {
            Ok(study) => Ok(study.labeler.unwrap()),
            Err(Problem { reason, help }) => Err(format!("{reason} | {help}")),
        }
    }

    #[test]
    fn a_model_is_enough() {
        let table = parse("model = 'small'").unwrap();
        assert_eq!((table.kind, table.train(), table.validation()), (LabelerKind::Model, 8_000, 500));
        assert_eq!(table.recipe(1_000), Recipe { total_examples: 3_000, ..Recipe::default() });
        assert_eq!(parse("model = { path = 'small' }").unwrap(), table);
        // An accuracy is aimed at with more labels to measure it on; a margin's is not one of the model.
        assert_eq!(parse("model = 'small'\ntarget_accuracy = 0.8").unwrap().validation(), 4_000);
        let margin = parse("kind = 'margin'\nmodel = 'small'\ntarget_accuracy = 0.8").unwrap();
        assert_eq!((margin.validation(), margin.stops_at()), (500, None));
    }

    #[test]
    fn problems_name_the_key_and_the_remedy() {
        let problem = |keys: &str| parse(keys).unwrap_err();
        insta::assert_snapshot!(problem("kind = 'asymmetric'"), @"line 8: unknown variant `asymmetric`, expected one of `model`, `prompted`, `llm`, `symmetric`, `class-dependent`, `margin` | did you mean `symmetric`?");
        insta::assert_snapshot!(problem("kind = 'model'"), @r#"[labeler] of kind "model" has no `model` | give the small model that is fine-tuned: model = "a folder" or "organisation/name""#);
        insta::assert_snapshot!(problem("model = { path = 'a', wieghts = 'f32' }"), @"line 8: unknown field `wieghts`, expected one of `path`, `weights`, `matmul_precision`, `activation_checkpointing`, `pooling`, `max_length`, `too_long` | did you mean `weights`?");
        insta::assert_snapshot!(problem("model = 7"), @"line 8: invalid type: integer `7`, expected a model's path, or a table with its path and settings | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("model = 'a'\ntarget = 0.8"), @"line 9: unknown field `target`, expected one of `kind`, `model`, `gold_file`, `llm`, `shots`, `prior`, `train`, `validation`, `epochs`, `learning_rate`, `micro_batch_tokens`, `target_accuracy`, `sensitivity`, `specificity`, `shuffle_errors`, `include_own_examples`, `proxy`, `seed` | did you mean `target_accuracy`?");
        insta::assert_snapshot!(problem("model = 'a'\ntarget_accuracy = 0.5"), @"target_accuracy = 0.5 in [labeler] | it is the share of labels that are right: above 0.5, which is chance, and at most 1");
        insta::assert_snapshot!(problem("model = 'a'\ntarget_accuracy = nan"), @"target_accuracy = NaN in [labeler] | it is the share of labels that are right: above 0.5, which is chance, and at most 1");
        insta::assert_snapshot!(problem("model = 'a'\nlearning_rate = -1.0"), @"learning_rate = -1 in [labeler] | learning_rate must be a positive number");
        insta::assert_snapshot!(problem("model = 'a'\nepochs = 0"), @"epochs = 0 in [labeler] | epochs must be at least 1");
        insta::assert_snapshot!(problem("model = 'a'\nsensitivity = 0.9"), @r#"`sensitivity` in [labeler], whose kind is "model" | it is for the kind "class-dependent""#);
        insta::assert_snapshot!(problem("model = 'a'\ngold_file = 'b.jsonl'\nproxy = true"), @"`proxy` in [labeler], which has a `gold_file` | a `gold_file` has texts only: leave one of the two out");
        insta::assert_snapshot!(problem("kind = 'symmetric'"), @r#"[labeler] of kind "symmetric" has no `target_accuracy` | give the share of labels that are right, such as target_accuracy = 0.8"#);
        insta::assert_snapshot!(problem("kind = 'symmetric'\ntarget_accuracy = 0.8\nproxy = true"), @r#"`proxy` in [labeler], whose kind is "symmetric" | it is for the kinds "model", "prompted", "llm" and "margin""#);
        insta::assert_snapshot!(problem("kind = 'class-dependent'\nsensitivity = 0.8"), @r#"[labeler] of kind "class-dependent" has no `specificity` | give the share of its class that is labelled right, such as specificity = 0.8"#);
        insta::assert_snapshot!(problem("kind = 'class-dependent'\nsensitivity = 0.8\nspecificity = 1.8"), @"specificity = 1.8 in [labeler] | specificity lies between 0 and 1");
        insta::assert_snapshot!(
            problem("kind = 'class-dependent'\nsensitivity = 0.8\nspecificity = 0.8\ntarget_accuracy = 0.8"), @r#"`target_accuracy` in [labeler], whose kind is "class-dependent" | a class-dependent annotator is described by `sensitivity` and `specificity`"#);
    }
}
