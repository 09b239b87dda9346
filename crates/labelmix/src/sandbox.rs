//! `labelmix sandbox`: the world, and language models pretrained on it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use labelmix_files::{own, write_files};
use labelmix_sandbox::{
    ModelCard, Pretraining, RELATION_NAMES, SandboxModel, World, WorldSettings, pretrain, write_questions,
};

use crate::arguments::{PretrainArguments, SandboxArguments, SandboxCommand};
use crate::diagnosis::{Failure, Status, print_data};
use crate::progress::MessageBar;

const CARD_FILE: &str = "card.json";

pub(crate) fn run(arguments: &SandboxArguments) -> Result<Status, Failure> {
    match &arguments.command {
        SandboxCommand::Pretrain(arguments) => pretrain_models(arguments),
    }
}

fn pretrain_models(arguments: &PretrainArguments) -> Result<Status, Failure> {
    own(&arguments.out, SandboxModel::ALL.map(SandboxModel::name).into_iter().chain([CARD_FILE]))?;
    let world = World::new(WorldSettings { seed: arguments.seed, ..WorldSettings::default() });
    let mut cards = BTreeMap::new();
    for model in SandboxModel::ALL {
        let recipe = model.pretraining();
        let pretraining = Pretraining { steps: arguments.steps.map_or(recipe.steps, usize::from), ..recipe };
        let folder = arguments.out.join(model.name());
        let bar = MessageBar::new();
        let started = Instant::now();
        let (mut first, mut last) = (None, 0);
        pretrain(&world, &pretraining, &folder, |progress| {
            last = progress.tokens;
            first.get_or_insert(progress.tokens);
            bar.pretraining(model.name(), progress);
        })?;
        bar.clear();
        let card = ModelCard::of(&world, &folder)?;
        let speed = last.saturating_sub(first.unwrap_or(last)) as f64 / started.elapsed().as_secs_f64();
        print_data(&format!("{}: {last} tokens, {speed:.0} a second\n{}", folder.display(), table(&card)))?;
        cards.insert(model.name(), card);
    }
    write_questions(&world, &arguments.out)?;
    let json = serde_json::to_string_pretty(&cards).expect("cards have string keys") + "\n";
    write_files(&arguments.out, [(CARD_FILE.to_owned(), json)])?;
    Ok(Status::Done)
}

/// What a model knows.
fn table(card: &ModelCard) -> String {
    let mut text =
        "  relation     loss of the object: in sentences, in questions (2.77 nats: no knowledge)\n".to_owned();
    for (relation, (statement, question)) in RELATION_NAMES.iter().zip(card.statements.iter().zip(card.questions)) {
        writeln!(text, "  {relation:<12} {statement:.3}  {question:.3}").expect("a string can be written to");
    }
    text
}
