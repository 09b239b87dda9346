//! Ensembles: a method trained several times on the same labels (beyond the paper).

use labelmix_econ::Allocation;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::inner::{OF, OPTIONS, check_inner, inner, inner_trainings, repeated};
use crate::calibration::Calibration;
use crate::method::{Configuration, Method, OptionError, OptionHelp, UsableSplits, check_count};
use crate::plan::StagePlan;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ensemble {
    of: String,
    members: usize,
    options: Table,
}

impl Default for Ensemble {
    fn default() -> Self {
        Self { of: "seq-sft".to_owned(), members: 5, options: Table::new() }
    }
}

impl Method for Ensemble {
    fn extra(&self) -> Allocation {
        inner(&self.of, &self.options).extra()
    }

    fn splits(&self) -> UsableSplits {
        inner(&self.of, &self.options).splits()
    }

    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let chain = inner_trainings(&self.of, &self.options, split);
        let Some(last) = chain.last() else { return Vec::new() };
        let (mut stages, of) = repeated(&chain, self.members);
        stages.push(StagePlan::Average { of, prompt: last.prompt.clone(), calibration: Calibration::None });
        stages
    }

    fn smallest_batch(&self) -> usize {
        inner(&self.of, &self.options).smallest_batch()
    }
}

impl Configuration for Ensemble {
    const NAME: &'static str = "ensemble";
    const SUMMARY: &'static str = "a method trained several times on the same labels, their log-odds averaged";
    const EXPLANATION: &'static str = "Trains a method several times. The trainings share the labels that are bought, and \
        differ in initial weights, in the order of the batches and in which labels they validate on; the score of a text \
        is the mean of their log-odds. The first is the training that the method by itself would be. Takes as many times \
        the computing; pays for the labels once.";
    const OPTIONS: &'static [OptionHelp] =
        &[OF, OptionHelp { name: "members", meaning: "how often it is trained, at least 2" }, OPTIONS];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "ensemble"

[[methods]]
name = "three-most-confident"
method = "ensemble"
of = "most-confident"
members = 3
options = { keep = 0.25 }
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_count("members", self.members, 2..=100)?;
        check_inner(&self.of, &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_chains_of_their_own_on_the_same_labels() {
        let method: Ensemble = toml::from_str("members = 2\noptions = { gold = { trains = 'head' } }").unwrap();
        method.check().unwrap();
        let stages = method.stages(Allocation { n_weak: 3, n_gold: 2 });
        let shape: Vec<_> = stages
            .iter()
            .filter_map(|stage| Some((stage.count(), stage.training()?.repetition, stage.parent())))
            .collect();
        assert_eq!(shape, [(3, 0, None), (2, 0, Some(0)), (3, 1, None), (2, 1, Some(2))]);
        assert_eq!(stages[4..], [StagePlan::Average { of: vec![1, 3], prompt: None, calibration: Calibration::None }]);
        assert_eq!(method.stages(Allocation::default()), []);
    }

    #[test]
    fn what_cannot_be_repeated_is_refused() {
        let check = |text: &str| toml::from_str::<Ensemble>(text).unwrap().check().map_err(|error| error.reason);
        assert_eq!(check("of = 'magic'"), Err("`of` = \"magic\"".to_owned()));
        for of in ["uncertainty", "few-shot", "ensemble", "self-training"] {
            assert_eq!(check(&format!("of = '{of}'")), Err(format!("`of` = {of:?}")), "{of}");
        }
        assert!(check("options = { shots = 3 }").unwrap_err().contains("in `options` of \"seq-sft\": unknown field"));
        assert_eq!(check("members = 1"), Err("`members` = 1".to_owned()));
        assert_eq!(check("of = 'denoise'"), Ok(()));
    }
}
