//! The arguments of `labelmix plan` and `labelmix ingest`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use labelmix_data::{AnnotationFormat, Encoding};
use labelmix_econ::{Allocation, LabelKind};

/// Say what to buy: the best split of a budget, from the runs in the store
///
/// Nothing is trained: the answer comes from the runs that `labelmix sweep` has made with the study. docs/planning.md
/// explains the loop of planning, buying, labelling and planning again.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// The study file (TOML); --backtest can do without
    #[arg(required_unless_present = "backtest")]
    pub(crate) study: Option<PathBuf>,
    /// What may be spent in all, in dollars, what the labels of --have cost included
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    pub(crate) budget: Option<f64>,
    /// What is spent next, in dollars, on top of the labels of --have
    #[arg(long, value_name = "USD", allow_negative_numbers = true, conflicts_with = "budget")]
    pub(crate) next: Option<f64>,
    /// The labels that are bought already, such as weak=300,gold=60, or `data` for all labels of the training data
    #[arg(long, value_name = "LABELS", default_value = "weak=0,gold=0", hide_default_value = true)]
    pub(crate) have: Have,
    /// The accuracy that is aimed at, such as 0.85: what it costs, and whether the budget reaches it
    #[arg(long, value_name = "ACCURACY")]
    pub(crate) target: Option<f64>,
    /// Plan with this method alone [default: the best of the study's methods]
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Other prices than the study's, such as weak=0.05,gold=1 (dollars per label); nothing is computed anew for them
    #[arg(long, value_name = "PRICES")]
    pub(crate) price: Option<PriceList>,
    /// A folder for the texts to label: a list for each kind of labels, chosen as the method chooses them
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How the lists are written: csv, jsonl, label-studio or argilla
    #[arg(long, value_name = "FORMAT", default_value = "csv", requires = "out")]
    pub(crate) format: AnnotationFormat,
    /// Instead of planning, replay the sweeps in this store as if only a cheap pilot had been run: regret, calibration and
    /// rules of thumb. With a study, its runs item by item, at its prices and budgets
    #[arg(long, value_name = "STORE", conflicts_with_all = ["next", "have", "target", "out", "store"])]
    pub(crate) backtest: Option<PathBuf>,
    /// Shares of the budget that pilots of --backtest spend
    #[arg(long, value_name = "SHARE", value_delimiter = ',', default_values_t = [0.1, 0.25, 0.5], requires = "backtest")]
    pub(crate) pilot: Vec<f64>,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Put labels that were collected into the training data: a new file beside the old one
///
/// Reads what came of the lists that `labelmix plan --out` wrote: CSV or JSONL with the columns `labelmix_id` and `label`, what
/// Label Studio exports as JSON (or JSON-MIN), or what Argilla's `records.to_json` writes.
#[derive(Debug, Args)]
pub(crate) struct IngestArguments {
    /// The study file (TOML), whose data is files of texts
    pub(crate) study: PathBuf,
    /// The files of labels
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) labels: Vec<PathBuf>,
    /// How their characters are encoded, where they are not Unicode: windows-1252, for instance
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<Encoding>,
    /// Which kind of labels they are: weak (0, 1, or a probability) or gold (0 or 1)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: LabelKind,
    /// Where to write the training data, in the format that the name says (as for `labelmix predict`): every row as it was, and
    /// the new labels; no file is written over
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Take the labels that are there, where some texts have none yet
    #[arg(long)]
    pub(crate) partial: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

fn kind(name: &str) -> Result<LabelKind, String> {
    [LabelKind::Weak, LabelKind::Gold]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("there are weak and gold labels, not `{name}`"))
}

/// The labels that one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Have {
    /// So many.
    Counts(Allocation),
    /// All that the training data has.
    Data,
}

impl FromStr for Have {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "data" {
            return Ok(Self::Data);
        }
        let [weak, gold] = of_both_kinds::<usize>(text, "a whole number of labels")?;
        Ok(Self::Counts(Allocation { n_weak: weak.unwrap_or(0), n_gold: gold.unwrap_or(0) }))
    }
}

/// Prices of labels, in dollars; those that are not given are the study's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PriceList {
    pub(crate) weak_usd: Option<f64>,
    pub(crate) gold_usd: Option<f64>,
}

impl FromStr for PriceList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let [weak_usd, gold_usd] = of_both_kinds(text, "a number of dollars")?;
        Ok(Self { weak_usd, gold_usd })
    }
}

/// `weak=…,gold=…`, in any order, at least one of them.
fn of_both_kinds<T: FromStr>(text: &str, what: &str) -> Result<[Option<T>; 2], String> {
    let mut values = [None, None];
    for part in text.split(',') {
        let (kind, value) =
            part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form weak=… or gold=…"))?;
        let place = match kind.trim() {
            "weak" => 0,
            "gold" => 1,
            other => return Err(format!("`{other}` is no kind of labels: there are weak and gold")),
        };
        let value = value.trim().parse().map_err(|_| format!("`{}` is not {what}", value.trim()))?;
        if values[place].replace(value).is_some() {
            return Err(format!("{} is given twice", kind.trim()));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_prices_of_both_kinds() {
        let counts = |n_weak, n_gold| Ok(Have::Counts(Allocation { n_weak, n_gold }));
        assert_eq!("weak=300,gold=60".parse(), counts(300, 60));
        assert_eq!("gold=60".parse(), counts(0, 60));
        assert_eq!("data".parse(), Ok(Have::Data));
        assert_eq!("gold=2, weak=0.05".parse(), Ok(PriceList { weak_usd: Some(0.05), gold_usd: Some(2.0) }));
    }

    #[test]
    fn what_is_neither_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Have>().unwrap_err();
        assert_eq!(refused("300"), "`300` is not of the form weak=… or gold=…");
        assert_eq!(refused("weak=-3"), "`-3` is not a whole number of labels");
        assert_eq!(refused("silver=3"), "`silver` is no kind of labels: there are weak and gold");
        assert_eq!(refused("weak=3,weak=4"), "weak is given twice");
    }
}
