//! The workers of a backend: a place for each, in which one is started when it is needed.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use labelmix_train::Result;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::process::{Hello, Process};
use super::{WorkerOptions, refused};

/// Places for workers that all load the same model.
pub(super) struct Seats {
    options: WorkerOptions,
    /// What each is asked to load.
    load: Json,
    all: Vec<Seat>,
}

/// A place for one worker.
struct Seat {
    place: Place,
    process: Mutex<Option<Process>>,
    /// Trainings that it is busy with.
    learners: AtomicUsize,
}

/// Where a worker runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In torch's words; "auto" for the best there is.
    pub(super) device: String,
    /// The graphics processors that it sees, where not all.
    pub(super) visible: Option<String>,
    pub(super) threads: usize,
}

impl Place {
    /// The only one, or one of so many on a machine's processor.
    pub(super) fn anywhere(options: &WorkerOptions, jobs: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { device: options.device.clone(), visible: None, threads: (cores / jobs).max(1) }
    }

    /// Those of so many workers (by default as many as are useful) of which the first says this of the machine: on graphics
    /// processors each has its own, as long as there are some.
    pub(super) fn all(options: &WorkerOptions, hello: &Hello, jobs: Option<usize>) -> Vec<Self> {
        let (gpus, each) = (hello.devices.len().max(1), options.gpus_here());
        let are_spread = hello.is_on_gpu() && options.device == "auto";
        let useful = if are_spread { gpus / each } else { 1 };
        let jobs = jobs.unwrap_or(useful);
        let place = |seat: usize| {
            let first = seat % useful * each;
            let anywhere = Self::anywhere(options, jobs);
            match (are_spread, each) {
                (true, 1) if gpus > 1 => Self { device: format!("{}:{first}", hello.device), ..anywhere },
                (true, several) if several > 1 => Self { visible: Some(visible(first..first + each)), ..anywhere },
                _ => anywhere,
            }
        };
        (0..jobs).map(place).collect()
    }
}

impl Seats {
    /// Places, in the first of which a worker has loaded the model already.
    pub(super) fn new(options: &WorkerOptions, load: Json, places: Vec<Place>, first: Process) -> Self {
        let seat = |place| Seat { place, process: Mutex::new(None), learners: AtomicUsize::new(0) };
        let all: Vec<Seat> = places.into_iter().map(seat).collect();
        *lock(&all[0].process) = Some(first);
        Self { options: options.clone(), load, all }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes the place with the fewest trainings for one more.
    pub(super) fn take(&self) -> usize {
        let place = (0..self.len()).min_by_key(|place| self.all[*place].learners.load(Ordering::Relaxed));
        let place = place.expect("there is a place");
        self.all[place].learners.fetch_add(1, Ordering::Relaxed);
        place
    }

    /// Gives a place back.
    pub(super) fn leave(&self, place: usize) {
        self.all[place].learners.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks a worker, which is started if it is not there; with the number of the process that answered. Where it has to be
    /// the `wanted` process, another one is not asked.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        seat: usize,
        wanted: Option<u32>,
        what: &str,
        arguments: Json,
    ) -> Result<(T, u32)> {
        let seat = &self.all[seat];
        let mut process = lock(&seat.process);
        if wanted.is_some_and(|wanted| process.as_ref().is_none_or(|process| process.number() != wanted)) {
            return Err(refused("the engine that trained this is gone", "the same command goes on where it was"));
        }
        if process.is_none() {
            let (mut started, _) = Process::start(&self.options, &seat.place)?;
            let _: Json = started.ask("load", self.load.clone())?;
            *process = Some(started);
        }
        let running = process.as_mut().expect("it was started if it was not there");
        let answer = running.ask(what, arguments);
        let number = running.number();
        if running.is_lost() {
            *process = None;
        }
        Ok((answer?, number))
    }

    /// Asks whichever worker has time.
    pub(super) fn ask_any<T: DeserializeOwned>(&self, what: &str, arguments: Json) -> Result<T> {
        let free = self.all.iter().position(|seat| seat.process.try_lock().is_ok());
        Ok(self.ask(free.unwrap_or(0), None, what, arguments)?.0)
    }
}

/// These of the graphics processors that this process sees.
fn visible(places: Range<usize>) -> String {
    let here = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let here: Option<Vec<&str>> = here.as_deref().map(|names| names.split(',').collect());
    let names = places.map(|place| match &here {
        Some(names) => names.get(place).map_or_else(String::new, |name| (*name).to_owned()),
        None => place.to_string(),
    });
    names.collect::<Vec<_>>().join(",")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
