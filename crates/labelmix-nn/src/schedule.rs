//! Learning-rate schedules.

/// Linear warm-up from zero, then half a cosine down to zero (the published system's schedule; the same function as
/// transformers' `get_cosine_schedule_with_warmup`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmupCosine {
    /// The learning rate at the end of the warm-up.
    pub peak: f64,
    /// Steps of warm-up.
    pub warmup_steps: usize,
    /// Steps of the whole training.
    pub total_steps: usize,
}

impl WarmupCosine {
    /// The learning rate of step `step`, counted from zero.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * step as f64 / self.warmup_steps as f64;
        }
        let remaining = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / remaining as f64).min(1.0);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_to_zero() {
        let schedule = WarmupCosine { peak: 2.0, warmup_steps: 4, total_steps: 12 };
        let rates: Vec<f64> = (0..=13).map(|step| schedule.at(step)).collect();
        assert_eq!(rates[..5], [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert!((rates[8] - 1.0).abs() < 1e-12, "half way down at half time");
        assert!(rates[12].abs() < 1e-12 && rates[13].abs() < 1e-12);
        assert!(rates[4..].windows(2).all(|pair| pair[1] <= pair[0]));
    }
}
