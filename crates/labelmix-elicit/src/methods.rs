//! The methods, one file each.

mod few_shot;
mod few_shot_sft;
mod log_confidence;
mod most_confident;
mod seq_sft;
mod uncertainty;

use crate::method::{MethodKind, OptionHelp};

/// All methods, in the order in which they are listed.
pub(crate) static METHODS: &[MethodKind] = &[
    MethodKind::of::<seq_sft::SeqSft>(),
    MethodKind::of::<few_shot::FewShot>(),
    MethodKind::of::<few_shot_sft::FewShotSft>(),
    MethodKind::of::<uncertainty::Uncertainty>(),
    MethodKind::of::<log_confidence::LogConfidence>(),
    MethodKind::of::<most_confident::MostConfident>(),
];

/// The tables of options of the two stages, which most methods have.
const WEAK: OptionHelp = OptionHelp { name: "weak", meaning: "how the weak stage trains: a table of stage options" };
const GOLD: OptionHelp = OptionHelp { name: "gold", meaning: "how the gold stage trains: a table of stage options" };
