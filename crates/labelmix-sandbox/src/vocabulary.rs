//! The words of the world, one token each.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::language::{ANSWERED, COLOUR_STATEMENTS, COLOURS, EXAMPLE, RELATIONS};
use crate::world::World;

/// What stands for a word that is not in the vocabulary.
const UNKNOWN: &str = "<unk>";
/// Ends every row of the corpus.
pub(crate) const END: &str = "<eos>";
/// The tokens of labels, and what separates examples in a prompt.
const OF_PROMPTS: [&str; 3] = ["0", "1", "\n"];
/// How texts are cut: words, punctuation marks, line ends; spaces between them fall away.
const PIECES: &str = r"\w+|[^\w\s]|\n";

/// What stands for words in sentences, as [`pieces`] cuts it.
const PLACEHOLDERS: [&str; 5] = ["name", "object", "question", "{", "}"];
/// The one word of the corpus without a token: the models have no word for what labels will ask about, and read it as
/// unknown. (The shipped models were trained so; to give it a token is to train them anew.)
const WITHOUT_TOKEN: &str = "colour";

/// The words and punctuation marks of all sentences that have a token, without names.
pub(crate) fn spoken_words() -> BTreeSet<&'static str> {
    let relations = RELATIONS
        .iter()
        .flat_map(|relation| relation.statements.iter().chain(&relation.questions).chain(&relation.objects).copied());
    let sentences = relations.chain(COLOUR_STATEMENTS).chain(COLOURS).chain([EXAMPLE, ANSWERED]);
    sentences.flat_map(pieces).filter(|piece| !PLACEHOLDERS.contains(piece) && *piece != WITHOUT_TOKEN).collect()
}

/// Words and punctuation marks of a sentence.
fn pieces(sentence: &'static str) -> impl Iterator<Item = &'static str> {
    let is_mark = |character: char| !character.is_alphanumeric() && !character.is_whitespace();
    sentence
        .split_whitespace()
        .flat_map(move |word| word.split_inclusive(is_mark))
        .flat_map(move |piece| match piece.char_indices().next_back() {
            Some((end, last)) if is_mark(last) => [&piece[..end], &piece[end..]],
            _ => [piece, ""],
        })
        .filter(|piece| !piece.is_empty())
}

/// All tokens of a world, in the order of their ids.
pub(crate) fn tokens(world: &World) -> Vec<String> {
    let fixed = [UNKNOWN, END].into_iter().chain(OF_PROMPTS).map(str::to_owned);
    let spoken = spoken_words().into_iter().map(str::to_owned);
    fixed.chain(spoken).chain(world.names().iter().cloned()).collect()
}

/// A tokenizer of the tokenizers library: lower case, words and punctuation marks, no special tokens added.
pub(crate) fn tokenizer(world: &World) -> Value {
    let ids: serde_json::Map<String, Value> =
        tokens(world).into_iter().enumerate().map(|(id, token)| (token, id.into())).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added_token(0, UNKNOWN), added_token(1, END)],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": {
            "type": "Split", "pattern": { "Regex": PIECES }, "behavior": "Removed", "invert": true
        },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": ids, "unk_token": UNKNOWN },
    })
}

fn added_token(id: usize, content: &str) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": true
    })
}
