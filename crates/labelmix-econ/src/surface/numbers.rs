//! A surface as plain numbers, for whoever evaluates it elsewhere: the page of a report does, in a browser.

use serde::Serialize;

use super::component::{Component, MIDDLE};
use super::family::Member;
use super::kernel::TREND;
use crate::Surface;

/// One part of a surface's draws. In draw k the accuracy after w weak and g gold labels is, within [0, 1],
///
/// ```text
/// member_k(w, g) + Σ_i waves_i(x) · wave_weights[k][i] + Σ_j kernel(x, positions_j) · corrections[k][j]
/// x = (ln(1 + w), ln(1 + g))
/// ```
///
/// with the members, waves and kernel of the surface's module; lists of lists are written one after another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurfaceNumbers {
    /// The number of draws.
    pub draws: usize,
    /// The family of the members: `ceilings`, `substitution`, or `middle` for the constant [`middle`](Self::middle).
    pub family: &'static str,
    /// The accuracy without labels, which members start at.
    pub start: f64,
    /// The accuracy that a process without a family varies about.
    pub middle: f64,
    /// `[draw][parameter]`, in the order of the family's formula.
    pub members: Vec<f64>,
    /// The process's deviation; 0 where there is no process.
    pub amplitude: f64,
    /// Its lengths in weak and in gold labels.
    pub lengths: [f64; 2],
    /// The deviations of its straight trend (height, slope in weak, slope in gold), zeros where it has none.
    pub trend: [f64; 3],
    /// `[wave][frequency in weak, in gold, phase]`.
    pub waves: Vec<f64>,
    /// `[measurement][weak, gold]`, as ln(1 + n).
    pub positions: Vec<f64>,
    /// `[draw][wave]`; the trend's weights are the last three where there is one.
    pub wave_weights: Vec<f64>,
    /// `[draw][measurement]`.
    pub corrections: Vec<f64>,
}

impl Surface {
    /// The surface as numbers, part by part; the draws follow each other as in
    /// [`accuracy_draws`](Surface::accuracy_draws).
    pub fn numbers(&self) -> Vec<SurfaceNumbers> {
        self.components.iter().map(numbers).collect()
    }

    /// The same surface with about so many of its draws: fewer draws say the same with less certainty.
    pub fn with_fewer_draws(&self, draws: usize) -> Self {
        let all = self.draws();
        if draws >= all {
            return self.clone();
        }
        let kept = |component: &Component| (component.draws() * draws).div_ceil(all);
        let components = self.components.iter().map(|component| component.first_draws(kept(component))).collect();
        Self { components, ..self.clone() }
    }
}

fn numbers(component: &Component) -> SurfaceNumbers {
    let parameters = component.members.iter().flatten().flat_map(|member| match member {
        Member::Ceilings(hill) => hill.parameters().to_vec(),
        Member::Substitution(substitution) => substitution.parameters().to_vec(),
    });
    let family = match component.members.iter().flatten().next() {
        Some(Member::Ceilings(_)) => "ceilings",
        Some(Member::Substitution(_)) => "substitution",
        None => "middle",
    };
    let smooth = component.smooth.as_ref();
    let trend = smooth.is_some_and(|smooth| smooth.kernel.trend);
    SurfaceNumbers {
        draws: component.draws(),
        family,
        start: component.start,
        middle: MIDDLE,
        members: parameters.collect(),
        amplitude: smooth.map_or(0.0, |smooth| smooth.kernel.amplitude),
        lengths: smooth.map_or([1.0; 2], |smooth| smooth.kernel.lengths),
        trend: if trend { TREND } else { [0.0; 3] },
        waves: smooth.map_or(Vec::new(), |smooth| smooth.waves.frequencies().as_flattened().to_vec()),
        positions: smooth.map_or(Vec::new(), |smooth| smooth.positions.as_flattened().to_vec()),
        wave_weights: smooth.map_or(Vec::new(), |smooth| smooth.wave_weights.concat()),
        corrections: smooth.map_or(Vec::new(), |smooth| smooth.corrections.concat()),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Allocation, MeasuredRun, Measurements, Outcome, Surface, SurfaceKind, SurfaceSettings};

    fn surface(kind: SurfaceKind) -> Surface {
        let runs = [(0, 10, 0.58), (0, 100, 0.7), (100, 0, 0.6), (1000, 0, 0.66), (100, 10, 0.63), (1000, 100, 0.74)];
        let runs = runs.map(|(n_weak, n_gold, accuracy)| MeasuredRun {
            task: "task".to_owned(),
            method: "method".to_owned(),
            allocation: Allocation { n_weak, n_gold },
            seed: 0,
            outcome: Outcome::Accuracy { accuracy, n_test: 1000 },
            gpu_hours: None,
        });
        let measured = Measurements::new(runs.to_vec()).unwrap();
        Surface::fit(&measured, "method", &SurfaceSettings { kind, draws: 80, ..SurfaceSettings::new(3) }).unwrap()
    }

    #[test]
    fn fewer_draws_are_among_the_draws() {
        let all = surface(SurfaceKind::Combined);
        let few = all.with_fewer_draws(30);
        assert!((30..=40).contains(&few.draws()), "{} draws", few.draws());
        let (every, kept) = (all.accuracy_draws(50.0, 20.0), few.accuracy_draws(50.0, 20.0));
        assert!(kept.iter().all(|draw| every.contains(draw)));
        assert_eq!(all.with_fewer_draws(1000).draws(), all.draws());
    }

    #[test]
    fn lists_have_the_lengths_that_they_promise() {
        for kind in SurfaceKind::ALL {
            let surface = surface(kind);
            let parts = surface.numbers();
            assert_eq!(parts.iter().map(|part| part.draws).sum::<usize>(), surface.draws());
            for part in parts {
                let parameters = match part.family {
                    "ceilings" => 7,
                    "substitution" => 5,
                    _ => 0,
                };
                assert_eq!(part.members.len(), parameters * part.draws);
                let trend = if part.trend == [0.0; 3] { 0 } else { 3 };
                assert_eq!(
                    part.wave_weights.len(),
                    part.draws * if part.waves.is_empty() { 0 } else { part.waves.len() / 3 + trend }
                );
                assert_eq!(part.corrections.len(), part.draws * part.positions.len() / 2);
            }
        }
    }
}
