//! Sweeps that are disturbed at random moments, in every way that we could think of. After each disturbance the same
//! command finishes, and everything it leaves is what an undisturbed sweep leaves, byte for byte.
//!
//! `LABELMIX_TEST_FAULTS` says how many disturbances of each kind there are; a few, unless it says otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use crate::methods;
use crate::workplace::Workplace;

/// Sweeps into `disturbed`, with the state of every stage kept at every step.
pub(crate) const SWEEP: [&str; 7] =
    ["sweep", "study.toml", "--json", "--checkpoint-every", "0", "--store", "disturbed"];

pub(crate) fn disturbances(usual: usize) -> usize {
    std::env::var("LABELMIX_TEST_FAULTS").map_or(usual, |number| number.parse().unwrap())
}

/// Numbers that differ from one run of the tests to the next, and are told if a test fails.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        eprintln!("the seed of chance is {seed}");
        Self(seed)
    }

    /// A number from 0 to below `end` (splitmix64).
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// A workplace with a study, and what an undisturbed sweep of it leaves.
pub(crate) struct Undisturbed {
    pub(crate) workplace: Workplace,
    variables: &'static [(&'static str, &'static str)],
    answer: String,
    stages: BTreeMap<String, Vec<u8>>,
    /// How long it took.
    took: Duration,
}

impl Undisturbed {
    /// The small study, of stages long enough to be hit in the middle.
    pub(crate) fn new() -> Self {
        Self::of(&Workplace::study())
    }

    fn of(study: &str) -> Self {
        Self::with(study, &[])
    }

    /// A study whose sweeps have these variables set.
    pub(crate) fn with(study: &str, variables: &'static [(&'static str, &'static str)]) -> Self {
        let workplace = Workplace::new();
        workplace.write("study.toml", study);
        let began = Instant::now();
        let sweep = ["sweep", "study.toml", "--json", "--store", "undisturbed"];
        let output = workplace.labelmix(&sweep).envs(variables.iter().copied()).assert().success().get_output().clone();
        let answer = String::from_utf8(output.stdout).unwrap();
        let (took, stages) = (began.elapsed(), workplace.stages("undisturbed"));
        Self { workplace, variables, answer, stages, took }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.workplace.path().join("disturbed")
    }

    /// Begins with an empty store.
    pub(crate) fn begin_anew(&self) {
        if self.store().exists() {
            fs::remove_dir_all(self.store()).unwrap();
        }
    }

    /// The sweep finishes and leaves what the undisturbed one left: nothing more, and nothing of the disturbances.
    pub(crate) fn finishes(&self) {
        let mut sweep = self.workplace.labelmix(&SWEEP);
        let output = sweep.envs(self.variables.iter().copied()).assert().success().get_output().clone();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), self.answer);
        assert!(self.workplace.stages("disturbed") == self.stages, "the stages differ");
        for left in ["checkpoints", "claims", "failures"] {
            let left = self.store().join(left);
            assert!(!left.exists() || fs::read_dir(&left).unwrap().next().is_none(), "{} is not empty", left.display());
        }
    }

    /// Starts the sweep, and waits for a random while, or until it ends.
    pub(crate) fn disturb_after_a_while(&self, chance: &mut Chance) -> Child {
        let mut sweep = self.workplace.process(&SWEEP);
        sweep.envs(self.variables.iter().copied());
        self.while_running(sweep, chance)
    }

    /// The same with a sweep that is started in some other way.
    pub(crate) fn while_running(&self, mut sweep: Command, chance: &mut Chance) -> Child {
        let mut child = sweep.spawn().unwrap();
        let until = Instant::now() + self.took.mul_f64(chance.below(1000) as f64 / 1000.0);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        child
    }
}

/// Sends a signal to a process that was started here and not waited for yet.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).output().unwrap();
    drop(sent);
}

/// Every finished stage with the time at which its outcome was written.
fn finished(store: &Path) -> BTreeMap<String, SystemTime> {
    let Ok(entries) = fs::read_dir(store.join("stages")) else { return BTreeMap::new() };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let written = fs::metadata(entry.path().join("outcome.json")).unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), written)
        })
        .collect()
}

#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let undisturbed = Undisturbed::of(&methods::study());
    let mut chance = Chance::new();
    for _ in 0..disturbances(4) {
        let mut child = undisturbed.disturb_after_a_while(&mut chance);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let kept = finished(&undisturbed.store());
    undisturbed.finishes();
    let after = finished(&undisturbed.store());
    for (key, written) in &kept {
        assert_eq!(after[key], *written, "stage {key} was done twice");
    }
}

#[test]
#[cfg(unix)]
fn signals_interrupt_and_the_second_ends_at_once() {
    let undisturbed = Undisturbed::new();
    let mut chance = Chance::new();
    let (mut interrupted, number) = (0, disturbances(8));
    for attempt in 0..number {
        let mut child = undisturbed.disturb_after_a_while(&mut chance);
        let name = ["TERM", "INT"][attempt % 2];
        signal(&child, name);
        if attempt % 4 == 3 {
            signal(&child, name);
        }
        let status = child.wait().unwrap();
        // Before there is anything to keep, a signal ends the process as it ends any other.
        match status.code() {
            Some(0) => undisturbed.begin_anew(),
            Some(4) => interrupted += 1,
            code => {
                use std::os::unix::process::ExitStatusExt;
                let number = [15, 2][attempt % 2];
                assert!(code == Some(128 + number) || status.signal() == Some(number), "{status}");
            }
        }
    }
    assert!(interrupted > 0 || number < 8, "no signal of {number} hit the sweep in the middle");
    undisturbed.finishes();
}

#[test]
fn a_stage_goes_on_from_its_checkpoint() {
    // Long stages, so that they are hit in the middle.
    let undisturbed = Undisturbed::of(&Workplace::study().replace("seeds = [0, 1]", "seeds = [0]"));
    let checkpoints = undisturbed.store().join("checkpoints");
    for _ in 0..disturbances(3) {
        let mut child = undisturbed.workplace.process(&SWEEP).spawn().unwrap();
        let is_there = || fs::read_dir(&checkpoints).is_ok_and(|mut entries| entries.next().is_some());
        while !is_there() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // A damaged one is begun anew.
    for file in fs::read_dir(&checkpoints).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        // One that was being written when its process was killed may be empty.
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        fs::write(path, bytes).unwrap();
    }
    undisturbed.finishes();
}

#[test]
fn damaged_files_are_found_and_done_again() {
    let undisturbed = Undisturbed::new();
    let mut chance = Chance::new();
    undisturbed.finishes();
    for attempt in 0..disturbances(4) {
        // A file of any stage is truncated or has a bit flipped, and another stage is gone.
        let stages = undisturbed.workplace.stages("disturbed");
        let (name, bytes) = stages.iter().nth(chance.below(stages.len())).unwrap();
        let (mut bytes, place) = (bytes.clone(), chance.below(bytes.len()));
        match attempt % 2 {
            0 => bytes.truncate(place),
            _ => bytes[place] ^= 1 << chance.below(8),
        }
        fs::write(undisturbed.store().join("stages").join(name), bytes).unwrap();
        let other = stages.keys().nth(chance.below(stages.len())).unwrap().split('/').next().unwrap();
        if !name.starts_with(other) {
            fs::remove_dir_all(undisturbed.store().join("stages").join(other)).unwrap();
        }
        let verified = undisturbed.workplace.labelmix(&["store", "verify", "disturbed", "--set-aside"]);
        { verified }.assert().code(3);
        undisturbed.finishes();
    }
}

#[test]
fn two_sweeps_on_one_store_do_nothing_twice() {
    let undisturbed = Undisturbed::new();
    for _ in 0..disturbances(2) {
        undisturbed.begin_anew();
        let events = |name: &str| undisturbed.workplace.path().join(name);
        let start = |name: &str| {
            let arguments = [&SWEEP[..], &["--jobs", "1", "--events", name]].concat();
            let _ = fs::remove_file(events(name));
            undisturbed.workplace.process(&arguments).spawn().unwrap()
        };
        let mut sweeps = [start("one.jsonl"), start("two.jsonl")];
        for sweep in &mut sweeps {
            assert!(sweep.wait().unwrap().success());
        }
        let mut began = Vec::new();
        for name in ["one.jsonl", "two.jsonl"] {
            for line in fs::read_to_string(events(name)).unwrap().lines() {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                if event["event"] == "stage-began" {
                    began.push(event["key"].as_str().unwrap().to_owned());
                }
            }
        }
        let number = began.len();
        began.sort();
        began.dedup();
        assert_eq!((number, began.len()), (14, 14), "every stage was begun once");
        undisturbed.finishes();
    }
}

#[test]
fn one_of_two_sweeps_is_killed_and_the_other_takes_over() {
    let undisturbed = Undisturbed::new();
    let mut chance = Chance::new();
    for _ in 0..disturbances(2) {
        undisturbed.begin_anew();
        let mut other = undisturbed.workplace.process(&SWEEP).spawn().unwrap();
        let mut killed = undisturbed.disturb_after_a_while(&mut chance);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(other.wait().unwrap().success());
        undisturbed.finishes();
    }
}

/// A small file system of its own, which only root can mount.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None`, and a message, where it cannot be had.
    fn mount(place: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place.to_owned()));
        }
        eprintln!("skipped: this user cannot mount a small file system");
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_stops_the_sweep_and_space_lets_it_go_on() {
    let undisturbed = Undisturbed::new();
    let all: usize = undisturbed.stages.values().map(Vec::len).sum();
    for attempt in 0..disturbances(2) {
        let size = format!("size={}k", all * (attempt % 4 + 1) / 5 / 1024);
        let Some(disk) = SmallDisk::mount(&undisturbed.store(), &size) else { return };
        let [out, said] = undisturbed.workplace.said(&SWEEP, 1);
        assert!(out.is_empty() && said.contains("No space left on device"), "{said}");
        assert!(said.contains("hint: choose a folder that you may write to, on a disk with space"), "{said}");
        assert!(finished(&undisturbed.store()).len() < 14);
        disk.remount("size=100m");
        undisturbed.finishes();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_that_becomes_read_only_stops_the_sweep() {
    let undisturbed = Undisturbed::new();
    let Some(disk) = SmallDisk::mount(&undisturbed.store(), "size=100m") else { return };
    disk.remount("ro");
    let [out, said] = undisturbed.workplace.said(&SWEEP, 1);
    assert!(out.is_empty() && said.contains("Read-only file system"), "{said}");
    disk.remount("rw");
    undisturbed.finishes();
}
