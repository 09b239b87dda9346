//! Draws of a surface under one assumption about how smooth it is.

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::cells::{Labels, SurfaceCells};
use super::hill::{Coordinates, DIMENSIONS, Hill};
use super::kernel::{Kernel, Waves, position};
use super::metric::Metric;
use super::posterior::Fit;

/// The accuracy that a process alone varies about.
const MIDDLE: f64 = 0.65;

/// What a surface is made of: a member of the parametric family, a smooth process, or both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assumption {
    pub(crate) parametric: bool,
    pub(crate) kernel: Option<Kernel>,
    /// How plausible it is beforehand, as a logarithm up to a constant.
    pub(crate) log_prior: f64,
}

/// Draws of the surface under one assumption. Each is a function of any number of labels: the family's member, plus a
/// draw of the process that agrees with the measurements (Matheron's rule; Wilson and others 2020).
#[derive(Debug, Clone)]
pub(crate) struct Component {
    members: Vec<Option<Coordinates>>,
    hills: Vec<Option<Hill>>,
    smooth: Option<Smooth>,
}

#[derive(Debug, Clone)]
struct Smooth {
    kernel: Kernel,
    positions: Vec<[f64; 2]>,
    waves: Waves,
    /// `[draw][wave]`.
    wave_weights: Vec<Vec<f64>>,
    /// `[draw][measurement]`.
    corrections: Vec<Vec<f64>>,
}

impl Assumption {
    fn positions(cells: &SurfaceCells) -> Vec<[f64; 2]> {
        cells.labels.iter().map(|&labels| position(labels)).collect()
    }

    /// The logarithm of how probable the measurements are if it holds, up to a constant, with the family's members
    /// integrated out as a normal distribution about the mode. `mode` is that of the family without a process.
    pub(crate) fn log_evidence(&self, cells: &SurfaceCells, mode: &Coordinates) -> f64 {
        let noise = Metric::of_noise(cells);
        let fit = Fit::new(cells, &noise);
        let positions = Self::positions(cells);
        let mut smooth = self.kernel.map_or_else(|| DMatrix::zeros(cells.len(), cells.len()), |k| k.matrix(&positions));
        let mut residuals = fit.residuals(mode);
        if self.parametric {
            let jacobian = fit.jacobian(mode);
            for axis in 0..DIMENSIONS {
                let column = DVector::from_column_slice(&jacobian[axis]);
                smooth += &column * column.transpose();
                // About the prior's mean, which is the origin, and not about the mode.
                residuals.iter_mut().zip(&jacobian[axis]).for_each(|(residual, slope)| *residual += slope * mode[axis]);
            }
        } else {
            residuals = cells.accuracies.iter().map(|accuracy| accuracy - MIDDLE).collect();
        }
        let Some(metric) = Metric::dense(cells, smooth) else { return f64::NEG_INFINITY };
        -0.5 * (metric.quadratic(&residuals) + metric.log_determinant())
    }

    /// Draws that agree with the measurements.
    pub(crate) fn draws(&self, cells: &SurfaceCells, count: usize, random: &mut ChaCha8Rng) -> Component {
        let positions = Self::positions(cells);
        let noise = Metric::of_noise(cells);
        let metric = self.kernel.and_then(|kernel| Metric::dense(cells, kernel.matrix(&positions))).unwrap_or(noise);
        let fit = Fit::new(cells, &metric);
        let members: Vec<Option<Coordinates>> = if self.parametric {
            let modes = fit.modes(random);
            fit.draws(&modes, count, random).into_iter().map(Some).collect()
        } else {
            vec![None; count]
        };
        let smooth = self.kernel.map(|kernel| {
            let waves = Waves::draw(kernel, random);
            let values: Vec<Vec<f64>> = positions.iter().map(|&position| waves.at(position)).collect();
            let mut wave_weights = Vec::with_capacity(count);
            let mut corrections = Vec::with_capacity(count);
            for member in &members {
                let weights: Vec<f64> = (0..waves.len()).map(|_| StandardNormal.sample(random)).collect();
                let shared: f64 = StandardNormal.sample(random);
                let base = member.as_ref().map_or_else(
                    || cells.accuracies.iter().map(|accuracy| accuracy - MIDDLE).collect(),
                    |member| fit.residuals(member),
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
        let hills = members.iter().map(|member| member.as_ref().map(Hill::new)).collect();
        Component { members, hills, smooth }
    }
}

impl Component {
    pub(crate) fn draws(&self) -> usize {
        self.members.len()
    }

    /// The accuracy after these labels in every draw, appended.
    pub(crate) fn accuracies(&self, labels: Labels, into: &mut Vec<f64>) {
        let here = position(labels);
        let smooth = self.smooth.as_ref().map(|smooth| {
            let kernel: Vec<f64> = smooth.positions.iter().map(|&there| smooth.kernel.between(here, there)).collect();
            (smooth, smooth.waves.at(here), kernel)
        });
        into.extend(self.hills.iter().enumerate().map(|(draw, hill)| {
            let trend = hill.as_ref().map_or(MIDDLE, |hill| hill.at(labels));
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
