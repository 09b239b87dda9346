//! Accuracy as a function of the numbers of weak and gold labels, with all that the measurements leave open about it.

mod cells;
mod component;
mod family;
mod hill;
mod kernel;
mod metric;
mod numbers;
mod posterior;
mod substitution;

use labelmix_stats::{Interval, percentile_interval, stream};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use cells::{Labels, SurfaceCells};
use component::{Assumption, Component};
use family::Family;
use kernel::Kernel;
use metric::Metric;
pub use numbers::SurfaceNumbers;
use posterior::Fit;

use crate::error::{AnalysisError, Result};
use crate::{Allocation, Measurements};

/// What a surface is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurfaceKind {
    /// Two parametric families, weighed by the measurements: saturating curves in ln n with a ceiling for weak labels
    /// and an interaction, and an error that falls as a power of an effective number of labels. Says most where few
    /// allocations were measured, if the truth is of its kind.
    Parametric,
    /// A Gaussian process on ln(1 + n) with a straight trend: assumes nothing but smoothness.
    GaussianProcess,
    /// A parametric family with a Gaussian process on what it leaves unexplained.
    Combined,
}

impl SurfaceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Parametric, Self::GaussianProcess, Self::Combined];

    /// As it is written in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parametric => "parametric",
            Self::GaussianProcess => "gaussian-process",
            Self::Combined => "combined",
        }
    }
}

/// How a surface is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SurfaceSettings {
    /// What it is made of.
    pub kind: SurfaceKind,
    /// How many draws of it are kept.
    pub draws: usize,
    /// The share of draws inside an interval.
    pub level: f64,
    /// The seed of the draws.
    pub seed: u64,
}

impl SurfaceSettings {
    /// The combined kind, 400 draws, intervals of 90%.
    pub fn new(seed: u64) -> Self {
        Self { kind: SurfaceKind::Combined, draws: 400, level: 0.9, seed }
    }
}

/// The fewest allocations with labels that a surface is fitted to.
pub const MINIMUM_ALLOCATIONS: usize = 4;

/// Beyond this many times the largest measured number of labels an answer is marked as extrapolated.
pub(crate) const EXTRAPOLATED_BEYOND: f64 = 2.0;

/// A fitted surface: draws from what the measurements allow, never one curve alone.
#[derive(Debug, Clone)]
pub struct Surface {
    method: String,
    settings: SurfaceSettings,
    largest: Allocation,
    components: Vec<Component>,
    run_variance: f64,
}

/// A number and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over draws.
    pub mean: f64,
    /// The interval of the draws.
    pub interval: Interval,
}

impl Estimate {
    /// Of one value per draw.
    ///
    /// # Panics
    /// If there are no values, or the level is not between 0 and 1.
    pub fn of_draws(mut values: Vec<f64>, level: f64) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self { mean, interval: percentile_interval(&mut values, level).expect("a surface has draws") }
    }
}

/// How many times the largest measured number of labels an allocation has; at most 1 inside what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extrapolation {
    /// Of weak labels; infinite where none were measured.
    pub weak: f64,
    /// Of gold labels; infinite where none were measured.
    pub gold: f64,
}

impl Extrapolation {
    /// The larger of the two.
    pub fn times(&self) -> f64 {
        self.weak.max(self.gold)
    }

    /// Whether it goes further than `EXTRAPOLATED_BEYOND`.
    pub fn is_far(&self) -> bool {
        self.times() > EXTRAPOLATED_BEYOND
    }
}

impl Surface {
    /// Fits one method's surface to all its allocations; several tasks are averaged.
    ///
    /// # Errors
    /// [`AnalysisError`] for a method without runs, for fewer than [`MINIMUM_ALLOCATIONS`] allocations with labels, and
    /// for settings that keep fewer than 20 draws or whose level is not between 0 and 1.
    pub fn fit(measurements: &Measurements, method: &str, settings: &SurfaceSettings) -> Result<Self> {
        Self::fit_cells(&SurfaceCells::new(measurements, method)?, method, settings)
    }

    pub(crate) fn fit_cells(cells: &SurfaceCells, method: &str, settings: &SurfaceSettings) -> Result<Self> {
        if settings.draws < 20 || !(settings.level > 0.0 && settings.level < 1.0) {
            return Err(AnalysisError::Resampling { resamples: settings.draws, level: settings.level });
        }
        let allocations = cells.labels.iter().filter(|labels| labels.weak + labels.gold > 0.0).count();
        if allocations < MINIMUM_ALLOCATIONS {
            let method = method.to_owned();
            return Err(AnalysisError::TooFewAllocations { method, allocations, needed: MINIMUM_ALLOCATIONS });
        }
        let start = stream(settings.seed, "surface");
        let shares = shares_of_draws(cells, settings);
        let components = shares
            .into_par_iter()
            .enumerate()
            .map(|(number, (assumption, draws))| {
                let mut random = start.clone();
                random.set_stream(number as u64 + 1);
                assumption.draws(cells, draws, &mut random)
            })
            .collect();
        Ok(Self {
            method: method.to_owned(),
            settings: *settings,
            largest: Allocation { n_weak: cells.largest.weak as usize, n_gold: cells.largest.gold as usize },
            components,
            run_variance: cells.variances.iter().sum::<f64>() / cells.len() as f64,
        })
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// How it was fitted.
    pub fn settings(&self) -> &SurfaceSettings {
        &self.settings
    }

    /// The largest measured numbers of labels, each by itself.
    pub fn largest(&self) -> Allocation {
        self.largest
    }

    /// The number of draws.
    pub fn draws(&self) -> usize {
        self.components.iter().map(Component::draws).sum()
    }

    /// The accuracy after these labels, which need not be whole, in every draw. Draw k is the same surface for all
    /// numbers of labels.
    pub fn accuracy_draws(&self, n_weak: f64, n_gold: f64) -> Vec<f64> {
        let mut accuracies = Vec::with_capacity(self.draws());
        let labels = Labels { weak: n_weak.max(0.0), gold: n_gold.max(0.0) };
        self.components.iter().for_each(|component| component.accuracies(labels, &mut accuracies));
        accuracies
    }

    /// The accuracy after these labels, with the interval of the draws.
    pub fn accuracy(&self, allocation: Allocation) -> Estimate {
        let draws = self.accuracy_draws(allocation.n_weak as f64, allocation.n_gold as f64);
        Estimate::of_draws(draws, self.settings.level)
    }

    /// How far an allocation lies beyond what was measured.
    pub fn extrapolation(&self, n_weak: f64, n_gold: f64) -> Extrapolation {
        let times = |asked: f64, measured: usize| if asked <= 0.0 { 0.0 } else { asked / measured as f64 };
        Extrapolation { weak: times(n_weak, self.largest.n_weak), gold: times(n_gold, self.largest.n_gold) }
    }

    /// The mean variance of the noise that a measured accuracy has for itself.
    pub(crate) fn run_variance(&self) -> f64 {
        self.run_variance
    }
}

/// The assumptions that share the draws, each with its number. Draws are given out by how well an assumption explains
/// the measurements, in eight parts, so that what they cannot tell stays open.
fn shares_of_draws(cells: &SurfaceCells, settings: &SurfaceSettings) -> Vec<(Assumption, usize)> {
    const PARTS: usize = 8;
    let assumptions = assumptions(settings.kind);
    let mut random = stream(settings.seed, "surface");
    let noise = Metric::of_noise(cells);
    let modes = Family::ALL.map(|family| Fit::new(family, cells, &noise).modes(&mut random)[0].coordinates);
    let scores: Vec<f64> = assumptions
        .par_iter()
        .map(|assumption| assumption.log_prior + assumption.log_evidence(cells, &modes))
        .collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - best).exp()).collect();
    let total: f64 = weights.iter().sum();

    // Systematic sampling: the parts' places on the cumulated weights.
    let mut counts = vec![0usize; assumptions.len()];
    for part in 0..PARTS {
        let mut left = (part as f64 + 0.5) / PARTS as f64 * total;
        let place = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        let draws = settings.draws * (part + 1) / PARTS - settings.draws * part / PARTS;
        counts[place.unwrap_or(assumptions.len() - 1)] += draws;
    }
    assumptions.into_iter().zip(counts).filter(|(_, draws)| *draws > 0).collect()
}

/// What is weighed against each other for a kind of surface.
fn assumptions(kind: SurfaceKind) -> Vec<Assumption> {
    const LENGTHS: [f64; 3] = [1.0, 2.0, 4.0];
    let with_process = |family: Option<Family>, amplitude: f64| {
        LENGTHS.into_iter().flat_map(move |weak| {
            LENGTHS.into_iter().map(move |gold| {
                let kernel = Kernel { amplitude, lengths: [weak, gold], trend: family.is_none() };
                // Nine pairs of lengths share the amplitude's plausibility.
                Assumption {
                    family,
                    kernel: Some(kernel),
                    log_prior: family.map_or(0.0, Family::log_prior) - 9f64.ln(),
                }
            })
        })
    };
    let parametric =
        Family::ALL.map(|family| Assumption { family: Some(family), kernel: None, log_prior: family.log_prior() });
    match kind {
        SurfaceKind::Parametric => parametric.to_vec(),
        SurfaceKind::GaussianProcess => {
            [0.03, 0.06, 0.12].into_iter().flat_map(|amplitude| with_process(None, amplitude)).collect()
        }
        SurfaceKind::Combined => {
            let amplitudes = [0.005, 0.01, 0.02, 0.04];
            let processes = Family::ALL.into_iter().flat_map(|family| {
                amplitudes.into_iter().flat_map(move |amplitude| with_process(Some(family), amplitude))
            });
            parametric.into_iter().chain(processes).collect()
        }
    }
}
