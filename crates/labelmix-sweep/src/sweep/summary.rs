//! What a sweep read and what it will do, for people.

use std::fmt;

use labelmix_data::DataSummary;
use labelmix_store::LabelsOutcome;

use labelmix_engine::ShortenedPrompts;

/// What was read and what will be done, for people.
#[derive(Clone, Debug)]
pub struct SweepSummary {
    /// What was read and dropped.
    pub data: DataSummary,
    /// Where the weak labels come from, if not from the data.
    pub labels: Option<LabelsOutcome>,
    /// Texts that were left out because they are longer than the model's context.
    pub too_long: usize,
    /// Gold labels for sale.
    pub gold_pool: usize,
    /// Weak labels for sale.
    pub weak_pool: usize,
    pub runs: usize,
    pub stages: usize,
    /// Stages that the runs would take if none were shared.
    pub unshared_stages: usize,
    /// Points of the grid that cannot be bought.
    pub not_affordable: usize,
    /// The model's parameters.
    pub parameters: usize,
    /// Prompts that are longer than the model's context.
    pub shortened: Vec<ShortenedPrompts>,
}

impl fmt::Display for SweepSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.data.to_string().trim_end())?;
        if let Some(labels) = &self.labels {
            writeln!(
                formatter,
                "weak labels by the study's labeler ({} of {})",
                labels.labeler.kind.name(),
                labels.key
            )?;
        }
        if self.too_long > 0 {
            writeln!(formatter, "left out as longer than the model's context or `max_length`: {}", self.too_long)?;
        }
        writeln!(
            formatter,
            "for sale: {} weak and {} gold labels (`gold_pool` in [task] limits the gold ones)",
            self.weak_pool, self.gold_pool
        )?;
        write!(formatter, "{} runs of {} stages", self.runs, self.unshared_stages)?;
        if self.stages < self.unshared_stages {
            write!(formatter, ", {} of them distinct", self.stages)?;
        }
        if self.not_affordable > 0 {
            write!(formatter, "; {} points of the grid cannot be bought", self.not_affordable)?;
        }
        for ShortenedPrompts { shots, test, most_lost } in &self.shortened {
            let (count, kind) = (shots.count, shots.labels.name());
            write!(
                formatter,
                "\n{count} {kind} shots are too long for the model's context before {test} test texts, which lose up to \
                 {most_lost}"
            )?;
        }
        Ok(())
    }
}
