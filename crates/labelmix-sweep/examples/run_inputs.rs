//! Writes what a finished run does not keep because its seed implies it, so that another program can do the same stages
//! over again (`bench/peer/`): `run_inputs STORE/runs/STUDY/RUN OUT`.
//!
//! ```text
//! OUT/adapter_model.safetensors   the adapter and head that the first stage started from, in PEFT's layout
//!     adapter_config.json
//!     batches.json                for each stage, for each of its steps: indices into the labels that it trained on, in
//!                                 the order of the ledger
//! ```
//!
//! Later stages start from the adapter that the store keeps of the stage before; labels and their uses are in the run's
//! ledger.

use std::path::{Path, PathBuf};

use labelmix_models::{Classifier, LoadOptions, Model, Pooling};
use labelmix_store::{RunFile, StageOutcome};
use labelmix_train::{BatchOrder, lora_settings};
use serde::de::DeserializeOwned;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(folder), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: run_inputs STORE/runs/STUDY/RUN OUT".into());
    };
    let store = folder.ancestors().nth(3).ok_or("a run lies in STORE/runs/STUDY/RUN")?;
    let run: RunFile = read(&folder.join("run.json"))?;

    let mut batches: Vec<Vec<Vec<usize>>> = Vec::new();
    for key in &run.stages {
        let outcome: StageOutcome = read(&store.join("stages").join(key.to_string()).join("outcome.json"))?;
        let history = outcome.history.ok_or("a stage of this run trained nothing")?;
        let mut order = BatchOrder::new(history.n_train, &outcome.recipe, outcome.seed);
        batches.push((0..history.steps).map(|step| order.of_step(step).to_vec()).collect());
    }

    let pooling = Pooling::ALL.into_iter().find(|pooling| pooling.name() == run.pooling);
    let classifier = Classifier::new(&Model::load(&run.model_path, &LoadOptions::default())?, pooling)?;
    std::fs::create_dir_all(&out)?;
    classifier
        .initial_adapter(lora_settings(&run.recipe), run.record.seed)?
        .save(&out, &run.model_path.to_string_lossy())?;
    std::fs::write(out.join("batches.json"), serde_json::to_vec(&batches)?)?;
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
