//! What the last sweep of a study consists of. The store knows by it which stages somebody wants, even those of runs that
//! are not finished; and whoever looks at the store knows what was asked, without the study's data and model.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_econ::Prices;
use labelmix_study::{GridPoint, NotAffordable, Supply};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{entries, read_record, write_record};
use crate::key::StageKey;
use crate::store::Store;
use crate::test_sets::TestSetKey;

/// The runs of a study, their stages, and the question that they answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyPlan {
    /// The study's name.
    pub study: String,
    pub runs: Vec<PlannedRun>,
    /// Its distinct stages, what they need before them; none in plans from before this was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<PlannedStage>,
    /// What is asked; none in plans from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<StudyQuestion>,
}

/// A run of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// The run's name.
    pub run: String,
    pub stages: Vec<StageKey>,
}

/// A stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStage {
    pub key: StageKey,
    /// What it does, in words.
    pub stage: String,
    /// The stages that have to be done before it, by their places in the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<usize>,
    /// Its expected work, in texts that are read.
    pub work: f64,
}

/// What a sweep asks, as its study file said it then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyQuestion {
    /// The study's file, if it was read from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_file: Option<PathBuf>,
    /// What labels cost.
    pub prices: Prices,
    /// The points of the grid that can be bought.
    pub points: Vec<GridPoint>,
    /// Those that cannot.
    pub not_affordable: Vec<NotAffordable>,
    /// The share of weak labels that are right, where it is known.
    pub weak_label_accuracy: Option<f64>,
    /// The weak labels of the store that are for sale, if a labeler made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<StageKey>,
    /// What the sweep found; none in plans from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Box<SweptInputs>>,
}

/// What a sweep found where its study file led: with it, results are read without data and model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweptInputs {
    /// The study, with its defaults.
    pub study: serde_json::Value,
    /// What is for sale.
    pub supply: Supply,
    pub test_set: TestSetKey,
    /// The share of class 1 in the test file, where balancing changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_share: Option<f64>,
    /// The model's folder, or its name if it is of the Hub.
    pub model: String,
    /// The model's parameters.
    pub parameters: usize,
}

impl StudyPlan {
    /// The plan with its stages, even if it is from before they were kept: then nothing is known of them but their keys.
    fn with_stages(mut self) -> Self {
        if self.stages.is_empty() {
            let mut seen = HashSet::new();
            let keys = self.runs.iter().flat_map(|run| &run.stages).filter(|key| seen.insert(*key));
            self.stages = keys
                .map(|key| PlannedStage { key: key.clone(), stage: key.to_string(), needs: Vec::new(), work: 1.0 })
                .collect();
        }
        self
    }
}

impl Store {
    /// Keeps a study's plan, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_plan(&self, plan: &StudyPlan) -> Result<()> {
        let folder = self.plans_folder();
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        write_record(&self.plan_file(&plan.study), plan)
    }

    pub(crate) fn plan_file(&self, study: &str) -> PathBuf {
        self.plans_folder().join(format!("{study}.json"))
    }

    /// The plan of a study's last sweep; `None` if there was none.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn plan(&self, study: &str) -> Result<Option<StudyPlan>> {
        Self::read_plan(&self.plan_file(study))
    }

    pub(crate) fn plans_folder(&self) -> PathBuf {
        self.root.join("studies")
    }

    /// The files of the plans of all studies.
    pub(crate) fn plan_files(&self) -> Result<Vec<PathBuf>> {
        let files = entries(&self.plans_folder())?.into_iter().map(|(_, path)| path);
        Ok(files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect())
    }

    /// A plan; `None` if there is no such file.
    pub(crate) fn read_plan(path: &Path) -> Result<Option<StudyPlan>> {
        let Some(plan) = read_record::<StudyPlan>(path)? else { return Ok(None) };
        if path.file_stem() != Some(plan.study.as_ref()) {
            let reason = format!("it is the plan of the study {:?}", plan.study);
            return Err(StoreError::Damaged { path: path.to_owned(), reason });
        }
        Ok(Some(plan.with_stages()))
    }

    /// The plans of all studies, by name.
    pub(crate) fn plans(&self) -> Result<Vec<StudyPlan>> {
        self.plan_files()?.iter().filter_map(|path| Self::read_plan(path).transpose()).collect()
    }
}
