//! The store: what came out of sweeps, and what somebody is at.
//!
//! [`Store`] is a folder of plain files. [`Store::study`] reads the finished runs of what a study file asks, without model or data.

mod asked;
mod bought;
mod claims;
mod contents;
mod error;
mod export;
mod failures;
mod features;
mod files;
mod finished;
mod format;
mod garbage;
mod key;
mod labels;
mod ledger_file;
mod manifest;
mod next_texts;
mod plans;
mod prompt_file;
mod record;
mod run_file;
mod run_reader;
mod status;
mod store;
mod test_sets;
mod watcher;

pub use asked::{Asked, as_kept};
pub use bought::{Abstention, Tally, Tokens};
pub use claims::{Claim, Claiming, Holder, SeenClaim, Watch};
pub use contents::{Contents, Item, Kind, Shown, StudyContents};
pub use error::{Result, StoreError};
pub use export::Exported;
pub use failures::FailureRecord;
pub use features::{FEATURES_FILE, FeaturePart, FeatureParts};
pub use files::{read_json, write_json, write_whole};
pub use finished::{FinishedRun, FinishedStudy};
pub use garbage::{Garbage, WhyGarbage};
pub use key::{HashedParts, StageKey};
pub use labels::{KeptLabels, LabelAccuracy, LabelsOutcome, labeler_checkpoint};
pub use manifest::{Damage, Scrutiny, check_folder};
pub use next_texts::{NextTexts, Sampling};
pub use plans::{PlannedRun, PlannedStage, StudyPlan, StudyQuestion, SweptInputs};
pub use prompt_file::{KeptShot, PromptFile, Shortened};
pub use record::RunRecord;
pub use run_file::RunFile;
pub use run_reader::RunReader;
pub use status::{RunningStage, Status};
pub use store::{
    ANSWER_FILE, DoneStage, KeptClassifiers, OPTIMIZER_FILE, PROBE_FILE, StageOutcome, Store, TestLogOdds,
};
pub use test_sets::TestSetKey;
pub use watcher::{StoreWatcher, WatchedStudy};
