//! The methods, one file each.

mod bag_of_words;
mod denoise;
mod ensemble;
mod few_shot;
mod few_shot_sft;
mod inner;
mod joint;
mod log_confidence;
mod most_confident;
mod probe;
mod relabel;
mod self_training;
mod seq_sft;
mod uncertainty;
mod verbalizer;
mod zero_shot;

use crate::method::{MethodKind, OptionHelp};

/// All methods, in the order in which they are listed: those of the paper, then those beyond it.
pub(crate) static METHODS: &[MethodKind] = &[
    MethodKind::of::<seq_sft::SeqSft>(),
    MethodKind::of::<few_shot::FewShot>(),
    MethodKind::of::<few_shot_sft::FewShotSft>(),
    MethodKind::of::<uncertainty::Uncertainty>(),
    MethodKind::of::<relabel::Relabel>(),
    MethodKind::of::<log_confidence::LogConfidence>(),
    MethodKind::of::<most_confident::MostConfident>(),
    MethodKind::of::<zero_shot::ZeroShot>(),
    MethodKind::of::<verbalizer::Verbalizer>(),
    MethodKind::of::<probe::Probe>(),
    MethodKind::of::<bag_of_words::BagOfWords>(),
    MethodKind::of::<joint::Joint>(),
    MethodKind::of::<denoise::Denoise>(),
    MethodKind::of::<ensemble::Ensemble>(),
    MethodKind::of::<self_training::SelfTraining>(),
];

/// The tables of options of the two stages, which most methods have.
const WEAK: OptionHelp = OptionHelp { name: "weak", meaning: "how the weak stage trains: a table of stage options" };
const GOLD: OptionHelp = OptionHelp { name: "gold", meaning: "how the gold stage trains: a table of stage options" };
/// How the head of a method with a prompt starts.
const HEAD: OptionHelp = OptionHelp {
    name: "head",
    meaning: "how the head starts: \"words\" for the language model's rows of the targets, \"random\" as seq-sft's does",
};
