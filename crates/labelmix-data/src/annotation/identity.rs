//! Which example a row of a file of labels is about.

use std::collections::HashMap;

use super::error::AnnotationError;
use super::formula::unguarded;
use super::listed_id::{NoId, listed_id};
use crate::cell::Cell;
use crate::example::ExampleId;
use crate::place::Place;

/// The longest text that a cell of Excel holds, in characters; of longer ones it keeps the beginning.
const LONGEST_CELL: usize = 32_767;

/// What a row says of its example: an id, and the text beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    id: Option<ExampleId>,
    /// As it stands there, and without the mark that keeps a spreadsheet from computing it.
    texts: Vec<String>,
    /// What stands in the id's place, if it is none.
    damaged: Option<(NoId, String)>,
}

impl Identity {
    /// What a row's cells say.
    ///
    /// # Errors
    /// [`AnnotationError::BadId`] where there is no id, and no text either.
    pub(super) fn new(id: &Cell, text: &Cell, place: &Place) -> Result<Self, AnnotationError> {
        let texts = match text {
            Cell::Text(text) if !text.trim().is_empty() => vec![text.clone(), unguarded(text).to_owned()],
            _ => Vec::new(),
        };
        let (id, damaged) = match listed_id(id) {
            Ok(id) => (Some(id), None),
            Err(reason) => (None, Some((reason, id.to_string()))),
        };
        let identity = Self { id, texts, damaged };
        if identity.candidates().next().is_none() { Err(identity.is_none(place)) } else { Ok(identity) }
    }

    /// The ids that it may stand for: the one that is written, and those of the text.
    pub(super) fn candidates(&self) -> impl Iterator<Item = ExampleId> {
        self.id.into_iter().chain(self.text_ids())
    }

    fn text_ids(&self) -> impl Iterator<Item = ExampleId> {
        self.texts.iter().map(|text| ExampleId::of(text))
    }

    /// The example's id as far as the row alone says it.
    pub(super) fn stated(&self) -> ExampleId {
        self.candidates().next().expect("an identity has an id or a text")
    }

    /// The example among those `known`, of which the texts are given. The id decides; the text decides where the id is
    /// damaged or missing.
    ///
    /// # Errors
    /// [`AnnotationError`] where neither is known, and where they name different examples.
    pub(super) fn resolve(
        &self,
        known: &HashMap<ExampleId, String>,
        place: &Place,
    ) -> Result<Option<ExampleId>, AnnotationError> {
        let by_text = self.text_ids().find(|id| known.contains_key(id));
        let Some((id, text)) = self.id.and_then(|id| Some((id, known.get(&id)?))) else {
            let is_damaged = self.damaged.as_ref().is_some_and(|(reason, _)| *reason != NoId::Empty);
            return if by_text.is_none() && is_damaged { Err(self.is_none(place)) } else { Ok(by_text) };
        };
        let is_same = match by_text {
            Some(other) => other == id,
            None => self.texts.is_empty() || self.texts.iter().any(|listed| is_alike(listed, text)),
        };
        if is_same {
            return Ok(Some(id));
        }
        Err(AnnotationError::OtherText { place: place.clone(), id, text: Cell::Text(text.clone()).to_string() })
    }

    fn is_none(&self, place: &Place) -> AnnotationError {
        let (reason, value) = self.damaged.clone().unwrap_or((NoId::Empty, String::new()));
        let advice = match reason {
            NoId::Number => {
                "a spreadsheet has read the id as a number and rounded it: take the id from the list once more, as text, or \
                 put the text of the example into a column `text`"
            }
            NoId::Empty | NoId::Other => {
                "every row keeps the labelmix_id with which it was handed out by `labelmix plan --next` (16 hexadecimal \
                 digits), or the text of the example in a column `text`"
            }
        };
        AnnotationError::BadId { place: place.clone(), value, advice }
    }
}

/// Whether two texts have the same letters and digits. Programs change blanks, line ends, quotation marks and dashes, letters
/// beyond ASCII where they mistake the encoding, numbers altogether, and the end of a text that is too long for a cell.
fn is_alike(listed: &str, text: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let is_number = listed.trim().parse::<f64>().is_ok();
    let (cut, listed, text) = (listed.chars().count() >= LONGEST_CELL - 1, letters(listed), letters(text));
    listed == text || is_number || cut && text.starts_with(&listed)
}
