//! What the last sweep of a study consists of. The store knows by it which stages somebody wants, even those of runs that
//! are not finished.

use std::fs;

use serde::{Deserialize, Serialize};

use super::Store;
use super::files::{entries, read_json, write_json};
use crate::error::{Error, Result};
use crate::graph::StageGraph;
use crate::key::StageKey;

/// The runs of a study and their stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyPlan {
    /// The study's name.
    pub study: String,
    /// Its runs.
    pub runs: Vec<PlannedRun>,
}

/// A run of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// The run's name.
    pub run: String,
    /// Its stages.
    pub stages: Vec<StageKey>,
}

impl StudyPlan {
    /// The plan of a graph.
    pub(crate) fn of(study: &str, graph: &StageGraph) -> Self {
        let runs = graph.runs().iter().map(|run| PlannedRun {
            run: run.name.clone(),
            stages: run.stages.iter().map(|index| graph.nodes()[*index].key.clone()).collect(),
        });
        Self { study: study.to_owned(), runs: runs.collect() }
    }
}

impl Store {
    /// Keeps a study's plan, in place of an earlier one.
    pub(crate) fn write_plan(&self, plan: &StudyPlan) -> Result<()> {
        let folder = self.root.join("studies");
        fs::create_dir_all(&folder).map_err(Error::store(&folder))?;
        write_json(&folder.join(format!("{}.json", plan.study)), plan)
    }

    /// The plans of all studies, by name.
    pub(super) fn plans(&self) -> Result<Vec<StudyPlan>> {
        let files = entries(&self.root.join("studies"))?;
        let plans = files.iter().filter(|(_, path)| path.extension().is_some_and(|ending| ending == "json"));
        plans.filter_map(|(_, path)| read_json(path).transpose()).collect()
    }
}
