//! Progress on standard error: bars on a terminal, a line every now and then elsewhere.

mod reading;
mod sweep;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use labelmix_llm::Progress as Requests;
use labelmix_sandbox::PretrainingProgress;
use labelmix_sweep::LabelerProgress;
use labelmix_train::StageProgress;

pub(crate) use self::reading::show_reading;
pub(crate) use self::sweep::SweepProgress;
use self::sweep::damage_in_words;

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
                say!("{what} …");
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
                say!("downloading {file} ({})", HumanBytes(total));
            }
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn queued(&self, file: &str) {
        self.bar.suspend(|| say!("another process downloads {file}; waiting for it"));
    }

    fn waiting(&self, reason: &str, delay: Duration) {
        self.bar.suspend(|| say!("{reason}; trying again in {}", HumanDuration(delay)));
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
    pub(crate) fn labeling(&self, progress: LabelerProgress<'_>) {
        match progress {
            LabelerProgress::Damaged(damage) => self.bar.suspend(|| {
                say!("{}; the weak labels are set aside and made anew", damage_in_words(damage));
            }),
            LabelerProgress::Elsewhere(holder) => {
                let who = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
                self.bar.suspend(|| say!("{who} makes the weak labels; waiting for it"));
            }
            LabelerProgress::Training(StageProgress { step, scheduled_steps, training_loss, .. }) => {
                let message =
                    format!("weak labeler: step {step} of at most {scheduled_steps}, loss {training_loss:.3}");
                self.show(step, scheduled_steps, &message);
            }
            LabelerProgress::Requests(Requests::Asked { answers, of, usd }) => {
                self.show(answers, of, &format!("weak labels: {answers} of {of} answers, ${usd:.4} spent"));
            }
            LabelerProgress::Requests(Requests::Waiting { reason, delay }) => {
                let delay = HumanDuration(delay);
                self.show_message(&format!("weak labels: {reason}; trying again in {delay}"));
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
        self.show_message(message);
    }

    fn show_message(&self, message: &str) {
        self.bar.set_message(message.to_owned());
        let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.on_terminal && last_line.elapsed() > LINE_EVERY {
            *last_line = Instant::now();
            say!("{message}, {} elapsed", HumanDuration(self.started.elapsed()));
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
