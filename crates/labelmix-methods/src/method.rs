//! What a method is, and the registry of methods. Adding one touches its own file and the list in `methods.rs`.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use labelmix_econ::{Allocation, LabelKind};
use miette::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::calibration::Calibration;
use crate::choice::GoldTexts;
use crate::draw::{Choice, DrawSource};
use crate::methods::METHODS;
use crate::plan::StagePlan;
use crate::recipe::Recipe;

/// A way to spend labels: a method with its options.
pub trait Method: fmt::Debug + Send + Sync {
    /// Labels that it buys whatever the split of a budget: they are paid first, and what is left is split.
    fn extra(&self) -> Allocation {
        Allocation::default()
    }

    /// Which splits of what is left make sense.
    fn splits(&self) -> UsableSplits {
        UsableSplits::All
    }

    /// The stages, in order, for a split of what is left. Empty if there is nothing to train on, and something has to
    /// be.
    fn stages(&self, split: Allocation) -> Vec<StagePlan>;

    /// The smallest batch that the method can be trained with.
    fn smallest_batch(&self) -> usize {
        1
    }
}

/// A method with what every method can have.
#[derive(Debug)]
struct Adjusted {
    method: Box<dyn Method>,
    calibration: Calibration,
    gold_texts: GoldTexts,
    recipe: Option<Arc<Recipe>>,
}

/// What every method can have.
#[derive(Clone, Debug, Default)]
pub struct Adjustments {
    /// How its log-odds are shifted in the end.
    pub calibration: Calibration,
    /// For which texts it buys gold labels.
    pub gold_texts: GoldTexts,
    /// Hyper-parameters of its own, if it has some.
    pub recipe: Option<Recipe>,
}

impl Method for Adjusted {
    fn extra(&self) -> Allocation {
        self.method.extra()
    }

    fn splits(&self) -> UsableSplits {
        self.method.splits()
    }

    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        let mut stages = self.method.stages(split);
        for stage in &mut stages {
            let draws = match stage {
                StagePlan::Train(training) => {
                    training.recipe.clone_from(&self.recipe);
                    &mut training.draws
                }
                StagePlan::Probe(probe) => &mut probe.draws,
                StagePlan::Ask(_) | StagePlan::Judge(_) | StagePlan::Average { .. } => continue,
            };
            for draw in draws.iter_mut().filter(|_| self.gold_texts == GoldTexts::Coverage) {
                if draw.source == DrawSource::Labels(LabelKind::Gold) && draw.choice == Choice::Front {
                    draw.choice = Choice::Coverage;
                }
            }
        }
        StagePlan::calibrated(stages, self.calibration)
    }

    fn smallest_batch(&self) -> usize {
        self.method.smallest_batch()
    }
}

/// The method with these adjustments.
pub fn adjusted(method: Box<dyn Method>, by: Adjustments) -> Box<dyn Method> {
    let Adjustments { calibration, gold_texts, recipe } = by;
    if calibration == Calibration::None && gold_texts == GoldTexts::Random && recipe.is_none() {
        return method;
    }
    Box::new(Adjusted { method, calibration, gold_texts, recipe: recipe.map(Arc::new) })
}

/// Which splits of a budget a method can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsableSplits {
    All,
    /// It trains on labels of one kind.
    One(LabelKind),
    /// It buys nothing but what it always does.
    Nothing,
}

impl dyn Method {
    /// Whether it chooses the gold labels that it buys among more examples of the gold pool than it buys.
    pub fn chooses_gold(&self) -> bool {
        self.draws_gold(Choice::reads_pool)
    }

    /// Whether the gold labels that it buys are of texts that cover the front of the pool.
    pub fn covers_gold(&self) -> bool {
        self.draws_gold(|choice| *choice == Choice::Coverage)
    }

    fn draws_gold(&self, is_wanted: impl Fn(&Choice) -> bool) -> bool {
        let stages = self.stages(Allocation { n_weak: 1, n_gold: 1 });
        let mut draws = stages.iter().flat_map(StagePlan::draws);
        draws.any(|draw| draw.source == DrawSource::Labels(LabelKind::Gold) && is_wanted(&draw.choice))
    }

    /// Whether its texts stand behind a prompt.
    pub fn is_prompted(&self) -> bool {
        self.has_stage(|stage| stage.prompt().is_some())
    }

    /// Whether it judges the answers that texts end with.
    pub fn judges_answers(&self) -> bool {
        self.has_stage(|stage| matches!(stage, StagePlan::Judge(_)))
    }

    fn has_stage(&self, is_wanted: impl Fn(&StagePlan) -> bool) -> bool {
        self.stages(Allocation { n_weak: 1, n_gold: 1 }).iter().any(is_wanted)
    }
}

/// The configuration of a method: the keys of its table in a study file. It is the method itself.
pub(crate) trait Configuration: Method + Default + Serialize + DeserializeOwned + 'static {
    /// The name in study files and tables.
    const NAME: &'static str;
    /// What it does, in a line.
    const SUMMARY: &'static str;
    /// What it does and what it pays for, in a paragraph.
    const EXPLANATION: &'static str;
    /// Its options, in the order in which they are explained.
    const OPTIONS: &'static [OptionHelp];
    /// An example of study text.
    const EXAMPLE: &'static str;

    /// Whether the options make sense together.
    ///
    /// # Errors
    /// Says which does not, and what would.
    fn check(&self) -> Result<(), OptionError> {
        Ok(())
    }
}

/// An option of a method.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OptionHelp {
    pub name: &'static str,
    /// What it means, and which values it takes.
    pub meaning: &'static str,
}

/// A method that can be configured.
pub struct MethodKind {
    /// The name in study files and tables.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What it does and what it pays for, in a paragraph.
    pub explanation: &'static str,
    pub options: &'static [OptionHelp],
    /// An example of study text.
    pub example: &'static str,
    defaults: fn() -> Table,
    parse: fn(&Table) -> Result<Box<dyn Method>, OptionError>,
}

/// An option that there is not, or that makes no sense.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{reason}")]
#[diagnostic(help("{help}"))]
pub struct OptionError {
    /// What is wrong; an unknown key or value stands between backticks, with the known ones after it.
    pub reason: String,
    /// What to do about it; empty if the reason says it.
    pub help: String,
}

/// Refuses a number of things that makes no sense, or more of them than anybody can pay for.
pub(crate) fn check_count(name: &str, count: usize, sensible: RangeInclusive<usize>) -> Result<(), OptionError> {
    if sensible.contains(&count) {
        return Ok(());
    }
    let (least, most) = sensible.into_inner();
    Err(OptionError { reason: format!("`{name}` = {count}"), help: format!("choose a number from {least} to {most}") })
}

impl MethodKind {
    pub(crate) const fn of<C: Configuration>() -> Self {
        Self {
            name: C::NAME,
            summary: C::SUMMARY,
            explanation: C::EXPLANATION,
            options: C::OPTIONS,
            example: C::EXAMPLE,
            defaults: defaults::<C>,
            parse: parse::<C>,
        }
    }

    /// The options with their default values, as they would stand in a study file.
    pub fn defaults(&self) -> Table {
        (self.defaults)()
    }

    /// The method with the given options; what is not given has its default.
    ///
    /// # Errors
    /// If there is no such option, or its value makes no sense.
    pub fn configure(&self, options: &Table) -> Result<Box<dyn Method>, OptionError> {
        (self.parse)(options)
    }
}

fn defaults<C: Configuration>() -> Table {
    Table::try_from(C::default()).expect("options are numbers, words and tables of them")
}

fn parse<C: Configuration>(options: &Table) -> Result<Box<dyn Method>, OptionError> {
    let of_toml = |error: toml::de::Error| OptionError { reason: error.message().to_owned(), help: String::new() };
    let configuration: C = options.clone().try_into().map_err(of_toml)?;
    configuration.check()?;
    Ok(Box::new(configuration))
}

/// The method of this name.
pub fn method_named(name: &str) -> Option<&'static MethodKind> {
    method_kinds().iter().find(|kind| kind.name == name)
}

/// All methods.
pub fn method_kinds() -> &'static [MethodKind] {
    METHODS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_explained_and_every_example_can_be_used() {
        for kind in method_kinds() {
            let mut explained: Vec<&str> = kind.options.iter().map(|option| option.name).collect();
            explained.sort_unstable();
            let defaults = kind.defaults();
            // Options without a default are not in the table, but must be known.
            for name in defaults.keys() {
                assert!(explained.contains(&name.as_str()), "{}: {name} is not explained", kind.name);
            }
            let unknown = Table::from_iter([("no such option".to_owned(), true.into())]);
            let reason = kind.configure(&unknown).unwrap_err().reason;
            for name in explained {
                assert!(reason.contains(&format!("`{name}`")), "{}: {name} is no option: {reason}", kind.name);
            }
            kind.configure(&defaults).unwrap();
            kind.configure(&Table::new()).unwrap();

            let example: Table = kind.example.parse().unwrap();
            for method in example["methods"].as_array().unwrap() {
                let mut options = method.as_table().unwrap().clone();
                let name = options.remove("name").unwrap();
                let method = options.remove("method").unwrap_or(name);
                assert_eq!(method.as_str(), Some(kind.name));
                kind.configure(&options).unwrap();
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = method_kinds().iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), method_kinds().len());
    }
}
