//! Measures frontier, regimes and surfaces of 10,000 runs with 1,000 resamples, by number of threads.
//!
//! ```console
//! $ cargo run --release -p labelmix-econ --example economics_speed
//! ```

use std::time::Instant;

use labelmix_econ::{
    Allocation, CorrectItems, MeasuredRun, Measurements, Outcome, Prices, Resamples, Surface, SurfaceSettings, Tariff,
    UncertainFrontier, World, WorldKind, regimes_over_budgets,
};
use labelmix_stats::{Bootstrap, stream};
use rand::RngExt;

/// What 10,000 runs are made of.
struct Sweep {
    tasks: &'static [&'static str],
    methods: &'static [&'static str],
    budgets: u32,
    splits: u32,
}

const SWEEPS: [Sweep; 2] = [
    Sweep {
        tasks: &["a", "b", "c", "d"],
        methods: &["seq-sft", "joint", "few-shot", "uncertainty", "log-confidence"],
        budgets: 10,
        splits: 10,
    },
    Sweep { tasks: &["a"], methods: &["seq-sft"], budgets: 50, splits: 40 },
];
const SEEDS: u64 = 5;
const TEST_ITEMS: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for sweep in SWEEPS {
        let measured = Measurements::new(runs(&sweep)?)?;
        let (tasks, methods) = (sweep.tasks.len(), sweep.methods.len());
        println!("{} runs: {tasks} tasks, {methods} methods, {TEST_ITEMS} test items", measured.runs());
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            pool.install(|| measure(&measured, threads))?;
        }
    }
    Ok(())
}

fn measure(measured: &Measurements, threads: usize) -> Result<(), labelmix_econ::AnalysisError> {
    let tariff: Tariff = Prices::new(0.1, 1.0)?.into();
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f64();
    let resamples = Resamples::new(measured, &Bootstrap { level: 0.9, ..Bootstrap::new(1) })?;
    let resampled = seconds();
    let frontier = UncertainFrontier::new(measured, &resamples, &tariff);
    let frontier_done = seconds();
    let budgets = [16.0, 64.0, 256.0, 512.0, 1024.0, 4096.0, 8192.0];
    let regimes = regimes_over_budgets(measured, &resamples, &tariff, &budgets)?;
    let regimes_done = seconds();
    let fit = |method: &String| Surface::fit(measured, method, &SurfaceSettings::new(1)).map(|surface| surface.draws());
    let draws = measured.methods().iter().map(fit).sum::<Result<usize, _>>()?;
    let all = seconds();
    println!(
        "{threads} thread(s): resamples {resampled:.2} s, frontier {:.2} s ({} points), regimes {:.2} s ({} budgets), \
         surfaces {:.2} s ({draws} draws); all {all:.2} s",
        frontier_done - resampled,
        frontier.points.len(),
        regimes_done - frontier_done,
        regimes.len(),
        all - regimes_done,
    );
    Ok(())
}

/// Budgets from $16 to $8,192 in equal ratios.
fn runs(sweep: &Sweep) -> Result<Vec<MeasuredRun>, labelmix_econ::AnalysisError> {
    let tariff: Tariff = Prices::new(0.1, 1.0)?.into();
    let mut random = stream(0, "economics speed");
    let mut runs = Vec::new();
    for budget in 0..sweep.budgets {
        let budget_usd = 16.0 * 512f64.powf(f64::from(budget) / f64::from(sweep.budgets - 1));
        for split in 0..sweep.splits {
            let allocation = tariff.allocation_for(budget_usd, f64::from(split) / f64::from(sweep.splits - 1))?;
            for (number, method) in (0..).zip(sweep.methods) {
                let world = World::random(WorldKind::Saturating, number);
                for task in sweep.tasks {
                    runs.extend((0..SEEDS).map(|seed| run(&world, task, method, allocation, seed, &mut random)));
                }
            }
        }
    }
    // Small budgets buy the same labels in more than one split.
    runs.sort_by_key(|run| (run.method.clone(), run.task.clone(), run.allocation, run.seed));
    let same = |a: &MeasuredRun, b: &MeasuredRun| {
        (&a.method, &a.task, a.allocation, a.seed) == (&b.method, &b.task, b.allocation, b.seed)
    };
    runs.dedup_by(|a, b| same(a, b));
    Ok(runs)
}

fn run(
    world: &World,
    task: &str,
    method: &str,
    allocation: Allocation,
    seed: u64,
    random: &mut impl RngExt,
) -> MeasuredRun {
    let truth =
        world.accuracy(allocation.n_weak as f64, allocation.n_gold as f64) + 0.02 * (random.random::<f64>() - 0.5);
    let correct: Vec<bool> = (0..TEST_ITEMS).map(|_| random.random::<f64>() < truth).collect();
    MeasuredRun {
        task: task.to_owned(),
        method: method.to_owned(),
        allocation,
        seed,
        outcome: Outcome::Items(CorrectItems::new(&correct)),
        gpu_hours: None,
    }
}
