//! Muon (Jordan et al. 2024), as torch.optim.Muon computes it but in f32: momentum, whose singular values are all
//! brought near one. For the weight matrices inside a transformer that is trained from scratch; what is not a matrix,
//! and the embeddings, are AdamW's.

use crate::array::Buffer;
use crate::error::Result;
use crate::gradients::Gradients;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parameter::Parameter;
use crate::value::Existing;

/// What Muon is given besides a learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonSettings {
    /// The decay of the mean of gradients (Nesterov's form).
    pub momentum: f64,
    /// How much of each weight is taken away per step, times the learning rate.
    pub weight_decay: f64,
}

impl Default for MuonSettings {
    fn default() -> Self {
        Self { momentum: 0.95, weight_decay: 0.0 }
    }
}

/// The optimizer's state: the mean gradient of each parameter, in the order in which the parameters are given.
pub struct Muon {
    settings: MuonSettings,
    means: Vec<Vec<f32>>,
}

impl Muon {
    /// An optimizer without history.
    pub fn new(settings: MuonSettings) -> Self {
        Self { settings, means: Vec::new() }
    }

    /// An optimizer that goes on, with the mean gradients that [`means`](Self::means) gave.
    pub fn resumed(settings: MuonSettings, means: Vec<Vec<f32>>) -> Self {
        Self { settings, means }
    }

    /// The mean of each parameter's gradients; none before the first step.
    pub fn means(&self) -> impl Iterator<Item = &[f32]> {
        self.means.iter().map(Vec::as_slice)
    }

    /// One step of matrices `[rows, columns]`, each by `learning_rate · √max(1, rows / columns)` along its
    /// orthogonalised momentum. Those that the loss did not depend on are left as they are.
    ///
    /// # Errors
    /// If parameters or gradients cannot be copied from or to their device.
    ///
    /// # Panics
    /// If a parameter is not a matrix.
    pub fn step(&mut self, parameters: &mut [Parameter], gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let momentum = self.settings.momentum as f32;
        let keep = (1.0 - learning_rate * self.settings.weight_decay) as f32;
        if self.means.is_empty() {
            let zeros = |parameter: &Parameter| vec![0.0; parameter.value().shape().iter().product()];
            self.means = parameters.iter().map(zeros).collect();
        }
        for (parameter, mean) in parameters.iter_mut().zip(&mut self.means) {
            let &[rows, columns] = parameter.value().shape() else { panic!("Muon steps matrices") };
            let Some(gradient) = gradients.on_host(parameter.value())? else { continue };
            let mut ahead = Buffer::uninitialised(mean.len());
            for ((mean, gradient), ahead) in mean.iter_mut().zip(gradient.iter()).zip(ahead.iter_mut()) {
                *mean += (1.0 - momentum) * (gradient - *mean);
                *ahead = gradient + momentum * (*mean - gradient);
            }
            let direction = orthogonalized(ahead, rows, columns);
            let step = learning_rate as f32 * (rows as f32 / columns as f32).max(1.0).sqrt();
            parameter.update(|elements| {
                for (element, direction) in elements.iter_mut().zip(direction.iter()) {
                    *element = *element * keep - step * direction;
                }
            })?;
        }
        Ok(())
    }
}

/// Coefficients of the quintic iteration a·X + b·(XXᵀ)X + c·(XXᵀ)²X whose slope at zero is steep: five rounds bring
/// singular values of any size between about 0.7 and 1.2 (Jordan et al. 2024).
const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];
const ROUNDS: usize = 5;

/// The matrix `[rows, columns]` with its singular values brought near one (Newton and Schulz).
fn orthogonalized(mut x: Buffer, rows: usize, columns: usize) -> Buffer {
    let norm = x.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let reciprocal = (1.0 / norm.max(1e-7)) as f32;
    x.iter_mut().for_each(|value| *value *= reciprocal);
    // The square of the smaller side is what is raised to powers: XXᵀ, or XᵀX with everything on the right.
    let side = rows.min(columns);
    let mut square = Buffer::uninitialised(side * side);
    let mut polynomial = Buffer::uninitialised(side * side);
    let [a, b, c] = QUINTIC;
    for _ in 0..ROUNDS {
        let matrix = Matrix::new(&x, rows, columns);
        let (left, right) = if rows <= columns { (matrix, matrix.transposed()) } else { (matrix.transposed(), matrix) };
        multiply(MatrixMut::new(&mut square, side, side), Existing::Arbitrary, 1.0, left, right, Threads::All);
        polynomial.iter_mut().zip(square.iter()).for_each(|(out, square)| *out = b * square);
        let powers = Matrix::new(&square, side, side);
        multiply(MatrixMut::new(&mut polynomial, side, side), Existing::Gradient, c, powers, powers, Threads::All);
        for index in 0..side {
            polynomial[index * side + index] += a;
        }
        let polynomial = Matrix::new(&polynomial, side, side);
        let (left, right) = if rows <= columns { (polynomial, matrix) } else { (matrix, polynomial) };
        let mut next = Buffer::uninitialised(x.len());
        multiply(MatrixMut::new(&mut next, rows, columns), Existing::Arbitrary, 1.0, left, right, Threads::All);
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with the singular values 3 and 0.2: 3·u₁v₁ᵀ + 0.2·u₂v₂ᵀ with u₁ = (cos, −sin), u₂ = (sin, cos),
    /// v₁ = (cos, sin), v₂ = (−sin, cos), and zeros around.
    fn turned(rows: usize, columns: usize) -> (Vec<f32>, [f32; 2]) {
        let (cos, sin) = (0.8_f32, 0.6_f32);
        let small = [3.0 * cos * cos - 0.2 * sin * sin, 3.0 * cos * sin + 0.2 * sin * cos];
        let small = [small[0], small[1], -3.0 * sin * cos - 0.2 * cos * sin, -3.0 * sin * sin + 0.2 * cos * cos];
        let mut matrix = vec![0.0; rows * columns];
        for (row, pair) in small.chunks_exact(2).enumerate() {
            matrix[row * columns..row * columns + 2].copy_from_slice(pair);
        }
        (matrix, [cos, sin])
    }

    #[test]
    fn singular_values_come_near_one_and_directions_stay() {
        for (rows, columns) in [(2, 2), (2, 3), (4, 2)] {
            let (matrix, [cos, sin]) = turned(rows, columns);
            let x = orthogonalized(Buffer::copy_of(&matrix), rows, columns);
            let at = |row: usize, column: usize| x[row * columns + column];
            let u = [[cos, -sin], [sin, cos]];
            let v = [[cos, sin], [-sin, cos]];
            for (i, u) in u.iter().enumerate() {
                for (j, v) in v.iter().enumerate() {
                    let value: f32 =
                        (0..2).flat_map(|r| (0..2).map(move |c| (r, c))).map(|(r, c)| u[r] * at(r, c) * v[c]).sum();
                    if i == j {
                        assert!((0.65..1.25).contains(&value.abs()), "{rows}×{columns}: singular value {value}");
                    } else {
                        assert!(value.abs() < 1e-4, "{rows}×{columns}: {value} off the diagonal");
                    }
                }
            }
        }
    }
}
