//! Draws of a surface under one assumption about how smooth it is.

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::cells::{Labels, SurfaceCells};
use super::family::{Coordinates, DIMENSIONS, Family, Member};
use super::kernel::{Kernel, Waves, position};
use super::metric::Metric;
use super::posterior::Fit;

/// The accuracy that a process alone varies about.
pub(super) const MIDDLE: f64 = 0.65;

/// What a surface is made of: a member of a parametric family, a smooth process, or both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assumption {
    pub(crate) family: Option<Family>,
    pub(crate) kernel: Option<Kernel>,
    /// How plausible it is beforehand, as a logarithm up to a constant.
    pub(crate) log_prior: f64,
}

/// Draws of the surface under one assumption. Each is a function of any number of labels: the family's member, plus a
/// draw of the process that agrees with the measurements (Matheron's rule; Wilson and others 2020).
#[derive(Debug, Clone)]
pub(crate) struct Component {
    /// The accuracy without labels that its members start at.
    pub(super) start: f64,
    pub(super) members: Vec<Option<Member>>,
    pub(super) smooth: Option<Smooth>,
}

#[derive(Debug, Clone)]
pub(super) struct Smooth {
    pub(super) kernel: Kernel,
    pub(super) positions: Vec<[f64; 2]>,
    pub(super) waves: Waves,
    /// `[draw][wave]`.
    pub(super) wave_weights: Vec<Vec<f64>>,
    /// `[draw][measurement]`.
    pub(super) corrections: Vec<Vec<f64>>,
}

impl Assumption {
    fn positions(cells: &SurfaceCells) -> Vec<[f64; 2]> {
        cells.labels.iter().map(|&labels| position(labels)).collect()
    }

    /// The logarithm of how probable the measurements are if it holds, up to a constant, with the family's members
    /// integrated out as a normal distribution about the mode. `modes` are those of the families without a process.
    pub(crate) fn log_evidence(&self, cells: &SurfaceCells, modes: &[Coordinates]) -> f64 {
        let noise = Metric::of_noise(cells);
        let positions = Self::positions(cells);
        let mut smooth = self.kernel.map_or_else(|| DMatrix::zeros(cells.len(), cells.len()), |k| k.matrix(&positions));
        let mut residuals: Vec<f64> = cells.accuracies.iter().map(|accuracy| accuracy - MIDDLE).collect();
        if let Some(family) = self.family {
            let (fit, mode) = (Fit::new(family, cells, &noise), &modes[family as usize]);
            residuals = fit.residuals(mode);
            let jacobian = fit.jacobian(mode);
            for axis in 0..DIMENSIONS {
                let column = DVector::from_column_slice(&jacobian[axis]);
                smooth += &column * column.transpose();
                // About the prior's mean, which is the origin, and not about the mode.
                residuals.iter_mut().zip(&jacobian[axis]).for_each(|(residual, slope)| *residual += slope * mode[axis]);
            }
        }
        let Some(metric) = Metric::dense(cells, smooth) else { return f64::NEG_INFINITY };
        -0.5 * (metric.quadratic(&residuals) + metric.log_determinant())
    }

    /// Draws that agree with the measurements.
    pub(crate) fn draws(&self, cells: &SurfaceCells, count: usize, random: &mut ChaCha8Rng) -> Component {
        let positions = Self::positions(cells);
        let noise = Metric::of_noise(cells);
        let metric = self.kernel.and_then(|kernel| Metric::dense(cells, kernel.matrix(&positions))).unwrap_or(noise);
        let fit = self.family.map(|family| Fit::new(family, cells, &metric));
        let coordinates: Vec<Option<Coordinates>> = fit.as_ref().map_or_else(
            || vec![None; count],
            |fit| fit.draws(&fit.modes(random), count, random).into_iter().map(Some).collect(),
        );
        let smooth = self.kernel.map(|kernel| {
            let waves = Waves::draw(kernel, random);
            let values: Vec<Vec<f64>> = positions.iter().map(|&position| waves.at(position)).collect();
            let mut wave_weights = Vec::with_capacity(count);
            let mut corrections = Vec::with_capacity(count);
            for coordinates in &coordinates {
                let weights: Vec<f64> = (0..waves.len()).map(|_| StandardNormal.sample(random)).collect();
                let shared: f64 = StandardNormal.sample(random);
                let base = fit.as_ref().zip(coordinates.as_ref()).map_or_else(
                    || cells.accuracies.iter().map(|accuracy| accuracy - MIDDLE).collect(),
                    |(fit, coordinates)| fit.residuals(coordinates),
                );
                let gaps: Vec<f64> = (0..cells.len())
                    .map(|cell| {
                        let own: f64 = StandardNormal.sample(random);
                        let noise = cells.variances[cell].sqrt() * own + cells.shared[cell] * shared;
                        base[cell] - dot(&values[cell], &weights) - noise
                    })
                    .collect();
                corrections.push(metric.solve(&gaps));
                wave_weights.push(weights);
            }
            Smooth { kernel, positions, waves, wave_weights, corrections }
        });
        let start = cells.start();
        let member = |coordinates: &Option<Coordinates>| Some(self.family?.member(coordinates.as_ref()?, start));
        Component { start, members: coordinates.iter().map(member).collect(), smooth }
    }
}

impl Component {
    pub(crate) fn draws(&self) -> usize {
        self.members.len()
    }

    /// The first of its draws.
    pub(super) fn first_draws(&self, draws: usize) -> Self {
        let mut first = self.clone();
        first.members.truncate(draws);
        if let Some(smooth) = &mut first.smooth {
            smooth.wave_weights.truncate(draws);
            smooth.corrections.truncate(draws);
        }
        first
    }

    /// The accuracy after these labels in every draw, appended.
    pub(crate) fn accuracies(&self, labels: Labels, into: &mut Vec<f64>) {
        let (here, place) = (position(labels), labels.into());
        let smooth = self.smooth.as_ref().map(|smooth| {
            let kernel: Vec<f64> = smooth.positions.iter().map(|&there| smooth.kernel.between(here, there)).collect();
            (smooth, smooth.waves.at(here), kernel)
        });
        into.extend(self.members.iter().enumerate().map(|(draw, member)| {
            let trend = member.as_ref().map_or(MIDDLE, |member| member.accuracy(&place));
            let deviation = smooth.as_ref().map_or(0.0, |(smooth, waves, kernel)| {
                dot(waves, &smooth.wave_weights[draw]) + dot(kernel, &smooth.corrections[draw])
            });
            (trend + deviation).clamp(0.0, 1.0)
        }));
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
