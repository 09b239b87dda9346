//! What a sweep found out, for programs, for the terminal and for a paper.
//!
//! [`Answer`] gathers the runs into means per split of each budget, the best split, and the Pareto frontier; it is
//! what `labelmix sweep --json` prints. [`render`] writes it as text; figures for papers are drawn from it and from an
//! [`Analysis`] of the runs, which knows how sure they are; [`page`](page()) makes one page of HTML of all that to think
//! with. [`write_report`] puts everything into a folder. The same answer gives the same bytes. An [`Overview`] sees several
//! studies together: tasks averaged, models side by side.
//!
//! [`PlanReport`] says what to buy next. [`StudyComparison`] holds methods against each other, [`RunComparison`] two runs,
//! and [`RunReport`] says everything about one run. [`TensorBoardFile`] is for watching while stages train. [`LabelReport`] is about the data alone: how good its weak labels are, and where they fail.

mod analysis;
mod answer;
mod backtest;
mod comparison;
mod details;
mod economics;
mod entries;
mod export;
mod figures;
mod labels;
mod method_comparison;
mod method_comparison_text;
mod notation;
mod overview;
mod own_shares;
mod page;
mod plan;
mod prompted;
mod regimes;
mod report;
mod run_comparison;
mod run_comparison_text;
mod run_report;
mod run_report_text;
mod table;
mod tables;
mod tensorboard;
mod terminal_plot;
mod text_table;
#[cfg(test)]
mod worked_example;

pub use analysis::Analysis;
pub use answer::Answer;
pub use backtest::{
    BacktestReport, BacktestSummary, NotReplayed, RecordedSweep, Regrets, Replay, RuleSummary, render_backtest,
};
pub use comparison::WithinBudget;
pub use details::{Details, RunDetails, TestText};
pub use economics::{Economics, MethodRegimes};
pub use entries::{FrontierEntry, NotAffordableEntry, RunEntry, SplitEntry};
pub use export::write_report;
pub use figures::{
    Columns, FigureFormat, FigureSettings, accuracy_by_weak_fraction, cost_accuracy, cost_accuracy_by_price,
    exchange_rates, isoquants, label_calibration, learning_curves, methods_by_budget, prompt_or_sft, regime_map,
};
pub use labelmix_stats::ComparedStatistic;
pub use labels::{
    AnnotatorFields, Annotators, Contest, ErrorProbe, FieldGroups, GroupOf, LabelGroup, LabelQuality, LabelReport,
    LabelReportError, Replacement, SourceLabels, SourcePair, SplitLabels, render_labels, write_label_report,
};
pub use method_comparison::StudyComparison;
pub use method_comparison_text::render_study_comparison;
pub use notation::count;
pub use overview::{Model, Overview, OverviewError, StudyAnswer, TaskMean};
pub use own_shares::{OwnShares, OwnSharesEntry};
pub use page::{LivePage, live_page, page, page_data, studies_page};
pub use plan::{
    Budget, BudgetStep, EqualAccuracy, MeasuredBasis, MethodPlan, NotPlanned, PlanBasis, PlanError, PlanReport,
    PlanRequest, PlannedPurchase, PurchaseList, render_plan,
};
pub use prompted::{PromptedMethod, TrainedOn};
pub use regimes::RegimeEntry;
pub use report::Report;
pub use run_comparison::{Agreement, ComparedRun, ItemKind, KindAgreement, RunComparison};
pub use run_comparison_text::render_run_comparison;
pub use run_report::{GapRecovered, RunEvaluation, RunReport, WrongExample};
pub use run_report_text::render_run;
pub use table::render;
pub use tensorboard::{TensorBoardFile, read_tensorboard};
pub use text_table::{Colours, Style};
