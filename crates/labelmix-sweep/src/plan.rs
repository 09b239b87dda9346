//! What a sweep consists of, written down for whoever reads the store.

use labelmix_store::{
    PlannedRun, PlannedStage, Store, StoreError, StudyPlan, StudyQuestion, SweptInputs, TestSetKey, as_kept,
};

use crate::graph::StageNode;
use crate::sweep::Sweep;
use crate::workload::Workload;

/// Keeps a sweep's plan, in place of an earlier one, and its test set.
pub(crate) fn keep_plan(sweep: &Sweep, store: &Store) -> Result<(), StoreError> {
    let test_set = store.write_test_set(&sweep.data.test)?;
    store.write_plan(&plan_of(sweep, test_set))
}

/// The plan of a sweep whose test set is kept.
fn plan_of(sweep: &Sweep, test_set: TestSetKey) -> StudyPlan {
    let (study, summary) = (sweep.study(), sweep.summary());
    let path = &study.model.path;
    let in_folder = study.folder().join(path);
    let model = if in_folder.is_dir() { std::path::absolute(&in_folder).unwrap_or(in_folder) } else { path.clone() };
    let found = SweptInputs {
        study: as_kept(study),
        supply: sweep.expansion.supply.clone(),
        test_set,
        own_share: summary.data.test.own_shares().map(|(_, share)| share),
        model: model.display().to_string(),
        parameters: summary.parameters,
    };
    let question = StudyQuestion {
        study_file: study.absolute_file(),
        prices: sweep.prices,
        points: sweep.expansion.points.clone(),
        not_affordable: sweep.expansion.not_affordable.clone(),
        weak_label_accuracy: summary.data.train.weak_accuracy,
        labels: summary.labels.as_ref().map(|labels| labels.key.clone()),
        found: Some(Box::new(found)),
    };
    let work = |stage: &StageNode| Workload::of(stage, &study.recipe, sweep.data.test.len()).readings();
    let graph = sweep.graph();
    let runs = graph.runs().iter().map(|run| PlannedRun {
        run: run.name.clone(),
        stages: run.stages.iter().map(|index| graph.nodes()[*index].key.clone()).collect(),
    });
    let stages = graph.nodes().iter().map(|node| PlannedStage {
        key: node.key.clone(),
        stage: node.in_words(),
        needs: node.needs().collect(),
        work: work(node),
    });
    StudyPlan { study: study.name.clone(), runs: runs.collect(), stages: stages.collect(), question: Some(question) }
}
