//! One stage: its texts, its choice of examples, training or asking, and the test set.

use std::borrow::Cow;
use std::path::Path;

use labelmix_data::Example;
use labelmix_econ::LabelKind;
use labelmix_methods::{
    AnswerScore, Choice, Correction, Denoise, ErrorRates, FollowUp, HeadStart, PromptPlan, RatesFrom, Role, ShotOrder,
    ShotsPlan, StageExample, Start, TrainPlan, least_certain, mean_log_odds, most_disputed,
};
use labelmix_models::Adapter;
use labelmix_stats::probability;
use labelmix_store::{ANSWER_FILE, OPTIMIZER_FILE, Shortened, StoreError};
use labelmix_train::{
    Continuation, FollowUpTexts, OptimizerState, PromptEncoder, Reading, StageProgress, StageRequest, continue_stage,
    lora_settings, start_with_words,
};

use super::ModelEngine;
use crate::answer::AnswerJudge;
use crate::checkpoint::{load_adapter, save_adapter};
use crate::drawn::{Drawn, label};
use crate::engine::{StageJob, StageScores, finite_scores};
use crate::error::Result;
use crate::prompts::PromptedTexts;

/// One stage that is being done.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) engine: &'a ModelEngine,
    pub(super) job: &'a StageJob<'a>,
    pub(super) continuation: Continuation<'a>,
}

/// Texts as a classifier reads them: alone, or behind a prompt.
struct Texts<'a> {
    tokens: Vec<Cow<'a, [u32]>>,
    /// How many tokens stand before each of them, where that is not nothing.
    before: Vec<usize>,
    shortened: usize,
    most_lost: usize,
}

impl<'a> Texts<'a> {
    fn alone(tokens: impl Iterator<Item = &'a Vec<u32>>) -> Self {
        let tokens = tokens.map(|tokens| Cow::Borrowed(&**tokens)).collect();
        Self { tokens, before: Vec::new(), shortened: 0, most_lost: 0 }
    }

    fn prompted(PromptedTexts { prompts, shortened, most_lost }: PromptedTexts) -> Self {
        let tokens = prompts.iter().map(|prompt| Cow::Owned(prompt.token_ids())).collect();
        Self { tokens, before: prompts.iter().map(|prompt| prompt.before.len()).collect(), shortened, most_lost }
    }

    fn slices(&self) -> Vec<&[u32]> {
        self.tokens.iter().map(|text| &**text).collect()
    }
}

impl<'a> Work<'a> {
    pub(super) fn train(
        self,
        plan: &TrainPlan,
        out: &Path,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<StageScores> {
        let Self { engine, job, .. } = self;
        let (options, data, model) = (plan.options, job.data, &*engine.backend);
        let recipe = plan.recipe(&data.recipe);
        let seed = plan.training_seed(job.seed);
        let mut optimizer = None;
        let start = if let Some(folder) = &job.parent {
            if options.carry_optimizer {
                optimizer = Some(OptimizerState::load(&folder.join(OPTIMIZER_FILE))?);
            }
            load_adapter(model, folder)?
        } else {
            let mut start = model.initial_adapter(lora_settings(recipe), seed)?;
            if plan.start == Start::Fresh(HeadStart::Words) {
                start_with_words(&mut start, model, engine.prompts().targets())?;
            }
            start
        };
        let (mut drawn, mut chosen) = (Vec::new(), Vec::new());
        for part in job.drawn.iter().filter(|drawn| drawn.draw.role != Role::Shot) {
            let mut part = part.clone();
            let choice = match part.draw.choice {
                Choice::LeastCertain { temperature, .. } => Some(self.least_certain(&start, &part, temperature)?),
                Choice::Disputed { of } => Some(self.most_disputed(&start, &part, of)?),
                Choice::Front | Choice::SurestLabels { .. } | Choice::Coverage => None,
            };
            if let Some(places) = choice {
                part.places = places;
                chosen.extend(part.examples(&data.train).map(|example| example.id));
            }
            let texts = self.train_texts(&part.places)?;
            drawn.push((part, texts));
        }
        let mut examples: Vec<Vec<StageExample<'_>>> = Vec::new();
        for (part, texts) in &drawn {
            let mut of_part = self.examples(part, texts, &examples)?;
            of_part.iter_mut().zip(&texts.before).for_each(|(example, before)| example.text_at = *before);
            examples.push(of_part);
        }
        let (examples, optimizer) = (&*examples, optimizer.as_ref());
        let of_steps = plan.prompt.as_ref().filter(|prompt| prompt.shots.order == ShotOrder::FreshForEachStep);
        let shots = of_steps.map(|prompt| engine.prompts().shots(job.seed, prompt.shots));
        let request = StageRequest { model, start, examples, recipe, options, optimizer, shots, seed };
        let result = continue_stage(request, self.continuation, observe)?;
        let test = self.test_texts()?;
        let log_odds = self.log_odds(&result.adapter, &test.slices())?;
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        let mut written = save_adapter(&result.adapter, out, &engine.base_model)?;
        if plan.keep_optimizer {
            written.push(OPTIMIZER_FILE.to_owned());
            save_optimizer(&result.optimizer, &out.join(OPTIMIZER_FILE))?;
        }
        let texts = || drawn.iter().map(|(_, texts)| texts);
        let shortened = Shortened {
            train: texts().map(|texts| texts.shortened).sum(),
            test: test.shortened,
            most_lost: texts().map(|texts| texts.most_lost).fold(test.most_lost, usize::max),
        };
        engine.backend.check_unchanged()?;
        let scores = finite_scores(log_odds)?;
        Ok(StageScores { history: Some(result.history), chosen, scores, shortened, written })
    }

    /// Asks the language model for the next token behind each prompt of the test set.
    pub(super) fn ask(self, prompt: &PromptPlan) -> Result<StageScores> {
        let engine = self.engine;
        let PromptedTexts { prompts: texts, shortened: test, most_lost } = self.test_prompts(prompt)?;
        let log_odds = engine.backend.next_token_scores(&texts, engine.prompts().targets(), self.reading())?;
        let shortened = Shortened { train: 0, test, most_lost };
        engine.backend.check_unchanged()?;
        let scores = finite_scores(log_odds)?;
        Ok(StageScores { history: None, chosen: Vec::new(), scores, shortened, written: Vec::new() })
    }

    /// Judges the answers that the test texts end with.
    pub(super) fn judge(self, score: AnswerScore, out: &Path) -> Result<StageScores> {
        let Self { engine, job, .. } = self;
        let before_answer =
            job.data.before_answer.clone().expect("a study whose texts have no answers has no such stage");
        let judge = AnswerJudge { before_answer, score };
        let test: Vec<&str> = job.data.test.iter().map(|example| example.text.as_str()).collect();
        let log_odds = judge.score(&*engine.backend, &engine.tokenizer, engine.too_long, &test, self.reading())?;
        engine.backend.check_unchanged()?;
        std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
        judge.write(out)?;
        let (scores, written) = (finite_scores(log_odds)?, vec![ANSWER_FILE.to_owned()]);
        Ok(StageScores { history: None, chosen: Vec::new(), scores, shortened: Shortened::default(), written })
    }

    /// Of the candidates those of which the classifier that training starts from is least certain.
    fn least_certain(self, start: &Adapter, drawn: &Drawn, temperature: f64) -> Result<Vec<usize>> {
        let texts = self.train_texts(&drawn.places)?;
        let scores = self.log_odds(start, &texts.slices())?;
        let chosen = least_certain(&scores, drawn.draw.count, temperature, self.job.seed);
        Ok(chosen.into_iter().map(|index| drawn.places[index]).collect())
    }

    /// Of the first `of` places those whose weak labels the classifier disputes most; then the next ones.
    fn most_disputed(self, start: &Adapter, drawn: &Drawn, of: usize) -> Result<Vec<usize>> {
        let (doubted, others) = drawn.places.split_at(of);
        let texts = self.train_texts(doubted)?;
        let scores = self.log_odds(start, &texts.slices())?;
        let weak: Vec<f32> = doubted.iter().map(|place| label(&self.job.data.train[*place], LabelKind::Weak)).collect();
        let chosen = most_disputed(&weak, &scores, drawn.draw.count);
        let chosen = chosen.into_iter().map(|index| doubted[index]);
        Ok(chosen.chain(others.iter().copied()).take(drawn.draw.count).collect())
    }

    fn log_odds(self, adapter: &Adapter, texts: &[&[u32]]) -> Result<Vec<f32>> {
        Ok(self.engine.backend.log_odds(adapter, texts, self.reading())?)
    }

    /// How the model reads what is not trained on.
    fn reading(self) -> Reading<'a> {
        let Self { job, continuation, .. } = self;
        Reading { batch_tokens: job.data.recipe.micro_batch_tokens, interrupt: continuation.interrupt }
    }

    fn train_texts(self, at: &[usize]) -> Result<Texts<'a>> {
        let Self { engine, job, .. } = self;
        Ok(match job.plan.prompt() {
            None => Texts::alone(at.iter().map(|index| &engine.texts.train[*index])),
            Some(PromptPlan { shots, follow_up: Some(follow_up) }) => {
                Texts::prompted(self.followed_up(*shots, follow_up, at.iter().map(|index| &job.data.train[*index]))?)
            }
            Some(PromptPlan { shots, follow_up: None }) => {
                Texts::prompted(engine.prompts().before_train(job.seed, *shots, &job.data.train, at))
            }
        })
    }

    fn test_texts(self) -> Result<Texts<'a>> {
        let Self { engine, job, .. } = self;
        Ok(match job.plan.prompt() {
            None => Texts::alone(engine.texts.test.iter()),
            Some(prompt) => Texts::prompted(self.test_prompts(prompt)?),
        })
    }

    fn test_prompts(self, PromptPlan { shots, follow_up }: &PromptPlan) -> Result<PromptedTexts> {
        let Self { engine, job, .. } = self;
        match follow_up {
            Some(follow_up) => self.followed_up(*shots, follow_up, job.data.test.iter()),
            None => Ok(engine.prompts().before_test(job.seed, *shots, &job.data.test)),
        }
    }

    /// What is asked on from the model's own answers to texts.
    fn followed_up(
        self,
        shots: ShotsPlan,
        follow_up: &FollowUp,
        examples: impl Iterator<Item = &'a Example>,
    ) -> Result<PromptedTexts> {
        let Self { engine, job, .. } = self;
        let (model, tokenizer) = (&*engine.backend, &engine.tokenizer);
        let encoder = PromptEncoder::new(job.data.prompt.clone(), tokenizer)?;
        let texts: Vec<&str> = examples.map(|example| example.text.as_str()).collect();
        let prompts = FollowUpTexts { model, tokenizer, follow_up, reading: self.reading() }.prompts(
            &encoder,
            engine.prompts().shots(job.seed, shots),
            &texts,
        )?;
        Ok(PromptedTexts::of(prompts))
    }

    /// What a stage learns from a draw: its labels, or what the classifiers that the stage reads make of its texts; if it
    /// is trained on jointly, as far as they are to be believed. `before` are the examples of the draws before it.
    fn examples<'t>(
        self,
        drawn: &Drawn,
        texts: &'t Texts<'_>,
        before: &[Vec<StageExample<'_>>],
    ) -> Result<Vec<StageExample<'t>>> {
        let texts = texts.slices();
        let labels = match drawn.labels(&self.job.data.train) {
            Some(labels) => labels,
            None => self.read_probabilities(&texts)?.into_iter().map(|probability| probability as f32).collect(),
        };
        let Role::Jointly(loss) = drawn.draw.role else {
            return Ok(texts.iter().zip(labels).map(|(text, label)| StageExample::new(text, label)).collect());
        };
        let labels64 = || labels.iter().map(|label| f64::from(*label));
        let mut weights: Vec<f64> = vec![loss.weight; labels.len()];
        if loss.by_confidence {
            for (weight, label) in weights.iter_mut().zip(labels64()) {
                *weight *= (2.0 * label - 1.0).abs();
            }
        }
        let mut correction = None;
        if let Some(Denoise { correction: kind, rates, by_agreement }) = loss.denoise {
            let rates = match rates {
                RatesFrom::OwnLabels => {
                    let own = || before.iter().flatten();
                    let own_texts: Vec<&[u32]> = own().map(|example| example.token_ids).collect();
                    let classes = own().map(|example| f64::from(example.target));
                    ErrorRates::estimated(classes.zip(self.read_probabilities(&own_texts)?))
                }
                RatesFrom::Predictions => {
                    let classes = self.read_probabilities(&texts)?;
                    if by_agreement {
                        for ((weight, label), class) in weights.iter_mut().zip(labels64()).zip(&classes) {
                            *weight *= label * class + (1.0 - label) * (1.0 - class);
                        }
                    }
                    ErrorRates::estimated(classes.into_iter().zip(labels64()))
                }
            };
            correction = Some(Correction { rates, kind });
        }
        let examples = texts.iter().zip(labels).zip(weights).map(|((text, target), weight)| StageExample {
            weight: weight as f32,
            correction,
            ..StageExample::new(text, target)
        });
        Ok(examples.collect())
    }

    /// P(class 1) of texts by the mean log-odds of the classifiers that the stage reads.
    fn read_probabilities(self, texts: &[&[u32]]) -> Result<Vec<f64>> {
        let Self { engine, job, .. } = self;
        let mut scores = Vec::new();
        for folder in &job.reads {
            let adapter = load_adapter(&*engine.backend, folder)?;
            scores.push(self.log_odds(&adapter, texts)?);
        }
        Ok(mean_log_odds(&scores).into_iter().map(|score| probability(f64::from(score))).collect())
    }
}

fn save_optimizer(optimizer: &OptimizerState, path: &Path) -> Result<()> {
    optimizer.save(path).map_err(|error| match error {
        labelmix_train::Error::OptimizerFile { path, source } => StoreError::Io { path, source }.into(),
        error => error.into(),
    })
}
