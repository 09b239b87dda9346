//! Predictions.

use std::ops::Range;

use labelmix_models::{Adapter, Classifier, TokenBatch, shared_prefix};
use labelmix_nn::Value;

use crate::error::Result;
use crate::interrupt::Interrupt;

/// The log-odds of class 1, `logit(1) − logit(0)`, of every text. Texts are processed `batch_tokens` tokens at a time.
///
/// # Errors
/// If the model cannot be run.
pub fn log_odds(model: &Classifier, adapter: &Adapter, texts: &[&[u32]], batch_tokens: usize) -> Result<Vec<f32>> {
    log_odds_unless(&Interrupt::default(), model, adapter, texts, batch_tokens)
}

/// As [`log_odds`], unless it is interrupted.
///
/// # Errors
/// As [`log_odds`], or if it is interrupted.
pub fn log_odds_unless(
    interrupt: &Interrupt,
    model: &Classifier,
    adapter: &Adapter,
    texts: &[&[u32]],
    batch_tokens: usize,
) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(texts.len());
    for batch in classifier_batches(model, texts, batch_tokens) {
        interrupt.check()?;
        let logits = model.logits(&model.batch(batch), adapter)?.to_vec()?;
        scores.extend(logits.chunks_exact(2).map(|pair| pair[1] - pair[0]));
    }
    Ok(scores)
}

/// What the pretrained model's pooling gives for every text, `[hidden]` each, unless it is interrupted: after each of the last
/// so many blocks (the upper half without a number) scaled to unit length, and the mean of that. Texts are processed
/// `batch_tokens` tokens at a time.
///
/// # Errors
/// If the model cannot be run, or it is interrupted.
pub fn hidden_states(
    interrupt: &Interrupt,
    model: &Classifier,
    layers: Option<usize>,
    texts: &[&[u32]],
    batch_tokens: usize,
) -> Result<Vec<Vec<f32>>> {
    let mut states = Vec::with_capacity(texts.len());
    for batch in token_batches(texts, batch_tokens) {
        interrupt.check()?;
        let tokens = TokenBatch::new(batch.iter().copied());
        let layers =
            model.pooled_layers(&tokens, layers)?.iter().map(Value::to_vec).collect::<labelmix_nn::Result<Vec<_>>>()?;
        let hidden = layers[0].len() / batch.len();
        states.extend((0..batch.len()).map(|text| mean_direction(&layers, text * hidden..(text + 1) * hidden)));
    }
    Ok(states)
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
pub(crate) fn token_batches<'a, 'b>(
    texts: &'b [&'a [u32]],
    tokens: usize,
) -> impl Iterator<Item = &'b [&'a [u32]]> + use<'a, 'b> {
    batches(texts, tokens, false)
}

/// The same for a classifier, for which what all texts of a group begin with counts once where it is computed once.
pub(crate) fn classifier_batches<'a, 'b>(
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
