//! Which of a study's methods put labelled examples before a text.

use labelmix_econ::LabelKind;
use labelmix_methods::method_named;
use labelmix_study::{MethodTable, Study};

/// A method with a prompt, or the same without one, to hold it against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptedMethod {
    /// Its name in the study.
    pub method: String,
    /// The examples in its prompt; none for `seq-sft`.
    pub shots: usize,
    pub shot_labels: LabelKind,
    /// What its classifier is trained on.
    pub trained_on: TrainedOn,
}

/// Which labels a classifier behind a prompt is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainedOn {
    /// None: the language model is asked as it is.
    Nothing,
    Weak,
    Gold,
    /// Weak ones, then gold ones.
    Both,
}

impl PromptedMethod {
    /// The methods of a study that are `few-shot`, `few-shot-sft`, or `seq-sft` with its defaults.
    pub(crate) fn of(study: &Study) -> Vec<Self> {
        study.methods.iter().filter_map(Self::new).collect()
    }

    fn new(table: &MethodTable) -> Option<Self> {
        let kind = method_named(table.method.as_ref().unwrap_or(&table.name))?;
        let mut options = kind.defaults();
        options.extend(table.options.clone());
        let text = |key: &str| options.get(key).map_or("", |value| value.as_str().unwrap_or_default());
        let trained_on = match (kind.name, text("sft")) {
            ("few-shot", _) => TrainedOn::Nothing,
            ("few-shot-sft", "weak") => TrainedOn::Weak,
            ("few-shot-sft", "gold") => TrainedOn::Gold,
            ("few-shot-sft", _) => TrainedOn::Both,
            ("seq-sft", _) if table.options.is_empty() => TrainedOn::Both,
            _ => return None,
        };
        let shots = options.get("shots").map_or(0, |value| value.as_integer().unwrap_or(0));
        Some(Self {
            method: table.name.clone(),
            shots: usize::try_from(shots).unwrap_or(0),
            shot_labels: if text("shot_labels") == "weak" { LabelKind::Weak } else { LabelKind::Gold },
            trained_on,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_of_a_study() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let methods = "methods = ['seq-sft', 'uncertainty', 'few-shot', { name = 'eight', method = 'few-shot-sft', shots = \
                       8, shot_labels = 'weak', sft = 'gold' }, { name = 'other', method = 'seq-sft', gold = { loss = \
                       'kl' } }]";
        let study = format!("name = 'a'\n{methods}\n[task]\ntrain = 'a.csv'\ntest = 'b.csv'\n[model]\npath = 'm'\n");
        std::fs::write(&path, study).unwrap();
        let line = |prompted: &PromptedMethod| {
            let PromptedMethod { method, shots, shot_labels, trained_on } = prompted;
            format!("{method}: {shots} {shot_labels:?}, {trained_on:?}")
        };
        let found = PromptedMethod::of(&Study::read(&path).unwrap());
        insta::assert_snapshot!(found.iter().map(line).collect::<Vec<_>>().join("\n"), @r"
        seq-sft: 0 Gold, Both
        few-shot: 8 Gold, Nothing
        eight: 8 Weak, Gold
        ");
    }
}
