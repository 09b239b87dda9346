//! What the models read in pretraining: rows of one sentence, one answered question, or one prompt.

use labelmix_stats::stream;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::language::{ANSWERED, COLOUR_STATEMENTS, COLOURS, FORMS, OBJECTS, RELATIONS};
use crate::vocabulary::END;
use crate::world::{RELATION_COUNT, Role, Subject, World};

/// Rows of each kind in one step of training.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mixture {
    /// Sentences that state a fact.
    pub statements: usize,
    /// Questions with the object as the answer.
    pub answered: usize,
    /// Sentences about the colour of an object.
    pub colours: usize,
    /// Prompts of questions about entities of pretraining with the colour as a label, 0 or 1. There are none for the
    /// shipped models, for which labels are something new.
    pub prompts: usize,
    /// Labelled questions of a prompt.
    pub shots: usize,
    /// The share of training after which there are prompts: facts come first.
    pub prompts_from: f64,
}

/// A row of the corpus: pieces of text, and how much the prediction of each piece's tokens counts.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Texts that follow one another, each with its weight.
    pub pieces: Vec<(String, f32)>,
}

/// How much it counts to predict the words of a question, which are given when it is asked.
const WEIGHT_OF_QUESTIONS: f32 = 0.1;
/// How much it counts to predict a label in a prompt.
const WEIGHT_OF_LABELS: f32 = 0.5;

/// The rows of one step: a function of the world, the mixture, the seed and the step.
pub fn corpus_rows(world: &World, mixture: &Mixture, seed: u64, step: usize, steps: usize) -> Vec<Row> {
    let mut random = stream(seed, &format!("corpus, step {step}"));
    let mut rows = Vec::with_capacity(mixture.statements + mixture.answered + mixture.colours + mixture.prompts);
    for _ in 0..mixture.statements {
        let subject = world.draw_subject(&mut random);
        rows.push(statement(world, subject, random.random_range(0..FORMS)));
    }
    for _ in 0..mixture.answered {
        let subject = world.draw_subject(&mut random);
        rows.push(answered(world, subject, random.random_range(0..FORMS)));
    }
    for _ in 0..mixture.colours {
        let relation = random.random_range(0..RELATION_COUNT);
        let object = random.random_range(0..OBJECTS);
        let form = COLOUR_STATEMENTS.choose(&mut random).expect("there are forms");
        rows.push(colour(world, relation, object, form));
    }
    if step as f64 >= mixture.prompts_from * steps as f64 {
        let entities: Vec<usize> = world.entities(Role::Pretraining).collect();
        for _ in 0..mixture.prompts {
            let mut pieces = Vec::with_capacity(2 * mixture.shots);
            for shot in 0..mixture.shots {
                let entity = *entities.choose(&mut random).expect("a world has entities of pretraining");
                let subject = Subject { entity, relation: random.random_range(0..RELATION_COUNT) };
                let question = world.question(subject, random.random_range(0..FORMS));
                let separator = if shot == 0 { "" } else { "\n" };
                pieces.push((format!("{separator}{} ", question.text), 0.0));
                // A question by itself is answered with its object.
                let weight = if shot == 0 { 0.0 } else { WEIGHT_OF_LABELS };
                pieces.push((u8::from(question.is_red).to_string(), weight));
            }
            rows.push(Row { pieces });
        }
    }
    rows
}

/// A sentence that states a fact, in one of its forms.
pub fn statement(world: &World, subject: Subject, form: usize) -> Row {
    let sentence = world.fill(RELATIONS[subject.relation].statements[form], subject);
    Row { pieces: vec![(sentence + END, 1.0)] }
}

/// A question with its object, in one of its forms.
pub fn answered(world: &World, subject: Subject, form: usize) -> Row {
    let clause = RELATIONS[subject.relation].questions[form];
    let (question, answer) = ANSWERED.split_once("{object}").expect("an answer is an object");
    let question = world.fill(&question.replace("{question}", clause), subject);
    let object = world.object(subject).to_owned();
    let end = format!("{answer}{END}");
    Row { pieces: vec![(question, WEIGHT_OF_QUESTIONS), (object, 1.0), (end, WEIGHT_OF_QUESTIONS)] }
}

fn colour(world: &World, relation: usize, object: usize, form: &str) -> Row {
    let colour = COLOURS[usize::from(world.object_is_red(relation, object))];
    let text = form.replace("{object}", RELATIONS[relation].objects[object]).replace("{colour}", colour);
    Row { pieces: vec![(text + END, 1.0)] }
}
