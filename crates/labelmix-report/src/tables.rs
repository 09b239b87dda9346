//! The answer as tables for papers and for programs: Markdown, LaTeX and CSV, and all runs as Parquet.

mod latex;
mod markdown;
mod records;
mod sheet;

use crate::Answer;
use crate::notation::{count, dollars, mean_and_deviation, proportion, rising};
pub(crate) use records::{parquet_of_runs, records};
use sheet::{Cell, Sheet};

/// The names and contents of the tables: each as Markdown and LaTeX, and its numbers as CSV.
pub(crate) fn tables(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for sheet in [methods(answer), splits(answer), frontier(answer), regimes(answer)] {
        if sheet.rows.is_empty() {
            continue;
        }
        files.push((format!("{}.md", sheet.name), markdown::table(&sheet).into_bytes()));
        files.push((format!("{}.tex", sheet.name), latex::table(&sheet).into_bytes()));
    }
    files.extend(records(answer));
    files.push(("runs.parquet".to_owned(), parquet_of_runs(&answer.runs)));
    files
}

/// Table 1 (Mallen & Belrose 2024): the best of each method within each budget, with its weak share. Bold where a method is
/// the best and no other equals it as printed.
fn methods(answer: &Answer) -> Sheet {
    let best = &answer.methods_within_budgets;
    let budgets = rising(best.iter().map(|best| best.budget_usd).collect());
    let here = |method: &str, budget: f64| best.iter().find(|best| best.method == method && best.budget_usd == budget);
    let methods: Vec<&str> =
        answer.methods().into_iter().filter(|method| best.iter().any(|b| b.method == *method)).collect();
    let printed =
        |method: &str, budget: f64| here(method, budget).map(|best| (best.accuracy_mean * 1000.0).round() as i64);
    let stands_out = |method: &str, budget: f64| {
        let mut others = methods.iter().filter(|other| **other != method);
        methods.len() > 1 && others.all(|other| printed(other, budget) < printed(method, budget))
    };
    let row = |method: &&str| -> Vec<Cell> {
        let cells = budgets.iter().map(|&budget| {
            here(method, budget).map_or(Cell::plain("–"), |best| {
                let share = best.n_weak as f64 / (best.n_weak + best.n_gold).max(1) as f64;
                Cell {
                    text: mean_and_deviation(best.accuracy_mean, best.accuracy_sd),
                    note: Some(format!("{:.0}%", 100.0 * share)),
                    bold: stands_out(method, budget),
                }
            })
        });
        [Cell::plain(method)].into_iter().chain(cells).collect()
    };
    Sheet {
        name: "methods",
        caption: format!(
            "{}: the best accuracy of any split within each budget (mean and standard deviation over seeds, in \
             parentheses the share of weak labels among those bought). Bold: the best, and not tied.",
            answer.study
        ),
        header: ["method".to_owned()].into_iter().chain(budgets.iter().map(|budget| dollars(*budget))).collect(),
        text_columns: 1,
        rows: methods.iter().map(row).collect(),
    }
}

/// Accuracy by method, budget and weak spending fraction, the best of each budget bold.
fn splits(answer: &Answer) -> Sheet {
    let fractions = rising(answer.budgets.iter().map(|split| split.weak_fraction).collect());
    let mut rows = Vec::new();
    for method in answer.methods() {
        for budget in rising(answer.splits_of(method).map(|split| split.budget_usd).collect()) {
            let cells = fractions.iter().map(|&fraction| {
                let here = |split: &&crate::SplitEntry| (split.budget_usd, split.weak_fraction) == (budget, fraction);
                answer.splits_of(method).find(here).map_or(Cell::plain("–"), |split| Cell {
                    text: mean_and_deviation(split.accuracy_mean, split.accuracy_sd),
                    note: None,
                    bold: split.best,
                })
            });
            rows.push([Cell::plain(method), Cell::plain(&dollars(budget))].into_iter().chain(cells).collect());
        }
    }
    Sheet {
        name: "splits",
        caption: format!(
            "{}: accuracy by budget and by the share of it that is spent on weak labels (mean and standard deviation \
             over seeds). Bold: the best split of the budget.",
            answer.study
        ),
        header: ["method", "budget"]
            .map(str::to_owned)
            .into_iter()
            .chain(fractions.iter().map(f64::to_string))
            .collect(),
        text_columns: 1,
        rows,
    }
}

fn frontier(answer: &Answer) -> Sheet {
    let row = |point: &crate::FrontierEntry| {
        let cells = [
            point.method.clone(),
            dollars(point.cost_usd),
            proportion(point.accuracy),
            count(point.n_weak),
            count(point.n_gold),
        ];
        cells.iter().map(|text| Cell::plain(text)).collect()
    };
    Sheet {
        name: "frontier",
        caption: format!("{}: the Pareto frontier of cost and accuracy.", answer.study),
        header: ["method", "cost", "accuracy", "weak labels", "gold labels"].map(str::to_owned).to_vec(),
        text_columns: 1,
        rows: answer.frontier.iter().map(row).collect(),
    }
}

/// The probabilities of the regimes, those that pass the verdict's bold.
fn regimes(answer: &Answer) -> Sheet {
    let row = |entry: &crate::RegimeEntry| {
        let probability = |regime| Cell {
            text: format!("{:.2}", entry.answer.probabilities.of(regime)),
            note: None,
            bold: entry.answer.verdict == Some(regime),
        };
        let names = [Cell::plain(&entry.method), Cell::plain(&dollars(entry.answer.budget_usd))];
        names.into_iter().chain(labelmix_econ::Regime::ALL.map(probability)).collect()
    };
    Sheet {
        name: "regimes",
        caption: format!(
            "{}: the probability that a budget is best spent in each way (paired bootstrap over seeds and test items). \
             Bold: the verdict, from .9 on.",
            answer.study
        ),
        header: ["method", "budget", "all weak", "mixed", "all gold"].map(str::to_owned).to_vec(),
        text_columns: 1,
        rows: answer.regimes.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{answer, measured};

    #[test]
    fn table_1_in_markdown() {
        insta::assert_snapshot!(markdown::table(&methods(&answer())), @r#"
        | method | $4.50 | $64 |
        | --- | ---: | ---: |
        | seq-sft | **.648 ± .010** (100%) | **.714 ± .010** (77%) |
        | few-shot | .638 (100%) | .704 (77%) |

        reviews: the best accuracy of any split within each budget (mean and standard deviation over seeds, in parentheses the share of weak labels among those bought). Bold: the best, and not tied.
        "#);
    }

    #[test]
    fn a_tie_as_printed_is_not_bold() {
        let mut answer = answer();
        for best in &mut answer.methods_within_budgets {
            best.accuracy_mean = if best.method == "seq-sft" { 0.70049 } else { 0.70051 };
        }
        assert!(methods(&answer).rows.iter().flatten().any(|cell| cell.bold), ".700 and .701 differ");
        for best in &mut answer.methods_within_budgets {
            best.accuracy_mean = if best.method == "seq-sft" { 0.70049 } else { 0.69951 };
        }
        assert!(!methods(&answer).rows.iter().flatten().any(|cell| cell.bold), "both are .700");
    }

    #[test]
    fn the_splits_in_latex() {
        insta::assert_snapshot!(latex::table(&splits(&answer())), @r#"
        % needs \usepackage{booktabs}
        \begin{table}
          \centering
          \caption{reviews: accuracy by budget and by the share of it that is spent on weak labels (mean and standard deviation over seeds). Bold: the best split of the budget.}
          \label{tab:splits}
          \begin{tabular}{lrrrr}
          \toprule
          method & budget & 0 & 0.25 & 1 \\
          \midrule
          seq-sft & \$4.50 & .529 $\pm$ .010 & .599 $\pm$ .010 & \textbf{.648 $\pm$ .010} \\
          seq-sft & \$64 & .665 $\pm$ .010 & \textbf{.714 $\pm$ .010} & .704 $\pm$ .010 \\
          few-shot & \$4.50 & .519 & .589 & \textbf{.638} \\
          few-shot & \$64 & .655 & \textbf{.704} & .694 \\
          \bottomrule
          \end{tabular}
        \end{table}
        "#);
    }

    #[test]
    fn regimes_with_the_verdict_bold() {
        insta::assert_snapshot!(markdown::table(&regimes(&answer().with_regimes(measured()))), @r#"
        | method | budget | all weak | mixed | all gold |
        | --- | ---: | ---: | ---: | ---: |
        | seq-sft | $4.50 | **1.00** | 0.00 | 0.00 |
        | seq-sft | $64 | 0.00 | **1.00** | 0.00 |
        | few-shot | $4.50 | 0.86 | 0.14 | 0.00 |
        | few-shot | $64 | 0.27 | 0.64 | 0.09 |

        reviews: the probability that a budget is best spent in each way (paired bootstrap over seeds and test items). Bold: the verdict, from .9 on.
        "#);
    }

    /// Needs a TeX with booktabs; without one there is nothing to test.
    #[test]
    fn latex_compiles() {
        let folder = tempfile::tempdir().unwrap();
        if std::process::Command::new("pdflatex").arg("--version").output().is_err() {
            eprintln!("skipped: there is no pdflatex here");
            return;
        }
        let mut answer = answer().with_regimes(measured());
        answer.study = "50% & more_of #1 {a} ~b ^c \\d <e> $f".to_owned();
        let tables: String = tables(&answer)
            .into_iter()
            .filter(|(name, _)| std::path::Path::new(name).extension().is_some_and(|ending| ending == "tex"))
            .map(|(_, content)| String::from_utf8(content).unwrap())
            .collect();
        let document = format!(
            "\\documentclass{{article}}\\usepackage[utf8]{{inputenc}}\\usepackage[T1]{{fontenc}}\\usepackage{{booktabs}}\n\\begin{{document}}\n{tables}\\end{{document}}\n"
        );
        std::fs::write(folder.path().join("tables.tex"), document).unwrap();
        let output = std::process::Command::new("pdflatex")
            .args(["-interaction=nonstopmode", "-halt-on-error", "tables.tex"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(folder.path().join("tables.pdf").exists());
    }
}
