//! A test set that is a part of the training file.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::reading::TextRows;
use crate::error::DataError;
use crate::example::Example;
use crate::order::SeededOrder;
use crate::summary::{Dropped, TextNotes};

/// How many texts a test set takes from those with a gold label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TestSize {
    Count(usize),
    /// This share of them, below 1.
    Share(f64),
}

impl Default for TestSize {
    /// A fifth.
    fn default() -> Self {
        Self::Share(0.2)
    }
}

impl TextRows {
    /// Takes texts with a gold label out for a test set: of each class in proportion, in an order that depends on the seed and
    /// the texts alone; where there are groups, whole ones, in an order that depends on their names. A share takes at most
    /// `max_test` texts.
    pub(super) fn take_test_part(
        &mut self,
        size: TestSize,
        max_test: Option<usize>,
        seed: u64,
    ) -> Result<Self, DataError> {
        let mut with_gold = [0; 2];
        for gold in self.examples.iter().filter_map(|example| example.gold) {
            with_gold[usize::from(gold)] += 1;
        }
        let all = with_gold[0] + with_gold[1];
        let wanted = match size {
            TestSize::Count(count) => count,
            TestSize::Share(share) => ((share * all as f64).round() as usize).min(max_test.unwrap_or(usize::MAX)),
        };
        if wanted >= all || wanted < 2 {
            return Err(DataError::TestPart { file: self.file.clone(), with_gold: all, wanted });
        }
        let ones = (wanted as f64 * with_gold[1] as f64 / all as f64).round() as usize;
        let quota = [wanted - ones, ones];
        let is_test =
            if self.groups.is_empty() { self.texts_by_class(quota, seed) } else { self.whole_groups(quota, seed) };

        let mut test = Self {
            file: self.file.clone(),
            name: format!("a part of {}", self.name),
            rows: 0,
            examples: Vec::new(),
            first_rows: Vec::new(),
            groups: Vec::new(),
            left_out: Vec::new(),
            dropped: Dropped::default(),
            notes: TextNotes::default(),
        };
        for (index, _) in is_test.iter().enumerate().filter(|(_, is_test)| **is_test) {
            test.examples.push(self.examples[index].clone());
            test.first_rows.push(self.first_rows[index]);
            test.groups.extend(self.groups.get(index));
        }
        test.rows = test.examples.len();
        self.rows -= test.rows;
        self.retain(|index, _| !is_test[index]);
        Ok(test)
    }

    fn texts_by_class(&self, mut quota: [usize; 2], seed: u64) -> Vec<bool> {
        let order = SeededOrder::new("labelmix-data 1 test part of a file", seed);
        let mut indices: Vec<usize> = (0..self.examples.len()).collect();
        indices.sort_by_cached_key(|index| order.place(self.examples[*index].id.number()));
        let mut is_test = vec![false; self.examples.len()];
        for index in indices {
            let Some(gold) = self.examples[index].gold else { continue };
            let left = &mut quota[usize::from(gold)];
            is_test[index] = *left > 0;
            *left = left.saturating_sub(1);
        }
        is_test
    }

    /// A group is taken if it brings the classes nearer to what is wanted of them.
    fn whole_groups(&self, quota: [usize; 2], seed: u64) -> Vec<bool> {
        let order = SeededOrder::new("labelmix-data 1 test groups of a file", seed);
        let mut counts: HashMap<u64, [usize; 2]> = HashMap::new();
        for (group, example) in self.groups.iter().zip(&self.examples) {
            let of_group = counts.entry(*group).or_default();
            if let Some(gold) = example.gold {
                of_group[usize::from(gold)] += 1;
            }
        }
        let mut groups: Vec<u64> = counts.keys().copied().collect();
        groups.sort_by_cached_key(|group| order.place(*group));
        let mut taken = [0; 2];
        let distance = |taken: [usize; 2]| quota[0].abs_diff(taken[0]) + quota[1].abs_diff(taken[1]);
        let mut of_test = HashSet::new();
        for group in groups {
            let [zeros, ones] = counts[&group];
            let with = [taken[0] + zeros, taken[1] + ones];
            if distance(with) < distance(taken) {
                taken = with;
                of_test.insert(group);
            }
        }
        // Of the taken groups the texts with a gold label are tested on; `hold_out` drops the others.
        let is_test = |(group, example): (&u64, &Example)| of_test.contains(group) && example.gold.is_some();
        self.groups.iter().zip(&self.examples).map(is_test).collect()
    }
}
