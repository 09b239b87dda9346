//! Smooth deviations from a surface's trend: a Gaussian process on ln(1 + number of labels).

use std::f64::consts::TAU;

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::cells::Labels;

/// How many waves a draw of the process is made of.
const WAVES: usize = 96;

/// Prior deviations of a straight trend: its height, and its slopes per factor of e in weak and in gold labels.
pub(super) const TREND: [f64; 3] = [0.15, 0.03, 0.03];

/// The covariance of a process: squared exponential, with a straight trend where nothing else gives one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kernel {
    /// The deviation of the process about its trend.
    pub(crate) amplitude: f64,
    /// Over which factor of labels, as a logarithm, the process forgets itself: weak, gold.
    pub(crate) lengths: [f64; 2],
    /// Whether the process has a straight trend of its own.
    pub(crate) trend: bool,
}

/// ln(1 + n) of both kinds.
pub(crate) fn position(labels: Labels) -> [f64; 2] {
    [labels.weak.ln_1p(), labels.gold.ln_1p()]
}

impl Kernel {
    pub(crate) fn between(&self, a: [f64; 2], b: [f64; 2]) -> f64 {
        let distance = |axis: usize| ((a[axis] - b[axis]) / self.lengths[axis]).powi(2);
        let smooth = self.amplitude.powi(2) * (-0.5 * (distance(0) + distance(1))).exp();
        if !self.trend {
            return smooth;
        }
        let [height, weak, gold] = TREND;
        smooth + height * height + weak * weak * a[0] * b[0] + gold * gold * a[1] * b[1]
    }

    pub(crate) fn matrix(&self, positions: &[[f64; 2]]) -> DMatrix<f64> {
        DMatrix::from_fn(positions.len(), positions.len(), |row, column| {
            self.between(positions[row], positions[column])
        })
    }
}

/// Functions whose random combinations are draws of the process (random Fourier features, Rahimi and Recht 2007).
#[derive(Debug, Clone)]
pub(crate) struct Waves {
    kernel: Kernel,
    /// Frequencies in weak and gold, and phase.
    waves: Vec<[f64; 3]>,
}

impl Waves {
    pub(crate) fn draw(kernel: Kernel, random: &mut ChaCha8Rng) -> Self {
        let waves = (0..WAVES).map(|_| {
            let [weak, gold]: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(random));
            [weak / kernel.lengths[0], gold / kernel.lengths[1], TAU * random.random::<f64>()]
        });
        Self { kernel, waves: waves.collect() }
    }

    /// The number of functions.
    pub(crate) fn len(&self) -> usize {
        self.waves.len() + if self.kernel.trend { TREND.len() } else { 0 }
    }

    /// Frequencies in weak and gold, and phase, of every wave.
    pub(super) fn frequencies(&self) -> &[[f64; 3]] {
        &self.waves
    }

    /// The functions' values; combined with standard normal weights they are a draw of the process.
    pub(crate) fn at(&self, position: [f64; 2]) -> Vec<f64> {
        let scale = self.kernel.amplitude * (2.0 / WAVES as f64).sqrt();
        let wave = |[weak, gold, phase]: &[f64; 3]| scale * (weak * position[0] + gold * position[1] + phase).cos();
        let mut values: Vec<f64> = self.waves.iter().map(wave).collect();
        if self.kernel.trend {
            let [height, weak, gold] = TREND;
            values.extend([height, weak * position[0], gold * position[1]]);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labelmix_stats::stream;

    #[test]
    fn waves_have_the_kernels_covariance() {
        let kernel = Kernel { amplitude: 0.05, lengths: [1.0, 2.0], trend: true };
        let (a, b) = ([3.0, 2.0], [3.5, 1.0]);
        // The mean over many sets of waves of the covariance that each set gives.
        let covariances = (0..400).map(|number| {
            let waves = Waves::draw(kernel, &mut stream(number, "waves"));
            waves.at(a).iter().zip(waves.at(b)).map(|(a, b)| a * b).sum::<f64>()
        });
        let mean = covariances.sum::<f64>() / 400.0;
        let expected = kernel.between(a, b);
        assert!((mean / expected - 1.0).abs() < 0.01, "{mean} for {expected}");
    }
}
