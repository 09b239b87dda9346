//! Few-shot scoring, timed: our side of `bench/compare_few_shot.py`, which says what the folder holds.
//!
//! For each line on standard input, `cached` or `uncached`: the next token's logits after every query behind the
//! prefix, with the prefix computed once or once for every query, answered by a line of JSON. The logits are written to
//! `logits_MODE.safetensors` in the folder.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use labelmix_models::{LanguageModel, LoadOptions, Model, TokenBatch};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Anything that goes wrong ends the program with its message.
type Failure = Box<dyn std::error::Error>;

/// Tokens of queries that are read at once.
const BATCH_TOKENS: usize = 2048;

fn main() -> Result<(), Failure> {
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global()?;
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: few_shot FOLDER")?);
    let model = LanguageModel::new(&Model::load(&folder, &LoadOptions::default())?)?;
    let bytes = std::fs::read(folder.join("prompt.safetensors"))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let prefix = integers(&tensors, "prefix")?;
    let (ids, offsets) = (integers(&tensors, "queries")?, integers(&tensors, "offsets")?);
    let queries: Vec<&[u32]> = offsets.windows(2).map(|pair| &ids[pair[0] as usize..pair[1] as usize]).collect();
    for mode in std::io::stdin().lock().lines() {
        let mode = mode?;
        let start = Instant::now();
        let logits = match mode.as_str() {
            "cached" => cached(&model, &prefix, &queries)?,
            "uncached" => uncached(&model, &prefix, &queries)?,
            other => return Err(format!("unknown request {other:?}, expected 'cached' or 'uncached'").into()),
        };
        let seconds = start.elapsed().as_secs_f64();
        write(&folder.join(format!("logits_{mode}.safetensors")), &logits, queries.len())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, r#"{{"seconds": {seconds}}}"#)?;
        out.flush()?;
    }
    Ok(())
}

fn cached(model: &LanguageModel, prefix: &[u32], queries: &[&[u32]]) -> Result<Vec<f32>, Failure> {
    let prefix = model.prefix(prefix)?;
    let mut logits = Vec::new();
    let mut rest = queries;
    while !rest.is_empty() {
        let mut tokens = 0;
        let count = rest.iter().take_while(|query| {
            tokens += query.len();
            tokens <= BATCH_TOKENS
        });
        let (now, later) = rest.split_at(count.count().max(1));
        logits.extend(model.last_logits(&TokenBatch::new(now.iter().copied()), Some(&prefix))?.to_vec()?);
        rest = later;
    }
    Ok(logits)
}

fn uncached(model: &LanguageModel, prefix: &[u32], queries: &[&[u32]]) -> Result<Vec<f32>, Failure> {
    let mut logits = Vec::new();
    for query in queries {
        let whole = [prefix, query].concat();
        logits.extend(model.last_logits(&TokenBatch::new([whole.as_slice()]), None)?.to_vec()?);
    }
    Ok(logits)
}

fn integers(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<u32>, Failure> {
    let chunks = tensors.tensor(name)?.data().as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk) as u32);
    Ok(chunks.collect())
}

fn write(path: &Path, logits: &[f32], queries: usize) -> Result<(), Failure> {
    let bytes: Vec<u8> = logits.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![queries, logits.len() / queries], &bytes)?;
    Ok(safetensors::serialize_to_file(HashMap::from([("logits", view)]), None, path)?)
}
