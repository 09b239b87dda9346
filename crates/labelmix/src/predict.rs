//! `labelmix predict`: a finished run's classifier on new texts.
//!
//! The input is read twice: first its texts, of which the tokens are kept, so that one which the model cannot read is named before
//! any work is done; then its rows, of which there are never more than a few in memory.

use std::path::Path;

use indicatif::ProgressBar;
use labelmix_data::{
    ExampleId, IfThere, RowText, TableColumns, TableFile, TableRow, TableWriter, TextSource, read_table,
};
use labelmix_methods::{FollowUp, mean_log_odds};
use labelmix_models::{Adapter, Classifier, LanguageModel, Model, TextLimit, Tokenizer};
use labelmix_store::{RunFile, Store};
use labelmix_sweep::{kept_shots, run_adapter, run_classifier, run_load_options, run_tokenizer};
use labelmix_train::{FollowUpTexts, Prompt, PromptEncoder, Shots, ask, log_odds, soft_label};

use crate::arguments::PredictArguments;
use crate::diagnosis::{Failure, Status};
use crate::model::device;
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
                anstream::eprintln!("the input has a column `{name}`: that of the predictions is `{free}`");
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

/// What a run makes of texts.
struct Reader<'a> {
    scorer: Scorer,
    prompt: Option<ReadPrompt<'a>>,
}

/// What stands before texts, or in their place.
struct ReadPrompt<'a> {
    encoder: PromptEncoder<'a>,
    shots: Shots,
    /// The model that answers first, and what is asked on.
    follow_up: Option<(LanguageModel, &'a Tokenizer, FollowUp)>,
}

impl ReadPrompt<'_> {
    fn before(&self, texts: &[String], batch_tokens: usize) -> Result<Vec<Prompt>, Failure> {
        let Self { encoder, shots, follow_up } = self;
        if let Some((model, tokenizer, follow_up)) = follow_up {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let follow_up = FollowUpTexts { model, tokenizer, follow_up, batch_tokens };
            return Ok(follow_up.prompts(encoder, shots, &texts)?);
        }
        let prompt = |text: &String| Ok(shots.before(ExampleId::exact(text), &encoder.cut_query(text)?));
        Ok(texts.iter().map(prompt).collect::<Result<_, labelmix_models::Error>>()?)
    }
}

enum Scorer {
    Classifier(Box<Classifier>, Adapter),
    LanguageModel(LanguageModel),
}

impl<'a> Reader<'a> {
    fn new(run: &RunFile, stage_folder: &Path, model: &Model, tokenizer: &'a Tokenizer) -> Result<Self, Failure> {
        let file = Store::read_prompt(stage_folder)?;
        let scorer = if file.as_ref().is_some_and(|file| file.asks_language_model) {
            Scorer::LanguageModel(LanguageModel::new(model)?)
        } else {
            let classifier = run_classifier(run, model)?;
            let adapter = run_adapter(run, &classifier, stage_folder)?;
            Scorer::Classifier(Box::new(classifier), adapter)
        };
        let prompt = match file {
            None => None,
            Some(file) => {
                let encoder = PromptEncoder::new(file.template.clone(), tokenizer)?;
                let shots = kept_shots(&file, &encoder)?;
                let follow_up = file.follow_up.map(|follow_up| Ok((LanguageModel::new(model)?, tokenizer, follow_up)));
                let follow_up = follow_up.transpose().map_err(|error: labelmix_models::Error| error)?;
                Some(ReadPrompt { encoder, shots, follow_up })
            }
        };
        Ok(Self { scorer, prompt })
    }

    /// The log-odds of texts, whose own tokens are these.
    fn scores(&self, texts: &[String], tokens: &[Vec<u32>], batch_tokens: usize) -> Result<Vec<f32>, Failure> {
        let Some(prompt) = &self.prompt else {
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            return self.classify(&tokens, batch_tokens);
        };
        let prompts = prompt.before(texts, batch_tokens)?;
        if let Scorer::LanguageModel(model) = &self.scorer {
            return Ok(ask(model, &prompts, prompt.encoder.targets(), batch_tokens)?);
        }
        let tokens: Vec<Vec<u32>> = prompts.iter().map(Prompt::token_ids).collect();
        self.classify(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>(), batch_tokens)
    }

    fn classify(&self, tokens: &[&[u32]], batch_tokens: usize) -> Result<Vec<f32>, Failure> {
        match &self.scorer {
            Scorer::Classifier(model, adapter) => Ok(log_odds(model, adapter, tokens, batch_tokens)?),
            Scorer::LanguageModel(_) => unreachable!("a language model is asked behind a prompt"),
        }
    }
}

fn table(arguments: &PredictArguments) -> TableFile<'_> {
    TableFile::new(&arguments.input).in_encoding(arguments.encoding)
}

/// What the first reading of the input found.
struct Input {
    columns: TableColumns,
    /// The token ids of each row's text; `None` for a row without a text.
    tokens: Vec<Option<Vec<u32>>>,
}

fn survey(arguments: &PredictArguments, text: &RowText, tokenizer: &Tokenizer) -> Result<Input, Failure> {
    let limit = if arguments.cut { TextLimit::Cut } else { TextLimit::Refuse };
    let mut input = Input { columns: TableColumns::default(), tokens: Vec::new() };
    read_table(table(arguments), |row| {
        input.columns.observe(&row);
        let text = text.of(&row, &arguments.input)?;
        let tokens = if text.trim().is_empty() {
            None
        } else {
            Some(token_ids(&text, tokenizer, limit, &arguments.input, input.tokens.len() + 1)?)
        };
        input.tokens.push(tokens);
        Ok::<(), Failure>(())
    })?;
    Ok(input)
}

pub(crate) fn run(arguments: &PredictArguments) -> Result<Status, Failure> {
    let (run, stage_folder) = Store::read_run(&arguments.run)?;
    let model = Model::load(&run.model_path, &run_load_options(&run, &device(&arguments.device)?))?;
    let tokenizer = run_tokenizer(&run)?;
    let source = match &arguments.text {
        Some(column) => TextSource::from(column),
        None => run.text.clone().unwrap_or_else(|| TextSource::from("text")),
    };
    // The texts of tasks are known by every byte.
    let id_of = if run.text.is_some() { ExampleId::of } else { ExampleId::exact };
    let text = RowText::new(&source)?;
    let Input { mut columns, tokens } = survey(arguments, &text, &tokenizer)?;
    let readers = Store::classifiers(&stage_folder)?
        .iter()
        .map(|folder| Reader::new(&run, folder, &model, &tokenizer))
        .collect::<Result<Vec<Reader<'_>>, Failure>>()?;
    let added = AddedColumns::to(&mut columns);
    let mut writer = TableWriter::create(&arguments.output, &columns, IfThere::Replace)?;
    let bar: ProgressBar = counting_bar(tokens.len() as u64, "texts");
    let mut predict = |rows: Vec<TableRow>, tokens: Vec<Option<Vec<u32>>>| -> Result<(), Failure> {
        let counted = rows.len() as u64;
        let (mut texts, mut read) = (Vec::new(), Vec::new());
        for (row, tokens) in rows.iter().zip(tokens) {
            if let Some(tokens) = tokens {
                texts.push(text.of(row, &arguments.input)?);
                read.push(tokens);
            }
        }
        let scores = readers.iter().map(|reader| reader.scores(&texts, &read, run.recipe.micro_batch_tokens));
        let scores = mean_log_odds(&scores.collect::<Result<Vec<Vec<f32>>, Failure>>()?);
        let mut predicted = texts.iter().map(|text| id_of(text)).zip(scores);
        for mut row in rows {
            let has_text = !text.of(&row, &arguments.input)?.trim().is_empty();
            added.fill(&mut row, if has_text { predicted.next() } else { None });
            writer.write(row)?;
        }
        bar.inc(counted);
        Ok(())
    };
    let n_rows = tokens.len();
    let n_texts = tokens.iter().flatten().count();
    let (mut rows, mut rest) = (Vec::with_capacity(TEXTS_AT_A_TIME), tokens.into_iter());
    read_table(table(arguments), |row| {
        rows.push(row);
        if rows.len() == TEXTS_AT_A_TIME {
            predict(std::mem::take(&mut rows), rest.by_ref().take(TEXTS_AT_A_TIME).collect())?;
        }
        Ok::<(), Failure>(())
    })?;
    predict(rows, rest.collect())?;
    bar.finish_and_clear();
    writer.finish()?;
    anstream::eprintln!("{n_texts} predictions written to {}", arguments.output.display());
    if n_texts < n_rows {
        anstream::eprintln!("rows without a text, and so without a prediction: {}", n_rows - n_texts);
    }
    Ok(Status::Done)
}
