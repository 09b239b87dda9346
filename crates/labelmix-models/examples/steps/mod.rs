//! The protocol of `bench/compare_lora_step.py`: for each line `step` on standard input one optimisation step, answered
//! by a line of JSON.

use std::io::{BufRead, Write};
use std::time::Instant;

use safetensors::SafeTensors;

/// Anything that goes wrong ends the program with its message.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// What a step reports of itself.
pub(crate) struct Step {
    pub(crate) loss: f32,
    pub(crate) forward_seconds: f64,
    pub(crate) backward_seconds: f64,
}

/// Makes a step for every line that comes in.
pub(crate) fn answer(mut step: impl FnMut() -> Result<Step, Failure>) -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let Step { loss, forward_seconds, backward_seconds } = step()?;
        let seconds = start.elapsed().as_secs_f64();
        let mut out = std::io::stdout().lock();
        let peak_rss_mb = peak_rss_mb()?;
        writeln!(
            out,
            r#"{{"seconds": {seconds}, "forward_seconds": {forward_seconds}, "backward_seconds": {backward_seconds}, "loss": {loss}, "peak_rss_mb": {peak_rss_mb}}}"#
        )?;
        out.flush()?;
    }
    Ok(())
}

/// Token ids `[sequences, length]`.
pub(crate) fn token_ids(tensors: &SafeTensors<'_>) -> Result<Vec<Vec<u32>>, Failure> {
    let token_ids = tensors.tensor("token_ids")?;
    let length = token_ids.shape()[1];
    let ids: Vec<u32> =
        token_ids.data().as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk) as u32).collect();
    Ok(ids.chunks_exact(length).map(<[u32]>::to_vec).collect())
}

/// The largest resident set of this process, in MiB.
fn peak_rss_mb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
