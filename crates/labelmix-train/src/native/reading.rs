//! What a model of this process makes of texts, so many tokens at a time.

use std::ops::Range;

use labelmix_models::{Adapter, Classifier, LanguageModel, TokenBatch, shared_prefix};
use labelmix_nn::Value;

use crate::backend::Reading;
use crate::error::Result;
use crate::prompt::Prompt;

/// The log-odds of class 1 of every text.
pub(super) fn log_odds(
    model: &Classifier,
    adapter: &Adapter,
    texts: &[&[u32]],
    reading: Reading<'_>,
) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(texts.len());
    for batch in classifier_batches(model, texts, reading.batch_tokens) {
        reading.interrupt.check()?;
        let logits = model.logits(&model.batch(batch), adapter)?.to_vec()?;
        scores.extend(logits.chunks_exact(2).map(|pair| pair[1] - pair[0]));
    }
    Ok(scores)
}

/// The mean of unit vectors of the last layers, for every text.
pub(super) fn hidden_states(
    model: &Classifier,
    layers: Option<usize>,
    texts: &[&[u32]],
    reading: Reading<'_>,
) -> Result<Vec<Vec<f32>>> {
    let mut states = Vec::with_capacity(texts.len());
    for batch in token_batches(texts, reading.batch_tokens) {
        reading.interrupt.check()?;
        let tokens = TokenBatch::new(batch.iter().copied());
        let layers =
            model.pooled_layers(&tokens, layers)?.iter().map(Value::to_vec).collect::<labelmix_nn::Result<Vec<_>>>()?;
        let hidden = layers[0].len() / batch.len();
        states.extend((0..batch.len()).map(|text| mean_direction(&layers, text * hidden..(text + 1) * hidden)));
    }
    Ok(states)
}

/// The difference of two targets' logits after each prompt. What stands before the queries is computed once for all that
/// share it.
pub(super) fn next_token_scores(
    model: &LanguageModel,
    prompts: &[Prompt],
    targets: [u32; 2],
    reading: Reading<'_>,
) -> Result<Vec<f32>> {
    // Prompts that lost shots share less than the others, and stand anywhere among them.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by(|a, b| prompts[*a].before.cmp(&prompts[*b].before));
    let mut scores = vec![0.0; prompts.len()];
    for group in order.chunk_by(|a, b| prompts[*a].before == prompts[*b].before) {
        let prefix = model.prefix(&prompts[group[0]].before)?;
        let queries: Vec<&[u32]> = group.iter().map(|index| &*prompts[*index].query).collect();
        let mut places = group.iter();
        for batch in token_batches(&queries, reading.batch_tokens) {
            reading.interrupt.check()?;
            let batch = TokenBatch::new(batch.iter().copied());
            let logits = model.last_logits_of(&targets, &batch, Some(&prefix))?.to_vec()?;
            for (row, place) in logits.chunks_exact(targets.len()).zip(places.by_ref()) {
                scores[*place] = row[1] - row[0];
            }
        }
    }
    Ok(scores)
}

/// The place of the largest logit after each text, the first if there are several.
pub(super) fn likeliest_next(model: &LanguageModel, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<u32>> {
    let mut next = Vec::with_capacity(texts.len());
    for batch in token_batches(texts, reading.batch_tokens) {
        reading.interrupt.check()?;
        let logits = model.last_logits(&TokenBatch::new(batch.iter().copied()), None)?.to_vec()?;
        next.extend(logits.chunks_exact(model.model().vocabulary()).map(likeliest));
    }
    Ok(next)
}

fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (place, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = place;
        }
    }
    best as u32
}

/// The log-likelihood of each text's tokens from a place on.
pub(super) fn log_likelihoods(
    model: &LanguageModel,
    texts: &[(&[u32], usize)],
    reading: Reading<'_>,
) -> Result<Vec<f64>> {
    let (texts, from): (Vec<&[u32]>, Vec<usize>) = texts.iter().copied().unzip();
    let mut sums = Vec::with_capacity(texts.len());
    for batch in token_batches(&texts, reading.batch_tokens) {
        reading.interrupt.check()?;
        let from = &from[sums.len()..sums.len() + batch.len()];
        sums.extend(model.log_likelihoods(&TokenBatch::new(batch.iter().copied()), from)?);
    }
    Ok(sums)
}

/// The mean of these parts of some vectors, each scaled to unit length.
fn mean_direction(vectors: &[Vec<f32>], part: Range<usize>) -> Vec<f32> {
    let mut mean = vec![0.0; part.len()];
    for vector in vectors {
        let vector = &vector[part.clone()];
        let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { (length * vectors.len() as f64).recip() as f32 } else { 0.0 };
        mean.iter_mut().zip(vector).for_each(|(mean, value)| *mean += scale * value);
    }
    mean
}

/// Cuts texts, in their order, into groups of at most `tokens` tokens, or of one text that has more.
fn token_batches<'a, 'b>(texts: &'b [&'a [u32]], tokens: usize) -> impl Iterator<Item = &'b [&'a [u32]]> + use<'a, 'b> {
    batches(texts, tokens, false)
}

/// The same for a classifier, for which what all texts of a group begin with counts once where it is computed once.
pub(super) fn classifier_batches<'a, 'b>(
    model: &Classifier,
    texts: &'b [&'a [u32]],
    tokens: usize,
) -> impl Iterator<Item = &'b [&'a [u32]]> + use<'a, 'b> {
    batches(texts, tokens, model.shares_prefixes())
}

fn batches<'a, 'b>(
    texts: &'b [&'a [u32]],
    tokens: usize,
    is_shared: bool,
) -> impl Iterator<Item = &'b [&'a [u32]]> + use<'a, 'b> {
    let mut rest = texts;
    std::iter::from_fn(move || {
        let (mut total, mut count) = (rest.first()?.len(), 1);
        let mut shared = if is_shared { usize::MAX } else { 0 };
        while let Some(text) = rest.get(count) {
            total += text.len();
            if shared > 0 {
                shared = shared.min(shared_prefix(&[rest[0], text]));
            }
            if total - count * shared > tokens {
                break;
            }
            count += 1;
        }
        let (batch, remaining) = rest.split_at(count);
        rest = remaining;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_the_order_and_the_limit() {
        let texts: Vec<Vec<u32>> = [3, 3, 5, 9, 1, 1].iter().map(|length| vec![0; *length]).collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let sizes: Vec<Vec<usize>> =
            token_batches(&texts, 8).map(|batch| batch.iter().map(|text| text.len()).collect()).collect();
        assert_eq!(sizes, [vec![3, 3], vec![5], vec![9], vec![1, 1]]);
        assert_eq!(token_batches(&[], 8).count(), 0);
    }

    #[test]
    fn what_a_group_begins_with_counts_once() {
        let prompt: Vec<u32> = (0..30).collect();
        let texts: Vec<Vec<u32>> = (0..6).map(|text| [&prompt[..], &[90 + text, 1]].concat()).collect();
        let mut texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let sizes = |texts: &[&[u32]], is_shared| batches(texts, 38, is_shared).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&texts, true), [4, 2], "30 + 4 · 2");
        assert_eq!(sizes(&texts, false), [1; 6]);
        texts[2] = &[5, 6, 7];
        assert_eq!(sizes(&texts, true), [2, 2, 2], "the third shares nothing with the first, and 3 + 32 tokens fit");
    }
}
