//! What the last sweep of a study consists of. The store knows by it which stages somebody wants, even those of runs that
//! are not finished; and whoever looks at the store knows what was asked, without the study's data and model.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_econ::Prices;
use serde::{Deserialize, Serialize};

use super::Store;
use super::files::{entries, read_json, write_json};
use crate::error::{Error, Result};
use crate::graph::{StageGraph, StageNode};
use crate::key::StageKey;
use crate::record::{GridPoint, NotAffordable};
use crate::sweep::Sweep;
use crate::weak_labels::LabelsKey;
use crate::workload::Workload;

/// The runs of a study, their stages, and the question that they answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyPlan {
    /// The study's name.
    pub study: String,
    /// Its runs.
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
    /// Its stages.
    pub stages: Vec<StageKey>,
}

/// A stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStage {
    /// Its key.
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
    pub labels: Option<LabelsKey>,
}

impl StudyPlan {
    /// The plan of a sweep.
    pub(crate) fn of(sweep: &Sweep) -> Self {
        let (study, summary) = (sweep.study(), sweep.summary());
        let question = StudyQuestion {
            study_file: study.absolute_file(),
            prices: *sweep.prices(),
            points: sweep.points().to_vec(),
            not_affordable: sweep.not_affordable().to_vec(),
            weak_label_accuracy: summary.data.train.weak_accuracy,
            labels: summary.labels.as_ref().map(|labels| labels.key.clone()),
        };
        let work = |stage: &StageNode| Workload::of(stage, &study.recipe, sweep.test().len());
        Self { question: Some(question), ..Self::of_graph(&study.name, sweep.graph(), work) }
    }

    /// The plan of a graph whose stages are so much work, without the question.
    pub(crate) fn of_graph(study: &str, graph: &StageGraph, work: impl Fn(&StageNode) -> Workload) -> Self {
        let runs = graph.runs().iter().map(|run| PlannedRun {
            run: run.name.clone(),
            stages: run.stages.iter().map(|index| graph.nodes()[*index].key.clone()).collect(),
        });
        let stages = graph.nodes().iter().map(|node| PlannedStage {
            key: node.key.clone(),
            stage: node.in_words(),
            needs: node.needs().collect(),
            work: work(node).readings(),
        });
        Self { study: study.to_owned(), runs: runs.collect(), stages: stages.collect(), question: None }
    }

    /// The plan with its stages, even if it is from before they were kept: then nothing is known of them but their keys.
    #[must_use]
    pub(crate) fn with_stages(mut self) -> Self {
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
    pub(crate) fn write_plan(&self, plan: &StudyPlan) -> Result<()> {
        let folder = self.plans_folder();
        fs::create_dir_all(&folder).map_err(Error::store(&folder))?;
        write_json(&folder.join(format!("{}.json", plan.study)), plan)
    }

    fn plans_folder(&self) -> PathBuf {
        self.root.join("studies")
    }

    /// The files of the plans of all studies.
    pub(crate) fn plan_files(&self) -> Result<Vec<PathBuf>> {
        let files = entries(&self.plans_folder())?.into_iter().map(|(_, path)| path);
        Ok(files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect())
    }

    /// A plan; `None` if there is no such file.
    pub(crate) fn read_plan(path: &Path) -> Result<Option<StudyPlan>> {
        read_json(path)
    }

    /// The plans of all studies, by name.
    pub(super) fn plans(&self) -> Result<Vec<StudyPlan>> {
        self.plan_files()?.iter().filter_map(|path| read_json(path).transpose()).collect()
    }
}
