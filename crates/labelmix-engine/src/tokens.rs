//! Texts as token ids, with the study's rule for those that the model cannot read.

use labelmix_data::Example;
use labelmix_models::{Error as ModelError, TextLimit, Tokenizer};
use rayon::prelude::*;

use labelmix_study::TooLong;

/// What the tokenizer does with texts that are too long.
pub(crate) fn text_limit(too_long: TooLong) -> TextLimit {
    match too_long {
        TooLong::Cut => TextLimit::Cut,
        TooLong::Error | TooLong::Drop => TextLimit::Refuse,
    }
}

/// The token ids of each text; `None` for one that is too long and to be left out.
///
/// # Errors
/// For the first text that cannot be read.
pub(crate) fn encode_all<'a>(
    texts: &[&'a str],
    tokenizer: &Tokenizer,
    too_long: TooLong,
) -> Result<Vec<Option<Vec<u32>>>, ModelError> {
    let limit = text_limit(too_long);
    let encode = |text: &&'a str| match tokenizer.encode(text, limit) {
        Ok(token_ids) => Ok(Some(token_ids)),
        Err(ModelError::TooLong { .. }) if too_long == TooLong::Drop => Ok(None),
        Err(error) => Err(error),
    };
    // All are encoded before the first error is looked for, so that it is the same one every time.
    let encoded: Vec<Result<_, ModelError>> = texts.par_iter().map(encode).collect();
    encoded.into_iter().collect()
}

/// The examples that are kept, their tokens, and the number of texts that were left out as too long.
///
/// # Errors
/// For the first text that cannot be read.
pub fn tokenize(
    examples: Vec<Example>,
    tokenizer: &Tokenizer,
    too_long: TooLong,
) -> crate::error::Result<(Vec<Example>, Vec<Vec<u32>>, usize)> {
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let encoded = encode_all(&texts, tokenizer, too_long)?;
    let (mut kept, mut tokens, mut dropped) = (Vec::new(), Vec::new(), 0);
    for (example, token_ids) in examples.into_iter().zip(encoded) {
        match token_ids {
            Some(token_ids) => {
                kept.push(example);
                tokens.push(token_ids);
            }
            None => dropped += 1,
        }
    }
    Ok((kept, tokens, dropped))
}
