//! Entities and what is true of them.

use std::collections::BTreeSet;
use std::ops::Range;

use labelmix_stats::stream;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::language::{FORMS, GROUP, GROUPS, OBJECTS, RELATIONS};
use crate::names::names;

/// Relations of the world.
pub const RELATION_COUNT: usize = RELATIONS.len();

/// What an entity is for. No entity has two roles, so what is measured on the test entities was never in a label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It occurs in the corpus only.
    Pretraining,
    /// The weak labeler's gold labels are about it.
    Labeler,
    /// The labels that are for sale are about it.
    Pool,
    /// The test asks about it.
    Test,
}

impl Role {
    /// All of them, in the order in which entities are dealt out.
    pub const ALL: [Self; 4] = [Self::Pretraining, Self::Labeler, Self::Pool, Self::Test];
}

/// How large a world is, and how regular.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WorldSettings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Entities of each role, in the order of [`Role::ALL`].
    pub entities: [usize; 4],
    /// How often the group of an entity's object follows from the entity's latent type; else it is drawn.
    pub regularity: f64,
    /// How often the corpus speaks of each relation.
    pub relation_frequencies: [f64; RELATION_COUNT],
    /// The rarest entity's frequency, where the most frequent has one.
    pub rarest_entity: f64,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            entities: [60, 40, 220, 80],
            regularity: 0.65,
            relation_frequencies: [1.0, 1.0, 0.6, 0.6, 0.35, 0.35],
            rarest_entity: 0.4,
        }
    }
}

/// A relation of an entity: what a fact is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subject {
    /// The entity's number.
    pub entity: usize,
    /// The relation's number.
    pub relation: usize,
}

/// Entities, relations and facts: a function of its settings.
pub struct World {
    pub(crate) settings: WorldSettings,
    names: Vec<String>,
    /// The object of every relation of every entity.
    objects: Vec<[usize; RELATION_COUNT]>,
    /// Whether the objects of each group of each relation are red.
    red: [[bool; GROUPS]; RELATION_COUNT],
    /// The running sums of the frequencies of all subjects.
    cumulative: Vec<f64>,
}

impl World {
    /// The world of these settings.
    pub fn new(settings: WorldSettings) -> Self {
        let seed = settings.seed;
        let count = settings.entities.iter().sum();
        let taken: BTreeSet<&str> = crate::vocabulary::spoken_words();
        let names = names(count, seed, &taken);
        let mut random = stream(seed, "facts");
        let red = std::array::from_fn(|_| {
            let mut colours = std::array::from_fn(|group| group < GROUPS / 2);
            colours.shuffle(&mut random);
            colours
        });
        let objects = (0..count)
            .map(|_| {
                let latent = random.random_range(0..GROUPS);
                std::array::from_fn(|relation| {
                    let regular = random.random_bool(settings.regularity);
                    let group = if regular { (latent + relation) % GROUPS } else { random.random_range(0..GROUPS) };
                    group * GROUP + random.random_range(0..GROUP)
                })
            })
            .collect();
        let mut random = stream(seed, "frequencies");
        let mut total = 0.0;
        let mut cumulative = Vec::with_capacity(count * RELATION_COUNT);
        for _ in 0..count {
            let entity = random.random_range(settings.rarest_entity.ln()..=0.0).exp();
            for relation in settings.relation_frequencies {
                total += entity * relation;
                cumulative.push(total);
            }
        }
        Self { settings, names, objects, red, cumulative }
    }

    /// What determines the world.
    pub fn settings(&self) -> &WorldSettings {
        &self.settings
    }

    /// The numbers of the entities of a role.
    pub fn entities(&self, role: Role) -> Range<usize> {
        let place = Role::ALL.iter().position(|other| *other == role).expect("every role is listed");
        let first = self.settings.entities[..place].iter().sum();
        first..first + self.settings.entities[place]
    }

    /// The names of all entities.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The word for the object that a relation gives an entity.
    pub fn object(&self, subject: Subject) -> &'static str {
        RELATIONS[subject.relation].objects[self.objects[subject.entity][subject.relation]]
    }

    /// Whether an entity's object is red: the label of every question about it.
    pub fn is_red(&self, subject: Subject) -> bool {
        self.red[subject.relation][self.objects[subject.entity][subject.relation] / GROUP]
    }

    /// Whether an object, by its number within its relation, is red.
    pub(crate) fn object_is_red(&self, relation: usize, object: usize) -> bool {
        assert!(object < OBJECTS, "a relation has {OBJECTS} objects");
        self.red[relation][object / GROUP]
    }

    /// Draws what a sentence of the corpus is about, by the entities' and the relations' frequencies.
    pub(crate) fn draw_subject(&self, random: &mut impl Rng) -> Subject {
        let total = self.cumulative.last().expect("a world has entities");
        let place = random.random_range(0.0..*total);
        let index = self.cumulative.partition_point(|sum| *sum <= place);
        Subject { entity: index / RELATION_COUNT, relation: index % RELATION_COUNT }
    }

    /// A sentence or question with the words of a subject in it.
    pub(crate) fn fill(&self, form: &str, subject: Subject) -> String {
        form.replace("{name}", &self.names[subject.entity]).replace("{object}", self.object(subject))
    }
}

/// A question whose answer is a colour: an example of the sandbox's task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// What it asks about.
    pub subject: Subject,
    /// The text to classify.
    pub text: String,
    /// Whether the object is red.
    pub is_red: bool,
}

impl World {
    /// Every question about the entities of a role.
    pub fn questions(&self, role: Role) -> Vec<Question> {
        let mut questions = Vec::new();
        for entity in self.entities(role) {
            for relation in 0..RELATION_COUNT {
                let subject = Subject { entity, relation };
                questions.extend((0..FORMS).map(|form| self.question(subject, form)));
            }
        }
        questions
    }

    pub(crate) fn question(&self, subject: Subject, form: usize) -> Question {
        let clause = RELATIONS[subject.relation].questions[form];
        let text = self.fill(&crate::language::EXAMPLE.replace("{question}", clause), subject);
        Question { subject, text: capitalized(&text), is_red: self.is_red(subject) }
    }
}

/// With the first letter and the one after "? " as at the beginning of a sentence; the tokenizer lowers them again.
fn capitalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for character in text.chars() {
        if begins && character.is_alphabetic() {
            out.extend(character.to_uppercase());
            begins = false;
        } else {
            out.push(character);
            begins |= character == '?';
        }
    }
    out
}
