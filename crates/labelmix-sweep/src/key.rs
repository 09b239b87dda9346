//! The key of a stage: a hash of everything that determines its outcome, and of nothing else.
//!
//! Prices, budgets, paths, the study's name and the order of its keys do not enter, so re-pricing or moving a study
//! recomputes nothing. Every part is hashed with its name and length, in a fixed order.

use labelmix_data::{Example, bought_hash, content_hash};
use labelmix_methods::{
    Beside, BesideLabels, Choice, HeadStart, PromptTemplate, PseudoLabels, Recipe, StageOptions, StagePlan, StageWork,
};
use labelmix_store::{HashedParts, StageKey};
use labelmix_study::{Study, TooLong};
use serde::Serialize;

/// Raised when the meaning of a stage changes, so that older results are not mistaken for newer ones.
const SCHEMA: &str = "labelmix stage 1";

/// What an engine says of itself: in what its stages differ from those of another.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint {
    /// A hash of the checkpoint.
    pub(crate) model: [u8; 32],
    /// How the weights are rounded, if they are.
    pub(crate) rounding: Option<String>,
    /// A hash of the tokenizer.
    pub(crate) tokenizer: [u8; 32],
    pub(crate) pooling: &'static str,
    /// The limit for texts and prompts, where it is below the model's own.
    pub(crate) max_length: Option<usize>,
}

/// What all stages of a sweep have in common, hashed once.
pub(crate) struct SharedInputs {
    pub(crate) model: [u8; 32],
    /// How the weights are rounded, if they are.
    pub(crate) rounding: Option<String>,
    pub(crate) tokenizer: [u8; 32],
    pub(crate) pooling: &'static str,
    /// Whether long texts are cut (leaving them out shows in the data).
    pub(crate) cut: bool,
    /// The limit for texts and prompts, where it is below the model's own.
    pub(crate) max_length: Option<usize>,
    /// The test examples, whose log-odds are part of the outcome.
    pub(crate) test: [u8; 32],
    /// The recipe as canonical JSON.
    pub(crate) recipe: String,
    /// Of the recipe, what asking a language model depends on.
    pub(crate) micro_batch_tokens: usize,
    /// How examples become a prompt.
    pub(crate) prompt: PromptTemplate,
}

/// The labels of a stage.
pub(crate) struct StageLabels<'a> {
    /// What it trains on, in the order of purchase, or what it chooses from.
    pub(crate) trained: Vec<&'a Example>,
    /// What stands in its prompts, in the order of the pool.
    pub(crate) shots: Vec<&'a Example>,
    /// What it trains on together with its labels.
    pub(crate) beside: Vec<&'a Example>,
}

impl SharedInputs {
    /// Of a study whose engine says this of itself, and these test examples.
    pub(crate) fn new(study: &Study, engine: Fingerprint, test: &[Example]) -> Self {
        let Fingerprint { model, rounding, tokenizer, pooling, max_length } = engine;
        Self {
            model,
            rounding,
            tokenizer,
            pooling,
            cut: study.model.too_long == TooLong::Cut,
            max_length,
            test: *content_hash(test).as_bytes(),
            recipe: Self::canonical_recipe(&study.recipe),
            micro_batch_tokens: study.recipe.micro_batch_tokens,
            prompt: study.prompt.clone(),
        }
    }

    /// The recipe in a form that does not depend on the order of keys.
    pub(crate) fn canonical_recipe(recipe: &Recipe) -> String {
        canonical(recipe)
    }

    /// The key of a stage. What a plan does not ask for adds nothing, so that new kinds of plans leave the keys of old ones
    /// as they are.
    pub(crate) fn stage_key(
        &self,
        parent: Option<&StageKey>,
        reads: &[&StageKey],
        plan: &StagePlan,
        labels: &StageLabels<'_>,
        seed: u64,
    ) -> StageKey {
        let mut parts = HashedParts::new(SCHEMA);
        let mut part = |name: &str, bytes: &[u8]| parts.add(name, bytes);
        part("model", &self.model);
        if let Some(rounding) = &self.rounding {
            part("rounding", rounding.as_bytes());
        }
        part("tokenizer", &self.tokenizer);
        match plan.work {
            StageWork::Train { options, keep_optimizer } => {
                part("pooling", self.pooling.as_bytes());
                part("cut", &[u8::from(self.cut)]);
                part("test", &self.test);
                part("recipe", self.recipe.as_bytes());
                part("parent", parent.map_or("", StageKey::as_str).as_bytes());
                part("kind", plan.labels.name().as_bytes());
                part("labels", bought_hash(labels.trained.iter().copied(), plan.labels).as_bytes());
                if options != StageOptions::default() {
                    part("options", canonical(&options).as_bytes());
                }
                if keep_optimizer {
                    part("keeps", b"optimizer");
                }
            }
            StageWork::Ask => {
                part("asked", &(self.micro_batch_tokens as u64).to_le_bytes());
                part("cut", &[u8::from(self.cut)]);
                part("test", &self.test);
            }
            StageWork::Average => part("averaged", &self.test),
        }
        // Texts that are left out as too long show in the data; those that are cut, and prompts that lose shots, do not.
        if let Some(max_length) = self.max_length.filter(|_| self.cut || plan.shots.is_some()) {
            part("max length", &(max_length as u64).to_le_bytes());
        }
        part("seed", &seed.to_le_bytes());
        if let Choice::LeastCertain { temperature, .. } = plan.choice {
            part("least certain", &(plan.count as u64).to_le_bytes());
            part("temperature", &temperature.to_bits().to_le_bytes());
        }
        if let Some(shots) = plan.shots {
            part("prompt", canonical(&self.prompt).as_bytes());
            part("order of shots", canonical(&shots.order).as_bytes());
            part("kind of shots", shots.labels.name().as_bytes());
            part("shots", bought_hash(labels.shots.iter().copied(), shots.labels).as_bytes());
        }
        if let Some(follow_up) = &plan.follow_up {
            part("follow up", canonical(follow_up).as_bytes());
        }
        if parent.is_none() && plan.head != HeadStart::default() {
            part("head", canonical(&plan.head).as_bytes());
        }
        if plan.member > 0 {
            part("training", &(plan.member as u64).to_le_bytes());
        }
        for read in reads {
            part("reads", read.as_str().as_bytes());
        }
        match plan.beside {
            None => {}
            Some(Beside::Labels(BesideLabels { labels: kind, weight, by_confidence, denoise, .. })) => {
                part("kind beside", kind.name().as_bytes());
                part("labels beside", bought_hash(labels.beside.iter().copied(), kind).as_bytes());
                part("weight beside", &weight.to_bits().to_le_bytes());
                part("by confidence", &[u8::from(by_confidence)]);
                part("denoise", canonical(&denoise).as_bytes());
            }
            Some(Beside::PseudoLabels(PseudoLabels { weight, .. })) => {
                let ids: Vec<u8> = labels.beside.iter().flat_map(|example| example.id.number().to_le_bytes()).collect();
                part("texts beside", &ids);
                part("weight beside", &weight.to_bits().to_le_bytes());
            }
        }
        StageKey::of(&parts)
    }
}

/// A value as JSON that does not depend on the order of keys.
fn canonical(value: &impl Serialize) -> String {
    // serde_json's maps are sorted, and its floats are written with the fewest digits that read back the same.
    serde_json::to_value(value).expect("what is hashed is numbers and words with names").to_string()
}

/// A key that tells texts apart.
#[cfg(test)]
pub(crate) fn key_of_text(text: &str) -> StageKey {
    let mut parts = HashedParts::new("labelmix test");
    parts.add("text", text.as_bytes());
    StageKey::of(&parts)
}

#[cfg(test)]
mod tests {
    use labelmix_econ::LabelKind;
    use labelmix_methods::{CorrectionWay, Denoise, FollowUp, Loss, RatesFrom, ShotOrder, ShotsPlan, Trains};

    use super::*;

    fn shared() -> SharedInputs {
        SharedInputs {
            model: [1; 32],
            rounding: None,
            tokenizer: [2; 32],
            pooling: "mean",
            cut: false,
            max_length: None,
            test: [3; 32],
            recipe: SharedInputs::canonical_recipe(&Recipe::default()),
            micro_batch_tokens: 1024,
            prompt: PromptTemplate::default(),
        }
    }

    fn labels() -> Vec<Example> {
        vec![Example::new("good".into(), Some(true), Some(0.75)), Example::new("bad".into(), Some(false), None)]
    }

    fn weak() -> StagePlan {
        StagePlan::training(LabelKind::Weak, 2, StageOptions::default())
    }

    fn key(
        shared: &SharedInputs,
        parent: Option<&StageKey>,
        plan: &StagePlan,
        labels: &[Example],
        seed: u64,
    ) -> StageKey {
        let examples = || labels.iter().collect();
        let labels = StageLabels { trained: examples(), shots: examples(), beside: examples() };
        shared.stage_key(parent, &[], plan, &labels, seed)
    }

    #[test]
    fn a_known_key_stays_what_it_is() {
        insta::assert_snapshot!(key(&shared(), None, &weak(), &labels(), 7), @"f73a4c5071e6d0720bd11284c65c7e33");
    }

    #[test]
    fn every_input_changes_the_key() {
        let base = key(&shared(), None, &weak(), &labels(), 7);
        let mut keys = vec![base.clone()];
        keys.push(key(&shared(), Some(&base), &weak(), &labels(), 7));
        keys.push(key(&shared(), None, &weak(), &labels()[..1], 7));
        keys.push(key(&shared(), None, &weak(), &labels(), 8));
        let options = |options| StagePlan::training(LabelKind::Weak, 2, options);
        let least_certain = |temperature| Choice::LeastCertain { temperature, candidates: None };
        let shots = |labels, order| Some(ShotsPlan { labels, count: 2, order });
        let (fresh, one) = (ShotOrder::FreshForEach, ShotOrder::OneForAll);
        let follow_up = |template: &str, answer_tokens| Some(FollowUp { template: template.to_owned(), answer_tokens });
        let beside = |weight, by_confidence, way: Option<CorrectionWay>| {
            let denoise = way.map(|way| Denoise { way, rates: RatesFrom::OwnLabels, by_agreement: false });
            Some(Beside::Labels(BesideLabels { labels: LabelKind::Weak, count: 2, weight, by_confidence, denoise }))
        };
        for plan in [
            StagePlan { labels: LabelKind::Gold, ..weak() },
            options(StageOptions { loss: Loss::LogConfidence, ..StageOptions::default() }),
            options(StageOptions { trains: Trains::Head, ..StageOptions::default() }),
            options(StageOptions { reinitialise_head: true, ..StageOptions::default() }),
            options(StageOptions { carry_optimizer: true, ..StageOptions::default() }),
            StagePlan { work: StageWork::Train { options: StageOptions::default(), keep_optimizer: true }, ..weak() },
            StagePlan { choice: least_certain(0.0), ..weak() },
            StagePlan { choice: least_certain(1.0), ..weak() },
            StagePlan { choice: least_certain(0.0), count: 1, ..weak() },
            StagePlan { shots: shots(LabelKind::Weak, fresh), ..weak() },
            StagePlan { shots: shots(LabelKind::Gold, fresh), ..weak() },
            StagePlan { shots: shots(LabelKind::Gold, one), ..weak() },
            StagePlan { work: StageWork::Ask, shots: shots(LabelKind::Gold, one), ..weak() },
            StagePlan { work: StageWork::Average, ..weak() },
            StagePlan { member: 1, ..weak() },
            StagePlan { member: 2, ..weak() },
            StagePlan { head: HeadStart::Words, shots: shots(LabelKind::Gold, one), ..weak() },
            StagePlan { follow_up: follow_up("so {answer}", 1), ..weak() },
            StagePlan { follow_up: follow_up("so {answer}", 2), ..weak() },
            StagePlan { follow_up: follow_up("is {answer}", 1), ..weak() },
            StagePlan { beside: beside(0.3, false, None), ..weak() },
            StagePlan { beside: beside(0.4, false, None), ..weak() },
            StagePlan { beside: beside(0.3, true, None), ..weak() },
            StagePlan { beside: beside(0.3, false, Some(CorrectionWay::Forward)), ..weak() },
            StagePlan { beside: beside(0.3, false, Some(CorrectionWay::Backward)), ..weak() },
            StagePlan { beside: Some(Beside::PseudoLabels(PseudoLabels { texts: None, weight: 1.0 })), ..weak() },
            StagePlan { beside: Some(Beside::PseudoLabels(PseudoLabels { texts: None, weight: 0.5 })), ..weak() },
        ] {
            keys.push(key(&shared(), None, &plan, &labels(), 7));
        }
        let recipe = Recipe { learning_rate: 1e-4, ..Recipe::default() };
        for inputs in [
            SharedInputs { model: [9; 32], ..shared() },
            SharedInputs { rounding: Some("nf4".to_owned()), ..shared() },
            SharedInputs { tokenizer: [9; 32], ..shared() },
            SharedInputs { pooling: "last", ..shared() },
            SharedInputs { cut: true, ..shared() },
            SharedInputs { cut: true, max_length: Some(128), ..shared() },
            SharedInputs { cut: true, max_length: Some(64), ..shared() },
            SharedInputs { test: [9; 32], ..shared() },
            SharedInputs { recipe: SharedInputs::canonical_recipe(&recipe), ..shared() },
        ] {
            keys.push(key(&inputs, None, &weak(), &labels(), 7));
        }
        let examples = labels();
        let labels = || StageLabels { trained: examples.iter().collect(), shots: Vec::new(), beside: Vec::new() };
        let average = StagePlan { work: StageWork::Average, ..weak() };
        let average = |reads: &[&StageKey]| shared().stage_key(None, reads, &average, &labels(), 7);
        let (first, second) = (keys[0].clone(), keys[1].clone());
        keys.extend([average(&[&first]), average(&[&second]), average(&[&first, &second])]);
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn a_limit_for_texts_enters_where_it_shortens_something() {
        let limited = |max_length| SharedInputs { max_length: Some(max_length), ..shared() };
        assert_eq!(key(&limited(128), None, &weak(), &labels(), 7), key(&shared(), None, &weak(), &labels(), 7));
        let shots = ShotsPlan { labels: LabelKind::Gold, count: 2, order: ShotOrder::OneForAll };
        let prompted = StagePlan { shots: Some(shots), ..weak() };
        let keys = [shared(), limited(128), limited(64)].map(|shared| key(&shared, None, &prompted, &labels(), 7));
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }

    #[test]
    fn what_does_not_matter_to_a_stage_does_not_enter() {
        let prompt = PromptTemplate { between: "\n".into(), ..PromptTemplate::default() };
        let other_prompt = SharedInputs { prompt, ..shared() };
        assert_eq!(key(&other_prompt, None, &weak(), &labels(), 7), key(&shared(), None, &weak(), &labels(), 7));

        // The choice among labels that are all known is in the labels; how many are candidates is in the candidates.
        let surest = StagePlan { choice: Choice::SurestLabels { of: 9 }, ..weak() };
        assert_eq!(key(&shared(), None, &surest, &labels(), 7), key(&shared(), None, &weak(), &labels(), 7));

        let shots = ShotsPlan { labels: LabelKind::Gold, count: 2, order: ShotOrder::OneForAll };
        let ask = StagePlan { work: StageWork::Ask, shots: Some(shots), ..weak() };
        let recipe = SharedInputs::canonical_recipe(&Recipe { learning_rate: 1e-4, ..Recipe::default() });
        let other_recipe = SharedInputs { recipe, pooling: "last", ..shared() };
        assert_eq!(key(&other_recipe, None, &ask, &labels(), 7), key(&shared(), None, &ask, &labels(), 7));
        assert_ne!(key(&other_prompt, None, &ask, &labels(), 7), key(&shared(), None, &ask, &labels(), 7));
    }
}
