//! Asking the language model: the next token after a prompt (Mallen & Belrose 2024).

use labelmix_models::{LanguageModel, TokenBatch};

use crate::error::Result;
use crate::evaluation::token_batches;
use crate::interrupt::Interrupt;
use crate::prompt::Prompt;

/// The score of each prompt: the next token's logit of the target of class 1 minus that of class 0. What stands before
/// the queries is computed once for all that share it; queries are processed `batch_tokens` tokens at a time.
///
/// # Errors
/// If the model cannot be run.
pub fn ask(model: &LanguageModel, prompts: &[Prompt], targets: [u32; 2], batch_tokens: usize) -> Result<Vec<f32>> {
    score_next_token_unless(&Interrupt::default(), model, prompts, targets, batch_tokens)
}

/// As [`ask`], unless it is interrupted.
///
/// # Errors
/// As [`ask`], or if it is interrupted.
pub fn score_next_token_unless(
    interrupt: &Interrupt,
    model: &LanguageModel,
    prompts: &[Prompt],
    targets: [u32; 2],
    batch_tokens: usize,
) -> Result<Vec<f32>> {
    // Prompts that lost shots share less than the others, and stand anywhere among them.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by(|a, b| prompts[*a].before.cmp(&prompts[*b].before));
    let mut scores = vec![0.0; prompts.len()];
    for group in order.chunk_by(|a, b| prompts[*a].before == prompts[*b].before) {
        let prefix = model.prefix(&prompts[group[0]].before)?;
        let queries: Vec<&[u32]> = group.iter().map(|index| &*prompts[*index].query).collect();
        let mut places = group.iter();
        for batch in token_batches(&queries, batch_tokens) {
            interrupt.check()?;
            let batch = TokenBatch::new(batch.iter().copied());
            let logits = model.last_logits_of(&targets, &batch, Some(&prefix))?.to_vec()?;
            for (row, place) in logits.chunks_exact(targets.len()).zip(places.by_ref()) {
                scores[*place] = row[1] - row[0];
            }
        }
    }
    Ok(scores)
}
