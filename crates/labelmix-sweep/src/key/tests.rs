//! What enters a key, and what does not.

use std::sync::Arc;

use labelmix_econ::LabelKind;
use labelmix_methods::{
    AnswerScore, Calibration, Denoise, Draw, FollowUp, Loss, LossCorrection, RatesFrom, ShotOrder, ShotsPlan, Trains,
};

use super::*;

fn engine() -> Identity {
    Identity { engine: None, model: [1; 32], rounding: None, tokenizer: [2; 32], pooling: "mean", max_length: None }
}

fn shared() -> SharedInputs {
    SharedInputs {
        engine: engine(),
        cut: false,
        test: [3; 32],
        recipe: Recipe::default(),
        is_balanced: true,
        prompt: PromptTemplate::default(),
        before_answer: None,
        texts: key_of_text("all"),
    }
}

fn by(engine: Identity) -> SharedInputs {
    SharedInputs { engine, ..shared() }
}

fn limited(max_length: usize) -> SharedInputs {
    by(Identity { max_length: Some(max_length), ..engine() })
}

fn labels() -> Vec<Example> {
    vec![Example::new("good".into(), Some(true), Some(0.75)), Example::new("bad".into(), Some(false), None)]
}

fn weak() -> StagePlan {
    changed(|_| ())
}

/// The plan of a weak stage of two labels, changed.
fn changed(change: impl FnOnce(&mut TrainPlan)) -> StagePlan {
    let mut plan = TrainPlan::new(LabelKind::Weak, 2, StageOptions::default());
    change(&mut plan);
    StagePlan::Train(plan)
}

fn prompt(labels: LabelKind, order: ShotOrder) -> PromptPlan {
    PromptPlan { shots: ShotsPlan { labels, count: 2, order }, follow_up: None }
}

/// The key of a stage each of whose draws takes these examples.
fn key_of(shared: &SharedInputs, [parent, read]: [Option<&StageKey>; 2], plan: &StagePlan, of: &[Example]) -> StageKey {
    let places: Vec<usize> = (0..of.len()).collect();
    let drawn = plan.draws().map(|draw| Drawn { draw, queried: Vec::new(), places: places.clone() });
    let reads: Vec<&StageKey> = read.into_iter().collect();
    let drawn = &*drawn.collect::<Vec<_>>();
    shared.stage_key(parent, &reads, plan, Taken { train: of, drawn, reference: None }, 7)
}

fn key(shared: &SharedInputs, plan: &StagePlan) -> StageKey {
    key_of(shared, [None, None], plan, &labels())
}

#[test]
fn a_known_key_stays_what_it_is() {
    insta::assert_snapshot!(key(&shared(), &weak()), @"f73a4c5071e6d0720bd11284c65c7e33");
}

#[test]
fn every_input_changes_the_key() {
    let base = key(&shared(), &weak());
    let mut keys = vec![base.clone()];
    keys.push(key_of(&shared(), [Some(&base), None], &weak(), &labels()));
    keys.push(key_of(&shared(), [None, None], &weak(), &labels()[..1]));
    keys.push(shared().stage_key(None, &[], &weak(), Taken { train: &[], drawn: &[], reference: None }, 8));
    for (places, prior) in [(vec![], 0.5), (vec![0], 0.5), (vec![0], 0.4), (vec![1], 0.5)] {
        let plan = StagePlan::Average { of: vec![0], prompt: None, calibration: Calibration::Prior };
        let reference = Some(&Reference { places, prior });
        let taken = Taken { train: &labels(), drawn: &[], reference };
        keys.push(shared().stage_key(None, &[&base], &plan, taken, 7));
    }
    let options = |options| changed(|plan| plan.options = options);
    let usual = StageOptions::default();
    let least_certain = |temperature, count| {
        let choice = Choice::LeastCertain { temperature, candidates: None };
        changed(|plan| plan.draws[0] = Draw { choice, count, ..plan.draws[0] })
    };
    let prompted = |labels, order| changed(|plan| plan.prompt = Some(prompt(labels, order)));
    let (fresh, one) = (ShotOrder::FreshForEach, ShotOrder::OneForAll);
    let follow_up = |template: &str, answer_tokens| {
        let follow_up = Some(FollowUp { template: template.to_owned(), answer_tokens });
        changed(|plan| plan.prompt = Some(PromptPlan { follow_up, ..prompt(LabelKind::Gold, one) }))
    };
    let jointly = |source, weight, by_confidence, correction: Option<LossCorrection>| {
        let denoise =
            correction.map(|correction| Denoise { correction, rates: RatesFrom::OwnLabels, by_agreement: false });
        let role = Role::Jointly(JointLoss { weight, by_confidence, denoise });
        changed(|plan| plan.draws.push(Draw { source, role, ..plan.draws[0] }))
    };
    let weak_labels = DrawSource::Labels(LabelKind::Weak);
    let probe = |kind, penalty, features| {
        let plan = TrainPlan::new(kind, 2, usual);
        StagePlan::Probe(ProbePlan { draws: plan.draws, penalty, features })
    };
    let [half, last] = [None, Some(1)].map(|layers| ProbeFeatures::HiddenStates { layers });
    for plan in [
        StagePlan::Train(TrainPlan::new(LabelKind::Gold, 2, usual)),
        options(StageOptions { loss: Loss::LogConfidence, ..usual }),
        options(StageOptions { trains: Trains::Head, ..usual }),
        options(StageOptions { reinitialise_head: true, ..usual }),
        options(StageOptions { carry_optimizer: true, ..usual }),
        changed(|plan| plan.keep_optimizer = true),
        least_certain(0.0, 2),
        least_certain(1.0, 2),
        least_certain(0.0, 1),
        prompted(LabelKind::Weak, fresh),
        prompted(LabelKind::Gold, fresh),
        prompted(LabelKind::Gold, one),
        StagePlan::Ask(prompt(LabelKind::Gold, one)),
        changed(|plan| plan.draws[0].choice = Choice::Coverage),
        probe(LabelKind::Weak, 1.0, half),
        probe(LabelKind::Gold, 1.0, half),
        probe(LabelKind::Gold, 2.0, half),
        probe(LabelKind::Gold, 2.0, last),
        probe(LabelKind::Gold, 2.0, ProbeFeatures::Words),
        StagePlan::Average { of: Vec::new(), prompt: None, calibration: Calibration::None },
        StagePlan::Average {
            of: Vec::new(),
            prompt: Some(prompt(LabelKind::Gold, one)),
            calibration: Calibration::None,
        },
        changed(|plan| plan.repetition = 1),
        changed(|plan| plan.repetition = 2),
        changed(|plan| plan.start = Start::Fresh(HeadStart::Words)),
        follow_up("so {answer}", 1),
        follow_up("so {answer}", 2),
        follow_up("is {answer}", 1),
        jointly(weak_labels, 0.3, false, None),
        jointly(weak_labels, 0.4, false, None),
        jointly(weak_labels, 0.3, true, None),
        jointly(weak_labels, 0.3, false, Some(LossCorrection::Forward)),
        jointly(weak_labels, 0.3, false, Some(LossCorrection::Backward)),
        jointly(DrawSource::Predictions, 1.0, false, None),
        jointly(DrawSource::Predictions, 0.5, false, None),
    ] {
        keys.push(key(&shared(), &plan));
    }
    let recipe = Recipe { learning_rate: 1e-4, ..Recipe::default() };
    for inputs in [
        by(Identity { engine: Some("torch 2".to_owned()), ..engine() }),
        by(Identity { model: [9; 32], ..engine() }),
        by(Identity { rounding: Some("nf4".to_owned()), ..engine() }),
        by(Identity { tokenizer: [9; 32], ..engine() }),
        by(Identity { pooling: "last", ..engine() }),
        SharedInputs { cut: true, ..shared() },
        SharedInputs { cut: true, ..limited(128) },
        SharedInputs { cut: true, ..limited(64) },
        SharedInputs { test: [9; 32], ..shared() },
        SharedInputs { recipe, ..shared() },
    ] {
        keys.push(key(&inputs, &weak()));
    }
    // Hyper-parameters of a method are those of a study that has the same.
    let recipe = Recipe { learning_rate: 1e-4, ..Recipe::default() };
    let own = changed(|plan| plan.recipe = Some(Arc::new(recipe.clone())));
    assert_eq!(key(&shared(), &own), key(&SharedInputs { recipe, ..shared() }, &weak()));
    let average = StagePlan::Average { of: vec![0], prompt: None, calibration: Calibration::None };
    keys.extend([0, 1].map(|read| key_of(&shared(), [None, Some(&keys[read])], &average, &labels())));
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
}

#[test]
fn a_limit_for_texts_enters_where_it_shortens_something() {
    assert_eq!(key(&limited(128), &weak()), key(&shared(), &weak()));
    let prompted = changed(|plan| plan.prompt = Some(prompt(LabelKind::Gold, ShotOrder::OneForAll)));
    let keys = [shared(), limited(128), limited(64)].map(|shared| key(&shared, &prompted));
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
}

#[test]
fn what_does_not_matter_to_a_stage_does_not_enter() {
    let template = PromptTemplate { between: "\n".into(), ..PromptTemplate::default() };
    let other_prompt = SharedInputs { prompt: template, ..shared() };
    assert_eq!(key(&other_prompt, &weak()), key(&shared(), &weak()));

    // The choice among labels that are all known is in the labels; how many are candidates is in the candidates.
    let surest = changed(|plan| plan.draws[0].choice = Choice::SurestLabels { of: 9 });
    assert_eq!(key(&shared(), &surest), key(&shared(), &weak()));

    let ask = StagePlan::Ask(prompt(LabelKind::Gold, ShotOrder::OneForAll));
    let recipe = Recipe { learning_rate: 1e-4, ..Recipe::default() };
    let other_recipe = SharedInputs { recipe, ..by(Identity { pooling: "last", ..engine() }) };
    assert_eq!(key(&other_recipe, &ask), key(&shared(), &ask));
    assert_ne!(key(&other_prompt, &ask), key(&shared(), &ask));

    let judge = StagePlan::Judge(AnswerScore::Likelihood);
    let other_answers = SharedInputs { before_answer: Some("A:".into()), ..shared() };
    assert_eq!(key(&other_prompt, &judge), key(&shared(), &judge));
    assert_ne!(key(&other_answers, &judge), key(&shared(), &judge));
    assert_ne!(key(&shared(), &StagePlan::Judge(AnswerScore::LikelihoodGain)), key(&shared(), &judge));
    assert_eq!(key(&other_answers, &ask), key(&shared(), &ask));
}
