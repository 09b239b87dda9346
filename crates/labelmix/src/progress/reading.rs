//! The progress of reading files.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use labelmix_data::{ReadingProgress, observe_reading};

/// How long a file may take to read before anything is said of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A file that is being read.
struct Reading {
    file: PathBuf,
    since: Instant,
    bar: Option<ProgressBar>,
}

/// Shows how far the reading of a file is, from here on and whoever reads it, once it takes longer than two seconds: a bar
/// on a terminal, a line elsewhere.
pub(crate) fn show_reading() {
    let reading: Mutex<Option<Reading>> = Mutex::new(None);
    observe_reading(move |ReadingProgress { file, done, total }| {
        let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
        if done == total || reading.as_ref().is_some_and(|reading| reading.file != file) {
            if let Some(bar) = reading.take().and_then(|reading| reading.bar) {
                bar.finish_and_clear();
            }
            if done == total {
                return;
            }
        }
        let reading =
            reading.get_or_insert_with(|| Reading { file: file.to_path_buf(), since: Instant::now(), bar: None });
        if reading.bar.is_none() && reading.since.elapsed() > PATIENCE {
            reading.bar = Some(bar(&reading.file, total));
        }
        if let Some(bar) = &reading.bar {
            bar.set_position(done);
        }
    });
}

fn bar(file: &Path, total: u64) -> ProgressBar {
    let template = "{bar:30} {bytes}/{total_bytes} reading {msg}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    if !io::stderr().is_terminal() {
        say!("reading {} ({}) …", file.display(), HumanBytes(total));
    }
    ProgressBar::new(total).with_style(style).with_message(file.display().to_string())
}
