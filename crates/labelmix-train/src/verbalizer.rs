//! The verbalizer: a head that starts as the language model's own, so that its answer is where training starts.

use labelmix_models::Adapter;

use crate::backend::Backend;
use crate::error::Result;

/// Makes an adapter's head the language model's rows for the targets of class 0 and class 1. Of an untrained adapter the
/// log-odds after a text are then the score of [`next_token_scores`](Backend::next_token_scores): logit(target 1) − logit(target 0) of the next token,
/// before the cap that some models put on logits.
///
/// # Errors
/// If the rows cannot be read.
///
/// # Panics
/// If the adapter is not a decoder's: its head has a bias.
pub fn start_with_words(adapter: &mut Adapter, model: &dyn Backend, targets: [u32; 2]) -> Result<()> {
    let mut values = adapter.snapshot()?;
    let [weight] = &mut values[adapter.head_at()..] else { panic!("a decoder's head has no bias") };
    *weight = model.head_rows(&targets)?;
    Ok(adapter.restore(&values)?)
}
