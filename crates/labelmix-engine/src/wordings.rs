//! What the wordings of a prompt are worth to a language model, on labelled texts.

use labelmix_data::PromptTemplate;
use labelmix_methods::{AnswerScore, ShotOrder, prior_shift, test_metrics};
use labelmix_models::Tokenizer;
use labelmix_study::TooLong;
use labelmix_train::{Backend, Interrupt, Prompt, PromptEncoder, Reading, Shots};
use serde::Serialize;

use crate::answer::AnswerJudge;
use crate::error::Result;

/// What a language model makes of the answers that texts end with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AnswersTrial {
    pub score: AnswerScore,
    /// The area under the receiver operating characteristic; none where the texts are of one class.
    pub auroc: Option<f64>,
    /// The share that is right with the threshold by which half of the texts are of class 1 as far as they can tell.
    pub calibrated_accuracy: f64,
}

/// A wording, asked.
#[derive(Clone, Debug, Serialize)]
pub struct WordingTrial {
    /// What it is, counted from 1.
    pub wording: usize,
    /// The first text in question, cut into tokens.
    pub asked: Vec<String>,
    /// The targets, cut into tokens; the first ones are compared.
    pub targets: [Vec<String>; 2],
    /// What the model makes of it, without shots and behind some.
    pub trials: Vec<AskedTexts>,
}

/// Texts that a language model was asked about.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AskedTexts {
    /// The labelled examples before each text.
    pub shots: usize,
    /// The area under the receiver operating characteristic; none where the texts are of one class.
    pub auroc: Option<f64>,
    /// The share that is right with the threshold at log-odds of 0.
    pub accuracy: f64,
    /// With the threshold by which half of the texts are of class 1 as far as they can tell ([`prior_shift`]).
    pub calibrated_accuracy: f64,
}

/// Tokens that are processed at once.
const BATCH_TOKENS: usize = 4096;

/// Asks a model about texts in every wording, without shots and behind these; the texts are of either class equally often.
/// `asked` is told of every text that was.
///
/// # Errors
/// If a wording does not work with the tokenizer, or the model cannot be run.
pub fn try_wordings(
    model: &dyn Backend,
    tokenizer: &Tokenizer,
    wordings: &[PromptTemplate],
    shots: &[(&str, bool)],
    texts: &[(&str, bool)],
    asked: impl Fn(usize),
) -> Result<Vec<WordingTrial>> {
    let gold: Vec<bool> = texts.iter().map(|(_, class)| *class).collect();
    let reading = Reading { batch_tokens: BATCH_TOKENS, interrupt: &Interrupt::default() };
    let mut trials = Vec::new();
    for (place, template) in wordings.iter().enumerate() {
        let encoder = PromptEncoder::new(template.clone(), tokenizer)?;
        // A token that is no text, such as that of unknown words, has a name.
        let piece = |token: &u32| -> Result<String> {
            let text = tokenizer.decode(&[*token])?;
            Ok(if text.is_empty() { tokenizer.token(*token).unwrap_or_default() } else { text })
        };
        let pieces = |tokens: &[u32]| tokens.iter().map(piece).collect::<Result<Vec<String>>>();
        let target = |target: &String| pieces(&encoder.target(target)?);
        let mut trial = WordingTrial {
            wording: place + 1,
            asked: texts.first().map_or(Ok(Vec::new()), |(text, _)| pieces(&encoder.query(text)?))?,
            targets: [target(&template.targets[0])?, target(&template.targets[1])?],
            trials: Vec::new(),
        };
        for count in if shots.is_empty() { vec![0] } else { vec![0, shots.len()] } {
            let shots = &shots[..count];
            let behind = Shots::new(&encoder, shots.iter().copied(), ShotOrder::OneForAll, 0)?;
            let prompts = texts.iter().map(|(text, _)| Ok(behind.before_text(&encoder, text)?));
            let prompts = prompts.collect::<Result<Vec<Prompt>>>()?;
            let mut scores = Vec::with_capacity(prompts.len());
            for part in prompts.chunks(64) {
                scores.extend(model.next_token_scores(part, encoder.targets(), reading)?);
                asked(part.len());
            }
            let metrics = test_metrics(&scores, &gold);
            trial.trials.push(AskedTexts {
                shots: shots.len(),
                auroc: metrics.auroc,
                accuracy: metrics.accuracy,
                calibrated_accuracy: calibrated_accuracy(&scores, &gold),
            });
        }
        trials.push(trial);
    }
    Ok(trials)
}

/// Judges the answers that texts end with in every way; the texts are of either class equally often. `judged` is told of every
/// text that was.
///
/// # Errors
/// If a text has no answer or is too long, or the model cannot be run.
pub fn try_answers(
    model: &dyn Backend,
    tokenizer: &Tokenizer,
    before_answer: &str,
    texts: &[(&str, bool)],
    judged: impl Fn(usize),
) -> Result<Vec<AnswersTrial>> {
    let gold: Vec<bool> = texts.iter().map(|(_, class)| *class).collect();
    let mut trials = Vec::new();
    for score in [AnswerScore::Likelihood, AnswerScore::LikelihoodGain] {
        let judge = AnswerJudge { before_answer: before_answer.to_owned(), score };
        let mut scores = Vec::with_capacity(texts.len());
        for part in texts.chunks(64) {
            let texts: Vec<&str> = part.iter().map(|(text, _)| *text).collect();
            let reading = Reading { batch_tokens: BATCH_TOKENS, interrupt: &Interrupt::default() };
            scores.extend(judge.score(model, tokenizer, TooLong::Cut, &texts, reading)?);
            judged(part.len());
        }
        let (auroc, calibrated_accuracy) = (test_metrics(&scores, &gold).auroc, calibrated_accuracy(&scores, &gold));
        trials.push(AnswersTrial { score, auroc, calibrated_accuracy });
    }
    Ok(trials)
}

fn calibrated_accuracy(scores: &[f32], gold: &[bool]) -> f64 {
    let shift = prior_shift(scores, 0.5);
    let shifted: Vec<f32> = scores.iter().map(|score| score + shift).collect();
    test_metrics(&shifted, gold).accuracy
}
