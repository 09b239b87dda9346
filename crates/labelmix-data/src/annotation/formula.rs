//! Texts that a spreadsheet would compute.
//!
//! A cell that begins with one of these signs is a formula to a spreadsheet, which may fetch what it names or start a
//! program. In a list that a spreadsheet may open, an apostrophe stands before such a text. One that has an apostrophe there
//! already gets another one, so that taking one off gives back the text.

use std::borrow::Cow;

/// Signs that begin a formula, also as Japanese keyboards write them, and those that are skipped before one.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

const GUARD: char = '\'';

fn would_be_computed(text: &str) -> bool {
    text.trim_start_matches(GUARD).starts_with(SIGNS)
}

/// A text as a list for annotators holds it.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if would_be_computed(text) { Cow::Owned(format!("{GUARD}{text}")) } else { Cow::Borrowed(text) }
}

/// The text that a list for annotators holds.
pub(super) fn unguarded(text: &str) -> &str {
    match text.strip_prefix(GUARD) {
        Some(rest) if would_be_computed(rest) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_texts() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(guarded(text), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_guarded_comes_back(text in "['=+@a\t -]{0,6}") {
            let written = guarded(&text).into_owned();
            prop_assert!(!written.starts_with(SIGNS));
            prop_assert_eq!(unguarded(&written), &text);
        }
    }
}
