//! Sequential supervised fine-tuning (SPEC.md section 5): on the weak labels, then, from the weak stage's best
//! checkpoint and with a fresh optimizer, on the gold labels. Either stage may be empty.

use labelmix_econ::{Allocation, LabelKind};

use crate::method::{Method, StagePlan};

pub(crate) struct SeqSft;

impl Method for SeqSft {
    fn name(&self) -> &'static str {
        "seq-sft"
    }

    fn stages(&self, allocation: Allocation) -> Vec<StagePlan> {
        [
            StagePlan { labels: LabelKind::Weak, count: allocation.n_weak },
            StagePlan { labels: LabelKind::Gold, count: allocation.n_gold },
        ]
        .into_iter()
        .filter(|stage| stage.count > 0)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_stages_are_left_out() {
        let stages = |n_weak, n_gold| SeqSft.stages(Allocation { n_weak, n_gold });
        let weak = StagePlan { labels: LabelKind::Weak, count: 3 };
        let gold = StagePlan { labels: LabelKind::Gold, count: 2 };
        assert_eq!(stages(3, 2), [weak, gold]);
        assert_eq!(stages(3, 0), [weak]);
        assert_eq!(stages(0, 2), [gold]);
        assert_eq!(stages(0, 0), []);
    }
}
