//! What a draw takes from the pools.

use labelmix_data::Example;
use labelmix_econ::LabelKind;
use labelmix_methods::Draw;

/// A draw, with the examples that it takes, as places among the training examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub draw: Draw,
    /// Labels that are looked at to decide which are used.
    pub queried: Vec<usize>,
    /// What is used, in the order of purchase; where predictions choose, what they choose from.
    pub places: Vec<usize>,
}

impl Drawn {
    /// Its examples.
    pub fn examples<'a>(&'a self, train: &'a [Example]) -> impl Iterator<Item = &'a Example> {
        self.places.iter().map(|place| &train[*place])
    }

    /// Its labels, as probabilities of class 1, if they are bought.
    pub fn labels(&self, train: &[Example]) -> Option<Vec<f32>> {
        let kind = self.draw.labels()?;
        Some(self.examples(train).map(|example| label(example, kind)).collect())
    }
}

/// An example's label of a kind, as a probability of class 1.
///
/// # Panics
/// If it has none.
pub fn label(example: &Example, kind: LabelKind) -> f32 {
    let label = match kind {
        LabelKind::Weak => example.weak,
        LabelKind::Gold => example.gold.map(|gold| if gold { 1.0 } else { 0.0 }),
    };
    label.expect("a pool sells labels that are there")
}
