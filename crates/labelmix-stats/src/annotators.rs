//! Several annotators' votes on the same items, and their majority.

use crate::error::{Result, StatsError};

/// One annotator's label of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// The item, from 0.
    pub item: usize,
    /// The annotator, from 0.
    pub annotator: usize,
    pub label: bool,
}

/// Votes of annotators on items. Not everyone votes on everything, and some items may have no vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Votes {
    annotators: usize,
    /// All of them, by item and then by annotator.
    sorted: Vec<Vote>,
    /// Where each item's votes start, and where the last item's end: `items + 1` numbers.
    starts: Vec<usize>,
}

impl Votes {
    /// Takes votes in any order.
    ///
    /// # Errors
    /// If a vote names an item or an annotator that does not exist, or one annotator votes twice on one item.
    pub fn new(items: usize, annotators: usize, mut votes: Vec<Vote>) -> Result<Self> {
        for vote in &votes {
            for (what, number, count) in [("item", vote.item, items), ("annotator", vote.annotator, annotators)] {
                if number >= count {
                    return Err(StatsError::UnknownVoteTarget { what, number, count });
                }
            }
        }
        votes.sort_unstable();
        for pair in votes.windows(2) {
            if (pair[0].item, pair[0].annotator) == (pair[1].item, pair[1].annotator) {
                return Err(StatsError::DuplicateVote { item: pair[0].item, annotator: pair[0].annotator });
            }
        }
        let starts = (0..=items).map(|item| votes.partition_point(|vote| vote.item < item)).collect();
        Ok(Self { annotators, sorted: votes, starts })
    }

    /// Takes one column per annotator, each with a cell per item that is empty where the annotator did not vote.
    ///
    /// # Panics
    /// If the columns differ in length.
    pub fn from_columns<C: AsRef<[Option<bool>]>>(columns: &[C]) -> Self {
        let items = columns.first().map_or(0, |column| column.as_ref().len());
        assert!(columns.iter().all(|column| column.as_ref().len() == items), "one cell per item in every column");
        let cells = columns.iter().enumerate().flat_map(|(annotator, column)| {
            let cells = column.as_ref().iter().enumerate();
            cells.filter_map(move |(item, label)| label.map(|label| Vote { item, annotator, label }))
        });
        Self::new(items, columns.len(), cells.collect()).expect("columns hold one cell for each item and annotator")
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of annotators.
    pub fn annotators(&self) -> usize {
        self.annotators
    }

    /// The votes on an item, by annotator.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn of_item(&self, item: usize) -> &[Vote] {
        &self.sorted[self.starts[item]..self.starts[item + 1]]
    }

    /// All votes, by item and then by annotator.
    pub fn all(&self) -> &[Vote] {
        &self.sorted
    }
}

/// Each item's share of votes for class 1: the majority's label as a soft label, with ½ for a tie. `None` for items
/// without votes.
pub(crate) fn majority_vote(votes: &Votes) -> Vec<Option<f64>> {
    let share = |item| {
        let votes = votes.of_item(item);
        let positive = votes.iter().filter(|vote| vote.label).count();
        (!votes.is_empty()).then(|| positive as f64 / votes.len() as f64)
    };
    (0..votes.items()).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_of_votes() {
        let columns = [
            [Some(true), Some(true), Some(false), None],
            [Some(true), Some(false), Some(false), None],
            [None, None, Some(true), None],
        ];
        let votes = Votes::from_columns(&columns);
        assert_eq!((votes.items(), votes.annotators(), votes.all().len()), (4, 3, 7));
        assert_eq!(majority_vote(&votes), [Some(1.0), Some(0.5), Some(1.0 / 3.0), None]);
    }

    #[test]
    fn refuses_votes_that_cannot_be() {
        let vote = |item, annotator| Vote { item, annotator, label: true };
        let error = Votes::new(2, 1, vec![vote(2, 0)]).unwrap_err();
        assert_eq!(error.to_string(), "a vote names item 2, but there are only 2");
        let error = Votes::new(2, 1, vec![vote(0, 3)]).unwrap_err();
        assert_eq!(error.to_string(), "a vote names annotator 3, but there are only 1");
        let error = Votes::new(2, 1, vec![vote(1, 0), Vote { label: false, ..vote(1, 0) }]).unwrap_err();
        assert_eq!(error.to_string(), "annotator 0 votes twice on item 1");
    }

    #[test]
    fn nobody_and_nothing() {
        let nobody: [&[Option<bool>]; 0] = [];
        assert_eq!(majority_vote(&Votes::from_columns(&nobody)), []);
        assert_eq!(majority_vote(&Votes::new(2, 0, vec![]).unwrap()), [None, None]);
    }

    proptest! {
        #[test]
        fn knows_no_order_of_annotators_and_swaps_with_the_labels(
            rows in prop::collection::vec(prop::array::uniform5(any::<Option<bool>>()), 0..20),
        ) {
            let columns = |order: [usize; 5], swap: bool| -> Vec<Vec<Option<bool>>> {
                let column = |annotator: usize| rows.iter().map(|row| row[annotator].map(|label| label != swap)).collect();
                order.into_iter().map(column).collect()
            };
            let found = majority_vote(&Votes::from_columns(&columns([0, 1, 2, 3, 4], false)));
            prop_assert_eq!(&majority_vote(&Votes::from_columns(&columns([3, 1, 4, 0, 2], false))), &found);
            let swapped = majority_vote(&Votes::from_columns(&columns([0, 1, 2, 3, 4], true)));
            for (found, swapped) in found.into_iter().zip(swapped) {
                prop_assert!(found.is_none() && swapped.is_none() || (found.unwrap() + swapped.unwrap() - 1.0).abs() < 1e-12);
            }
        }
    }
}
