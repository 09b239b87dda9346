//! Doing one stage: its texts, its choice of examples, training or asking, and the test set.

use std::borrow::Cow;
use std::path::Path;

use labelmix_data::Example;
use labelmix_methods::{
    Beside, Choice, Correction, Denoise, ErrorRates, FollowUp, HeadStart, PseudoLabels, RatesFrom, ShotsPlan,
    StageExample, StageOptions, StageWork, least_certain, mean_log_odds, test_metrics,
};
use labelmix_models::Adapter;
use labelmix_stats::probability;
use labelmix_store::{OPTIMIZER_FILE, PromptFile, Shortened, StageKey, StageOutcome, Store, StoreError, TestLogOdds};
use labelmix_train::{
    Continuation, FollowUpTexts, OptimizerState, PromptEncoder, StageProgress, StageRequest, continue_stage,
    log_odds_unless, lora_settings, score_next_token_unless, start_with_words,
};

use crate::checkpoint::save_adapter;
use crate::error::Error;
use crate::graph::StageNode;
use crate::prompts::{PromptedTexts, kept_shot};
use crate::purchase::{Purchase, label};
use crate::stage_error::StageError;
use crate::sweep::Sweep;

/// Does a stage and keeps its outcome.
///
/// # Errors
/// If training fails, an input cannot be read, or the outcome not be kept.
pub(crate) fn do_stage(
    sweep: &Sweep,
    store: &Store,
    node: &StageNode,
    continuation: Continuation<'_>,
    observe: impl FnMut(StageProgress),
) -> Result<StageOutcome, StageError> {
    let work = Work { sweep, store, node, continuation };
    match node.plan.work {
        StageWork::Train { options, keep_optimizer } => work.train(options, keep_optimizer, observe),
        StageWork::Ask => work.ask(),
        StageWork::Average => work.average(),
    }
}

#[derive(Clone, Copy)]
struct Work<'a> {
    sweep: &'a Sweep,
    store: &'a Store,
    node: &'a StageNode,
    continuation: Continuation<'a>,
}

/// Texts as a classifier reads them: alone, or behind a prompt.
struct Texts<'a> {
    tokens: Vec<Cow<'a, [u32]>>,
    shortened: usize,
    most_lost: usize,
}

impl<'a> Texts<'a> {
    fn alone(tokens: impl Iterator<Item = &'a Vec<u32>>) -> Self {
        Self { tokens: tokens.map(|tokens| Cow::Borrowed(&**tokens)).collect(), shortened: 0, most_lost: 0 }
    }

    fn prompted(PromptedTexts { prompts, shortened, most_lost }: PromptedTexts) -> Self {
        Self { tokens: prompts.iter().map(|prompt| Cow::Owned(prompt.token_ids())).collect(), shortened, most_lost }
    }

    fn slices(&self) -> Vec<&[u32]> {
        self.tokens.iter().map(|text| &**text).collect()
    }
}

impl<'a> Work<'a> {
    fn train(
        self,
        options: StageOptions,
        keep_optimizer: bool,
        observe: impl FnMut(StageProgress),
    ) -> Result<StageOutcome, StageError> {
        let Self { sweep, node, .. } = self;
        let (recipe, model) = (&sweep.study().recipe, sweep.model());
        let seed = node.plan.training_seed(node.seed);
        let mut start = model.initial_adapter(lora_settings(recipe), seed)?;
        let mut optimizer = None;
        if let Some(parent) = self.parent() {
            let folder = self.store.stage_folder(parent);
            start.load(&folder)?;
            if options.carry_optimizer {
                optimizer = Some(OptimizerState::load(&folder.join(OPTIMIZER_FILE))?);
            }
        } else if node.plan.head == HeadStart::Words {
            start_with_words(&mut start, sweep.language_model(), sweep.prompts().targets())?;
        }
        let Purchase { mut trained, beside, .. } = sweep.purchase(node);
        let mut chosen = Vec::new();
        if let Choice::LeastCertain { temperature, .. } = node.plan.choice {
            trained = self.least_certain(&start, &trained, temperature)?;
            chosen = trained.iter().map(|index| sweep.train()[*index].id).collect();
        }
        let texts = self.train_texts(&trained)?;
        let slices = texts.slices();
        let examples: Vec<StageExample<'_>> = slices
            .iter()
            .zip(&trained)
            .map(|(text, index)| {
                let target = label(&sweep.train()[*index], node.plan.labels);
                StageExample::new(text, target)
            })
            .collect();
        let texts_beside = self.train_texts(&beside)?;
        let slices_beside = texts_beside.slices();
        let beside = self.beside(&examples, &slices_beside, &beside)?;
        let optimizer = optimizer.as_ref();
        let (examples, beside) = (&*examples, &*beside);
        let request = StageRequest { model, start, examples, beside, recipe, options, optimizer, seed };
        let result = continue_stage(request, self.continuation, observe)?;
        let test = self.test_texts()?;
        let scores = self.log_odds(&result.adapter, &test.slices())?;
        let outcome = StageOutcome { history: Some(result.history), chosen, ..self.outcome(&scores) };
        let shortened = Shortened {
            train: texts.shortened + texts_beside.shortened,
            test: test.shortened,
            most_lost: texts.most_lost.max(texts_beside.most_lost).max(test.most_lost),
        };
        let prompt = node.plan.shots.map(|shots| self.prompt_file(shots, shortened));
        let optimizer = keep_optimizer.then_some(&result.optimizer);
        self.keep(outcome, scores, &KeptParts { adapter: Some(&result.adapter), optimizer, prompt })
    }

    /// Asks the language model for the next token behind each prompt of the test set.
    fn ask(self) -> Result<StageOutcome, StageError> {
        let Self { sweep, node, .. } = self;
        let shots = node.plan.shots.expect("a stage that asks has a prompt");
        let prompts = sweep.prompts();
        let PromptedTexts { prompts: texts, shortened, most_lost } =
            prompts.before_test(node.seed, shots, sweep.test());
        let batch_tokens = sweep.study().recipe.micro_batch_tokens;
        let interrupt = self.continuation.interrupt;
        let scores =
            score_next_token_unless(interrupt, sweep.language_model(), &texts, prompts.targets(), batch_tokens)?;
        let prompt = Some(self.prompt_file(shots, Shortened { train: 0, test: shortened, most_lost }));
        self.keep(self.outcome(&scores), scores, &KeptParts { adapter: None, optimizer: None, prompt })
    }

    fn parent(self) -> Option<&'a StageKey> {
        self.node.parent.map(|index| &self.sweep.graph().nodes()[index].key)
    }

    /// Of the candidates those of which the classifier that training starts from is least certain.
    fn least_certain(self, start: &Adapter, candidates: &[usize], temperature: f64) -> Result<Vec<usize>, StageError> {
        let node = self.node;
        let texts = self.train_texts(candidates)?;
        let scores = self.log_odds(start, &texts.slices())?;
        let places = least_certain(&scores, node.plan.count, temperature, node.seed);
        Ok(places.into_iter().map(|place| candidates[place]).collect())
    }

    fn log_odds(self, adapter: &Adapter, texts: &[&[u32]]) -> Result<Vec<f32>, StageError> {
        let (sweep, interrupt) = (self.sweep, self.continuation.interrupt);
        let batch_tokens = sweep.study().recipe.micro_batch_tokens;
        Ok(log_odds_unless(interrupt, sweep.model(), adapter, texts, batch_tokens)?)
    }

    fn train_texts(self, at: &[usize]) -> Result<Texts<'a>, StageError> {
        let Self { sweep, node, .. } = self;
        Ok(match (node.plan.shots, &node.plan.follow_up) {
            (None, _) => Texts::alone(at.iter().map(|index| &sweep.train_tokens()[*index])),
            (Some(shots), Some(follow_up)) => {
                self.followed_up(shots, follow_up, at.iter().map(|index| &sweep.train()[*index]))?
            }
            (Some(shots), None) => Texts::prompted(sweep.prompts().before_train(node.seed, shots, sweep.train(), at)),
        })
    }

    fn test_texts(self) -> Result<Texts<'a>, StageError> {
        let Self { sweep, node, .. } = self;
        Ok(match (node.plan.shots, &node.plan.follow_up) {
            (None, _) => Texts::alone(sweep.test_tokens().iter()),
            (Some(shots), Some(follow_up)) => self.followed_up(shots, follow_up, sweep.test().iter())?,
            (Some(shots), None) => Texts::prompted(sweep.prompts().before_test(node.seed, shots, sweep.test())),
        })
    }

    /// What is asked on from the model's own answers to texts.
    fn followed_up(
        self,
        shots: ShotsPlan,
        follow_up: &FollowUp,
        examples: impl Iterator<Item = &'a Example>,
    ) -> Result<Texts<'a>, StageError> {
        let Self { sweep, node, .. } = self;
        let (model, tokenizer) = (sweep.language_model(), sweep.tokenizer());
        let encoder = PromptEncoder::new(sweep.study().prompt.clone(), tokenizer).map_err(Error::from)?;
        let batch_tokens = sweep.study().recipe.micro_batch_tokens;
        let texts: Vec<&str> = examples.map(|example| example.text.as_str()).collect();
        let prompts = FollowUpTexts { model, tokenizer, follow_up, batch_tokens }.prompts(
            &encoder,
            sweep.prompts().shots(node.seed, shots),
            &texts,
        )?;
        Ok(Texts::prompted(PromptedTexts::of(prompts)))
    }

    /// What a stage trains on together with its own labels: the labels beside them, as far as they are to be believed, or
    /// what the classifiers that it reads make of texts without any.
    fn beside<'t>(
        self,
        own: &[StageExample<'_>],
        texts: &[&'t [u32]],
        places: &[usize],
    ) -> Result<Vec<StageExample<'t>>, StageError> {
        let beside = match self.node.plan.beside {
            None => return Ok(Vec::new()),
            Some(Beside::PseudoLabels(PseudoLabels { weight, .. })) => {
                let taught = self.read_probabilities(texts)?;
                let example = |(text, target): (&&'t [u32], f64)| StageExample {
                    weight: weight as f32,
                    ..StageExample::new(text, target as f32)
                };
                return Ok(texts.iter().zip(taught).map(example).collect());
            }
            Some(Beside::Labels(beside)) => beside,
        };
        let train = self.sweep.train();
        let labels: Vec<f32> = places.iter().map(|index| label(&train[*index], beside.labels)).collect();
        let labels64 = || labels.iter().map(|label| f64::from(*label));
        let mut weights: Vec<f64> = vec![beside.weight; labels.len()];
        if beside.by_confidence {
            for (weight, label) in weights.iter_mut().zip(labels64()) {
                *weight *= (2.0 * label - 1.0).abs();
            }
        }
        let mut correction = None;
        if let Some(Denoise { way, rates, by_agreement }) = beside.denoise {
            let rates = match rates {
                RatesFrom::OwnLabels => {
                    let own_texts: Vec<&[u32]> = own.iter().map(|example| example.token_ids).collect();
                    let classes = own.iter().map(|example| f64::from(example.target));
                    ErrorRates::estimated(classes.zip(self.read_probabilities(&own_texts)?))
                }
                RatesFrom::Predictions => {
                    let classes = self.read_probabilities(texts)?;
                    if by_agreement {
                        for ((weight, label), class) in weights.iter_mut().zip(labels64()).zip(&classes) {
                            *weight *= label * class + (1.0 - label) * (1.0 - class);
                        }
                    }
                    ErrorRates::estimated(classes.into_iter().zip(labels64()))
                }
            };
            correction = Some(Correction { rates, way });
        }
        let example = |((text, target), weight): ((&&'t [u32], f32), f64)| StageExample {
            token_ids: text,
            target,
            weight: weight as f32,
            correction,
        };
        Ok(texts.iter().zip(labels).zip(weights).map(example).collect())
    }

    /// P(class 1) of texts by the mean log-odds of the classifiers that the stage reads.
    fn read_probabilities(self, texts: &[&[u32]]) -> Result<Vec<f64>, StageError> {
        let Self { sweep, store, .. } = self;
        let (recipe, model) = (&sweep.study().recipe, sweep.model());
        let mut adapter = model.initial_adapter(lora_settings(recipe), 0)?;
        let mut scores = Vec::new();
        for key in self.reads() {
            adapter.load(&store.stage_folder(key))?;
            scores.push(self.log_odds(&adapter, texts)?);
        }
        Ok(mean_log_odds(&scores).into_iter().map(|score| probability(f64::from(score))).collect())
    }

    /// Averages the test set's log-odds of the stages that it reads.
    fn average(self) -> Result<StageOutcome, StageError> {
        let mut scores = Vec::new();
        for key in self.reads() {
            let path = self.store.stage_folder(key);
            let kept = self.store.test_log_odds(key)?;
            let reason = || StoreError::Damaged { path, reason: "it holds no predictions of the test set".to_owned() };
            scores.push(kept.ok_or_else(reason)?.log_odds);
        }
        let scores = mean_log_odds(&scores);
        let outcome = StageOutcome { averages: self.reads().cloned().collect(), ..self.outcome(&scores) };
        let prompt = self.node.plan.shots.map(|shots| self.prompt_file(shots, Shortened::default()));
        self.keep(outcome, scores, &KeptParts { adapter: None, optimizer: None, prompt })
    }

    fn reads(self) -> impl Iterator<Item = &'a StageKey> {
        let Self { sweep, node, .. } = self;
        node.reads.iter().map(|index| &sweep.graph().nodes()[*index].key)
    }

    fn prompt_file(self, plan: ShotsPlan, shortened: Shortened) -> PromptFile {
        let Self { sweep, node, .. } = self;
        let shots = sweep.purchase(node).shots;
        PromptFile {
            template: sweep.study().prompt.clone(),
            order: plan.order,
            seed: node.seed,
            follow_up: node.plan.follow_up.clone(),
            asks_language_model: node.plan.work == StageWork::Ask,
            shots: shots.into_iter().map(|index| kept_shot(&sweep.train()[index], plan)).collect(),
            shortened,
        }
    }

    /// The outcome of a stage that does not train, with the test set's scores.
    fn outcome(self, scores: &[f32]) -> StageOutcome {
        let Self { sweep, node, .. } = self;
        let gold: Vec<bool> =
            sweep.test().iter().map(|example| example.gold.expect("test examples have gold labels")).collect();
        StageOutcome {
            key: node.key.clone(),
            parent: self.parent().cloned(),
            labels: node.plan.labels,
            count: node.plan.count,
            seed: node.seed,
            options: node.plan.options().unwrap_or_default(),
            recipe: sweep.study().recipe.clone(),
            history: None,
            chosen: Vec::new(),
            averages: Vec::new(),
            metrics: test_metrics(scores, &gold),
        }
    }

    fn keep(
        self,
        outcome: StageOutcome,
        log_odds: Vec<f32>,
        parts: &KeptParts<'_>,
    ) -> Result<StageOutcome, StageError> {
        let ids = self.sweep.test().iter().map(|example| example.id).collect();
        let base_model = self.sweep.study().model.path.to_string_lossy();
        let KeptParts { adapter, optimizer, prompt } = parts;
        self.store.write_stage(&outcome, &TestLogOdds { ids, log_odds }, prompt.as_ref(), |folder| {
            if let Some(adapter) = adapter {
                save_adapter(adapter, folder, &base_model)?;
            }
            optimizer.map_or(Ok(()), |optimizer| save_optimizer(optimizer, &folder.join(OPTIMIZER_FILE)))
        })?;
        Ok(outcome)
    }
}

fn save_optimizer(optimizer: &OptimizerState, path: &Path) -> Result<(), StageError> {
    optimizer.save(path).map_err(|error| match error {
        labelmix_train::Error::OptimizerFile { path, source } => StoreError::Io { path, source }.into(),
        error => error.into(),
    })
}

/// What is kept of a stage besides its outcome.
struct KeptParts<'a> {
    adapter: Option<&'a Adapter>,
    optimizer: Option<&'a OptimizerState>,
    prompt: Option<PromptFile>,
}
