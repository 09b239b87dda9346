//! A method inside another: what is trained several times, or teaches.

use labelmix_econ::Allocation;
use toml::Table;

use crate::method::{Method, OptionError, OptionHelp, method_named};
use crate::plan::{StagePlan, TrainPlan};

/// The option that names it.
pub(super) const OF: OptionHelp =
    OptionHelp { name: "of", meaning: "the method that is trained, by its name; in `options` are its own" };
/// The option with its options.
pub(super) const OPTIONS: OptionHelp = OptionHelp { name: "options", meaning: "the options of that method: a table" };

/// The method of this name with these options.
///
/// # Errors
/// If there is none, or its options make no sense.
fn configured(of: &str, options: &Table) -> Result<Box<dyn Method>, OptionError> {
    let kind = method_named(of).ok_or_else(|| OptionError {
        reason: format!("`of` = {of:?}"),
        help: "name one of the methods that `labelmix methods` lists".into(),
    })?;
    kind.configure(options).map_err(|OptionError { reason, help }| OptionError {
        reason: format!("in `options` of {of:?}: {reason}"),
        help: if help.is_empty() { format!("`labelmix methods show {of}` explains them") } else { help },
    })
}

/// The method of this name with these options, which have been checked.
pub(super) fn inner(of: &str, options: &Table) -> Box<dyn Method> {
    configured(of, options).expect("a method inside another is checked before it is used")
}

/// Passes if trainings of the method differ by their seeds alone.
///
/// # Errors
/// If there is no such method, or a second training of it would be no different or would need other labels.
pub(super) fn check_inner(of: &str, options: &Table) -> Result<(), OptionError> {
    let stages = configured(of, options)?.stages(Allocation { n_weak: 8, n_gold: 8 });
    let refuse = |why: &str| Err(OptionError { reason: format!("`of` = {of:?}"), help: why.to_owned() });
    if stages.iter().flat_map(StagePlan::draws).any(|draw| draw.choice.is_by_parent()) {
        return refuse("each training of it would ask for other gold labels: name a method that does not choose them");
    }
    if stages.iter().any(|stage| matches!(stage, StagePlan::Ask(_) | StagePlan::Judge(_))) {
        return refuse("it trains nothing, so every time is the same: name a method that trains");
    }
    if !stages.iter().all(|stage| stage.training().is_some_and(|training| !training.is_taught())) {
        return refuse("it is made of several trainings itself: name a method that is not");
    }
    Ok(())
}

/// The stages of the method inside, each of which trains.
pub(super) fn inner_trainings(of: &str, options: &Table, split: Allocation) -> Vec<TrainPlan> {
    let stages = inner(of, options).stages(split).into_iter();
    stages.filter_map(|stage| if let StagePlan::Train(training) = stage { Some(training) } else { None }).collect()
}

/// A chain of trainings several times, and the places of the last ones.
pub(super) fn repeated(chain: &[TrainPlan], times: usize) -> (Vec<StagePlan>, Vec<usize>) {
    let repeat = |repetition| {
        chain.iter().map(move |stage| StagePlan::Train(stage.repeated(repetition, repetition * chain.len())))
    };
    ((0..times).flat_map(repeat).collect(), (1..=times).map(|repetition| repetition * chain.len() - 1).collect())
}
