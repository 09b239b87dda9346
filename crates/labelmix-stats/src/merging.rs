//! Annotators' votes on many items, merged into one weak label for each.
//!
//! A row holds the votes on an item, each the probability of class 1 that an annotator gives, `None` where one says
//! nothing. A vote above one half counts for class 1, one below for class 0; one half says nothing.

use crate::annotators::{Vote, Votes, majority_vote};
use crate::dawid_skene::{DawidSkeneSettings, dawid_skene};

/// What most annotators say of each item: 0 or 1, and one half for a tie. `None` for items without votes.
pub fn merge_by_majority(rows: &[&[Option<f32>]]) -> Vec<Option<f32>> {
    let label = |share: f64| match share.total_cmp(&0.5) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 1.0,
    };
    majority_vote(&votes_of(rows)).into_iter().map(|share| share.map(label)).collect()
}

/// Each item's probability of class 1 by the model of [`dawid_skene`] with its default settings and no gold label
/// known: each annotator is believed as far as they agree with the others. `None` for items without votes.
pub fn merge_by_dawid_skene(rows: &[&[Option<f32>]]) -> Vec<Option<f32>> {
    let votes = votes_of(rows);
    if votes.all().is_empty() {
        return vec![None; rows.len()];
    }
    let model = dawid_skene(&votes, &[], &DawidSkeneSettings::default())
        .expect("there are votes, and the default settings are in their ranges");
    let has_votes = |item: usize| !votes.of_item(item).is_empty();
    model.posteriors.iter().enumerate().map(|(item, posterior)| has_votes(item).then_some(*posterior as f32)).collect()
}

fn votes_of(rows: &[&[Option<f32>]]) -> Votes {
    let annotators = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let votes = rows.iter().enumerate().flat_map(|(item, row)| {
        let votes = row.iter().enumerate();
        votes.filter_map(move |(annotator, vote)| {
            let vote = vote.filter(|vote| *vote != 0.5)?;
            Some(Vote { item, annotator, label: vote > 0.5 })
        })
    });
    Votes::new(rows.len(), annotators, votes.collect()).expect("a row holds one vote for each annotator")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_majority_is_certain_and_a_tie_is_not() {
        let rows: [&[Option<f32>]; 5] = [
            &[Some(1.0), Some(0.6), Some(0.0)],
            &[Some(0.0), Some(0.4), None],
            &[Some(1.0), Some(0.0), Some(0.5)],
            &[Some(0.5), None, None],
            &[None, None, None],
        ];
        assert_eq!(merge_by_majority(&rows), [Some(1.0), Some(0.0), Some(0.5), None, None]);
    }

    #[test]
    fn dawid_and_skene_overrule_a_majority_of_annotators_who_guess() {
        // Two annotators agree always; two others vote 1 whatever the item is, so that a tie or worse is theirs.
        let agreeing = [false, false, false, true, false, true, false, false];
        let rows: Vec<Vec<Option<f32>>> = agreeing
            .iter()
            .map(|label| {
                vec![Some(f32::from(u8::from(*label))), Some(f32::from(u8::from(*label))), Some(1.0), Some(1.0)]
            })
            .collect();
        let rows: Vec<&[Option<f32>]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(merge_by_majority(&rows)[0], Some(0.5));
        let labels = merge_by_dawid_skene(&rows);
        assert!(labels.iter().zip(agreeing).all(|(label, right)| (label.unwrap() > 0.5) == right), "{labels:?}");
        let nobody: [&[Option<f32>]; 2] = [&[None, None], &[]];
        assert_eq!(merge_by_dawid_skene(&nobody), [None, None]);
        assert_eq!(merge_by_dawid_skene(&[]), []);
    }

    proptest! {
        #[test]
        fn there_is_a_label_where_there_is_a_vote(
            rows in prop::collection::vec(prop::array::uniform4(prop::option::of(0.0f32..=1.0)), 0..20),
        ) {
            let rows: Vec<&[Option<f32>]> = rows.iter().map(|row| &row[..]).collect();
            for labels in [merge_by_majority(&rows), merge_by_dawid_skene(&rows)] {
                prop_assert_eq!(labels.len(), rows.len());
                for (label, row) in labels.iter().zip(&rows) {
                    let voted = row.iter().flatten().any(|vote| *vote != 0.5);
                    prop_assert_eq!(label.is_some(), voted);
                    prop_assert!(label.is_none_or(|label| (0.0..=1.0).contains(&label)));
                }
            }
        }
    }
}
