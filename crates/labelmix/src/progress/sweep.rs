//! The progress of a sweep: an overall bar and one for each worker on a terminal, a line every now and then elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use labelmix_store::{Damage, StageKey};
use labelmix_sweep::{Observer, StageNode, SweepEvent};
use labelmix_train::StageProgress;

use super::LINE_EVERY;

/// What is wrong with a file.
pub(super) fn damage_in_words(Damage { path, reason }: &Damage) -> String {
    format!("damaged: {}: {reason}", path.display())
}

/// Shows a sweep. Stages differ a thousandfold in length, so the time left is estimated from the work that the finished
/// stages and the waiting ones are expected to be, not from their number.
pub(crate) struct SweepProgress {
    bars: MultiProgress,
    on_terminal: bool,
    state: Mutex<Option<State>>,
    /// The bar of texts that are read for all stages, and when its last line was written.
    reading: Mutex<Option<(ProgressBar, Instant)>>,
}

struct State {
    overall: ProgressBar,
    workers: Vec<Worker>,
    /// The expected work of every missing stage.
    work: HashMap<StageKey, f64>,
    started: Instant,
    last_line: Instant,
    stages: usize,
    finished: usize,
    /// The work of all stages, of those that are done, and of those of them that this process did.
    total: f64,
    done: f64,
    done_here: f64,
}

/// A worker, and where its stage is.
struct Worker {
    bar: ProgressBar,
    /// The stage in words; empty between two stages.
    stage: String,
    /// When it heard of the first step, and which that was.
    first: Option<(Instant, usize)>,
    progress: Option<StageProgress>,
}

impl Worker {
    /// `32 gold labels, seed 0: step 40 of at most 600, loss 0.512, 3.1 steps a second`
    fn in_words(&self) -> String {
        let Some(StageProgress { step, scheduled_steps, training_loss, .. }) = self.progress else {
            return self.stage.clone();
        };
        let speed = self.first.and_then(|(since, first)| {
            let seconds = since.elapsed().as_secs_f64();
            (step > first && seconds > 0.5).then(|| (step - first) as f64 / seconds)
        });
        let speed = speed.map_or(String::new(), |speed| format!(", {speed:.1} steps a second"));
        format!("{}: step {step} of at most {scheduled_steps}, loss {training_loss:.3}{speed}", self.stage)
    }
}

impl State {
    /// ", about 2 minutes left", once something has been finished.
    fn time_left(&self) -> String {
        if self.done_here == 0.0 || self.finished == self.stages {
            return String::new();
        }
        let seconds = self.started.elapsed().as_secs_f64() * (self.total - self.done).max(0.0) / self.done_here;
        format!(", about {} left", HumanDuration(Duration::from_secs_f64(seconds)))
    }

    /// Counts a stage as done with, whether it succeeded or not.
    fn ended(&mut self, worker: Option<usize>, stage: &StageNode) {
        let work = self.work.get(&stage.key).copied().unwrap_or(0.0);
        self.finished += 1;
        self.done += work;
        if let Some(worker) = worker.and_then(|worker| self.workers.get_mut(worker)) {
            self.done_here += work;
            worker.stage.clear();
            worker.progress = None;
        }
        self.overall.set_position(self.finished as u64);
        self.overall.set_message(self.time_left());
    }

    /// Without a terminal, what the bars would show, every now and then.
    fn line(&mut self) {
        let all_done = self.finished == self.stages;
        if self.last_line.elapsed() < LINE_EVERY && !all_done {
            return;
        }
        self.last_line = Instant::now();
        say!("{}/{} stages{}", self.finished, self.stages, self.time_left());
        for worker in self.workers.iter().filter(|worker| !worker.stage.is_empty()) {
            say!("  {}", worker.in_words());
        }
    }
}

impl SweepProgress {
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            on_terminal: io::stderr().is_terminal(),
            state: Mutex::new(None),
            reading: Mutex::new(None),
        }
    }

    /// Takes the bars off the screen.
    pub(crate) fn clear(&self) {
        // A terminal that cannot be cleared is no reason to stop.
        let _ = self.bars.clear();
    }

    fn with_state(&self, act: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = state.as_mut() {
            act(state);
            if !self.on_terminal {
                state.line();
            }
        }
    }

    /// A line above the bars.
    fn say(&self, line: &str) {
        self.bars.suspend(|| say!("{line}"));
    }

    fn texts_read(&self, done: usize, total: usize) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (bar, last_line) = reading.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} texts read").expect("valid");
            (self.bars.add(ProgressBar::new(total as u64).with_style(style)), Instant::now())
        });
        bar.set_position(done as u64);
        if !self.on_terminal && last_line.elapsed() >= LINE_EVERY {
            *last_line = Instant::now();
            say!("{done}/{total} texts read");
        }
        if done == total {
            bar.finish_and_clear();
            *reading = None;
        }
    }

    fn begin(&self, stages: &[&StageNode], work: &[f64], jobs: usize) {
        let overall_style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} stages, {elapsed} elapsed{msg}").expect("valid");
        let worker_style = ProgressStyle::with_template("  {bar:20} {msg}").expect("valid");
        let overall = self.bars.add(ProgressBar::new(stages.len() as u64).with_style(overall_style));
        if self.on_terminal {
            overall.enable_steady_tick(Duration::from_secs(1));
        }
        let worker = |_| Worker {
            bar: self.bars.add(ProgressBar::new(1).with_style(worker_style.clone())),
            stage: String::new(),
            first: None,
            progress: None,
        };
        let now = Instant::now();
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(State {
            overall,
            workers: (0..jobs).map(worker).collect(),
            work: stages.iter().map(|stage| stage.key.clone()).zip(work.iter().copied()).collect(),
            started: now,
            last_line: now,
            stages: stages.len(),
            finished: 0,
            total: work.iter().sum(),
            done: 0.0,
            done_here: 0.0,
        });
    }
}

impl Observer for SweepProgress {
    fn hear(&self, event: &SweepEvent<'_>) {
        match *event {
            SweepEvent::StageDamaged { stage, damage } => self.say(&format!(
                "{}; the stage on {} is set aside and done anew",
                damage_in_words(damage),
                stage.in_words()
            )),
            SweepEvent::FeaturesDamaged { damage } => {
                self.say(&format!("{}; it is set aside and its texts are read anew", damage_in_words(damage)));
            }
            SweepEvent::TextsRead { done, total } => self.texts_read(done, total),
            SweepEvent::Began { stages, work, jobs } => self.begin(stages, work, jobs),
            SweepEvent::StageBegan { worker, stage } => self.with_state(|state| {
                let worker = &mut state.workers[worker];
                worker.stage = stage.in_words();
                (worker.first, worker.progress) = (None, None);
                worker.bar.set_position(0);
                worker.bar.set_message(worker.in_words());
            }),
            SweepEvent::StageElsewhere { stage, holder } => {
                let who = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
                self.say(&format!("{who} is at the stage on {}; it is waited for", stage.in_words()));
            }
            SweepEvent::StageProgressed { worker, progress, .. } => self.with_state(|state| {
                let worker = &mut state.workers[worker];
                worker.first.get_or_insert((Instant::now(), progress.step));
                worker.progress = Some(progress);
                worker.bar.set_length(progress.scheduled_steps as u64);
                worker.bar.set_position(progress.step as u64);
                worker.bar.set_message(worker.in_words());
            }),
            SweepEvent::StageFinished { worker, stage, .. } | SweepEvent::StageFailed { worker, stage, .. } => {
                self.with_state(|state| state.ended(worker, stage));
            }
            SweepEvent::StageKept { .. } | SweepEvent::RunFinished { .. } => {}
        }
    }
}
