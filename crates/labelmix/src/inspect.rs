//! `labelmix inspect`: what a checkpoint is, and what it makes of texts.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write;
use std::path::Path;

use labelmix_data::read_texts;
use labelmix_engine::weight_precision;
use labelmix_files::WriteError;
use labelmix_methods::Recipe;
use labelmix_models::{
    ByteSize, LanguageModel, LoadOptions, MemoryPlan, MemoryRequest, Model, ModelShape, ShapeSummary, TextLimit,
    TokenBatch, Tokenizer, write_streamed,
};
use labelmix_report::count;
use safetensors::Dtype;
use safetensors::tensor::View;
use serde::Serialize;

use crate::arguments::InspectArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::model::{Parts, checkpoint, precision};
use crate::progress::counting_bar;
use crate::texts::tokenize;

/// How many of the likeliest next tokens are shown.
const SHOWN_TOKENS: usize = 5;
/// How many characters of a text are shown.
const SHOWN_CHARACTERS: usize = 60;

/// Everything that is printed.
#[derive(Serialize)]
struct Inspection {
    model: ShapeSummary,
    tokenizer: TokenizerSummary,
    /// In bytes, for LoRA with the default recipe.
    memory: MemorySummary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<InspectedText>,
}

#[derive(Serialize)]
struct TokenizerSummary {
    kind: &'static str,
    vocabulary: usize,
    /// What other files change about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize)]
struct MemorySummary {
    weights: u64,
    per_run: u64,
    peak: u64,
}

#[derive(Serialize)]
struct InspectedText {
    text: String,
    token_ids: Vec<u32>,
    tokens: Vec<String>,
    /// The likeliest next tokens, of a decoder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<NextToken>,
}

#[derive(Serialize)]
struct NextToken {
    id: u32,
    token: String,
    probability: f64,
    logit: f32,
}

pub(crate) fn run(arguments: &InspectArguments) -> Result<Status, Failure> {
    let weights = precision(&arguments.weights)?;
    let options = LoadOptions { precision: weight_precision(weights), ..LoadOptions::default() };
    let folder = checkpoint(Path::new(&arguments.model), Path::new(""), Parts::All)?;
    let shape = ModelShape::read_whole(&folder)?;
    let tokenizer = Tokenizer::load(&folder)?;
    let recipe = Recipe::default();
    let plan = shape.memory(&MemoryRequest {
        tokens: recipe.micro_batch_tokens,
        lora_rank: recipe.lora_rank,
        precision: options.precision,
        activation_checkpointing: false,
    });
    let mut inspection = Inspection {
        model: shape.summary(),
        tokenizer: TokenizerSummary {
            kind: tokenizer.kind(),
            vocabulary: tokenizer.vocabulary(),
            notes: tokenizer.notes().to_vec(),
        },
        memory: MemorySummary { weights: plan.weights, per_run: plan.per_run(), peak: plan.peak(1) },
        texts: Vec::new(),
    };
    if let Some(file) = &arguments.texts {
        let texts = read_texts(file, "text")?;
        let token_ids = tokenize(&texts, &tokenizer, TextLimit::Refuse, file)?;
        let model = Model::load(&folder, &options)?;
        let reader = Reader::new(model)?;
        let bar = counting_bar(texts.len() as u64, "texts");
        for (text, token_ids) in texts.into_iter().zip(token_ids) {
            let next = reader.next_tokens(&token_ids, &tokenizer)?;
            let tokens = token_ids.iter().map(|id| tokenizer.token(*id).unwrap_or_default()).collect();
            inspection.texts.push(InspectedText { text, token_ids, tokens, next });
            bar.inc(1);
        }
        bar.finish_and_clear();
        if let Some(out) = &arguments.logits {
            write_logits(out, &reader, &inspection.texts)?;
            say!("written to {}", out.display());
        }
    }
    if arguments.json {
        print_json(&inspection)?;
    } else {
        print_data(&describe(&inspection, &plan))?;
    }
    Ok(Status::Done)
}

/// A model that reads texts: with its language-modelling head if it has one.
enum Reader {
    Decoder(LanguageModel),
    Encoder(Model),
}

impl Reader {
    fn new(model: Model) -> Result<Self, labelmix_models::Error> {
        Ok(if model.is_decoder() { Self::Decoder(LanguageModel::new(&model)?) } else { Self::Encoder(model) })
    }

    /// What is written for each text, and its columns.
    fn output(&self) -> (&'static str, usize) {
        match self {
            Self::Decoder(decoder) => ("logits", decoder.model().vocabulary()),
            Self::Encoder(encoder) => ("hidden", encoder.hidden_size()),
        }
    }

    /// The logits of every token, or its hidden state.
    fn read(&self, token_ids: &[u32]) -> Result<Vec<f32>, labelmix_models::Error> {
        let batch = TokenBatch::new([token_ids]);
        let output = match self {
            Self::Decoder(decoder) => decoder.logits(&batch, None)?,
            Self::Encoder(encoder) => encoder.hidden_states(&batch)?,
        };
        Ok(output.to_vec()?)
    }

    /// The likeliest next tokens after a text; none for an encoder.
    fn next_tokens(&self, token_ids: &[u32], tokenizer: &Tokenizer) -> Result<Vec<NextToken>, labelmix_models::Error> {
        let Self::Decoder(decoder) = self else { return Ok(Vec::new()) };
        let logits = decoder.last_logits(&TokenBatch::new([token_ids]), None)?.to_vec()?;
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
        ids.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
        Ok(ids
            .into_iter()
            .take(SHOWN_TOKENS)
            .map(|id| {
                let logit = logits[id as usize];
                let token = tokenizer.token(id).unwrap_or_default();
                NextToken { id, token, probability: f64::from(logit - largest).exp() / total, logit }
            })
            .collect())
    }
}

/// A tensor that is computed when it is written, so that one text's is in memory at a time.
struct Computed<'a> {
    kind: Kind<'a>,
    shape: Vec<usize>,
    failure: &'a RefCell<Option<labelmix_models::Error>>,
}

enum Kind<'a> {
    TokenIds(&'a [u32]),
    Output(&'a Reader, &'a [u32]),
}

impl View for Computed<'_> {
    fn dtype(&self) -> Dtype {
        match self.kind {
            Kind::TokenIds(_) => Dtype::I64,
            Kind::Output(..) => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.kind {
            Kind::TokenIds(ids) => ids.iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect(),
            Kind::Output(reader, ids) => match reader.read(ids) {
                Ok(values) => values.into_iter().flat_map(f32::to_le_bytes).collect(),
                Err(error) => {
                    *self.failure.borrow_mut() = Some(error);
                    vec![0; self.data_len()].into()
                }
            },
        }
    }

    fn data_len(&self) -> usize {
        let width = if matches!(self.kind, Kind::TokenIds(_)) { 8 } else { 4 };
        width * self.shape.iter().product::<usize>()
    }
}

/// Writes `token_ids_I` and `logits_I` or `hidden_I` of every text.
fn write_logits(out: &Path, reader: &Reader, texts: &[InspectedText]) -> Result<(), Failure> {
    let failure = RefCell::new(None);
    let (name, columns) = reader.output();
    let tensors = texts.iter().enumerate().flat_map(|(index, text)| {
        let (ids, failure) = (text.token_ids.as_slice(), &failure);
        let tensor = |kind, shape| Computed { kind, shape, failure };
        [
            (format!("token_ids_{index}"), tensor(Kind::TokenIds(ids), vec![ids.len()])),
            (format!("{name}_{index}"), tensor(Kind::Output(reader, ids), vec![ids.len(), columns])),
        ]
    });
    let tensors: Vec<(String, Computed<'_>)> = tensors.collect();
    let written = write_streamed(tensors, &[], out);
    if let Some(error) = failure.into_inner() {
        return Err(error.into());
    }
    written
        .map_err(|error| WriteError { path: out.to_owned(), source: std::io::Error::other(error.to_string()) }.into())
}

/// The beginning of a text, on one line.
fn beginning(text: &str) -> String {
    let line: String = text.chars().take(SHOWN_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() { format!("{line}…") } else { line }
}

/// The inspection for people.
fn describe(inspection: &Inspection, plan: &MemoryPlan) -> String {
    let mut out = String::new();
    let ShapeSummary {
        architecture,
        kind,
        blocks,
        hidden,
        feed_forward,
        heads,
        key_value_heads,
        head_dim,
        attention,
        vocabulary,
        context,
        parameters,
        language_head_parameters,
        tied_head,
        stored_types,
        notes,
    } = &inspection.model;
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<14}{value}");
    };
    line("architecture", format!("{architecture} ({kind})"));
    line("blocks", format!("{blocks}: hidden size {hidden}, feed-forward {feed_forward}"));
    let heads_shared =
        if heads == key_value_heads { String::new() } else { format!(", {key_value_heads} of keys and values") };
    line("attention", format!("{heads} heads of {head_dim}{heads_shared}; {attention}"));
    let head = match tied_head {
        None => String::new(),
        Some(true) => "; the language-modelling head is the embedding".to_owned(),
        Some(false) => format!(", and {} of the language-modelling head", count(*language_head_parameters)),
    };
    line("parameters", format!("{}{head}", count(*parameters)));
    let types: Vec<String> =
        stored_types.iter().map(|(name, elements)| format!("{} in {name}", count(*elements))).collect();
    line("stored", types.join(", "));
    line("context", format!("{} tokens", count(*context)));
    let tokenizer = &inspection.tokenizer;
    line(
        "tokenizer",
        format!("{} of {} tokens (the model has {})", tokenizer.kind, count(tokenizer.vocabulary), count(*vocabulary)),
    );
    let memory = format!(
        "LoRA with the default recipe: weights {}, {} per run, {} at the peak",
        ByteSize(plan.weights),
        ByteSize(plan.per_run()),
        ByteSize(plan.peak(1))
    );
    line("memory", memory);
    for note in notes.iter().chain(&tokenizer.notes) {
        line("note", note.clone());
    }
    for (index, text) in inspection.texts.iter().enumerate() {
        let _ = writeln!(out, "\n{index}  {:?}", beginning(&text.text));
        let ids: Vec<String> = text.token_ids.iter().map(u32::to_string).collect();
        let _ = writeln!(out, "   ids   {}", ids.join(" "));
        for next in &text.next {
            let _ = writeln!(
                out,
                "   next  {:>6.2}%  {:?} ({}, logit {:.4})",
                100.0 * next.probability,
                next.token,
                next.id,
                next.logit
            );
        }
    }
    out
}
