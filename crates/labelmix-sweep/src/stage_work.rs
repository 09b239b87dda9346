//! Doing one stage: its texts, its choice of examples, training or asking, and the test set.

use std::borrow::Cow;

use labelmix_elicit::{
    Choice, Continuation, OptimizerState, ShotsPlan, StageExample, StageOptions, StageProgress, StageRequest,
    StageWork, ask_unless, continue_stage, least_certain, log_odds_unless, test_metrics,
};
use labelmix_models::Adapter;

use crate::execute::StageError;
use crate::graph::StageNode;
use crate::key::StageKey;
use crate::prompts::{PromptFile, PromptedTexts, Shortened, kept_shot};
use crate::purchase::label;
use crate::store::{KeptParts, OPTIMIZER_FILE, StageOutcome, Store, TestLogOdds};
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
        let mut start = model.initial_adapter(recipe.lora(), node.seed)?;
        let mut optimizer = None;
        if let Some(parent) = self.parent() {
            let folder = self.store.stage_folder(parent);
            start.load(&folder)?;
            if options.carry_optimizer {
                optimizer = Some(OptimizerState::load(&folder.join(OPTIMIZER_FILE))?);
            }
        }
        let mut trained = sweep.purchase(node).trained;
        let mut chosen = Vec::new();
        if let Choice::LeastCertain { temperature, .. } = node.plan.choice {
            trained = self.least_certain(&start, &trained, temperature)?;
            chosen = trained.iter().map(|index| sweep.train()[*index].id).collect();
        }
        let texts = self.train_texts(&trained);
        let slices = texts.slices();
        let examples: Vec<StageExample<'_>> = slices
            .iter()
            .zip(&trained)
            .map(|(text, index)| {
                let target = label(&sweep.train()[*index], node.plan.labels);
                StageExample { token_ids: text, target }
            })
            .collect();
        let optimizer = optimizer.as_ref();
        let request = StageRequest { model, start, examples: &examples, recipe, options, optimizer, seed: node.seed };
        let result = continue_stage(request, self.continuation, observe)?;
        let test = self.test_texts();
        let scores = self.log_odds(&result.adapter, &test)?;
        let outcome = StageOutcome { history: Some(result.history), chosen, ..self.outcome(&scores) };
        let shortened =
            Shortened { train: texts.shortened, test: test.shortened, most_lost: texts.most_lost.max(test.most_lost) };
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
        let scores = ask_unless(interrupt, sweep.language_model(), &texts, prompts.targets(), batch_tokens)?;
        let prompt = Some(self.prompt_file(shots, Shortened { train: 0, test: shortened, most_lost }));
        self.keep(self.outcome(&scores), scores, &KeptParts { adapter: None, optimizer: None, prompt })
    }

    fn parent(self) -> Option<&'a StageKey> {
        self.node.parent.map(|index| &self.sweep.graph().nodes()[index].key)
    }

    /// Of the candidates those of which the classifier that training starts from is least certain.
    fn least_certain(self, start: &Adapter, candidates: &[usize], temperature: f64) -> Result<Vec<usize>, StageError> {
        let node = self.node;
        let texts = self.train_texts(candidates);
        let scores = self.log_odds(start, &texts)?;
        let places = least_certain(&scores, node.plan.count, temperature, node.seed);
        Ok(places.into_iter().map(|place| candidates[place]).collect())
    }

    fn log_odds(self, adapter: &Adapter, texts: &Texts<'_>) -> Result<Vec<f32>, StageError> {
        let (sweep, interrupt) = (self.sweep, self.continuation.interrupt);
        let batch_tokens = sweep.study().recipe.micro_batch_tokens;
        Ok(log_odds_unless(interrupt, sweep.model(), adapter, &texts.slices(), batch_tokens)?)
    }

    fn train_texts(self, at: &[usize]) -> Texts<'a> {
        let Self { sweep, node, .. } = self;
        match node.plan.shots {
            None => Texts::alone(at.iter().map(|index| &sweep.train_tokens()[*index])),
            Some(shots) => Texts::prompted(sweep.prompts().before_train(node.seed, shots, sweep.train(), at)),
        }
    }

    fn test_texts(self) -> Texts<'a> {
        let Self { sweep, node, .. } = self;
        match node.plan.shots {
            None => Texts::alone(sweep.test_tokens().iter()),
            Some(shots) => Texts::prompted(sweep.prompts().before_test(node.seed, shots, sweep.test())),
        }
    }

    fn prompt_file(self, plan: ShotsPlan, shortened: Shortened) -> PromptFile {
        let Self { sweep, node, .. } = self;
        let shots = sweep.purchase(node).shots;
        PromptFile {
            template: sweep.study().prompt.clone(),
            order: plan.order,
            seed: node.seed,
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
        self.store.write_stage(&outcome, &TestLogOdds { ids, log_odds }, parts, &base_model)?;
        Ok(outcome)
    }
}
