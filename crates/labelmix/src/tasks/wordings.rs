//! What the wordings of a task are worth to a language model.

use std::fmt;
use std::path::Path;

use comfy_table::{CellAlignment, Table};
use labelmix_data::{Example, PromptTemplate, TaskCheck, TaskDefinition};
use labelmix_engine::{AnswersTrial, AskedTexts, WordingTrial, in_chat, try_answers, try_wordings};
use labelmix_methods::AnswerScore;
use labelmix_models::{LoadOptions, Model, Tokenizer};
use labelmix_report::count;
use labelmix_train::{Backend, NativeBackend};
use miette::Diagnostic;
use serde::Serialize;

use super::RULED;
use crate::arguments::TaskCheckArguments;
use crate::diagnosis::Failure;
use crate::progress::counting_bar;

/// The wordings, tried.
#[derive(Serialize)]
pub(super) struct TriedWordings {
    /// Texts that were asked about.
    texts: usize,
    wordings: Vec<WordingTrial>,
    /// The answers that the texts end with, judged.
    answers: Vec<AnswersTrial>,
}

/// A task that cannot be tried.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NothingToTry {
    #[error("the task has no wordings")]
    #[diagnostic(help("add a table [[prompts]] with `before_target` and `targets` to its file"))]
    NoWordings,
    #[error("there are {there} training texts of class {class}, and {wanted} are asked for")]
    #[diagnostic(help("give fewer --texts and --shots"))]
    TooFewTexts { there: usize, class: u8, wanted: usize },
}

impl TriedWordings {
    pub(super) fn tried(
        arguments: &TaskCheckArguments,
        check: &TaskCheck,
        task: &TaskDefinition,
        tokenizer: &Tokenizer,
        folder: &Path,
    ) -> Result<Self, Failure> {
        if task.prompts.is_empty() {
            return Err(NothingToTry::NoWordings.into());
        }
        let through_chat = |prompt: &PromptTemplate| {
            if arguments.chat { in_chat(prompt.clone(), tokenizer) } else { Ok(prompt.clone()) }
        };
        let prompts = task.prompts.iter().map(through_chat).collect::<Result<Vec<PromptTemplate>, _>>()?;
        let [shots, texts] = [arguments.shots, arguments.texts].map(|number| number.div_ceil(2) as usize);
        // In turn, so that a prompt does not end with examples of one class.
        let of_class = |class: bool| {
            let of_class = |example: &&Example| example.gold == Some(class);
            let found: Vec<&Example> = check.dataset.train.iter().filter(of_class).take(shots + texts).collect();
            if found.len() < shots + texts {
                let (there, class, wanted) = (found.len(), u8::from(class), shots + texts);
                return Err(NothingToTry::TooFewTexts { there, class, wanted });
            }
            Ok(found)
        };
        let (zeros, ones) = (of_class(false)?, of_class(true)?);
        let pairs: Vec<(&str, bool)> =
            zeros.iter().zip(&ones).flat_map(|(zero, one)| [(&*zero.text, false), (&*one.text, true)]).collect();
        let (shots, texts) = pairs.split_at(2 * shots);
        let model = NativeBackend::new(&Model::load(folder, &LoadOptions::default())?, None)?;
        model.check_language_model()?;
        let rounds = if shots.is_empty() { 1 } else { 2 };
        let judged = if task.before_answer().is_some() { 2 } else { 0 };
        let bar = counting_bar(((prompts.len() * rounds + judged) * texts.len()) as u64, "texts asked about");
        let wordings = try_wordings(&model, tokenizer, &prompts, shots, texts, |asked| bar.inc(asked as u64))?;
        let answers = match task.before_answer() {
            Some(before) => try_answers(&model, tokenizer, before, texts, |judged| bar.inc(judged as u64))?,
            None => Vec::new(),
        };
        bar.finish_and_clear();
        Ok(Self { texts: texts.len(), wordings, answers })
    }
}

fn decimals(auroc: Option<f64>) -> String {
    auroc.map_or_else(String::new, |auroc| format!("{auroc:.3}"))
}

impl fmt::Display for TriedWordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(RULED).set_header(["wording", "shots", "AUROC", "accuracy", "calibrated"]);
        for trial in &self.wordings {
            for AskedTexts { shots, auroc, accuracy, calibrated_accuracy } in &trial.trials {
                let [accuracy, calibrated] = [accuracy, calibrated_accuracy].map(|share| format!("{share:.3}"));
                table.add_row([trial.wording.to_string(), shots.to_string(), decimals(*auroc), accuracy, calibrated]);
            }
        }
        for AnswersTrial { score, auroc, calibrated_accuracy } in &self.answers {
            let name = match score {
                AnswerScore::Likelihood => "answer's likelihood",
                AnswerScore::LikelihoodGain => "answer's likelihood gain",
            };
            let calibrated = format!("{calibrated_accuracy:.3}");
            table.add_row([name.to_owned(), "0".to_owned(), decimals(*auroc), String::new(), calibrated]);
        }
        for column in table.column_iter_mut() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "asked about {} training texts, half of each class, nothing trained", count(self.texts))?;
        writeln!(f, "{}\n(whoever chooses by this has used their labels)", table.trim_fmt())?;
        for WordingTrial { wording, asked, targets, .. } in &self.wordings {
            let of_targets = targets.each_ref().map(|target| format!("{target:?}"));
            writeln!(f, "wording {wording}: {asked:?}, then {} or {}", of_targets[0], of_targets[1])?;
            for target in targets.iter().filter(|target| target.len() > 1) {
                writeln!(f, "  {target:?} is {} tokens: the first alone is compared", target.len())?;
            }
        }
        Ok(())
    }
}
