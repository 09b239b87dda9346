//! Which numbers config.json may hold, for serde's `deserialize_with`: whatever is outside is an error that says what is
//! possible, before anything is computed or allocated from it.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value as Json;

/// The largest width of a layer: no published model reaches a tenth of it, and products of several still fit 64 bits.
pub(crate) const LARGEST_WIDTH: usize = 1 << 20;
const LARGEST_VOCABULARY: usize = 1 << 24;
const MOST_LAYERS: usize = 10_000;
/// Of a context, in tokens.
const LONGEST_CONTEXT: usize = 1 << 27;
const LARGEST_COUNT: usize = 1 << 31;

fn whole<'de, D: Deserializer<'de>>(from: D, least: usize, most: usize) -> Result<Option<usize>, D::Error> {
    let value = Json::deserialize(from)?;
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None if value.is_null() => Ok(None),
        None => Err(D::Error::custom(format!("{value} is not a whole number from {least} to {most}"))),
    }
}

fn real<'de, D: Deserializer<'de>>(from: D, range: &Range) -> Result<Option<f64>, D::Error> {
    let value = Json::deserialize(from)?;
    if value.is_null() {
        return Ok(None);
    }
    range.of(&value).map(Some).map_err(D::Error::custom)
}

fn there<T, E: serde::de::Error>(value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| E::custom("null is not a number"))
}

/// The width of a layer, or a number of heads.
pub(crate) fn width<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    there(whole(from, 1, LARGEST_WIDTH)?)
}

/// The width of a layer, or a number of heads, that may be left out.
pub(crate) fn optional_width<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    whole(from, 1, LARGEST_WIDTH)
}

/// The number of rows of a table of embeddings.
pub(crate) fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    there(whole(from, 1, LARGEST_VOCABULARY)?)
}

/// The number of layers.
pub(crate) fn layers<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    there(whole(from, 1, MOST_LAYERS)?)
}

/// The length of the context, in tokens.
pub(crate) fn context<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    there(whole(from, 1, LONGEST_CONTEXT)?)
}

/// A number of tokens or layers, where null means none.
pub(crate) fn optional_count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    whole(from, 1, LARGEST_COUNT)
}

/// A place in a list.
pub(crate) fn place<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    there(whole(from, 0, LARGEST_COUNT)?)
}

/// A place in a list that may be left out.
pub(crate) fn optional_place<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    whole(from, 0, LARGEST_COUNT)
}

/// What a normalisation adds to a variance. Below a few times 1e-38 it would be nothing in f32.
pub(crate) fn epsilon<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    there(real(from, &Range { least: 1e-30, most: 1.0 })?).map(|number| number as f32)
}

/// A standard deviation.
pub(crate) fn deviation<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    there(real(from, &Range { least: 0.0, most: 1e3 })?)
}

/// A positive number in f32.
pub(crate) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    there(real(from, &POSITIVE)?).map(|number| number as f32)
}

/// A positive number in f32, where null means none.
pub(crate) fn optional_positive<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f32>, D::Error> {
    Ok(real(from, &POSITIVE)?.map(|number| number as f32))
}

const POSITIVE: Range = Range { least: 1e-6, most: 1e6 };

/// Real numbers with their bounds.
pub(crate) struct Range {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Range {
    /// The number, if it is one and inside.
    pub(crate) fn of(&self, value: &Json) -> Result<f64, String> {
        let Self { least, most } = self;
        let number = value.as_f64().filter(|number| (*least..=*most).contains(number));
        number.ok_or_else(|| format!("{value} is not a number from {least:?} to {most:?}"))
    }
}
