//! A linear probe (Alain & Bengio 2016): logistic regression on the pretrained model's hidden states.

use labelmix_econ::{Allocation, LabelKind};
use serde::{Deserialize, Serialize};

use super::joint::check_weight;
use crate::draw::{Draw, JointLoss, Role};
use crate::method::{Configuration, Method, OptionError, OptionHelp, check_count};
use crate::plan::{ProbeFeatures, ProbePlan, StagePlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Probe {
    penalty: f64,
    weak_weight: f64,
    layers: Option<usize>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { penalty: 1.0, weak_weight: 1.0, layers: None }
    }
}

impl Method for Probe {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let Self { penalty, weak_weight, layers } = *self;
        probe_stages(split, weak_weight, penalty, ProbeFeatures::HiddenStates { layers })
    }
}

/// A probe of all labels, if there are some.
pub(super) fn probe_stages(
    split: Allocation,
    weak_weight: f64,
    penalty: f64,
    features: ProbeFeatures,
) -> Vec<StagePlan> {
    let beside = JointLoss { weight: weak_weight, by_confidence: false, denoise: None };
    let weak = if split.n_gold > 0 { Role::Jointly(beside) } else { Role::Train };
    let draws =
        [Draw::front(LabelKind::Gold, split.n_gold, Role::Train), Draw::front(LabelKind::Weak, split.n_weak, weak)];
    let draws: Vec<Draw> = draws.into_iter().filter(|draw| draw.count > 0).collect();
    if draws.is_empty() { Vec::new() } else { vec![StagePlan::Probe(ProbePlan { draws, penalty, features })] }
}

pub(super) const PENALTY: OptionHelp =
    OptionHelp { name: "penalty", meaning: "half of this times ‖w‖² is added to the sum of losses, above 0" };
pub(super) const WEAK_WEIGHT: OptionHelp =
    OptionHelp { name: "weak_weight", meaning: "what a weak label's loss is multiplied by beside gold ones, above 0" };

impl Configuration for Probe {
    const NAME: &'static str = "probe";
    const SUMMARY: &'static str = "logistic regression on the model's hidden states; the model is not trained";
    const EXPLANATION: &'static str = "The pretrained model reads every text once; what its pooling gives, of several layers \
        scaled to unit length and averaged, is classified by L2-regularised logistic regression, fitted to all labels of \
        both kinds together. A soft label counts for both classes, and a weak one beside gold ones weak_weight times. The \
        hidden states are divided by their root mean squared distance from their mean, so that the penalty means the same \
        for every model. No label validates. Milliseconds a run, after the texts are read. Pays for all of them.";
    const OPTIONS: &'static [OptionHelp] = &[
        PENALTY,
        WEAK_WEIGHT,
        OptionHelp {
            name: "layers",
            meaning: "of how many of the model's last blocks the hidden states are read; the upper half without it",
        },
    ];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "probe"

[[methods]]
name = "probe-weak-less"
method = "probe"
weak_weight = 0.3
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_weight("penalty", self.penalty)?;
        self.layers.map_or(Ok(()), |layers| check_count("layers", layers, 1..=1000))?;
        check_weight("weak_weight", self.weak_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_fitted_together() {
        let draws = |n_weak, n_gold| -> Vec<(Option<LabelKind>, usize, bool)> {
            let stages = Probe::default().stages(Allocation { n_weak, n_gold });
            let draws = stages.iter().flat_map(StagePlan::draws);
            draws.map(|draw| (draw.labels(), draw.count, draw.role == Role::Train)).collect()
        };
        assert_eq!(draws(3, 2), [(Some(LabelKind::Gold), 2, true), (Some(LabelKind::Weak), 3, false)]);
        assert_eq!(draws(3, 0), [(Some(LabelKind::Weak), 3, true)]);
        assert_eq!(draws(0, 2), [(Some(LabelKind::Gold), 2, true)]);
        assert_eq!(draws(0, 0), []);
    }
}
