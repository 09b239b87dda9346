//! `labelmix sandbox`: the world, and language models pretrained on it.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use labelmix_sandbox::{
    Form, RELATION_NAMES, SandboxModel, World, WorldSettings, object_losses, pretrain, write_questions,
};

use crate::arguments::{PretrainArguments, SandboxArguments, SandboxCommand};
use crate::diagnosis::{Failure, Status, print_data};
use crate::progress::PretrainingBar;

pub(crate) fn run(arguments: &SandboxArguments) -> Result<Status, Failure> {
    match &arguments.command {
        SandboxCommand::Pretrain(arguments) => pretrain_models(arguments),
    }
}

fn pretrain_models(arguments: &PretrainArguments) -> Result<Status, Failure> {
    let world = World::new(WorldSettings { seed: arguments.seed, ..WorldSettings::default() });
    for model in SandboxModel::ALL {
        let folder = arguments.out.join(model.name());
        let bar = PretrainingBar::new(model.name());
        let started = Instant::now();
        let mut tokens = 0;
        pretrain(&world, &model.pretraining(), &folder, |progress| {
            tokens = progress.tokens;
            bar.observe(progress);
        })?;
        bar.clear();
        let seconds = started.elapsed().as_secs_f64();
        print_data(&describe(&world, model, &folder, tokens, seconds)?)?;
    }
    write_questions(&world, &arguments.out)?;
    Ok(Status::Done)
}

/// What was made, and what it knows.
fn describe(world: &World, model: SandboxModel, folder: &Path, tokens: usize, seconds: f64) -> Result<String, Failure> {
    let statements = object_losses(world, folder, Form::Statement)?;
    let questions = object_losses(world, folder, Form::Question)?;
    let mut text = format!(
        "{}: {tokens} tokens in {seconds:.0} s ({:.0} a second), {}\n  loss of the object (nats; 2.77 is no knowledge)\n",
        model.name(),
        tokens as f64 / seconds,
        folder.display()
    );
    for (relation, (statement, question)) in RELATION_NAMES.iter().zip(statements.iter().zip(questions)) {
        writeln!(text, "  {relation:<12} in sentences {statement:.3}, in questions {question:.3}")
            .expect("a string can be written to");
    }
    Ok(text)
}
