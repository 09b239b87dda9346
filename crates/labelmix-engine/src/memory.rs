//! Whether training fits into memory, and what would make it fit.

use labelmix_models::{ByteSize, MemoryRequest, ModelShape, Precision};

use crate::error::{Error, Result};

/// What a sweep asks of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) request: MemoryRequest,
    /// Tokens of the longest text, below which no micro-batch can go.
    pub(crate) longest: usize,
    /// Runs at a time.
    pub(crate) jobs: usize,
    /// Where the study says how training goes, and how the model is run: what advice refers to.
    pub(crate) tables: [&'static str; 2],
}

impl Demand {
    fn peak(&self, shape: &ModelShape) -> u64 {
        shape.memory(&self.request).peak(self.jobs)
    }

    /// Passes if the demand fits.
    ///
    /// # Errors
    /// If it does not, with the mildest change that makes it fit.
    pub(crate) fn check(&self, shape: &ModelShape, available: u64) -> Result<()> {
        let needed = self.peak(shape);
        if needed <= available {
            return Ok(());
        }
        let help = match self.milder(shape).into_iter().find(|(demand, _)| demand.peak(shape) <= available) {
            Some((demand, settings)) => {
                format!("with {settings} it takes {}, which fits", ByteSize(demand.peak(shape)))
            }
            None => "no setting makes it fit: free memory, or take a smaller model or shorter texts".to_owned(),
        };
        Err(Error::DoesNotFit { needed: ByteSize(needed), available: ByteSize(available), help })
    }

    /// Ever milder demands, each with the settings that lead to it.
    fn milder(&self, shape: &ModelShape) -> Vec<(Self, String)> {
        let mut demand = *self;
        let [recipe_table, model_table] = self.tables;
        let mut settings: Vec<String> = Vec::new();
        let mut steps = Vec::new();
        while demand.jobs > 1 {
            demand.jobs -= 1;
            steps.push((demand, format!("--jobs {}", demand.jobs)));
        }
        if self.jobs > 1 {
            settings.push("--jobs 1".to_owned());
        }
        let mut take = |demand: Self, setting: String, kept: &mut Vec<String>| {
            kept.push(setting);
            steps.push((demand, kept.join(" and ")));
        };
        while demand.request.tokens / 2 >= demand.longest.max(1) {
            demand.request.tokens /= 2;
            let mut kept = settings.clone();
            take(demand, format!("micro_batch_tokens = {} in {recipe_table}", demand.request.tokens), &mut kept);
            if demand.request.tokens / 2 < demand.longest.max(1) {
                settings = kept;
            }
        }
        if !demand.request.activation_checkpointing {
            demand.request.activation_checkpointing = true;
            take(demand, format!("activation_checkpointing = true in {model_table}"), &mut settings);
        }
        let now = demand.request.precision.unwrap_or(shape.stored_precision());
        for precision in [Precision::Bf16, Precision::Nf4] {
            if precision.bytes(1 << 20) < now.bytes(1 << 20) {
                demand.request.precision = Some(precision);
                let mut kept = settings.clone();
                take(demand, format!("weights = {:?} in {model_table}", precision.name()), &mut kept);
            }
        }
        steps
    }
}
