//! The labels of a stage: from its draws and the pools to examples.

use std::collections::{BTreeSet, HashSet};

use labelmix_data::{Example, Pools};
use labelmix_econ::LabelKind;
use labelmix_engine::{Drawn, label};
use labelmix_methods::{COVERED_TEXTS, Choice, Draw, DrawSource, Role, StagePlan, surest_labels};

/// What the draws of a plan take, in their order. The pools can serve them: points that they cannot were set aside.
pub(crate) fn drawn(train: &[Example], pools: &Pools, plan: &StagePlan) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = Vec::new();
    for mut draw in plan.draws() {
        let (queried, places) = match draw.source {
            DrawSource::Labels(kind) => taken(train, pools, &mut draw, kind),
            DrawSource::Predictions => {
                let others = drawn.iter().filter(|drawn| drawn.draw.role != Role::Shot);
                let labelled: HashSet<usize> = others.flat_map(|drawn| &drawn.places).copied().collect();
                let all = pools.weak_candidates().iter().chain(pools.gold_candidates()).copied();
                (Vec::new(), all.filter(|place| !labelled.contains(place)).take(draw.count).collect())
            }
        };
        drawn.push(Drawn { draw, queried, places });
    }
    drawn
}

/// How many labels a stage learns from, with those that it validates on, before or after it chose them.
pub(crate) fn learnt_from(drawn: &[Drawn]) -> usize {
    let of_draw = |Drawn { draw, places, .. }: &Drawn| {
        if draw.choice.is_of_texts() { draw.count.min(places.len()) } else { places.len() }
    };
    drawn.iter().filter(|drawn| drawn.draw.role != Role::Shot).map(of_draw).sum()
}

/// Texts that tell where a run's log-odds stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    /// Their places among the training examples.
    pub(crate) places: Vec<usize>,
    /// The share of class 1 among them.
    pub(crate) prior: f64,
}

/// So many texts tell it within half a point of accuracy (measured on SST-2).
pub(crate) const REFERENCE_TEXTS: usize = 256;
/// Labels that the prior of unbalanced data begins with.
const PRIOR_LABELS: f64 = 8.0;

/// The first texts of the pools on which a run, with these draws, does not train. Their labels are not looked at: the gold
/// pool is balanced by gold, or else the prior is the share of class 1 among the run's own labels. Those are its gold labels,
/// shrunk towards the mean of its weak ones (one half, if it has none).
pub(crate) fn reference(train: &[Example], pools: &Pools, drawn: &[Drawn], is_balanced: bool) -> Reference {
    // Which of the candidates predictions choose is not known before.
    let known = || drawn.iter().filter(|drawn| !drawn.draw.choice.is_of_texts());
    let bought = |kind| {
        let drawn = known().filter(move |drawn| drawn.draw.labels() == Some(kind));
        let looked_at =
            |drawn: &Drawn| if drawn.queried.is_empty() { drawn.places.clone() } else { drawn.queried.clone() };
        drawn.flat_map(looked_at).collect::<BTreeSet<usize>>()
    };
    let (weak, gold) = (bought(LabelKind::Weak), bought(LabelKind::Gold));
    let sum =
        |places: &BTreeSet<usize>, kind| places.iter().map(|place| f64::from(label(&train[*place], kind))).sum::<f64>();
    let at_first = if weak.is_empty() { 0.5 } else { sum(&weak, LabelKind::Weak) / weak.len() as f64 };
    let of_own = (sum(&gold, LabelKind::Gold) + PRIOR_LABELS * at_first) / (gold.len() as f64 + PRIOR_LABELS);
    // Where nothing is for sale weakly, the gold pool alone tells.
    let for_sale = pools.gold(pools.gold_size()).unwrap_or_default();
    let all = pools.gold_candidates().iter().chain(pools.weak_candidates()).chain(for_sale).copied();
    let mut seen: BTreeSet<usize> = weak.union(&gold).copied().collect();
    Reference {
        places: all.filter(|place| seen.insert(*place)).take(REFERENCE_TEXTS).collect(),
        prior: if is_balanced { 0.5 } else { of_own },
    }
}

/// What is looked at, and what is used, of the labels of a pool.
fn taken(train: &[Example], pools: &Pools, draw: &mut Draw, kind: LabelKind) -> (Vec<usize>, Vec<usize>) {
    let (for_sale, candidates) = match kind {
        LabelKind::Weak => (pools.weak(draw.skip + draw.choice.looks_at(draw.count)), pools.weak_candidates()),
        LabelKind::Gold => (pools.gold(draw.skip + draw.choice.looks_at(draw.count)), pools.gold_candidates()),
    };
    let front = || &for_sale.expect("points that the pools cannot serve were set aside")[draw.skip..];
    match draw.choice {
        Choice::Front => (Vec::new(), front().to_vec()),
        Choice::SurestLabels { .. } => {
            let labels: Vec<f32> = front().iter().map(|place| label(&train[*place], kind)).collect();
            let chosen = surest_labels(&labels, draw.count).into_iter().map(|index| front()[index]).collect();
            (front().to_vec(), chosen)
        }
        Choice::LeastCertain { candidates: number, .. } => {
            let all = candidates[draw.skip..].iter().copied();
            (Vec::new(), all.take(number.unwrap_or(usize::MAX)).collect())
        }
        Choice::Disputed { of } => {
            let doubted = pools.weak(of).expect("points that the pools cannot serve were set aside").iter().copied();
            let mut places: Vec<usize> = doubted.filter(|place| train[*place].for_sale.gold.is_some()).collect();
            draw.choice = Choice::Disputed { of: places.len() };
            places.extend(front());
            (Vec::new(), places)
        }
        Choice::Coverage => {
            let all = candidates[draw.skip..].iter().copied();
            (Vec::new(), all.take(COVERED_TEXTS.max(draw.count)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use labelmix_data::{Boundary, Example};
    use labelmix_methods::{StageOptions, TrainPlan};

    use super::*;

    /// Examples of which every fourth is of class 1, and whose weak labels say .25.
    fn examples(count: usize) -> Vec<Example> {
        (0..count).map(|index| Example::new(format!("text {index}"), Some(index % 4 == 0), Some(0.25))).collect()
    }

    #[test]
    fn where_nothing_is_for_sale_weakly_the_gold_pool_tells_where_log_odds_stand() {
        let train: Vec<Example> =
            (0..300).map(|index| Example::new(format!("text {index}"), Some(index % 2 == 0), None)).collect();
        for boundary in [Boundary::ForChoosing(0), Boundary::ForChoosing(20), Boundary::Fixed(300)] {
            let pools = Pools::new(&train, 0, boundary);
            let places = reference(&train, &pools, &[], true).places;
            assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), REFERENCE_TEXTS);
        }
    }

    #[test]
    fn a_reference_is_of_texts_that_are_not_trained_on_and_its_prior_of_the_labels_that_are() {
        let train = examples(400);
        let pools = Pools::new(&train, 0, Boundary::Fixed(200));
        let of = |plans: &[(LabelKind, usize)], is_balanced| {
            let plans = plans.iter().map(|(kind, count)| TrainPlan::new(*kind, *count, StageOptions::default()));
            let drawn: Vec<Drawn> = plans.flat_map(|plan| drawn(&train, &pools, &StagePlan::Train(plan))).collect();
            let trained: BTreeSet<usize> = drawn.iter().flat_map(|drawn| drawn.places.clone()).collect();
            let reference = reference(&train, &pools, &drawn, is_balanced);
            assert!(reference.places.iter().all(|place| !trained.contains(place)));
            reference
        };
        let (gold, weak) = (LabelKind::Gold, LabelKind::Weak);
        let balanced = of(&[(weak, 100), (gold, 50)], true);
        assert_eq!((balanced.places.len(), balanced.prior), (250, 0.5), "all that is left of 400");
        let positive = |n_gold: usize| {
            pools.gold(n_gold).unwrap().iter().filter(|place| train[**place].gold == Some(true)).count() as f64
        };
        assert_eq!(of(&[(gold, 50)], false).prior, (positive(50) + 4.0) / 58.0);
        assert_eq!(of(&[(weak, 100), (gold, 50)], false).prior, (positive(50) + 2.0) / 58.0);
        assert_eq!(of(&[(weak, 100)], false).prior, 0.25);
        assert_eq!(of(&[(weak, 100), (gold, 50), (gold, 50)], false).prior, (positive(50) + 2.0) / 58.0);
    }
}
