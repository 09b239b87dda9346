//! The family of surfaces in which weak labels have a ceiling of their own: two saturating curves in the logarithm of
//! the number of labels.
//!
//! ```text
//! W = w^hw / (w^hw + kw^hw)                 what weak labels have taught, from 0 to 1
//! G = g^hg / (g^hg + (kg·e^(−κW))^hg)       what gold labels have taught; κ > 0: they teach faster after weak ones
//! a = c·r·W                                 accuracy above the start s from weak labels, of ceiling c·r < c
//! accuracy = s + a + (c − a)·G              gold labels close what is open to the ceiling s + c
//! ```
//!
//! Hill curves are logistic curves of ln n, zero at n = 0. Priors are normal in the seven coordinates below and wide
//! enough for tasks from a few labels to a hundred thousand; what few measurements leave open, they leave open.

use super::family::{Coordinates, DIMENSIONS, Place, logistic, raw};

/// Prior mean and deviation of: logit(c / (1 − s)), logit(r), ln kw, ln hw, ln kg, ln hg, κ.
const PRIOR: [(f64, f64); DIMENSIONS] =
    [(1.4, 1.0), (1.0, 1.0), (5.7, 2.0), (-0.2, 0.4), (4.6, 1.7), (-0.2, 0.4), (0.3, 0.8)];

/// The same of ln hw and ln hg where curves rise suddenly: from 10% to 90% over a factor of 2 to 19 in labels, most often
/// of 5.
const SUDDEN: (f64, f64) = (1.0, 0.5);

/// A surface of the family, ready to be evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hill {
    start: f64,
    ceiling: f64,
    weak_ceiling: f64,
    ln_half_weak: f64,
    steepness_weak: f64,
    ln_half_gold: f64,
    steepness_gold: f64,
    interaction: f64,
}

impl Hill {
    /// Of a task that is learned over factors of ten.
    pub(crate) fn gradual(coordinates: &Coordinates, start: f64) -> Self {
        Self::new(coordinates, &PRIOR, start)
    }

    /// Of a task that is learned over factors of two.
    pub(crate) fn sudden(coordinates: &Coordinates, start: f64) -> Self {
        let mut prior = PRIOR;
        (prior[3], prior[5]) = (SUDDEN, SUDDEN);
        Self::new(coordinates, &prior, start)
    }

    fn new(coordinates: &Coordinates, prior: &[(f64, f64); DIMENSIONS], start: f64) -> Self {
        let raw = raw(coordinates, prior);
        let ceiling = (1.0 - start) * logistic(raw[0]);
        Self {
            start,
            ceiling,
            weak_ceiling: ceiling * logistic(raw[1]),
            ln_half_weak: raw[2],
            steepness_weak: raw[3].exp(),
            ln_half_gold: raw[4],
            steepness_gold: raw[5].exp(),
            interaction: raw[6],
        }
    }

    /// c, c·r, ln kw, hw, ln kg, hg, κ.
    pub(super) fn parameters(&self) -> [f64; 7] {
        [
            self.ceiling,
            self.weak_ceiling,
            self.ln_half_weak,
            self.steepness_weak,
            self.ln_half_gold,
            self.steepness_gold,
            self.interaction,
        ]
    }

    pub(crate) fn accuracy(&self, place: &Place) -> f64 {
        let weak = logistic(self.steepness_weak * (place.ln_weak - self.ln_half_weak));
        let gold = logistic(self.steepness_gold * (place.ln_gold - self.ln_half_gold + self.interaction * weak));
        let from_weak = self.weak_ceiling * weak;
        self.start + from_weak + (self.ceiling - from_weak) * gold
    }
}
