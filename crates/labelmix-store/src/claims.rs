//! Claims: several processes may work on one store, and no two on the same stage.
//!
//! A claim is a file that its holder keeps locked. The lock is the operating system's, so the kernel gives it back when the
//! holder dies, however it dies: a dead process of this machine claims nothing, without a look at process numbers or
//! clocks. On a file system that machines share, locks may reach no further than the machine, or not be there at all. So a
//! claim beats as well: its holder makes it longer every ten seconds. What another machine holds is dead once its length
//! has not changed for two minutes of the watcher's own steady clock. No two clocks are ever compared, and none that can
//! jump is read.
//!
//! Should a claim be lost all the same (a machine that slept, say), a stage is done twice; both write the same bytes, and
//! the second finds the first's.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::entries;
use crate::store::Store;

const BEAT: Duration = Duration::from_secs(10);
const DEAD_AFTER: Duration = Duration::from_mins(2);
/// The same for who only looks on, of a process of this machine, whose file it sees at once.
const DEAD_HERE_AFTER: Duration = Duration::from_secs(30);

/// Who holds a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    pub pid: u32,
    /// What tells machines of one name apart, and a machine before and after a restart.
    boot: String,
}

impl Holder {
    fn this_process() -> &'static Self {
        static THIS: OnceLock<Holder> = OnceLock::new();
        THIS.get_or_init(|| {
            let host = sysinfo::System::host_name().unwrap_or_else(|| "unknown".to_owned());
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map_or_else(|_| format!("{host} {}", sysinfo::System::boot_time()), |boot| boot.trim().to_owned());
            Self { host, pid: std::process::id(), boot }
        })
    }

    fn is_here(&self) -> bool {
        self.boot == Self::this_process().boot
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, pid, .. } = self;
        if self.is_here() { write!(formatter, "process {pid}") } else { write!(formatter, "process {pid} on {host}") }
    }
}

/// What became of an attempt to claim something.
pub enum Claiming {
    /// It is this process's now.
    Mine(Claim),
    /// Somebody is at it: who, if that can be told.
    Held(Option<Holder>),
}

/// The right to do a stage. Dropping it gives the right back.
pub struct Claim {
    path: PathBuf,
    file: File,
    /// Whether the lock keeps others out: some network file systems know no locks.
    locked: bool,
    beat: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Claim {
    fn begin(path: PathBuf, file: File, locked: bool) -> io::Result<Self> {
        let mut line = serde_json::to_vec(Holder::this_process()).expect("names and numbers can be written");
        line.push(b'\n');
        file.set_len(0)?;
        (&file).write_all(&line)?;
        let (stop, stopped) = mpsc::channel();
        let mut beating = file.try_clone()?;
        let beat = std::thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // A beat that is lost is like a holder that is dead: others take over, and nothing is lost.
                let _ = beating.write_all(b".");
            }
        });
        Ok(Self { path, file, locked, beat: Some((stop, beat)) })
    }

    /// Gives the right back for good: what it was for is in the store, where everybody looks before doing it.
    pub fn fulfilled(self) {
        // Whoever waits for the lock of a file without a name finds the stage done. A file that stays is garbage.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((stop, beat)) = self.beat.take() {
            drop(stop);
            // The thread cannot panic: it sleeps and writes.
            let _ = beat.join();
        }
        // An empty file is nobody's. It keeps its name: another may have opened it, and wait for its lock. Where there are
        // no locks, only a file that is not there is free.
        let _ = if self.locked { self.file.set_len(0) } else { fs::remove_file(&self.path) };
    }
}

/// Claims that others hold, as a process sees them: when it first saw their present length.
pub struct Watch {
    dead_after: Duration,
    seen: Mutex<HashMap<PathBuf, (u64, Instant)>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { dead_after: DEAD_AFTER, seen: Mutex::default() }
    }
}

impl Watch {
    /// Whether a claim has had the same length for too long.
    fn is_dead(&self, path: &Path, length: u64) -> bool {
        self.unchanged_for(path, length, Duration::ZERO) >= self.dead_after
    }

    /// For how long a claim has had its length, where it is taken to have had it for `before` when it is first seen.
    fn unchanged_for(&self, path: &Path, length: u64, before: Duration) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (seen_length, since) =
            seen.entry(path.to_owned()).or_insert_with(|| (length, now.checked_sub(before).unwrap_or(now)));
        if *seen_length != length {
            (*seen_length, *since) = (length, now);
        }
        now.duration_since(*since)
    }
}

/// A claim as a bystander sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenClaim {
    /// What is claimed: a stage's key.
    pub name: String,
    pub holder: Option<Holder>,
}

impl Store {
    fn claims(&self) -> PathBuf {
        self.root.join("claims")
    }

    /// Claims what has this name, unless somebody else is at it.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn claim(&self, name: &str, watch: &Watch) -> Result<Claiming> {
        let folder = self.claims();
        let path = folder.join(name);
        fs::create_dir_all(&folder).and_then(|()| claim(&path, watch)).map_err(StoreError::io(&path))
    }

    /// The claims that are held now, as far as this machine can tell: those of other machines are taken for held if they
    /// were made longer within the two minutes before `now`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn held_claims(&self, now: SystemTime) -> Result<Vec<SeenClaim>> {
        let mut seen = Vec::new();
        for (name, path) in entries(&self.claims())? {
            let Ok(mut file) = File::open(&path) else { continue };
            let holder = read_holder(&mut file);
            let held = match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => true,
                Ok(()) | Err(TryLockError::Error(_)) => match &holder {
                    None => false,
                    Some(holder) if holder.is_here() => false,
                    Some(_) => file
                        .metadata()
                        .and_then(|file| file.modified())
                        .is_ok_and(|modified| now.duration_since(modified).unwrap_or_default() < DEAD_AFTER),
                },
            };
            if held {
                seen.push(SeenClaim { name, holder });
            }
        }
        Ok(seen)
    }

    /// The claims that are held as far as their beats tell, for who looks on for long. No lock is tried: for an instant it
    /// would keep a sweep from its stage.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn beating_claims(&self, watch: &Watch) -> Result<Vec<SeenClaim>> {
        let mut seen = Vec::new();
        for (name, path) in entries(&self.claims())? {
            let Ok(mut file) = File::open(&path) else { continue };
            // An empty file is nobody's.
            let Some(holder) = read_holder(&mut file) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            // At first sight of what was made on this machine, its clock may tell; afterwards its beats do.
            let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
            let (before, dead_after) =
                if holder.is_here() { (age, DEAD_HERE_AFTER) } else { (Duration::ZERO, DEAD_AFTER) };
            if watch.unchanged_for(&path, metadata.len(), before) < dead_after {
                seen.push(SeenClaim { name, holder: Some(holder) });
            }
        }
        Ok(seen)
    }
}

fn claim(path: &Path, watch: &Watch) -> io::Result<Claiming> {
    let opened = OpenOptions::new().read(true).append(true).create_new(true).open(path);
    let (mut file, is_new) = match opened {
        Ok(file) => (file, true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match OpenOptions::new().read(true).append(true).open(path) {
                Ok(file) => (file, false),
                // It was given back just now; the next attempt finds out.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claiming::Held(None)),
                Err(error) => return Err(error),
            }
        }
        Err(error) => return Err(error),
    };
    let locked = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => return Ok(Claiming::Held(read_holder(&mut file))),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => false,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    if !is_new && (!locked || read_holder(&mut file).is_some_and(|holder| !holder.is_here())) {
        let length = file.metadata()?.len();
        if !watch.is_dead(path, length) {
            return Ok(Claiming::Held(read_holder(&mut file)));
        }
        if !locked {
            // Only one of those who saw it die can give it another name; then all make a new one, and one succeeds.
            let dead = path.with_added_extension(labelmix_files::process_tag());
            let _ = fs::rename(path, &dead).and_then(|()| fs::remove_file(&dead));
            return Ok(Claiming::Held(None));
        }
    }
    Claim::begin(path.to_owned(), file, locked).map(Claiming::Mine)
}

/// Who wrote a claim; `None` if nobody did, or it cannot be told.
fn read_holder(file: &mut File) -> Option<Holder> {
    let mut bytes = Vec::new();
    io::Seek::rewind(file).and_then(|()| file.read_to_end(&mut bytes)).ok()?;
    serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn mine(store: &Store, watch: &Watch) -> Option<Claim> {
        match store.claim("stage", watch).unwrap() {
            Claiming::Mine(claim) => Some(claim),
            Claiming::Held(_) => None,
        }
    }

    #[test]
    fn a_claim_keeps_others_out_until_it_is_given_back() {
        let (_folder, store) = store();
        let watch = Watch::default();
        let claim = mine(&store, &watch).unwrap();
        let Claiming::Held(holder) = store.claim("stage", &watch).unwrap() else { panic!("it is held") };
        assert_eq!(holder.unwrap().pid, std::process::id());
        assert_eq!(store.held_claims(store.now()).unwrap().len(), 1);
        drop(claim);
        assert_eq!(store.held_claims(store.now()).unwrap(), []);
        mine(&store, &watch).unwrap().fulfilled();
        assert_eq!(entries(&store.claims()).unwrap(), []);
    }

    /// A claim that a process of another machine made, and does not lock as far as this one can see.
    fn foreign(store: &Store) -> PathBuf {
        let holder = Holder { host: "elsewhere".into(), pid: 1, boot: "another".into() };
        fs::create_dir_all(store.claims()).unwrap();
        let path = store.claims().join("stage");
        fs::write(&path, serde_json::to_string(&holder).unwrap() + "\n").unwrap();
        path
    }

    #[test]
    fn another_machines_claim_is_taken_over_when_it_no_longer_beats_whatever_its_clock_says() {
        let (_folder, store) = store();
        let path = foreign(&store);
        let watch = Watch { dead_after: Duration::from_millis(200), ..Watch::default() };
        for years in [-40, 40] {
            let jump = Duration::from_hours(24 * 365 * 40);
            let now = std::time::SystemTime::now();
            let time = if years < 0 { now - jump } else { now + jump };
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            assert!(mine(&store, &watch).is_none(), "it was seen for the first time, or beat since");
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(120));
                File::options().append(true).open(&path).unwrap().write_all(b".").unwrap();
                assert!(mine(&store, &watch).is_none(), "it beats");
            }
        }
        std::thread::sleep(Duration::from_millis(250));
        mine(&store, &watch).unwrap();
    }

    #[test]
    fn who_looks_on_sees_what_beats_and_locks_nothing() {
        let (_folder, store) = store();
        let (watch, onlooking) = (Watch::default(), Watch::default());
        let claim = mine(&store, &watch).unwrap();
        let seen = store.beating_claims(&onlooking).unwrap();
        assert_eq!(seen[0].holder.as_ref().unwrap().pid, std::process::id());
        drop(claim);
        assert_eq!(store.beating_claims(&onlooking).unwrap(), [], "it was given back");

        // What a killed process left a minute ago, and what another machine holds, whatever its clock says.
        let path = store.claims().join("stage");
        fs::write(&path, serde_json::to_string(Holder::this_process()).unwrap() + "\n").unwrap();
        let minute_ago = std::time::SystemTime::now() - Duration::from_mins(1);
        File::options().append(true).open(&path).unwrap().set_modified(minute_ago).unwrap();
        assert_eq!(store.beating_claims(&Watch::default()).unwrap(), []);
        let foreign = foreign(&store);
        File::options().append(true).open(&foreign).unwrap().set_modified(minute_ago).unwrap();
        assert_eq!(store.beating_claims(&Watch::default()).unwrap().len(), 1);
    }

    #[test]
    fn what_killed_processes_and_broken_disks_leave_is_claimed_at_once() {
        let (_folder, store) = store();
        let path = foreign(&store);
        for content in ["", "{\"host\":", "\0\0\0"] {
            fs::write(&path, content).unwrap();
            assert!(mine(&store, &Watch::default()).is_some());
        }
        // A process of this machine that is no more: its lock is gone.
        let dead = Holder { pid: u32::MAX, ..Holder::this_process().clone() };
        fs::write(&path, serde_json::to_string(&dead).unwrap() + "\n").unwrap();
        assert_eq!(store.held_claims(store.now()).unwrap(), []);
        assert!(mine(&store, &Watch::default()).is_some());
    }
}
