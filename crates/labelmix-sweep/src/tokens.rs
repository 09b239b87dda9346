//! Texts as token ids, with the study's rule for those that the model cannot read.

use labelmix_models::{Error as ModelError, TextLimit, Tokenizer};
use rayon::prelude::*;

use crate::study::TooLong;

/// The token ids of each text; `None` for one that is too long and to be left out.
///
/// # Errors
/// For the first text that cannot be read.
pub(crate) fn encode_all<'a>(
    texts: &[&'a str],
    tokenizer: &Tokenizer,
    too_long: TooLong,
) -> Result<Vec<Option<Vec<u32>>>, ModelError> {
    let limit = match too_long {
        TooLong::Cut => TextLimit::Cut,
        TooLong::Error | TooLong::Drop => TextLimit::Refuse,
    };
    let encode = |text: &&'a str| match tokenizer.encode(text, limit) {
        Ok(token_ids) => Ok(Some(token_ids)),
        Err(ModelError::TooLong { .. }) if too_long == TooLong::Drop => Ok(None),
        Err(error) => Err(error),
    };
    // All are encoded before the first error is looked for, so that it is the same one every time.
    let encoded: Vec<Result<_, ModelError>> = texts.par_iter().map(encode).collect();
    encoded.into_iter().collect()
}
