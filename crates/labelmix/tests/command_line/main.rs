//! The real binary, end to end, on the example that the repository carries.

#![expect(clippy::unwrap_used, reason = "these files are all test, including the functions beside the tests")]

mod bad_input;
mod checkpoints;
mod clock;
mod columns;
mod comparing;
mod datasets;
mod engines;
mod export;
mod hub;
mod import;
mod interruption;
mod label_report;
mod ledger;
mod llm_labels;
mod main_job;
mod max_length;
mod methods;
mod planning;
mod predicting;
mod prompts;
mod proxies;
mod reading;
mod real_tasks;
mod sandbox;
mod serve;
mod served;
mod served_page;
mod several_studies;
mod slurm;
mod status;
mod store;
mod study_file;
mod task_mistakes;
mod task_studies;
mod tasks;
mod tensorboard;
mod weak_labels;
mod workplace;
