//! `labelmix predict`: a finished run's classifier on new texts.
//!
//! The input is read twice: first its texts, so that one which the model cannot read is named before any work is done; then its
//! rows, of which there are never more than a few in memory.

use indicatif::ProgressBar;
use labelmix_data::{
    ExampleId, IfThere, RowText, TableColumns, TableFile, TableRow, TableWriter, TextSource, read_table,
};
use labelmix_engine::{ModelEngine, kept_scorer};
use labelmix_methods::mean_log_odds;
use labelmix_models::{TextLimit, Tokenizer};
use labelmix_store::{KeptClassifiers, Store};
use labelmix_study::TooLong;
use labelmix_train::{Interrupt, soft_label};

use crate::arguments::PredictArguments;
use crate::diagnosis::{Failure, Status};
use crate::engine::engine_options;
use crate::progress::counting_bar;
use crate::texts::token_ids;

/// Texts between two movements of the progress bar.
const TEXTS_AT_A_TIME: usize = 256;

/// The columns that are added to the input's, with values like theirs.
struct AddedColumns {
    id: String,
    label: String,
    probability: String,
    log_odds: String,
}

impl AddedColumns {
    /// Adds the columns. Where the input has one of the name, ours is called otherwise, and a line says how.
    fn to(columns: &mut TableColumns) -> Self {
        let mut add = |name: &str, example: &dyn Fn(&mut TableColumns, &str)| {
            let prefixed = if name.starts_with(PREFIX) { name.to_owned() } else { format!("{PREFIX}{name}") };
            let numbered = (2..).map(|number| format!("{prefixed}_{number}"));
            let mut names = [name.to_owned(), prefixed.clone()].into_iter().chain(numbered);
            let free = names.find(|name| !columns.contains(name)).expect("numbers do not end");
            if free != name {
                say!("the input has a column `{name}`: that of the predictions is `{free}`");
            }
            example(columns, &free);
            free
        };
        Self {
            id: add("labelmix_id", &|columns, name| columns.observe_value(name, &"")),
            label: add("label", &|columns, name| columns.observe_value(name, &0)),
            probability: add("probability", &|columns, name| columns.observe_value(name, &0.5)),
            log_odds: add("log_odds", &|columns, name| columns.observe_value(name, &0.5)),
        }
    }

    /// Fills the columns of a row.
    fn fill(&self, row: &mut TableRow, prediction: Option<(ExampleId, f32)>) {
        row.set(&self.id, &prediction.map(|(id, _)| id));
        row.set(&self.label, &prediction.map(|(_, log_odds)| u8::from(log_odds > 0.0)));
        row.set(&self.probability, &prediction.map(|(_, log_odds)| soft_label(log_odds)));
        row.set(&self.log_odds, &prediction.map(|(_, log_odds)| log_odds));
    }
}

/// Stands before the name of a column of ours that the input has, too.
const PREFIX: &str = "labelmix_";

fn table(arguments: &PredictArguments) -> TableFile<'_> {
    TableFile::new(&arguments.input).in_encoding(arguments.encoding)
}

/// What the first reading of the input found.
struct Input {
    columns: TableColumns,
    rows: usize,
    /// Those that have a text.
    texts: usize,
}

fn survey(arguments: &PredictArguments, text: &RowText, tokenizer: &Tokenizer) -> Result<Input, Failure> {
    let limit = if arguments.cut { TextLimit::Cut } else { TextLimit::Refuse };
    let mut input = Input { columns: TableColumns::default(), rows: 0, texts: 0 };
    read_table(table(arguments), |row| {
        input.columns.observe(&row);
        input.rows += 1;
        let text = text.of(&row, &arguments.input)?;
        if !text.trim().is_empty() {
            input.texts += 1;
            token_ids(&text, tokenizer, limit, &arguments.input, input.rows)?;
        }
        Ok::<(), Failure>(())
    })?;
    Ok(input)
}

pub(crate) fn run(arguments: &PredictArguments) -> Result<Status, Failure> {
    let (run, stage_folder) = Store::read_run(&arguments.run)?;
    let too_long = if arguments.cut { TooLong::Cut } else { TooLong::Error };
    let options = engine_options(&run.engine, &arguments.engine)?;
    let engine = ModelEngine::for_run(&run, too_long, &options)?;
    let source = match &arguments.text {
        Some(column) => TextSource::from(column),
        None => run.text.clone().unwrap_or_else(|| TextSource::from("text")),
    };
    // The texts of tasks are known by every byte.
    let id_of = if run.text.is_some() { ExampleId::of } else { ExampleId::exact };
    let text = RowText::new(&source)?;
    let Input { mut columns, rows: n_rows, texts: n_texts } = survey(arguments, &text, engine.tokenizer())?;
    let KeptClassifiers { folders, shift } = Store::classifiers(&stage_folder)?;
    let scorers: Vec<_> = folders.iter().map(|folder| kept_scorer(&engine, folder)).collect::<Result<_, _>>()?;
    let added = AddedColumns::to(&mut columns);
    let mut writer = TableWriter::create(&arguments.output, &columns, IfThere::Replace)?;
    let bar: ProgressBar = counting_bar(n_rows as u64, "texts");
    let mut predict = |rows: Vec<TableRow>| -> Result<(), Failure> {
        let counted = rows.len() as u64;
        let texts = rows.iter().map(|row| text.of(row, &arguments.input)).collect::<Result<Vec<_>, _>>()?;
        let read: Vec<&str> = texts.iter().map(|text| &**text).filter(|text| !text.trim().is_empty()).collect();
        let scores = scorers.iter().map(|scorer| Ok(scorer.score(&read, &Interrupt::default())?.log_odds()));
        let scores = mean_log_odds(&scores.collect::<Result<Vec<Vec<f32>>, Failure>>()?);
        let mut predicted = read.iter().map(|text| id_of(text)).zip(scores.into_iter().map(|score| score + shift));
        let predictions: Vec<_> =
            texts.iter().map(|text| if text.trim().is_empty() { None } else { predicted.next() }).collect();
        drop(predicted);
        for (mut row, prediction) in rows.into_iter().zip(predictions) {
            added.fill(&mut row, prediction);
            writer.write(row)?;
        }
        bar.inc(counted);
        Ok(())
    };
    let mut rows = Vec::with_capacity(TEXTS_AT_A_TIME);
    read_table(table(arguments), |row| {
        rows.push(row);
        if rows.len() == TEXTS_AT_A_TIME {
            predict(std::mem::take(&mut rows))?;
        }
        Ok::<(), Failure>(())
    })?;
    predict(rows)?;
    bar.finish_and_clear();
    writer.finish()?;
    say!("{n_texts} predictions written to {}", arguments.output.display());
    if n_texts < n_rows {
        say!("rows without a text, and so without a prediction: {}", n_rows - n_texts);
    }
    Ok(Status::Done)
}
