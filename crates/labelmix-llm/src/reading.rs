//! From an answer to a label.

use labelmix_store::Abstention;
use labelmix_study::LlmConfidence;
use serde_json::Value as Json;

use crate::question::Question;
use crate::reply::{Reply, Token};

/// What an answer says of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    Label {
        /// The probability of class 1.
        probability: f64,
        source: Source,
    },
    Abstention(Abstention),
}

/// Where a probability comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The service told the probabilities of both words.
    Told,
    /// It told one; the other has at most the smallest probability that it told, and is given that.
    Bounded,
    /// From what the model says of itself.
    Stated,
    /// The answer alone: 0 or 1.
    Word,
}

/// Reads an answer.
pub(crate) fn read(reply: &Reply, question: &Question) -> Reading {
    if reply.finish.as_deref() == Some("content_filter") {
        return Reading::Abstention(Abstention::Filtered);
    }
    if reply.refusal.as_deref().is_some_and(|words| !words.trim().is_empty()) {
        return Reading::Abstention(Abstention::Refused);
    }
    let words = question.words().map(str::to_lowercase);
    let content = spoken(&reply.content).to_lowercase();
    let found = find(&content, &words, reply.finish.as_deref() == Some("length"));
    if question.confidence == LlmConfidence::Logprobs
        && let Some((probability, source)) = told(reply, &words, found.as_ref())
    {
        return Reading::Label { probability, source };
    }
    let Some(Found { class, confidence, .. }) = found else {
        let is_empty = content.trim().is_empty();
        return Reading::Abstention(if is_empty { Abstention::Empty } else { Abstention::Unreadable });
    };
    let sure = f64::from(u8::from(class));
    match confidence.filter(|_| question.confidence == LlmConfidence::Stated) {
        Some(confidence) => {
            let probability = if class { confidence } else { 1.0 - confidence };
            Reading::Label { probability, source: Source::Stated }
        }
        None => Reading::Label { probability: sure, source: Source::Word },
    }
}

/// The answer without what the model thought aloud before it.
fn spoken(content: &str) -> &str {
    content.rsplit_once("</think>").map_or(content, |(_, spoken)| spoken)
}

/// A class's word in an answer.
struct Found {
    class: bool,
    /// The word as it stands there, all of it or its beginning.
    word: String,
    /// How sure the model says that it is, as a probability of this class.
    confidence: Option<f64>,
}

/// Finds the one word that an answer gives: it is the answer, or begins it, or ends it behind a colon or on a line of its own.
/// An answer that may end too soon may give a word's beginning. Prose that names a word somewhere may deny it, and gives none.
fn find(content: &str, words: &[String; 2], may_be_cut: bool) -> Option<Found> {
    if let Some(found) = in_json(content, words) {
        return Some(found);
    }
    let bare = content.trim_matches(is_no_letter);
    let class = begins(bare, words)
        .or_else(|| bare.rsplit([':', '\n']).next().and_then(|end| begins(end.trim_matches(is_no_letter), words)));
    if let Some(class) = class {
        let word = words[usize::from(class)].clone();
        return Some(Found { class, word, confidence: percentage(bare) });
    }
    let begun = [false, true].map(|class| !bare.is_empty() && words[usize::from(class)].starts_with(bare));
    match begun {
        [true, false] | [false, true] if may_be_cut => {
            Some(Found { class: begun[1], word: bare.to_owned(), confidence: None })
        }
        _ => None,
    }
}

fn is_no_letter(letter: char) -> bool {
    !letter.is_alphanumeric()
}

/// The class whose word an answer begins with: the longer one, where one begins with the other.
fn begins(answer: &str, words: &[String; 2]) -> Option<bool> {
    let begins = |class: bool| {
        let word = &words[usize::from(class)];
        let rest = answer.strip_prefix(word.as_str())?;
        rest.chars().next().is_none_or(is_no_letter).then_some((word.len(), class))
    };
    let longest = [false, true].into_iter().filter_map(begins).max();
    longest.map(|(_, class)| class)
}

/// The label and the confidence of an answer in JSON.
fn in_json(content: &str, words: &[String; 2]) -> Option<Found> {
    let object = content.get(content.find('{')?..=content.rfind('}')?)?;
    let object: Json = serde_json::from_str(object).ok()?;
    let label = match &object["label"] {
        Json::String(label) => label.trim().to_owned(),
        Json::Number(label) => label.to_string(),
        _ => return None,
    };
    let class = [false, true].into_iter().find(|class| words[usize::from(*class)] == label)?;
    let confidence = object["confidence"].as_f64().and_then(as_probability);
    Some(Found { class, word: label, confidence })
}

/// The last number of an answer, as a probability.
fn percentage(answer: &str) -> Option<f64> {
    let numbers = answer.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let last = numbers.filter_map(|number| number.trim_matches('.').parse().ok()).next_back()?;
    as_probability(last)
}

/// A confidence in percent, or as a probability where it is at most 1.
fn as_probability(confidence: f64) -> Option<f64> {
    let probability = if confidence > 1.0 { confidence / 100.0 } else { confidence };
    (0.0..=1.0).contains(&probability).then_some(probability)
}

/// What the service tells of the two words at the token where they part: of all spellings of either, with and without a blank, in
/// capitals, and cut into pieces.
fn told(reply: &Reply, words: &[String; 2], found: Option<&Found>) -> Option<(f64, Source)> {
    let shared = words[0].chars().zip(words[1].chars()).take_while(|(a, b)| a == b).count();
    let (token, done) = parting(reply, found, shared)?;
    let left = [0, 1].map(|class| words[class].chars().skip(done).collect::<String>());
    let mut told = [0.0, 0.0];
    for (spelling, logprob) in &token.top {
        let spelling = spelling.trim_matches(is_no_letter).to_lowercase();
        let is = [0, 1].map(|class| !spelling.is_empty() && left[class].starts_with(&spelling));
        match is {
            [true, false] => told[0] += logprob.exp(),
            [false, true] => told[1] += logprob.exp(),
            _ => {}
        }
    }
    let all: f64 = token.top.iter().map(|(_, logprob)| logprob.exp()).sum();
    let smallest = token.top.iter().map(|(_, logprob)| logprob.exp()).fold(1.0, f64::min);
    let unseen = smallest.min((1.0 - all).max(f64::MIN_POSITIVE));
    match told {
        [0.0, 0.0] => None,
        [no, 0.0] => Some((unseen / (no + unseen), Source::Bounded)),
        [0.0, yes] => Some((yes / (yes + unseen), Source::Bounded)),
        [no, yes] => Some((yes / (no + yes), Source::Told)),
    }
}

/// The token at which the two words part, and how many characters of the word stand before it.
fn parting<'a>(reply: &'a Reply, found: Option<&Found>, shared: usize) -> Option<(&'a Token, usize)> {
    if reply.tokens.iter().all(|token| token.top.is_empty()) {
        return None;
    }
    let written: String = reply.tokens.iter().map(|token| token.text.to_lowercase()).collect();
    // The last place where it stands: before it the model may have thought aloud.
    let place = found.and_then(|found| {
        let begins = written.starts_with(found.word.as_str()).then_some(0);
        begins.or_else(|| written.rfind(&found.word)).map(|byte| written[..byte].chars().count())
    });
    let mut before = 0;
    for token in &reply.tokens {
        let length = token.text.to_lowercase().chars().count();
        let wanted = match place {
            Some(place) => before + length > place + shared,
            // An answer of other words: what might have stood in the place of its first, or of the blank that is all there is.
            None => token.text.chars().any(char::is_alphanumeric) || reply.tokens.len() == 1,
        };
        if wanted {
            return Some((token, place.map_or(0, |place| before.saturating_sub(place))));
        }
        before += length;
    }
    None
}

#[cfg(test)]
mod tests {
    use labelmix_data::PromptTemplate;
    use labelmix_study::LlmForm;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn question(words: [&str; 2], confidence: LlmConfidence) -> Question {
        Question {
            model: "m".to_owned(),
            form: LlmForm::Chat,
            prompt: PromptTemplate { targets: words.map(str::to_owned), ..PromptTemplate::default() },
            instruction: String::new(),
            shots: Vec::new(),
            confidence,
            votes: 1,
            temperature: 0.0,
            max_tokens: 5,
            structured: false,
            extra: serde_json::Map::new(),
        }
    }

    /// A class as 0 or 1, a probability, or why there is none.
    fn said(content: &str, words: [&str; 2], confidence: LlmConfidence) -> String {
        let reply = Reply { content: content.to_owned(), ..Reply::default() };
        match read(&reply, &question(words, confidence)) {
            Reading::Label { probability, .. } => probability.to_string(),
            Reading::Abstention(why) => json!(why).as_str().unwrap().to_owned(),
        }
    }

    #[test]
    fn words_of_answers() {
        let said = |content| said(content, [" negative", " positive"], LlmConfidence::None);
        for content in [
            "positive",
            " Positive.",
            "**POSITIVE**",
            "Positive\nThe film is praised.",
            "Sentiment: positive",
            "The answer is: **positive**!",
            "I would say this.\n\npositive",
            "{\"label\": \"positive\"}",
            "```json\n{\"label\": \"Positive\", \"why\": 1}\n```",
            "<think>negative at first, or not</think>\npositive",
        ] {
            assert_eq!(said(content), "1", "{content}");
        }
        for content in
            ["It is not positive.", "positively", "neutral", "neither positive nor negative", "{\"label\": 1}"]
        {
            assert_eq!(said(content), "unreadable", "{content}");
        }
        assert_eq!(said(" \n"), "empty");
        assert_eq!(said("<think>Let me see</think>"), "empty");
    }

    #[test]
    fn words_that_contain_each_other() {
        let said = |content| said(content, ["not acceptable", "acceptable"], LlmConfidence::None);
        assert_eq!(["Not acceptable.", "acceptable", "Label: not acceptable"].map(said), ["0", "1", "0"]);
        let longer = |content| super::tests::said(content, ["ham", "hamster"], LlmConfidence::None);
        assert_eq!(["ham", "hamster", "ham, not hamster"].map(longer), ["0", "1", "0"]);
    }

    #[test]
    fn confidences_that_models_state() {
        let said = |content| said(content, ["no", "yes"], LlmConfidence::Stated);
        assert_eq!(["yes, 80", "No (75%)", "yes", "yes, .75", "yes, 300"].map(said), ["0.8", "0.25", "1", "0.75", "1"]);
        assert_eq!(said("{\"label\": \"no\", \"confidence\": 75}"), "0.25");
    }

    fn told_of(words: [&str; 2], tokens: &[(&str, &[(&str, f64)])]) -> Reading {
        let tokens = tokens.iter().map(|(text, top)| Token {
            text: (*text).to_owned(),
            top: top.iter().map(|(text, share)| ((*text).to_owned(), share.ln())).collect(),
        });
        let tokens: Vec<Token> = tokens.collect();
        let content = tokens.iter().map(|token| token.text.as_str()).collect();
        let reply = Reply { content, tokens, finish: Some("length".to_owned()), refusal: None };
        read(&reply, &question(words, LlmConfidence::Logprobs))
    }

    #[test]
    fn all_spellings_of_a_word_count() {
        let top = [(" positive", 0.3), ("Pos", 0.1), ("positive", 0.2), (" negative", 0.1), ("NEG", 0.1), ("n", 0.1)];
        let Reading::Label { probability, source } = told_of(["negative", "positive"], &[(" positive", &top)]) else {
            panic!("there is a label");
        };
        assert_eq!(source, Source::Told);
        assert!((probability - 0.6 / 0.9).abs() < 1e-12, "{probability}");
    }

    #[test]
    fn a_word_that_is_not_listed_has_at_most_the_smallest_probability() {
        let label = |top: &[(&str, f64)]| match told_of(["negative", "positive"], &[(top[0].0, top)]) {
            Reading::Label { probability, source } => (probability, source),
            Reading::Abstention(why) => panic!("{why:?}"),
        };
        let (probability, source) = label(&[(" positive", 0.6), ("a", 0.1), ("b", 0.05)]);
        assert_eq!(source, Source::Bounded);
        assert!((probability - 0.6 / 0.65).abs() < 1e-12, "{probability}");
        let (probability, _) = label(&[(" negative", 0.98), ("a", 0.019)]);
        assert!((probability - 0.001 / 0.981).abs() < 1e-9, "no more than is left: {probability}");
        assert_eq!(
            told_of(["negative", "positive"], &[("good", &[("good", 0.9), ("bad", 0.1)])]),
            Reading::Abstention(Abstention::Unreadable)
        );
    }

    #[test]
    fn the_token_that_decides_is_found() {
        let decisive: &[(&str, f64)] = &[("positive", 0.75), ("negative", 0.25)];
        let sure = |text: &'static str| -> (&str, &[(&str, f64)]) { (text, &[]) };
        for before in ["\n", "\"", "{\"label\": \"", "Sentiment: ", "**"] {
            let tokens: Vec<(&str, &[(&str, f64)])> = vec![(before, &[("x", 1.0)]), ("positive", decisive)];
            let Reading::Label { probability, source } = told_of(["negative", "positive"], &tokens) else {
                panic!("there is a label behind {before:?}");
            };
            assert!(source == Source::Told && (probability - 0.75).abs() < 1e-12, "{before:?}");
        }
        // Words that begin alike part later.
        let tokens = [sure("un"), ("clear", &[("clear", 0.2), ("certain", 0.6), ("c", 0.2)][..])];
        let Reading::Label { probability, .. } = told_of(["uncertain", "unclear"], &tokens) else {
            panic!("there is a label");
        };
        assert!((probability - 0.25).abs() < 1e-12, "`c` begins both, and tells nothing: {probability}");
    }

    #[test]
    fn filters_and_refusals() {
        let reply = Reply { finish: Some("content_filter".to_owned()), content: "yes".to_owned(), ..Reply::default() };
        let question = question(["no", "yes"], LlmConfidence::Logprobs);
        assert_eq!(read(&reply, &question), Reading::Abstention(Abstention::Filtered));
        let reply = Reply { refusal: Some("I cannot.".to_owned()), content: "yes".to_owned(), ..Reply::default() };
        assert_eq!(read(&reply, &question), Reading::Abstention(Abstention::Refused));
    }

    proptest! {
        #[test]
        fn whatever_is_answered_gives_a_probability_or_none(
            content in "\\PC{0,40}",
            tokens in proptest::collection::vec(("\\PC{0,6}", proptest::collection::vec(("\\PC{0,8}", -30.0..0.0f64), 0..5)), 0..5),
            words in ("[a-zé]{1,6}", "[a-zé]{1,6}"),
        ) {
            prop_assume!(words.0 != words.1);
            let tokens = tokens.into_iter().map(|(text, top)| Token { text, top }).collect();
            let reply = Reply { content, tokens, finish: Some("length".to_owned()), refusal: None };
            for confidence in [LlmConfidence::Logprobs, LlmConfidence::Stated, LlmConfidence::None] {
                if let Reading::Label { probability, .. } = read(&reply, &question([&words.0, &words.1], confidence)) {
                    prop_assert!((0.0..=1.0).contains(&probability), "{probability}");
                }
            }
        }
    }
}
