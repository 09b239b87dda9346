//! The parametric families of surfaces. All start at what a method reaches without labels (chance, unless it was measured)
//! and level off; the measurements weigh them.

use super::cells::Labels;
use super::hill::Hill;
use super::substitution::Substitution;

/// The number of coordinates of every family.
pub(crate) const DIMENSIONS: usize = 7;

/// Standardised coordinates: their prior is the standard normal.
pub(crate) type Coordinates = [f64; DIMENSIONS];

/// A family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Weak labels have a ceiling of their own.
    Ceilings,
    /// The same, but curves rise within few doublings of the labels: a task that is suddenly solved.
    Sudden,
    /// Weak labels replace gold ones.
    Substitution,
}

/// A member of a family, ready to be evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member {
    Ceilings(Hill),
    Substitution(Substitution),
}

/// Numbers of labels with their natural logarithms (negative infinity for none).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) weak: f64,
    pub(crate) gold: f64,
    pub(crate) ln_weak: f64,
    pub(crate) ln_gold: f64,
}

impl From<Labels> for Place {
    fn from(Labels { weak, gold }: Labels) -> Self {
        Self { weak, gold, ln_weak: weak.ln(), ln_gold: gold.ln() }
    }
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::Ceilings, Self::Sudden, Self::Substitution];

    /// How plausible it is beforehand, as a logarithm. Sudden rises are rarer; where a pilot has seen curves rise, it
    /// tells, and where it has seen none, a rise may still be near.
    pub(crate) fn log_prior(self) -> f64 {
        let share: f64 = match self {
            Self::Ceilings | Self::Substitution => 0.4,
            Self::Sudden => 0.2,
        };
        share.ln()
    }

    /// Of accuracy `start` without labels.
    pub(crate) fn member(self, coordinates: &Coordinates, start: f64) -> Member {
        match self {
            Self::Ceilings => Member::Ceilings(Hill::gradual(coordinates, start)),
            Self::Sudden => Member::Ceilings(Hill::sudden(coordinates, start)),
            Self::Substitution => Member::Substitution(Substitution::new(coordinates, start)),
        }
    }
}

impl Member {
    pub(crate) fn accuracy(&self, place: &Place) -> f64 {
        match self {
            Self::Ceilings(hill) => hill.accuracy(place),
            Self::Substitution(substitution) => substitution.accuracy(place),
        }
    }
}

/// Coordinates in the units of a prior of these means and deviations.
pub(crate) fn raw(coordinates: &Coordinates, prior: &[(f64, f64); DIMENSIONS]) -> Coordinates {
    std::array::from_fn(|axis| prior[axis].0 + prior[axis].1 * coordinates[axis])
}

pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn surfaces_rise_from_their_start_and_stay_below_one(
            coordinates in prop::array::uniform7(-2.5f64..2.5), weak in 0.0f64..1e5, gold in 0.0f64..1e5,
            start in 0.5f64..0.95,
        ) {
            for family in Family::ALL {
                let member = family.member(&coordinates, start);
                let at = |weak: f64, gold: f64| member.accuracy(&Labels { weak, gold }.into());
                prop_assert!((at(0.0, 0.0) - start).abs() < 1e-12);
                let here = at(weak, gold);
                prop_assert!((start..1.0).contains(&here), "{here}");
                prop_assert!(at(weak, 1.1 * gold) >= here - 1e-12);
                // A negative interaction may make weak labels a hindrance to gold ones, never alone.
                if family == Family::Substitution || gold == 0.0 {
                    prop_assert!(at(1.1 * weak, gold) >= here - 1e-12);
                }
            }
        }
    }
}
