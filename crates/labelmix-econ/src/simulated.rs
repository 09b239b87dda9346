//! Worlds whose truth is known: what every claim about uncertainty and every plan is tested on.

use labelmix_stats::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::{Allocation, CorrectItems, MeasuredRun, Measurements, Outcome};

/// How accuracy grows with labels in a simulated world. The first two resemble the families that surfaces are fitted
/// with, with other constants, another law of diminishing use, and worlds drawn otherwise than the priors; the third
/// resembles neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// Saturating curves, as a parametric surface assumes, with other constants.
    Saturating,
    /// Error falls as a power of an effective number of labels, in which weak labels count for less and less.
    PowerLaw,
    /// Saturating curves with waves of a point on top, which no formula foresees.
    Wavy,
    /// Saturating curves that rise within few doublings, with seeds that fail: the fewer labels, the more of them stay
    /// at chance. Sweeps of small models look like this.
    Sudden,
}

impl WorldKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Saturating, Self::PowerLaw, Self::Wavy, Self::Sudden];
}

/// A world: a true accuracy for all numbers of labels, and the noise of measuring it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct World {
    truth: Truth,
    waves: [Wave; 3],
    /// The share of seeds that would stay at chance where nothing is learned yet.
    failing: f64,
    seed: u64,
    /// The number of test items.
    pub n_test: usize,
    /// The deviation between seeds at large numbers of labels; it is twice that where accuracy rises steeply.
    pub seed_deviation: f64,
    /// How much of what makes an item hard is the same for all classifiers, from 0 to 1.
    pub shared_difficulty: f64,
}

/// A deviation that waves along the logarithms of the numbers of labels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Wave {
    height: f64,
    weak: f64,
    gold: f64,
    phase: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Truth {
    Saturating {
        ceiling: f64,
        weak_ceiling: f64,
        half_weak: f64,
        half_gold: f64,
        steep_weak: f64,
        steep_gold: f64,
        speedup: f64,
    },
    PowerLaw {
        floor: f64,
        exponent: f64,
        scale: f64,
        worth: f64,
        useful_weak: f64,
    },
}

impl World {
    /// A random world. Two cents to a dollar is a sensible price of its weak labels in gold ones.
    pub fn random(kind: WorldKind, seed: u64) -> Self {
        let mut random = stream(seed, "world");
        let mut between = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
        let truth = match kind {
            WorldKind::Saturating | WorldKind::Wavy | WorldKind::Sudden => {
                let ceiling = between(0.28, 0.47);
                let (gentlest, steepest) = if kind == WorldKind::Sudden { (1.5, 5.0) } else { (0.6, 1.3) };
                Truth::Saturating {
                    ceiling,
                    weak_ceiling: ceiling * between(0.35, 0.95),
                    half_weak: between(3.5, 7.5).exp(),
                    half_gold: between(2.5, 6.5).exp(),
                    steep_weak: between(gentlest, steepest),
                    steep_gold: between(gentlest, steepest),
                    speedup: between(-0.2, 1.2),
                }
            }
            WorldKind::PowerLaw => Truth::PowerLaw {
                floor: between(0.03, 0.2),
                exponent: between(0.3, 0.8),
                scale: between(2.5, 5.0).exp(),
                worth: between(0.05, 0.6),
                useful_weak: between(4.0, 8.5).exp(),
            },
        };
        let (seed_deviation, shared_difficulty) = (between(0.004, 0.012), between(0.3, 0.7));
        let mut waves = [Wave::default(); 3];
        if kind == WorldKind::Wavy {
            waves = waves.map(|_| Wave {
                height: between(-0.01, 0.01),
                weak: between(0.3, 1.2),
                gold: between(0.3, 1.2),
                phase: between(0.0, std::f64::consts::TAU),
            });
        }
        let failing = if kind == WorldKind::Sudden { between(0.0, 0.5) } else { 0.0 };
        Self { truth, waves, failing, seed, n_test: 1000, seed_deviation, shared_difficulty }
    }

    /// The true accuracy: on infinitely many test items, averaged over seeds, those that fail among them.
    pub fn accuracy(&self, n_weak: f64, n_gold: f64) -> f64 {
        let learned = self.accuracy_of_success(n_weak, n_gold);
        learned - self.share_failing(learned) * (learned - 0.5)
    }

    /// The share of seeds that fail where the others reach this accuracy.
    fn share_failing(&self, accuracy: f64) -> f64 {
        let ceiling = match self.truth {
            Truth::Saturating { ceiling, .. } => ceiling,
            Truth::PowerLaw { floor, .. } => 0.5 - floor,
        };
        self.failing * (1.0 - (accuracy - 0.5) / ceiling).clamp(0.0, 1.0)
    }

    /// The true accuracy of the seeds that do not fail.
    fn accuracy_of_success(&self, n_weak: f64, n_gold: f64) -> f64 {
        let (weak, gold) = (n_weak.ln_1p(), n_gold.ln_1p());
        let wave = |wave: &Wave| wave.height * (wave.weak * weak + wave.gold * gold + wave.phase).sin();
        // There is nothing to deviate from at chance.
        let grown = 1.0 - (-0.5 * (weak + gold)).exp();
        (self.trend(n_weak, n_gold) + grown * self.waves.iter().map(wave).sum::<f64>()).clamp(0.5, 1.0)
    }

    fn trend(&self, n_weak: f64, n_gold: f64) -> f64 {
        match self.truth {
            Truth::Saturating { ceiling, weak_ceiling, half_weak, half_gold, steep_weak, steep_gold, speedup } => {
                let hill = |n: f64, half: f64, steep: f64| n.powf(steep) / (n.powf(steep) + half.powf(steep));
                let weak = hill(n_weak, half_weak, steep_weak);
                let from_weak = weak_ceiling * weak;
                0.5 + from_weak + (ceiling - from_weak) * hill(n_gold, half_gold * (-speedup * weak).exp(), steep_gold)
            }
            Truth::PowerLaw { floor, exponent, scale, worth, useful_weak } => {
                let effective = n_gold + worth * useful_weak * (n_weak / useful_weak).ln_1p();
                0.5 + (0.5 - floor) * (1.0 - (1.0 + effective / scale).powf(-exponent))
            }
        }
    }

    /// Measures allocations with each of several seeds. Items that are hard are hard for all runs to the degree of
    /// `shared_difficulty`.
    ///
    /// # Errors
    /// As [`Measurements::new`].
    pub fn measure(&self, allocations: &[Allocation], seeds: u64) -> Result<Measurements> {
        let mut random = stream(self.seed, "measurements");
        let difficulty: Vec<f64> = (0..self.n_test).map(|_| StandardNormal.sample(&mut random)).collect();
        let mut runs = Vec::new();
        for &allocation in allocations {
            for seed in 0..seeds {
                runs.push(self.run(allocation, seed, &difficulty, &mut random));
            }
        }
        Measurements::new(runs)
    }

    fn run(&self, allocation: Allocation, seed: u64, difficulty: &[f64], random: &mut ChaCha8Rng) -> MeasuredRun {
        let mut truth = self.accuracy_of_success(allocation.n_weak as f64, allocation.n_gold as f64);
        let failing = self.share_failing(truth);
        if failing > 0.0 && random.random::<f64>() < failing {
            truth = 0.5;
        }
        // Largest in the middle between chance and certainty.
        let deviation = self.seed_deviation * (1.0 + 16.0 * (truth - 0.5) * (1.0 - truth));
        let luck: f64 = StandardNormal.sample(random);
        let accuracy = (truth + deviation * luck).clamp(0.01, 0.99);
        let threshold = normal_quantile(accuracy);
        // Near chance there is nothing that could be hard.
        let shared = self.shared_difficulty * ((accuracy - 0.5) / 0.2).clamp(0.0, 1.0);
        let correct: Vec<bool> = difficulty
            .iter()
            .map(|common| {
                let own: f64 = StandardNormal.sample(random);
                shared.sqrt() * common + (1.0 - shared).sqrt() * own < threshold
            })
            .collect();
        MeasuredRun {
            task: "simulated".to_owned(),
            method: "simulated".to_owned(),
            allocation,
            seed,
            outcome: Outcome::Items(CorrectItems::new(&correct)),
            gpu_hours: None,
        }
    }
}

/// The standard normal quantile by bisection on its distribution function: draws of worlds are few.
fn normal_quantile(probability: f64) -> f64 {
    let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if below(middle) < probability { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
