//! Ten labels that can be counted by hand, and two that cannot be judged.

use labelmix_data::{Example, FieldValue};

use super::LabelReport;

/// Texts of 1 to 10 characters with their weak and gold labels; three weak labels are wrong.
const LABELS: [(f32, bool); 10] = [
    (0.9, true),
    (0.8, true),
    (0.7, false), // wrong
    (0.6, true),
    (0.6, false), // wrong
    (0.4, false),
    (0.4, true), // wrong
    (0.3, false),
    (0.1, false),
    (0.5, true),
];

pub(crate) fn pool() -> Vec<Example> {
    let both = (1..).zip(LABELS).map(|(length, (weak, gold))| Example::new("a".repeat(length), Some(gold), Some(weak)));
    let one_of_two = [("gold alone", Some(true), None), ("weak alone", None, Some(0.5))];
    both.chain(one_of_two.map(|(text, gold, weak)| Example::new(text.to_owned(), gold, weak))).collect()
}

/// A test set without weak labels.
pub(crate) fn test() -> Vec<Example> {
    [true, false].map(|gold| Example::new(format!("of class {gold}"), Some(gold), None)).into()
}

pub(crate) fn report() -> LabelReport {
    LabelReport::new("tiny", &[], &pool(), &test()).unwrap()
}

/// The same, with where the texts are from.
pub(crate) fn report_by_field() -> LabelReport {
    let sources = ["<shop>", "forum", "<shop>", "forum", "<shop>", "", "<shop>", "forum", "", "<shop>"];
    let value = |source: &str| match source {
        "" => FieldValue::Missing,
        source => FieldValue::Text(source.into()),
    };
    let mut pool = pool();
    for (example, source) in pool.iter_mut().zip(sources) {
        example.fields = [value(source)].into();
    }
    LabelReport::new("tiny", &["source".to_owned()], &pool, &test()).unwrap()
}
