//! What a study file asks of a store: of its points and runs, those that its last sweep knows.

use std::collections::{HashMap, HashSet};

use labelmix_study::{Study, distinct, runs_of};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::plans::{PlannedRun, PlannedStage, StudyPlan, StudyQuestion};
use crate::store::Store;

/// What a study file asks, as far as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The plan of the last sweep, without the runs that are not asked for.
    pub plan: StudyPlan,
    /// What is asked: at the study's prices, for its budgets.
    pub question: StudyQuestion,
    /// Runs that are asked for and that no sweep has planned.
    pub not_swept: usize,
    /// The tables of the study file that are not what was swept.
    pub changed: Vec<&'static str>,
}

/// The tables of a study file by which its runs are others, but for the methods'.
const TABLES: [&str; 5] = ["task", "model", "labeler", "prompt", "recipe"];

/// A study as it is kept in plans.
pub fn as_kept(study: &Study) -> Value {
    // By way of text: what is read from a file later has numbers that were text too.
    let text = serde_json::to_string(study).expect("texts, numbers and tables of them become JSON");
    let mut kept: Value = serde_json::from_str(&text).expect("it was written a moment ago");
    // What the words mean, in a wording of the task or the study's own, as plans had it before there were wordings.
    let written = std::mem::take(&mut kept["prompt"]);
    kept["prompt"] = serde_json::to_value(study.prompt_template()).expect("texts become JSON");
    for key in ["chat", "before_answer"] {
        if let Some(value) = written.get(key) {
            kept["prompt"][key] = value.clone();
        }
    }
    kept
}

/// A method's table in a study as it is kept.
fn method_of<'a>(study: &'a Value, name: &str) -> Option<&'a Value> {
    study["methods"].as_array()?.iter().find(|method| method["name"] == name)
}

impl Store {
    /// What a study file asks, as far as its last sweep knows it: nothing is read but the plan of that.
    ///
    /// # Errors
    /// If the study has not been swept, its plan is damaged, or no point of its grid can be bought.
    pub fn asked(&self, study: &Study) -> Result<Asked> {
        self.is_marked()?;
        let not_swept = || StoreError::NotSwept { study: study.name.clone(), path: self.root().to_owned() };
        self.plan(&study.name)?.ok_or_else(not_swept)?.asked_by(study)?.ok_or_else(not_swept)
    }
}

impl StudyPlan {
    /// `None` where the plan is from before plans said what is asked. One from before they said what the sweep found stands
    /// for what the study asks, but for the prices.
    fn asked_by(mut self, study: &Study) -> Result<Option<Asked>> {
        let Some(swept) = self.question.take() else { return Ok(None) };
        let prices = study.prices();
        let mut question = StudyQuestion { study_file: study.absolute_file(), prices, ..swept };
        let Some(found) = &question.found else {
            return Ok(Some(Asked { plan: self, question, not_swept: 0, changed: Vec::new() }));
        };
        let methods = study.configured_methods();
        let (points, not_affordable) = found.supply.points(study, &prices, &methods)?;
        let now = as_kept(study);
        let mut changed: Vec<&str> = TABLES.into_iter().filter(|table| now[*table] != found.study[*table]).collect();
        let swept_alike: HashSet<&str> = methods
            .iter()
            .map(|method| method.name.as_str())
            .filter(|name| changed.is_empty() && method_of(&now, name) == method_of(&found.study, name))
            .collect();
        let wanted = runs_of(&methods, &points, &distinct(&study.grid.seeds));
        let planned: HashMap<&str, &PlannedRun> = self.runs.iter().map(|run| (run.run.as_str(), run)).collect();
        let swept = wanted.iter().filter(|run| swept_alike.contains(run.method.name.as_str()));
        let runs: Vec<PlannedRun> =
            swept.filter_map(|run| planned.get(run.name().as_str()).copied().cloned()).collect();
        let not_swept = wanted.len() - runs.len();
        if methods.iter().any(|method| method_of(&now, &method.name) != method_of(&found.study, &method.name)) {
            changed.push("methods");
        }
        question.points = points;
        question.not_affordable = not_affordable;
        Ok(Some(Asked { plan: self.with_runs(runs), question, not_swept, changed }))
    }

    /// The plan with these of its runs alone, and their stages.
    fn with_runs(self, runs: Vec<PlannedRun>) -> Self {
        let wanted: HashSet<_> = runs.iter().flat_map(|run| run.stages.iter().cloned()).collect();
        let mut places = HashMap::new();
        let mut stages: Vec<PlannedStage> = Vec::new();
        for (place, mut stage) in self.stages.into_iter().enumerate() {
            if wanted.contains(&stage.key) {
                stage.needs = stage.needs.iter().filter_map(|needed| places.get(needed).copied()).collect();
                places.insert(place, stages.len());
                stages.push(stage);
            }
        }
        Self { runs, stages, ..self }
    }
}
