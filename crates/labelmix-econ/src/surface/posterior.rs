//! Which surfaces of a parametric family the measurements allow: modes first, then draws.

use nalgebra::{SMatrix, SVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::cells::SurfaceCells;
use super::family::{Coordinates, DIMENSIONS, Family, Place};
use super::metric::Metric;

/// A family and the measurements as it needs them.
pub(crate) struct Fit<'a> {
    family: Family,
    cells: &'a SurfaceCells,
    metric: &'a Metric,
    places: Vec<Place>,
}

type Vector = SVector<f64, DIMENSIONS>;
type Matrix = SMatrix<f64, DIMENSIONS, DIMENSIONS>;

/// A local maximum of the posterior and the covariance of a normal distribution that touches it there.
pub(crate) struct Mode {
    pub(crate) coordinates: Coordinates,
    log_density: f64,
    covariance: Matrix,
}

/// Points of the prior that are tried, and how many of the best are climbed from.
const TRIED: usize = 192;
const CLIMBED: usize = 5;

/// The ensemble: walkers, steps before anything is kept, steps between two kept states of a walker.
const WALKERS: usize = 40;
const BURN_IN: usize = 120;
const THINNING: usize = 20;

impl<'a> Fit<'a> {
    pub(crate) fn new(family: Family, cells: &'a SurfaceCells, metric: &'a Metric) -> Self {
        let places = cells.labels.iter().map(|&labels| labels.into()).collect();
        Self { family, cells, metric, places }
    }

    pub(crate) fn residuals(&self, coordinates: &Coordinates) -> Vec<f64> {
        let member = self.family.member(coordinates, self.cells.start());
        let predicted = self.places.iter().map(|place| member.accuracy(place));
        self.cells.accuracies.iter().zip(predicted).map(|(accuracy, predicted)| accuracy - predicted).collect()
    }

    fn log_density(&self, coordinates: &Coordinates) -> f64 {
        let prior: f64 = coordinates.iter().map(|coordinate| coordinate * coordinate).sum();
        -0.5 * (prior + self.metric.quadratic(&self.residuals(coordinates)))
    }

    /// How predictions change with each coordinate, `[coordinate][cell]`, by central differences.
    pub(crate) fn jacobian(&self, coordinates: &Coordinates) -> [Vec<f64>; DIMENSIONS] {
        const STEP: f64 = 1e-4;
        std::array::from_fn(|axis| {
            let moved = |by: f64| {
                let mut moved = *coordinates;
                moved[axis] += by;
                self.residuals(&moved)
            };
            // Residuals fall where predictions rise.
            moved(-STEP).iter().zip(moved(STEP)).map(|(before, behind)| (before - behind) / (2.0 * STEP)).collect()
        })
    }

    /// The modes found, the best first.
    pub(crate) fn modes(&self, random: &mut ChaCha8Rng) -> Vec<Mode> {
        let mut starts: Vec<(f64, Coordinates)> = (0..TRIED)
            .map(|_| {
                let start = std::array::from_fn(|_| StandardNormal.sample(random));
                (self.log_density(&start), start)
            })
            .collect();
        starts.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut modes: Vec<Mode> = starts.iter().take(CLIMBED).map(|(_, start)| self.climb(*start)).collect();
        modes.sort_by(|a, b| b.log_density.total_cmp(&a.log_density));
        modes
    }

    /// Levenberg and Marquardt's method.
    fn climb(&self, start: Coordinates) -> Mode {
        let (mut here, mut density, mut damping) = (start, self.log_density(&start), 1.0);
        let mut curvature = Matrix::identity();
        for _ in 0..40 {
            let jacobian = self.jacobian(&here);
            let solved: Vec<Vec<f64>> = jacobian.iter().map(|column| self.metric.solve(column)).collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            curvature = Matrix::from_fn(|row, column| dot(&solved[row], &jacobian[column])) + Matrix::identity();
            let residuals = self.residuals(&here);
            let gradient = Vector::from_fn(|axis, _| dot(&solved[axis], &residuals) - here[axis]);
            let mut improved = false;
            for _ in 0..8 {
                let damped = curvature + Matrix::from_diagonal(&(curvature.diagonal() * damping));
                let Some(factor) = damped.cholesky() else { break };
                let step = factor.solve(&gradient);
                let there: Coordinates = std::array::from_fn(|axis| here[axis] + step[axis]);
                let found = self.log_density(&there);
                if found > density {
                    improved = found - density > 1e-7;
                    (here, density, damping) = (there, found, (damping * 0.2).max(1e-6));
                    break;
                }
                damping *= 5.0;
            }
            if !improved {
                break;
            }
        }
        let covariance = curvature.try_inverse().unwrap_or_else(Matrix::identity);
        Mode { coordinates: here, log_density: density, covariance }
    }

    /// Draws of the posterior by an ensemble of walkers (Goodman and Weare 2010) that starts around the modes. It needs
    /// no tuning and follows ridges, of which few measurements leave many.
    pub(crate) fn draws(&self, modes: &[Mode], count: usize, random: &mut ChaCha8Rng) -> Vec<Coordinates> {
        let mut walkers: Vec<(Coordinates, f64)> = (0..WALKERS).map(|_| self.start(modes, random)).collect();
        let mut kept = Vec::with_capacity(count);
        let rounds = count.div_ceil(WALKERS);
        for step in 1..=BURN_IN + rounds * THINNING {
            for moved in 0..WALKERS {
                let half = WALKERS / 2;
                let partner = if moved < half { half } else { 0 } + random.random_range(0..half);
                self.stretch(&mut walkers, moved, partner, random);
            }
            if step > BURN_IN && (step - BURN_IN).is_multiple_of(THINNING) {
                kept.extend(walkers.iter().map(|(coordinates, _)| *coordinates));
            }
        }
        kept.truncate(count);
        kept
    }

    /// A state near one of the modes, chosen by their densities.
    fn start(&self, modes: &[Mode], random: &mut ChaCha8Rng) -> (Coordinates, f64) {
        let best = modes[0].log_density;
        let weight = |mode: &Mode| (mode.log_density - best).exp();
        let mut left = random.random::<f64>() * modes.iter().map(weight).sum::<f64>();
        let chosen = modes.iter().find(|mode| {
            left -= weight(mode);
            left <= 0.0
        });
        let mode = chosen.unwrap_or(&modes[0]);
        let noise = Vector::from_fn(|_, _| StandardNormal.sample(random));
        let spread = mode.covariance.cholesky().map_or_else(|| noise * 0.1, |factor| factor.l() * noise);
        let coordinates = std::array::from_fn(|axis| mode.coordinates[axis] + spread[axis]);
        (coordinates, self.log_density(&coordinates))
    }

    /// Moves one walker along the line through another.
    fn stretch(&self, walkers: &mut [(Coordinates, f64)], moved: usize, partner: usize, random: &mut ChaCha8Rng) {
        // The density of z is proportional to 1/√z on [1/2, 2].
        let z = (random.random::<f64>() + 1.0).powi(2) / 2.0;
        let (from, to) = (walkers[moved].0, walkers[partner].0);
        let there: Coordinates = std::array::from_fn(|axis| to[axis] + z * (from[axis] - to[axis]));
        let density = self.log_density(&there);
        let accept = (DIMENSIONS - 1) as f64 * z.ln() + density - walkers[moved].1;
        if random.random::<f64>().ln() < accept {
            walkers[moved] = (there, density);
        }
    }
}
