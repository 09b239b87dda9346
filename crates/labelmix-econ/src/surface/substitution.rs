//! The family of surfaces in which labels of both kinds are the same thing in different strengths: error falls as a
//! power of an effective number of labels.
//!
//! ```text
//! N = g + ω·w / (1 + w/u)                  a weak label is worth ω gold ones, and less as there are more of them
//! accuracy = s + c·(1 − (1 + N/l)^(−β))       from the start s
//! ```

use super::family::{Coordinates, DIMENSIONS, Place, logistic, raw};

/// Prior mean and deviation of: logit(c / (1 − s)), ln ω, ln u, ln l, ln β. Two coordinates are idle.
const PRIOR: [(f64, f64); DIMENSIONS] =
    [(1.8, 1.0), (-1.6, 1.0), (7.0, 2.0), (4.0, 1.5), (-0.6, 0.5), (0.0, 1.0), (0.0, 1.0)];

/// A surface of the family, ready to be evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Substitution {
    start: f64,
    ceiling: f64,
    worth: f64,
    useful_weak: f64,
    scale: f64,
    exponent: f64,
}

impl Substitution {
    pub(crate) fn new(coordinates: &Coordinates, start: f64) -> Self {
        let raw = raw(coordinates, &PRIOR);
        Self {
            start,
            ceiling: (1.0 - start) * logistic(raw[0]),
            worth: raw[1].exp(),
            useful_weak: raw[2].exp(),
            scale: raw[3].exp(),
            exponent: raw[4].exp(),
        }
    }

    /// c, ω, u, l, β.
    pub(super) fn parameters(&self) -> [f64; 5] {
        [self.ceiling, self.worth, self.useful_weak, self.scale, self.exponent]
    }

    pub(crate) fn accuracy(&self, place: &Place) -> f64 {
        let effective = place.gold + self.worth * place.weak / (1.0 + place.weak / self.useful_weak);
        self.start + self.ceiling * (1.0 - (-self.exponent * (effective / self.scale).ln_1p()).exp())
    }
}
