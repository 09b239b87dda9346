//! The key of a stage: a hash of everything that determines its outcome, and of nothing else.
//!
//! Prices, budgets, paths, the study's name and the order of its keys do not enter, so re-pricing or moving a study
//! recomputes nothing. Every part is hashed with its name and length, in a fixed order.

#[cfg(test)]
mod tests;

use labelmix_data::{Example, PromptTemplate, bought_hash, content_hash};
use labelmix_methods::{
    CONTENT_FREE, Calibration, Choice, Draw, DrawSource, HeadStart, JointLoss, ProbeFeatures, ProbePlan, PromptPlan,
    Recipe, Role, StageOptions, StagePlan, Start, TrainPlan,
};
use labelmix_store::{HashedParts, StageKey};
use labelmix_study::{Study, TooLong};
use serde::Serialize;

use labelmix_engine::{Drawn, Identity, StageData};

use crate::features::COVERAGE_LAYERS;
use crate::purchase::{Reference, learnt_from};

/// Raised when the meaning of a stage changes, so that older results are not mistaken for newer ones.
const SCHEMA: &str = "labelmix stage 1";

/// What all stages of a sweep have in common, hashed once.
pub(crate) struct SharedInputs {
    pub(crate) engine: Identity,
    /// Whether long texts are cut (leaving them out shows in the data).
    pub(crate) cut: bool,
    /// The test examples, whose log-odds are part of the outcome.
    pub(crate) test: [u8; 32],
    pub(crate) recipe: Recipe,
    /// Whether the gold pool is balanced by gold: what a reference's prior depends on.
    pub(crate) is_balanced: bool,
    /// How examples become a prompt.
    pub(crate) prompt: PromptTemplate,
    /// What stands before the answer in texts that end with one.
    pub(crate) before_answer: Option<String>,
    /// The training texts: how rare words are among them decides what they weigh.
    pub(crate) texts: StageKey,
}

/// What a stage takes of the training examples.
#[derive(Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) train: &'a [Example],
    pub(crate) drawn: &'a [Drawn],
    pub(crate) reference: Option<&'a Reference>,
}

impl SharedInputs {
    /// Of a study whose engine says this of itself, and these test examples.
    pub(crate) fn new(study: &Study, engine: Identity, data: &StageData) -> Self {
        let mut texts = HashedParts::new("labelmix texts");
        for example in &data.train {
            texts.add("text", &example.id.number().to_le_bytes());
        }
        Self {
            engine,
            cut: study.model.too_long == TooLong::Cut,
            test: *content_hash(&data.test).as_bytes(),
            recipe: study.recipe.clone(),
            is_balanced: study.task.balance,
            prompt: data.prompt.clone(),
            before_answer: data.before_answer.clone(),
            texts: StageKey::of(&texts),
        }
    }

    /// The key of the hidden states of so many of the last layers.
    pub(crate) fn features_key(&self, layers: Option<usize>) -> StageKey {
        let mut parts = HashedParts::new("labelmix hidden states 1");
        self.parts_of_model(&mut parts);
        self.parts_of_reading(layers, &mut parts);
        if let Some(max_length) = self.engine.max_length.filter(|_| self.cut) {
            parts.add("max length", &(max_length as u64).to_le_bytes());
        }
        StageKey::of(&parts)
    }

    fn parts_of_model(&self, parts: &mut HashedParts) {
        let Identity { engine, model, rounding, tokenizer, .. } = &self.engine;
        if let Some(engine) = engine {
            parts.add("engine", engine.as_bytes());
        }
        parts.add("model", model);
        if let Some(rounding) = rounding {
            parts.add("rounding", rounding.as_bytes());
        }
        parts.add("tokenizer", tokenizer);
    }

    fn parts_of_reading(&self, layers: Option<usize>, parts: &mut HashedParts) {
        parts.add("layers", &(layers.unwrap_or(0) as u64).to_le_bytes());
        parts.add("pooling", self.engine.pooling.as_bytes());
        parts.add("cut", &[u8::from(self.cut)]);
    }

    /// The key of a stage. What a plan does not ask for adds nothing, so that new kinds of plans leave the keys of old ones
    /// as they are.
    pub(crate) fn stage_key(
        &self,
        parent: Option<&StageKey>,
        reads: &[&StageKey],
        plan: &StagePlan,
        taken: Taken<'_>,
        seed: u64,
    ) -> StageKey {
        let Taken { train, drawn, reference } = taken;
        let of_role = |wanted: fn(&Role) -> bool| drawn.iter().filter(move |drawn| wanted(&drawn.draw.role));
        let mut parts = HashedParts::new(SCHEMA);
        let labels_of = |drawn: &Drawn, kind| bought_hash(drawn.examples(train), kind);
        let Identity { pooling, max_length, .. } = &self.engine;
        let reads_words = matches!(plan, StagePlan::Probe(ProbePlan { features: ProbeFeatures::Words, .. }));
        if !reads_words {
            self.parts_of_model(&mut parts);
        }
        if let StagePlan::Probe(ProbePlan { features: ProbeFeatures::HiddenStates { layers }, .. }) = plan {
            self.parts_of_reading(*layers, &mut parts);
        }
        let mut part = |name: &str, bytes: &[u8]| parts.add(name, bytes);
        match plan {
            StagePlan::Train(training) => {
                let TrainPlan { options, keep_optimizer, .. } = training;
                part("pooling", pooling.as_bytes());
                part("cut", &[u8::from(self.cut)]);
                part("test", &self.test);
                let recipe = training.recipe(&self.recipe).of_stage(learnt_from(drawn));
                part("recipe", recipe_part(&recipe).as_bytes());
                part("parent", parent.map_or("", StageKey::as_str).as_bytes());
                parts_of_own(drawn, train, &mut part);
                if *options != StageOptions::default() {
                    part("options", canonical(options).as_bytes());
                }
                if *keep_optimizer {
                    part("keeps", b"optimizer");
                }
            }
            StagePlan::Ask(_) | StagePlan::Judge(_) => {
                if let StagePlan::Judge(score) = plan {
                    part("judged", canonical(score).as_bytes());
                    part("before answer", self.before_answer.as_deref().unwrap_or_default().as_bytes());
                }
                part("asked", &(self.recipe.micro_batch_tokens as u64).to_le_bytes());
                part("cut", &[u8::from(self.cut)]);
                part("test", &self.test);
            }
            StagePlan::Probe(ProbePlan { penalty, .. }) => {
                part("probe", &penalty.to_bits().to_le_bytes());
                if reads_words {
                    part("words of", self.texts.as_str().as_bytes());
                }
                part("test", &self.test);
                parts_of_own(drawn, train, &mut part);
            }
            StagePlan::Average { calibration, .. } => {
                part("averaged", &self.test);
                if *calibration == Calibration::Contextual {
                    part("content-free", CONTENT_FREE.join("\n").as_bytes());
                }
            }
        }
        // Texts that are left out as too long show in the data; those that are cut, and prompts that lose shots, do not.
        if let Some(max_length) = max_length.filter(|_| !reads_words && (self.cut || plan.prompt().is_some())) {
            part("max length", &(max_length as u64).to_le_bytes());
        }
        part("seed", &seed.to_le_bytes());
        for Drawn { draw, .. } in drawn {
            self.parts_of_choice(draw, &mut part);
        }
        if let Some(PromptPlan { shots, follow_up }) = plan.prompt() {
            part("prompt", canonical(&self.prompt).as_bytes());
            part("order of shots", canonical(&shots.order).as_bytes());
            part("kind of shots", shots.labels.name().as_bytes());
            for drawn in of_role(|role| *role == Role::Shot) {
                part("shots", labels_of(drawn, shots.labels).as_bytes());
            }
            if let Some(follow_up) = follow_up {
                part("follow up", canonical(follow_up).as_bytes());
            }
        }
        if let Some(TrainPlan { start, repetition, .. }) = plan.training() {
            if let Start::Fresh(head) = start
                && *head != HeadStart::default()
            {
                part("head", canonical(head).as_bytes());
            }
            if *repetition > 0 {
                part("training", &(*repetition as u64).to_le_bytes());
            }
        }
        if let Some(Reference { places, prior }) = reference {
            let ids = places.iter().flat_map(|place| train[*place].id.number().to_le_bytes());
            part("reference", &ids.collect::<Vec<u8>>());
            part("mean prior", &prior.to_bits().to_le_bytes());
        }
        for read in reads {
            part("reads", read.as_str().as_bytes());
        }
        parts_of_joint(drawn, train, &mut part);
        StageKey::of(&parts)
    }

    /// How a draw chooses among its candidates, if it does.
    fn parts_of_choice(&self, draw: &Draw, part: &mut impl FnMut(&str, &[u8])) {
        let count = (draw.count as u64).to_le_bytes();
        match draw.choice {
            Choice::LeastCertain { temperature, .. } => {
                part("least certain", &count);
                part("temperature", &temperature.to_bits().to_le_bytes());
            }
            Choice::Disputed { of } => {
                part("most disputed", &count);
                part("of", &(of as u64).to_le_bytes());
            }
            Choice::Coverage => {
                part("coverage", &count);
                part("covered by", self.features_key(COVERAGE_LAYERS).as_str().as_bytes());
            }
            Choice::Front | Choice::SurestLabels { .. } => {}
        }
    }
}

/// The labels that are learnt from by themselves.
fn parts_of_own(drawn: &[Drawn], train: &[Example], part: &mut impl FnMut(&str, &[u8])) {
    for drawn in drawn.iter().filter(|drawn| drawn.draw.role == Role::Train) {
        if let Some(kind) = drawn.draw.labels() {
            part("kind", kind.name().as_bytes());
            part("labels", bought_hash(drawn.examples(train), kind).as_bytes());
        }
    }
}

/// What is learnt from jointly with other labels.
fn parts_of_joint(drawn: &[Drawn], train: &[Example], part: &mut impl FnMut(&str, &[u8])) {
    for drawn in drawn {
        let Role::Jointly(JointLoss { weight, by_confidence, denoise }) = drawn.draw.role else { continue };
        match drawn.draw.source {
            DrawSource::Labels(kind) => {
                part("kind beside", kind.name().as_bytes());
                part("labels beside", bought_hash(drawn.examples(train), kind).as_bytes());
                part("weight beside", &weight.to_bits().to_le_bytes());
                part("by confidence", &[u8::from(by_confidence)]);
                part("denoise", canonical(&denoise).as_bytes());
            }
            DrawSource::Predictions => {
                let ids = drawn.examples(train).flat_map(|example| example.id.number().to_le_bytes());
                part("texts beside", &ids.collect::<Vec<u8>>());
                part("weight beside", &weight.to_bits().to_le_bytes());
            }
        }
    }
}

/// Hyper-parameters, as keys have had them since before there were schedules.
pub(crate) fn recipe_part(recipe: &Recipe) -> String {
    let mut recipe = serde_json::to_value(recipe).expect("a recipe is numbers and words with names");
    if let Some(keys) = recipe.as_object_mut().filter(|keys| keys["schedule"] == "early-stopping") {
        keys.remove("schedule");
    }
    recipe.to_string()
}

/// A value as JSON that does not depend on the order of keys.
pub(crate) fn canonical(value: &impl Serialize) -> String {
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
