//! Progress on standard error: bars on a terminal, a line every now and then elsewhere.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use labelmix_elicit::StageProgress;
use labelmix_sandbox::PretrainingProgress;
use labelmix_sweep::{LabelerProgress, Observer, StageFailure, StageNode, StageOutcome};

/// Without a terminal, the time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar that counts to `total`, with the time left.
pub(crate) fn counting_bar(total: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left").expect("the template is valid");
    ProgressBar::new(total).with_style(style).with_message(what.to_owned())
}

/// Does a piece of work that cannot say how far it is: after two seconds a spinner tells a terminal that it goes on, and a
/// line anything else.
pub(crate) fn patiently<T: Send>(what: &str, work: impl FnOnce() -> T + Send) -> T {
    const PATIENCE: Duration = Duration::from_secs(2);
    let (done, is_done) = mpsc::channel();
    std::thread::scope(|scope| {
        let working = scope.spawn(move || {
            let result = work();
            // The one who waits may have stopped waiting.
            let _ = done.send(());
            result
        });
        if is_done.recv_timeout(PATIENCE).is_err() {
            let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}").expect("the template is valid");
            let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
            if io::stderr().is_terminal() {
                spinner.enable_steady_tick(Duration::from_millis(200));
            } else {
                anstream::eprintln!("{what} …");
            }
            // An error means that the work panicked, which `join` passes on.
            let _ = is_done.recv();
            spinner.finish_and_clear();
        }
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The progress of a download: a bar for the file at hand.
pub(crate) struct DownloadProgress {
    bar: ProgressBar,
    file: RefCell<String>,
}

impl DownloadProgress {
    pub(crate) fn new() -> Self {
        let template = "{bar:30} {bytes}/{total_bytes} {msg}, {bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        Self { bar: ProgressBar::new(1).with_style(style), file: RefCell::default() }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl labelmix_hub::Progress for DownloadProgress {
    fn bytes(&self, file: &str, done: u64, total: u64) {
        if *self.file.borrow() != file {
            file.clone_into(&mut self.file.borrow_mut());
            self.bar.reset();
            self.bar.set_message(file.to_owned());
            if !io::stderr().is_terminal() {
                anstream::eprintln!("downloading {file} ({})", HumanBytes(total));
            }
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn queued(&self, file: &str) {
        self.bar.suspend(|| anstream::eprintln!("another process downloads {file}; waiting for it"));
    }

    fn waiting(&self, reason: &str, delay: Duration) {
        self.bar.suspend(|| anstream::eprintln!("{reason}; trying again in {}", HumanDuration(delay)));
    }
}

/// The progress of one long piece of work: a bar with a message on a terminal, a line every now and then elsewhere.
pub(crate) struct MessageBar {
    bar: ProgressBar,
    on_terminal: bool,
    started: Instant,
    last_line: Mutex<Instant>,
}

impl MessageBar {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {msg}").expect("the template is valid");
        let now = Instant::now();
        Self {
            bar: ProgressBar::new(1).with_style(style),
            on_terminal: io::stderr().is_terminal(),
            started: now,
            last_line: Mutex::new(now),
        }
    }

    /// A labeler is trained, or labels.
    pub(crate) fn labeling(&self, progress: LabelerProgress) {
        match progress {
            LabelerProgress::Training(StageProgress { step, scheduled_steps, training_loss }) => {
                let message =
                    format!("weak labeler: step {step} of at most {scheduled_steps}, loss {training_loss:.3}");
                self.show(step, scheduled_steps, &message);
            }
            LabelerProgress::Labeling { done, total } => {
                self.show(done, total, &format!("weak labels: {done} of {total} texts"));
            }
        }
    }

    /// A model is pretrained.
    pub(crate) fn pretraining(&self, model: &str, progress: PretrainingProgress) {
        let PretrainingProgress { step, steps, loss, .. } = progress;
        self.show(step, steps, &format!("{model} model: step {step} of {steps}, loss {loss:.3}"));
    }

    fn show(&self, done: usize, total: usize, message: &str) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(message.to_owned());
        let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.on_terminal && last_line.elapsed() > LINE_EVERY {
            *last_line = Instant::now();
            anstream::eprintln!("{message}, {} elapsed", HumanDuration(self.started.elapsed()));
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of a sweep. Stages differ a thousandfold in length, so the time left is reckoned from the examples
/// that the finished stages and the waiting ones are expected to look at, not from their number.
pub(crate) struct SweepProgress {
    bars: MultiProgress,
    on_terminal: bool,
    state: Mutex<Option<State>>,
}

struct State {
    overall: ProgressBar,
    workers: Vec<ProgressBar>,
    /// The expected work of the stage that each worker is at.
    current: Vec<f64>,
    started: Instant,
    last_line: Instant,
    stages: usize,
    finished: usize,
    work: f64,
    work_done: f64,
}

/// How many examples a stage is expected to look at: early stopping usually ends a stage after some eight
/// evaluations; with a constant for the test set.
fn expected_work(stage: &StageNode) -> f64 {
    let between_evaluations = stage.plan.count.min(50 * 32) as f64;
    8.0 * between_evaluations + 500.0
}

impl SweepProgress {
    pub(crate) fn new() -> Self {
        Self { bars: MultiProgress::new(), on_terminal: io::stderr().is_terminal(), state: Mutex::new(None) }
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
        }
    }

    /// Counts a stage as done with, whether it succeeded or not.
    fn stage_ended(&self, worker: usize) {
        self.with_state(|state| {
            state.finished += 1;
            state.work_done += state.current[worker];
            state.overall.set_position(state.finished as u64);
            state.overall.set_message(state.time_left());
            if !self.on_terminal && (state.last_line.elapsed() > LINE_EVERY || state.finished == state.stages) {
                state.last_line = Instant::now();
                anstream::eprintln!("{}/{} stages{}", state.finished, state.stages, state.time_left());
            }
        });
    }
}

impl State {
    /// ", about 2 minutes left", once something has been finished.
    fn time_left(&self) -> String {
        if self.work_done == 0.0 || self.finished == self.stages {
            return String::new();
        }
        let seconds = self.started.elapsed().as_secs_f64() * (self.work - self.work_done).max(0.0) / self.work_done;
        format!(", about {} left", HumanDuration(Duration::from_secs_f64(seconds)))
    }
}

impl Observer for SweepProgress {
    fn begin(&self, stages: &[&StageNode], jobs: usize) {
        let overall_style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} stages, {elapsed} elapsed{msg}").expect("valid");
        let worker_style = ProgressStyle::with_template("  {bar:20} {msg}").expect("valid");
        let overall = self.bars.add(ProgressBar::new(stages.len() as u64).with_style(overall_style));
        if self.on_terminal {
            overall.enable_steady_tick(Duration::from_secs(1));
        }
        let workers = (0..jobs).map(|_| self.bars.add(ProgressBar::new(1).with_style(worker_style.clone()))).collect();
        let now = Instant::now();
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(State {
            overall,
            workers,
            current: vec![0.0; jobs],
            started: now,
            last_line: now,
            stages: stages.len(),
            finished: 0,
            work: stages.iter().map(|stage| expected_work(stage)).sum(),
            work_done: 0.0,
        });
    }

    fn stage_began(&self, worker: usize, stage: &StageNode) {
        self.with_state(|state| {
            state.current[worker] = expected_work(stage);
            let bar = &state.workers[worker];
            bar.set_position(0);
            bar.set_prefix(stage.in_words());
            bar.set_message(bar.prefix());
        });
    }

    fn stage_progressed(&self, worker: usize, progress: StageProgress) {
        self.with_state(|state| {
            let StageProgress { step, scheduled_steps, training_loss } = progress;
            let bar = &state.workers[worker];
            bar.set_length(scheduled_steps as u64);
            bar.set_position(step as u64);
            bar.set_message(format!(
                "{}: step {step} of at most {scheduled_steps}, loss {training_loss:.3}",
                bar.prefix()
            ));
        });
    }

    fn stage_finished(&self, worker: usize, _: &StageOutcome) {
        self.stage_ended(worker);
    }

    fn stage_failed(&self, worker: usize, _: &StageFailure) {
        self.stage_ended(worker);
    }
}
