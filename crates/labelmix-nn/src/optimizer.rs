//! AdamW (Loshchilov & Hutter 2019) and gradient clipping, as torch.optim.AdamW and `clip_grad_norm_` compute them.

use crate::error::Result;
use crate::gradients::Gradients;
use crate::parameter::Parameter;

/// What AdamW is given besides a learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// The decay of the mean of gradients.
    pub beta1: f64,
    /// The decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// How much of each weight is taken away per step, times the learning rate. Vectors (biases) do not decay.
    pub weight_decay: f64,
}

/// The optimizer's state: two moments for each parameter, in the order in which the parameters are given.
pub struct AdamW {
    settings: AdamWSettings,
    steps: i32,
    moments: Vec<Moments>,
}

struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// An optimizer without history.
    pub fn new(settings: AdamWSettings) -> Self {
        Self { settings, steps: 0, moments: Vec::new() }
    }

    /// An optimizer that goes on after so many steps, with both moments of each parameter as [`moments`](Self::moments)
    /// gave them.
    pub fn resumed(settings: AdamWSettings, steps: u32, moments: Vec<[Vec<f32>; 2]>) -> Self {
        let moments = moments.into_iter().map(|[first, second]| Moments { first, second }).collect();
        Self { settings, steps: steps.cast_signed(), moments }
    }

    /// The number of steps made.
    pub fn steps(&self) -> u32 {
        self.steps.cast_unsigned()
    }

    /// The first and the second moment of each parameter's gradients; none before the first step.
    pub fn moments(&self) -> impl Iterator<Item = [&[f32]; 2]> {
        self.moments.iter().map(|moments| [&*moments.first, &*moments.second])
    }

    /// Both moments of each parameter's gradients, in the parameters' order.
    pub fn into_moments(self) -> impl Iterator<Item = [Vec<f32>; 2]> {
        self.moments.into_iter().map(|Moments { first, second }| [first, second])
    }

    /// One step. Parameters that the loss did not depend on are left as they are. The moments live on the host, and
    /// there the update is computed, wherever the parameters are: they are few.
    ///
    /// # Errors
    /// If parameters or gradients cannot be copied from or to their device.
    pub fn step(&mut self, parameters: &mut [Parameter], gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        if self.moments.is_empty() {
            self.moments = parameters
                .iter()
                .map(|parameter| {
                    let zeros = vec![0.0; parameter.value().shape().iter().product()];
                    Moments { first: zeros.clone(), second: zeros }
                })
                .collect();
        }
        self.steps += 1;
        let correction1 = 1.0 - beta1.powi(self.steps);
        let correction2 = 1.0 - beta2.powi(self.steps);
        let step_size = (learning_rate / correction1) as f32;
        let root_correction = correction2.sqrt() as f32;
        let (beta1, beta2, epsilon) = (beta1 as f32, beta2 as f32, epsilon as f32);
        for (parameter, moments) in parameters.iter_mut().zip(&mut self.moments) {
            let Some(gradient) = gradients.on_host(parameter.value())? else { continue };
            let decays = parameter.value().shape().len() > 1;
            let keep = if decays { (1.0 - learning_rate * weight_decay) as f32 } else { 1.0 };
            let moments = moments.first.iter_mut().zip(&mut moments.second);
            parameter.update(|elements| {
                for ((element, gradient), (first, second)) in elements.iter_mut().zip(gradient.iter()).zip(moments) {
                    *first = beta1 * *first + (1.0 - beta1) * gradient;
                    *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                    *element = *element * keep - step_size * *first / (second.sqrt() / root_correction + epsilon);
                }
            })?;
        }
        Ok(())
    }
}

/// Scales the parameters' gradients together so that their norm is at most `maximum`; returns the norm that they had.
///
/// # Errors
/// If a device other than the host fails.
pub fn clip_gradient_norm(gradients: &mut Gradients, parameters: &[Parameter], maximum: f64) -> Result<f64> {
    let mut squares: Vec<f64> = parameters
        .iter()
        .filter_map(|parameter| gradients.sum_of_squares(parameter.value()).transpose())
        .collect::<Result<_>>()?;
    // In sorted order, so that the norm does not depend on the order of the parameters.
    squares.sort_by(f64::total_cmp);
    let norm = squares.iter().sum::<f64>().sqrt();
    let scale = (maximum / (norm + 1e-6)) as f32;
    if scale < 1.0 {
        gradients.scale(scale)?;
    }
    Ok(norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::linear::{Weight, linear};
    use crate::loss::soft_cross_entropy;
    use crate::value::Value;

    const SETTINGS: AdamWSettings = AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01 };

    fn gradients_of(weight: &Parameter) -> Gradients {
        let x = Value::constant(Array::new(vec![1.0, 2.0], &[1, 2]));
        let logits = linear(&x, Weight::Trained(weight.value()), None, None).unwrap();
        soft_cross_entropy(&logits, &[1.0], 1.0).unwrap().backward().unwrap()
    }

    #[test]
    fn the_first_step_moves_each_weight_by_the_learning_rate() {
        // Both moments are corrected to the gradient itself, so the step is its sign times the learning rate.
        let mut weight = [Parameter::new("weight", Array::new(vec![0.5, -0.5, 0.25, 1.0], &[2, 2]))];
        let gradients = gradients_of(&weight[0]);
        let signs: Vec<f32> = gradients.of(weight[0].value()).unwrap().iter().map(|g| g.signum()).collect();
        AdamW::new(SETTINGS).step(&mut weight, &gradients, 0.1).unwrap();
        let expected: Vec<f32> =
            [0.5, -0.5, 0.25, 1.0].iter().zip(&signs).map(|(w, sign)| w * (1.0 - 0.1 * 0.01) - 0.1 * sign).collect();
        for (weight, expected) in weight[0].array().unwrap().values().iter().zip(expected) {
            assert!((weight - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn clipping_scales_to_the_maximum_and_leaves_small_gradients_alone() {
        let weight = [Parameter::new("weight", Array::new(vec![0.5, -0.5, 0.25, 1.0], &[2, 2]))];
        let mut gradients = gradients_of(&weight[0]);
        let norm = clip_gradient_norm(&mut gradients, &weight, 0.01).unwrap();
        let after = gradients.of(weight[0].value()).unwrap().iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 0.01 && (after - 0.01).abs() < 1e-6);
        assert!((clip_gradient_norm(&mut gradients, &weight, 1.0).unwrap() - 0.01).abs() < 1e-6);
    }
}
