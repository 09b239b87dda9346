//! How well a surface predicts allocations that it has not seen: which kind to trust, asked of the data at hand.

use labelmix_stats::{percentile_interval, stream};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};
use crate::surface::SurfaceCells;
use crate::{MINIMUM_ALLOCATIONS, Measurements, Surface, SurfaceKind, SurfaceSettings, Tariff};

/// What is held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldOut {
    /// One allocation after another; with more than 20, in 20 parts. Tests interpolation.
    EachAllocation,
    /// All allocations that cost more than half of the dearest one. Tests extrapolation.
    LargestBudget,
}

/// How well predictions and measurements agree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictionScore {
    /// The number of allocations predicted.
    pub predicted: usize,
    /// The root of the mean squared error of the mean over draws.
    pub root_mean_square_error: f64,
    /// The mean over allocations of the logarithm of the density that was predicted for what was measured: higher is
    /// better, and both false certainty and false modesty cost.
    pub log_density: f64,
    /// The share of measurements inside the predicted intervals, which allow for the measurements' own noise.
    pub coverage: f64,
    /// The mean width of those intervals.
    pub width: f64,
}

/// A kind of surface and how well it predicts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SurfaceScore {
    pub kind: SurfaceKind,
    /// What was held out.
    pub held_out: HeldOut,
    /// How well it did.
    pub score: PredictionScore,
}

/// Holds out allocations of a method, fits every kind of surface to the others and scores its predictions.
///
/// # Errors
/// [`AnalysisError`] as [`Surface::fit`], and where too few allocations would be left.
pub fn compare_surfaces(
    measurements: &Measurements,
    method: &str,
    tariff: &Tariff,
    held_out: HeldOut,
    settings: &SurfaceSettings,
) -> Result<Vec<SurfaceScore>> {
    let cells = SurfaceCells::new(measurements, method)?;
    let folds = folds(&cells, tariff, held_out);
    let score = |kind: SurfaceKind| {
        let settings = SurfaceSettings { kind, ..*settings };
        let predictions = folds.par_iter().map(|fold| {
            let kept: Vec<usize> = (0..cells.len()).filter(|place| !fold.contains(place)).collect();
            let surface = Surface::fit_cells(&cells.subset(&kept), method, &settings)?;
            Ok(predictions(&surface, &cells.subset(fold)))
        });
        let predictions: Vec<Vec<Prediction>> = predictions.collect::<Result<_>>()?;
        let score = PredictionScore::new(&predictions.concat()).ok_or_else(|| AnalysisError::TooFewAllocations {
            method: method.to_owned(),
            allocations: cells.len(),
            needed: MINIMUM_ALLOCATIONS + 1,
        })?;
        Ok(SurfaceScore { kind, held_out, score })
    };
    SurfaceKind::ALL.into_iter().map(score).collect()
}

/// The places of the cells that are held out together.
fn folds(cells: &SurfaceCells, tariff: &Tariff, held_out: HeldOut) -> Vec<Vec<usize>> {
    const MOST: usize = 20;
    match held_out {
        HeldOut::EachAllocation => {
            // Where surfaces start is not told by where they go.
            let places: Vec<usize> = (0..cells.len()).filter(|place| !cells.is_without_labels(*place)).collect();
            let parts = places.len().min(MOST);
            (0..parts).map(|part| places[part..].iter().copied().step_by(parts).collect()).collect()
        }
        HeldOut::LargestBudget => {
            let cost =
                |labels: &crate::surface::Labels| tariff.weak.cost_of(labels.weak) + tariff.gold.cost_of(labels.gold);
            let costs: Vec<f64> = cells.labels.iter().map(cost).collect();
            let dearest = costs.iter().copied().fold(0.0, f64::max);
            vec![(0..cells.len()).filter(|&place| costs[place] > dearest / 2.0).collect()]
        }
    }
}

/// What was predicted for one allocation, and what was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prediction {
    pub(crate) error: f64,
    pub(crate) log_density: f64,
    pub(crate) inside: bool,
    pub(crate) width: f64,
}

pub(crate) fn predictions(surface: &Surface, cells: &SurfaceCells) -> Vec<Prediction> {
    let start = stream(surface.settings().seed, "prediction");
    let predict = |place: usize| {
        let mut random = start.clone();
        random.set_stream(place as u64);
        let (labels, measured) = (cells.labels[place], cells.accuracies[place]);
        let deviation = (cells.variances[place] + cells.shared[place].powi(2)).sqrt();
        let draws = surface.accuracy_draws(labels.weak, labels.gold);
        let count = draws.len() as f64;
        let density = |draw: &f64| (-0.5 * ((measured - draw) / deviation).powi(2)).exp();
        // A floor far below any honest prediction keeps one miss from deciding alone.
        let mixed = (draws.iter().map(density).sum::<f64>() / count).max(1e-12);
        let mean = draws.iter().sum::<f64>() / count;
        let noisy = |draw: f64| {
            let standard: f64 = StandardNormal.sample(&mut random);
            draw + deviation * standard
        };
        let mut noisy: Vec<f64> = draws.into_iter().map(noisy).collect();
        let interval = percentile_interval(&mut noisy, surface.settings().level).expect("a surface has draws");
        Prediction {
            error: mean - measured,
            log_density: (mixed / (deviation * std::f64::consts::TAU.sqrt())).ln(),
            inside: interval.low <= measured && measured <= interval.high,
            width: interval.high - interval.low,
        }
    };
    (0..cells.len()).map(predict).collect()
}

impl PredictionScore {
    /// `None` without predictions.
    pub(crate) fn new(predictions: &[Prediction]) -> Option<Self> {
        let count = predictions.len() as f64;
        let mean = |value: fn(&Prediction) -> f64| predictions.iter().map(value).sum::<f64>() / count;
        (!predictions.is_empty()).then(|| Self {
            predicted: predictions.len(),
            root_mean_square_error: mean(|prediction| prediction.error.powi(2)).sqrt(),
            log_density: mean(|prediction| prediction.log_density),
            coverage: mean(|prediction| f64::from(u8::from(prediction.inside))),
            width: mean(|prediction| prediction.width),
        })
    }
}
