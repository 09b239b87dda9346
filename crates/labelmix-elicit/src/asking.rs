//! Asking the language model: the next token after a prompt (SPEC.md section 5).

use labelmix_models::{LanguageModel, TokenBatch};

use crate::error::Result;
use crate::evaluation::token_batches;
use crate::prompt::Prompt;

/// The score of each prompt: the next token's logit of the target of class 1 minus that of class 0. What stands before
/// the queries is computed once for all neighbours that share it; queries are processed `batch_tokens` tokens at a time.
///
/// # Errors
/// If the model cannot be run.
pub fn ask(model: &LanguageModel, prompts: &[Prompt], targets: [u32; 2], batch_tokens: usize) -> Result<Vec<f32>> {
    let vocabulary = model.model().vocabulary();
    let mut scores = Vec::with_capacity(prompts.len());
    for group in prompts.chunk_by(|a, b| a.before == b.before) {
        let prefix = model.prefix(&group[0].before)?;
        let queries: Vec<&[u32]> = group.iter().map(|prompt| &*prompt.query).collect();
        for batch in token_batches(&queries, batch_tokens) {
            let logits = model.last_logits(&TokenBatch::new(batch.iter().copied()), Some(&prefix))?.to_vec()?;
            let [class_0, class_1] = targets.map(|target| target as usize);
            scores.extend(logits.chunks_exact(vocabulary).map(|row| row[class_1] - row[class_0]));
        }
    }
    Ok(scores)
}
