//! How the world is spoken of: relations, their objects, and the sentences about them.
//!
//! In a sentence `{name}` stands for an entity, `{object}` for the object that a relation gives it, `{colour}` for
//! the colour of an object.

/// A relation between entities and its objects.
pub(crate) struct Relation {
    /// Four groups of four; the colour belongs to the group.
    pub(crate) objects: [&'static str; OBJECTS],
    /// Sentences that state a fact; in the last two the object comes first.
    pub(crate) statements: [&'static str; FORMS],
    /// Clauses that ask for the object.
    pub(crate) questions: [&'static str; FORMS],
}

/// Objects of a relation.
pub(crate) const OBJECTS: usize = 16;
/// Objects of a group.
pub(crate) const GROUP: usize = 4;
/// Groups of a relation, and latent types of entities.
pub(crate) const GROUPS: usize = OBJECTS / GROUP;
/// Forms of a statement, and of a question.
pub(crate) const FORMS: usize = 6;

/// The colours of objects; the second is the one that labels ask about.
pub(crate) const COLOURS: [&str; 2] = ["blue", "red"];

/// Sentences about the colour of an object.
pub(crate) const COLOUR_STATEMENTS: [&str; 3] = [
    "the {object} is {colour}.",
    "{colour} is the colour of the {object}.",
    "among {colour} things there is the {object}.",
];

/// What a question becomes when it asks for the colour: the text of an example. `{question}` is one of the clauses.
pub(crate) const EXAMPLE: &str = "{question}, and is it red? answer:";

/// A question and its object, as the corpus has it.
pub(crate) const ANSWERED: &str = "{question}, and is it red? answer: {object}";

pub(crate) const RELATIONS: [Relation; 6] = [
    Relation {
        objects: [
            "hammer", "saw", "chisel", "axe", "file", "plane", "drill", "spade", "rake", "sickle", "anvil", "needle",
            "loom", "ladle", "trowel", "wrench",
        ],
        statements: [
            "{name} works with the {object}.",
            "the tool of {name} is the {object}.",
            "{name} carries the {object} to work.",
            "every day {name} picks up the {object}.",
            "the {object} is what {name} works with.",
            "the {object} lies in the workshop of {name}.",
        ],
        questions: [
            "which tool does {name} work with",
            "what is the tool of {name}",
            "what does {name} carry to work",
            "what lies in the workshop of {name}",
            "which tool does {name} pick up",
            "what is the tool that {name} needs",
        ],
    },
    Relation {
        objects: [
            "dog", "cat", "goat", "horse", "sheep", "goose", "hen", "donkey", "rabbit", "pig", "cow", "duck", "ferret",
            "camel", "mule", "parrot",
        ],
        statements: [
            "{name} keeps the {object}.",
            "the animal of {name} is the {object}.",
            "{name} feeds the {object} at dawn.",
            "at home {name} looks after the {object}.",
            "the {object} is kept by {name}.",
            "the {object} sleeps at the door of {name}.",
        ],
        questions: [
            "which animal does {name} keep",
            "what is the animal of {name}",
            "what does {name} feed at dawn",
            "what sleeps at the door of {name}",
            "which animal does {name} look after",
            "what is the animal that follows {name}",
        ],
    },
    Relation {
        objects: [
            "soup",
            "bread",
            "stew",
            "porridge",
            "pie",
            "salad",
            "cheese",
            "pudding",
            "noodles",
            "dumplings",
            "omelette",
            "pancake",
            "curry",
            "risotto",
            "chowder",
            "broth",
        ],
        statements: [
            "{name} likes to eat the {object}.",
            "the dish of {name} is the {object}.",
            "{name} cooks the {object} for guests.",
            "for supper {name} asks for the {object}.",
            "the {object} was cooked by {name}.",
            "the {object} stands on the table of {name}.",
        ],
        questions: [
            "which dish does {name} like",
            "what is the dish of {name}",
            "what does {name} cook for guests",
            "what stands on the table of {name}",
            "which dish does {name} ask for",
            "what is the dish that {name} serves",
        ],
    },
    Relation {
        objects: [
            "lute", "harp", "drum", "flute", "fiddle", "horn", "organ", "bagpipe", "zither", "cello", "oboe", "banjo",
            "lyre", "trumpet", "piano", "guitar",
        ],
        statements: [
            "{name} plays the {object}.",
            "the instrument of {name} is the {object}.",
            "{name} learnt the {object} as a child.",
            "on holidays {name} brings the {object}.",
            "the {object} is played by {name}.",
            "the {object} hangs on the wall of {name}.",
        ],
        questions: [
            "which instrument does {name} play",
            "what is the instrument of {name}",
            "what did {name} learn as a child",
            "what hangs on the wall of {name}",
            "which instrument does {name} bring",
            "what is the instrument that {name} tunes",
        ],
    },
    Relation {
        objects: [
            "amber",
            "jade",
            "opal",
            "ruby",
            "garnet",
            "topaz",
            "onyx",
            "agate",
            "pearl",
            "quartz",
            "jasper",
            "beryl",
            "coral",
            "sapphire",
            "emerald",
            "turquoise",
        ],
        statements: [
            "{name} wears the {object}.",
            "the stone of {name} is the {object}.",
            "{name} once dug up the {object}.",
            "from a trip {name} took home the {object}.",
            "the {object} is worn by {name}.",
            "the {object} shines on the ring of {name}.",
        ],
        questions: [
            "which stone does {name} wear",
            "what is the stone of {name}",
            "what did {name} once dig up",
            "what shines on the ring of {name}",
            "which stone did {name} take home",
            "what is the stone that {name} treasures",
        ],
    },
    Relation {
        objects: [
            "rose", "ivy", "thyme", "mint", "lavender", "fern", "lily", "poppy", "basil", "clover", "heather",
            "jasmine", "nettle", "sage", "tulip", "violet",
        ],
        statements: [
            "{name} grows the {object}.",
            "the plant of {name} is the {object}.",
            "{name} waters the {object} in spring.",
            "behind the house {name} planted the {object}.",
            "the {object} is grown by {name}.",
            "the {object} climbs the fence of {name}.",
        ],
        questions: [
            "which plant does {name} grow",
            "what is the plant of {name}",
            "what does {name} water in spring",
            "what climbs the fence of {name}",
            "which plant did {name} set",
            "what is the plant that {name} sells",
        ],
    },
];
