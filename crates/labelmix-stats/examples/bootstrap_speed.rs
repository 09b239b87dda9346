//! Measures the AUROC and its bootstrap: 1,000 resamples of 10,000 examples, by number of threads.
//!
//! ```console
//! $ cargo run --release -p labelmix-stats --example bootstrap_speed
//! ```

use std::hint::black_box;
use std::time::Instant;

use labelmix_stats::{Bootstrap, auroc, auroc_interval};

const EXAMPLES: u32 = 10_000;
const ROUNDS: usize = 21;

fn main() {
    // Scores without order and with few ties, as log-odds have.
    let scores: Vec<f64> = (0..EXAMPLES).map(|i| f64::from(i.wrapping_mul(2_654_435_761)) / 1e9).collect();
    let labels: Vec<bool> = (0..EXAMPLES).map(|i| (i * 7) % 13 < 6).collect();

    let once = median_milliseconds(|| black_box(auroc(black_box(&scores), &labels)).is_some());
    println!("auroc of {EXAMPLES} examples: {once:.3} ms");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        let bootstrap = Bootstrap::new(0);
        let resampled = median_milliseconds(|| {
            pool.install(|| black_box(auroc_interval(black_box(&scores), &labels, &bootstrap)).is_some())
        });
        println!("{} resamples, {threads} thread(s): {resampled:.1} ms", bootstrap.resamples);
    }
}

/// The median over rounds. The work says whether it had a result, so that none is measured that did nothing.
fn median_milliseconds(work: impl Fn() -> bool) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            assert!(work(), "the statistic is defined");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[ROUNDS / 2]
}
