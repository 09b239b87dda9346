//! How far residuals are from what noise explains: the quadratic form of a normal likelihood.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::cells::SurfaceCells;

/// The covariance of the measurements' noise, and of a smooth deviation where there is one, ready for residuals.
pub(crate) enum Metric {
    /// Own noise and a shared error: Σ = diag(v) + s·sᵀ, inverted by Sherman and Morrison's formula.
    RankOne {
        precisions: Vec<f64>,
        loadings: Vec<f64>,
        divisor: f64,
    },
    Dense(Cholesky<f64, Dyn>),
}

impl Metric {
    pub(crate) fn of_noise(cells: &SurfaceCells) -> Self {
        let precisions: Vec<f64> = cells.variances.iter().map(|variance| 1.0 / variance).collect();
        let loadings: Vec<f64> =
            cells.shared.iter().zip(&precisions).map(|(shared, precision)| shared * precision).collect();
        let divisor = 1.0 + cells.shared.iter().zip(&loadings).map(|(shared, loading)| shared * loading).sum::<f64>();
        Self::RankOne { precisions, loadings, divisor }
    }

    /// `smooth` plus the noise's covariance. `None` where that is not positive definite to working precision.
    pub(crate) fn dense(cells: &SurfaceCells, smooth: DMatrix<f64>) -> Option<Self> {
        Some(Self::Dense(Cholesky::new(smooth + noise_covariance(cells))?))
    }

    /// rᵀ Σ⁻¹ r.
    pub(crate) fn quadratic(&self, residuals: &[f64]) -> f64 {
        match self {
            Self::RankOne { precisions, loadings, divisor } => {
                let (mut own, mut shared) = (0.0, 0.0);
                for ((residual, precision), loading) in residuals.iter().zip(precisions).zip(loadings) {
                    own += residual * residual * precision;
                    shared += residual * loading;
                }
                own - shared * shared / divisor
            }
            Self::Dense(cholesky) => whitened_norm(cholesky.l_dirty(), residuals),
        }
    }

    /// Σ⁻¹ r.
    pub(crate) fn solve(&self, residuals: &[f64]) -> Vec<f64> {
        match self {
            Self::RankOne { precisions, loadings, divisor } => {
                let shared =
                    residuals.iter().zip(loadings).map(|(residual, loading)| residual * loading).sum::<f64>() / divisor;
                let solved = residuals.iter().zip(precisions).zip(loadings);
                solved.map(|((residual, precision), loading)| residual * precision - shared * loading).collect()
            }
            Self::Dense(cholesky) => cholesky.solve(&DVector::from_column_slice(residuals)).as_slice().to_vec(),
        }
    }

    /// ln det Σ of a dense covariance.
    pub(crate) fn log_determinant(&self) -> f64 {
        match self {
            Self::RankOne { precisions, divisor, .. } => divisor.ln() - precisions.iter().map(|p| p.ln()).sum::<f64>(),
            Self::Dense(cholesky) => 2.0 * cholesky.l_dirty().diagonal().iter().map(|entry| entry.ln()).sum::<f64>(),
        }
    }
}

/// diag(v) + s·sᵀ.
pub(crate) fn noise_covariance(cells: &SurfaceCells) -> DMatrix<f64> {
    let shared = DVector::from_column_slice(&cells.shared);
    DMatrix::from_diagonal(&DVector::from_column_slice(&cells.variances)) + &shared * shared.transpose()
}

/// |L⁻¹ r|² by forward substitution, down the columns in which the factor is stored.
fn whitened_norm(factor: &DMatrix<f64>, residuals: &[f64]) -> f64 {
    let mut rest = residuals.to_vec();
    let mut norm = 0.0;
    for column in 0..rest.len() {
        let entries = &factor.as_slice()[column * rest.len()..(column + 1) * rest.len()];
        let value = rest[column] / entries[column];
        norm += value * value;
        for (rest, entry) in rest[column + 1..].iter_mut().zip(&entries[column + 1..]) {
            *rest -= value * entry;
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Labels;

    #[test]
    fn the_short_form_of_the_noise_is_the_long_one() {
        let cells = SurfaceCells {
            labels: vec![Labels { weak: 1.0, gold: 1.0 }; 3],
            accuracies: vec![0.6, 0.7, 0.8],
            variances: vec![0.01, 0.02, 0.005],
            shared: vec![0.05, 0.1, 0.15],
            largest: Labels { weak: 1.0, gold: 1.0 },
        };
        let (short, long) = (Metric::of_noise(&cells), Metric::dense(&cells, DMatrix::zeros(3, 3)).unwrap());
        let residuals = [0.1, -0.05, 0.2];
        let solved: f64 =
            long.solve(&residuals).iter().zip(residuals).map(|(solved, residual)| solved * residual).sum();
        assert!((short.quadratic(&residuals) - solved).abs() < 1e-9);
        assert!((long.quadratic(&residuals) - solved).abs() < 1e-9);
        assert!((short.log_determinant() - long.log_determinant()).abs() < 1e-9);
        for (short, long) in short.solve(&residuals).iter().zip(long.solve(&residuals)) {
            assert!((short - long).abs() < 1e-9);
        }
    }
}
