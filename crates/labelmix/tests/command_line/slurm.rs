//! Sweeps on a Slurm cluster: on stand-ins for its commands, and on a real one where there is one.
//!
//! The real one is Debian's `slurm-wlm` on this machine alone; without it, or without root, its test is skipped with a message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::engines::{interpreter, on_torch};
use crate::workplace::Workplace;

const SWEEP: [&str; 4] = ["sweep", "study.toml", "--executor", "slurm"];

/// The scripts that stand in for Slurm's commands, or start it.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm")
}

/// A workplace whose commands find stand-ins for Slurm's on PATH.
struct FakeCluster {
    workplace: Workplace,
    folder: PathBuf,
}

impl FakeCluster {
    fn new() -> Self {
        let workplace = Workplace::new();
        let folder = workplace.path().join("slurm");
        fs::create_dir(&folder).unwrap();
        for command in ["sbatch", "squeue", "scontrol"] {
            let script = fs::read_to_string(scripts().join(format!("fake_{command}.sh"))).unwrap();
            fs::write(folder.join(command), script).unwrap();
            make_executable(&folder.join(command));
        }
        Self { workplace, folder }
    }

    fn labelmix(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = self.workplace.labelmix(arguments);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.folder.display())).env("FAKE_SLURM", &self.folder);
        command
    }

    /// Standard output and standard error of a command that ends with this status.
    fn said(&self, arguments: &[&str], status: i32) -> [String; 2] {
        let output = self.labelmix(arguments).assert().code(status).get_output().clone();
        [output.stdout, output.stderr].map(|bytes| self.workplace.without_paths(&String::from_utf8(bytes).unwrap()))
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_cluster_leaves_what_this_machine_would() {
    let cluster = FakeCluster::new();
    let here = cluster.workplace.output_of(&["sweep", "study.toml", "--json", "--store", "here"]);
    let [submitted, _] = cluster.said(&SWEEP, 0);
    assert_eq!(submitted, "14 stages submitted as jobs 1, 2; 0 were in the queue, 0 are done\n");
    assert_eq!(
        cluster.file("ended").lines().filter(|line| line.ends_with(" 0")).count(),
        14,
        "{}",
        cluster.file("ended")
    );
    // Nothing is left but to say what came out.
    let [there, _] = cluster.said(&[&SWEEP[..], &["--json"]].concat(), 0);
    assert_eq!(there, cluster.workplace.without_paths(&here));
    assert!(cluster.workplace.stages("here") == cluster.workplace.stages("labelmix-store"), "the stages differ");
    assert_eq!(cluster.file("submitted").lines().count(), 2, "nothing is submitted twice");
}

#[test]
fn a_labeler_is_a_task_too_and_the_stages_follow_its_labels() {
    let cluster = FakeCluster::new();
    let example = crate::workplace::example();
    let labeler =
        format!("[labeler]\nmodel = \"{}/checkpoint\"\ntrain = 400\nlearning_rate = 5e-3\n", example.display());
    cluster.workplace.write("study.toml", Workplace::study() + &labeler);
    fs::write(cluster.folder.join("hold"), "").unwrap();
    let [submitted, _] = cluster.said(&SWEEP, 0);
    assert_eq!(submitted, "the labeler is submitted as job 1; the stages can be submitted when its labels are there\n");
    let [again, _] = cluster.said(&SWEEP, 0);
    assert_eq!(again, "the labeler is already in the queue; the stages can be submitted when its labels are there\n");
    fs::remove_file(cluster.folder.join("hold")).unwrap();
    fs::remove_file(cluster.folder.join("queue")).unwrap();
    cluster.said(&SWEEP, 0);
    assert_eq!(cluster.file("ended"), "2 0 0\n");
    let [stages, _] = cluster.said(&SWEEP, 0);
    assert_eq!(stages, "14 stages submitted as jobs 3, 4; 0 were in the queue, 0 are done\n");
    let [there, _] = cluster.said(&[&SWEEP[..], &["--json"]].concat(), 0);
    let here = cluster.workplace.output_of(&["sweep", "study.toml", "--json", "--store", "here"]);
    assert_eq!(there, cluster.workplace.without_paths(&here));
    assert!(cluster.workplace.stages("here") == cluster.workplace.stages("labelmix-store"), "the stages differ");
}

#[test]
fn what_a_study_a_profile_and_the_command_line_ask_for() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("hold"), "").unwrap();
    let study = Workplace::study()
        + "[slurm]\npartition = \"cpu\"\ntime = \"10\"\nstages_per_task = 3\noptions = [\"--nice\"]\n";
    cluster.workplace.write("study.toml", &study);
    let arguments =
        [&SWEEP[..], &["--partition", "gpu", "--gres", "gpu:1", "--slurm-option=--constraint=a100"]].concat();
    cluster.said(&arguments, 0);
    insta::assert_snapshot!(cluster.workplace.without_paths(&cluster.file("submitted")), @r#"
    --parsable --job-name=labelmix-small --array=0-3 --output=[folder]/labelmix-store/slurm/small/logs/%A_%a.txt --partition=gpu --gres=gpu:1 --time=10 --nice --constraint=a100 --requeue --signal=B:USR1@120 [folder]/labelmix-store/slurm/small/task.sh [folder]/labelmix-store/slurm/small/array-0001.jsonl
    --parsable --job-name=labelmix-small --array=0-1 --output=[folder]/labelmix-store/slurm/small/logs/%A_%a.txt --dependency=afterany:1 --partition=gpu --gres=gpu:1 --time=10 --nice --constraint=a100 --requeue --signal=B:USR1@120 [folder]/labelmix-store/slurm/small/task.sh [folder]/labelmix-store/slurm/small/array-0002.jsonl
    "#);
    // A profile takes the place of the study's table.
    cluster.workplace.write("profile.toml", "account = \"lab\"\nstages_per_task = 14\n");
    fs::remove_file(cluster.folder.join("queue")).unwrap();
    cluster.said(&[&SWEEP[..], &["--slurm-profile", "profile.toml"]].concat(), 0);
    let last = cluster.file("submitted");
    assert!(last.lines().last().unwrap().contains("--account=lab --requeue"), "{last}");
    assert!(!last.lines().last().unwrap().contains("partition"), "{last}");
}

#[test]
fn a_site_that_greets_is_understood() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("greets"), "--- Welcome | news: none ---\n\nnodes = 12\n--> quota ... OK\n").unwrap();
    fs::write(cluster.folder.join("hold"), "").unwrap();
    let [submitted, _] = cluster.said(&SWEEP, 0);
    assert_eq!(submitted, "14 stages submitted as jobs 1, 2; 0 were in the queue, 0 are done\n");
    let [again, _] = cluster.said(&SWEEP, 0);
    assert_eq!(again, "nothing to submit; 14 were in the queue, 0 are done\n");
    assert_eq!(cluster.file("submitted").lines().count(), 2, "nothing is submitted twice");
}

#[test]
fn a_job_without_a_number_is_not_forgotten_silently() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("sbatch"), "#!/bin/bash\necho Welcome\n").unwrap();
    let [_, said] = cluster.said(&SWEEP, 1);
    let refusal = said.split_once("error: ").unwrap().1;
    insta::assert_snapshot!(refusal, @r#"
    no line of what sbatch says is a job's number: "Welcome"
    hint: the array may be in the queue all the same: look with `squeue --me`, and cancel it before the command is repeated; `sbatch --parsable` has to print the number on a line of its own
    "#);
}

#[test]
fn what_waits_in_the_queue_is_not_submitted_again() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("hold"), "").unwrap();
    cluster.said(&SWEEP, 0);
    let [again, _] = cluster.said(&SWEEP, 0);
    assert_eq!(again, "nothing to submit; 14 were in the queue, 0 are done\n");
    let [status, _] = {
        let output = cluster.labelmix(&["status", "study.toml"]).assert().success().get_output().clone();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    insta::assert_snapshot!(status, @r#"
    study small: 0 of 12 runs finished
    stages: 0 of 14 done, 14 waiting
    in the cluster's queue: 0 in tasks that run, 14 in tasks that wait
    "#);
    // Tasks that the queue has lost are submitted again, and others are not.
    let queue = cluster.file("queue");
    fs::write(cluster.folder.join("queue"), queue.lines().skip(2).fold(String::new(), |text, line| text + line + "\n"))
        .unwrap();
    let [again, _] = cluster.said(&SWEEP, 0);
    assert_eq!(again, "2 stages submitted as job 3; 12 were in the queue, 0 are done\n");
}

#[test]
fn arrays_keep_to_the_clusters_limit() {
    let cluster = FakeCluster::new();
    let output =
        cluster.labelmix(&SWEEP).env("FAKE_MAX_ARRAY_SIZE", "4").assert().success().get_output().stdout.clone();
    let said = String::from_utf8(output).unwrap();
    assert!(said.starts_with("14 stages submitted as jobs 1, 2, 3, 4"), "{said}");
    assert!(cluster.file("submitted").lines().all(|line| line.contains("--array=0-3") || line.contains("--array=0-1")));
    assert_eq!(cluster.file("ended").lines().filter(|line| line.ends_with(" 0")).count(), 14);
}

#[test]
fn a_task_whose_start_is_missing_says_so() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("hold"), "").unwrap();
    cluster.said(&SWEEP, 0);
    // The last array's stages start from others, which nobody has done.
    let lists = fs::read_dir(cluster.workplace.path().join("labelmix-store/slurm/small")).unwrap();
    let mut lists: Vec<PathBuf> = lists.map(|entry| entry.unwrap().path()).collect();
    lists.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("array-"));
    lists.sort();
    let list = lists.last().unwrap().to_str().unwrap();
    let output = cluster
        .labelmix(&["slurm-task", "study.toml", "--store", "labelmix-store", "--tasks", list])
        .env("SLURM_ARRAY_TASK_ID", "0")
        .assert()
        .code(3)
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the stage that it starts from is not in the store"), "{said}");
}

#[test]
fn a_warning_keeps_the_state_and_puts_the_task_back() {
    let cluster = FakeCluster::new();
    let here = cluster.workplace.output_of(&["sweep", "study.toml", "--json", "--store", "here"]);
    fs::write(cluster.folder.join("hold"), "").unwrap();
    cluster.said(&SWEEP, 0);
    let list = cluster.workplace.path().join("labelmix-store/slurm/small/array-0001.jsonl");
    let path = std::env::var("PATH").unwrap();
    let mut warned = 0;
    for task in 0..fs::read_to_string(&list).unwrap().lines().count() {
        let checkpoints = cluster.workplace.path().join("labelmix-store/checkpoints");
        let mut child = cluster
            .workplace
            .process(&["slurm-task", "study.toml", "--store", "labelmix-store", "--checkpoint-every", "0", "--tasks"])
            .arg(&list)
            .env("PATH", format!("{}:{path}", cluster.folder.display()))
            .env("FAKE_SLURM", &cluster.folder)
            .env("SLURM_ARRAY_JOB_ID", "7")
            .env("SLURM_ARRAY_TASK_ID", task.to_string())
            .spawn()
            .unwrap();
        let has_begun = || fs::read_dir(&checkpoints).is_ok_and(|mut entries| entries.next().is_some());
        while !has_begun() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Command::new("kill").args(["-USR1", &child.id().to_string()]).output().unwrap();
        if child.wait().unwrap().code() == Some(4) {
            warned += 1;
            assert_eq!(cluster.file("requeued").lines().last(), Some(&*format!("7_{task}")));
        }
    }
    assert!(warned > 0, "no warning hit a task in the middle");
    // Whatever was kept, the same results come of it.
    assert_eq!(cluster.workplace.output_of(&["sweep", "study.toml", "--json"]), here);
    assert!(cluster.workplace.stages("here") == cluster.workplace.stages("labelmix-store"), "the stages differ");
}

#[test]
fn what_a_cluster_refuses() {
    let cluster = FakeCluster::new();
    fs::write(cluster.folder.join("refuse"), "").unwrap();
    insta::assert_snapshot!(complaint(&cluster.said(&SWEEP, 1)[1]), @r#"
    error: sbatch: sbatch: error: invalid partition specified: nowhere
    hint: mend [slurm] in the study, the profile or the options of this command; jobs that were submitted before stay in the queue, and the same command submits the rest
    "#);
    insta::assert_snapshot!(complaint(&cluster.said(&[&SWEEP[..], &["--slurm-option=-n3"]].concat(), 1)[1]), @r#"
    error: the command line: "-n3" among the options
    hint: write each option by itself and with its value behind `=`: "--constraint=a100"
    "#);
    cluster.workplace.write("profile.toml", "queue = \"gpu\"\n");
    let profile = [&SWEEP[..], &["--slurm-profile", "profile.toml"]].concat();
    insta::assert_snapshot!(complaint(&cluster.said(&profile, 1)[1]), @"
    error: profile.toml: unknown field `queue`, expected one of `partition`, `account`, `gres`, `time`, `nodes`, `gpus_per_node`, `cpus_per_task`, `memory`, `stages_per_task`, `warning_seconds`, `options`, `setup`
    hint: a profile has the keys of a study's [slurm] table: partition, gres, time, options and so on
    ");
    // Where there are no such commands.
    let nowhere = cluster.labelmix(&SWEEP).env("PATH", cluster.workplace.path().join("nothing")).assert().code(1);
    let said = String::from_utf8(nowhere.get_output().stderr.clone()).unwrap();
    insta::assert_snapshot!(complaint(&said), @r#"
    error: squeue: No such file or directory (os error 2)
    hint: run this on a machine that submits to a Slurm cluster, where squeue is on PATH
    "#);
}

/// The error and its hint.
fn complaint(said: &str) -> String {
    let from = said.find("error: ").unwrap_or_default();
    said[from..].trim_end().to_owned()
}

/// A real cluster, ended when it goes out of use.
struct RealCluster {
    folder: tempfile::TempDir,
}

impl RealCluster {
    /// None where Slurm or root is missing.
    fn start() -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        let is_there = Command::new("slurmctld").arg("-V").output().is_ok_and(|output| output.status.success());
        if !(is_root && is_there) {
            eprintln!("skipped: a real Slurm cluster needs Debian's package slurm-wlm, and root");
            return None;
        }
        let cluster = Self { folder: tempfile::tempdir().unwrap() };
        let ports = free_ports::<3>();
        let started = Command::new("bash")
            .arg(scripts().join("cluster.sh"))
            .arg(cluster.folder.path())
            .args(ports.map(|port| port.to_string()))
            .output()
            .unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        Some(cluster)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    fn slurm(&self, command: &str, arguments: &[&str]) -> String {
        let output = Command::new(command).args(arguments).env("SLURM_CONF", self.configuration()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Submits what is missing; the answer where nothing is.
    fn sweep(&self, workplace: &Workplace) -> String {
        let arguments = [&SWEEP[..], &["--json", "--checkpoint-every", "0", "--allow-command"]].concat();
        let mut command = workplace.labelmix(&arguments);
        let output = command.env("SLURM_CONF", self.configuration()).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    }

    fn queue(&self) -> String {
        self.slurm("squeue", &["--array", "--noheader", "--format=%F_%K %T"])
    }

    /// A task that runs, as soon as there is one.
    fn running_task(&self) -> Option<String> {
        until(|| {
            let queue = self.queue();
            let running = queue.lines().find_map(|line| line.strip_suffix(" RUNNING").map(str::to_owned));
            if queue.is_empty() { Some(None) } else { running.map(Some) }
        })
    }

    fn wait_until_empty(&self) {
        until(|| self.queue().is_empty().then_some(()));
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        self.slurm("scancel", &["--me"]);
        self.slurm("scontrol", &["shutdown"]);
        for pid in ["slurmd-one.pid", "slurmd-two.pid", "slurmctld.pid"] {
            if let Ok(pid) = fs::read_to_string(self.folder.path().join(pid)) {
                let _ = Command::new("kill").arg(pid.trim()).output();
            }
        }
    }
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_mins(5), "the cluster does not get on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [0; N].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

#[test]
fn a_real_cluster_requeues_loses_a_task_and_leaves_what_this_machine_would() {
    let Some(cluster) = RealCluster::start() else { return };
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    let here = workplace.output_of(&["sweep", "study.toml", "--json", "--store", "here"]);
    cluster.sweep(&workplace);
    assert!(cluster.queue().lines().count() > 1, "{}", cluster.queue());
    // A task is put back into the queue while it works; another is killed, as a machine that goes down would.
    if let Some(task) = cluster.running_task() {
        cluster.slurm("scontrol", &["requeue", &task]);
    }
    if let Some(task) = cluster.running_task() {
        cluster.slurm("scancel", &["--full", "--signal=KILL", &task]);
    }
    cluster.wait_until_empty();
    // The same command submits what that left undone, until nothing is.
    let mut answer = cluster.sweep(&workplace);
    for _ in 0..3 {
        if answer == here {
            break;
        }
        cluster.wait_until_empty();
        answer = cluster.sweep(&workplace);
    }
    assert_eq!(answer, here);
    assert!(workplace.stages("here") == workplace.stages("labelmix-store"), "the stages differ");

    // A cluster's machines are where graphics processors are, and PyTorch.
    let Some(python) = interpreter() else { return };
    let workplace = Workplace::new();
    let study = on_torch(&python).replace("[0, 1]", "[0]").replace("[0.0, 0.5, 1.0]", "[0.5]");
    let accuracies = |study: &str| -> Vec<f64> {
        workplace.write("study.toml", study);
        cluster.sweep(&workplace);
        cluster.wait_until_empty();
        let answer: Json = serde_json::from_str(&cluster.sweep(&workplace)).unwrap();
        answer["runs"].as_array().unwrap().iter().map(|run| run["accuracy"].as_f64().unwrap()).collect()
    };
    let alone = accuracies(&study);
    assert_eq!(alone.len(), 2);
    // A model that is spread over two machines, a process on each, learns the same.
    let spread = study.replace("kind = \"torch\"\n", "kind = \"torch\"\ngpus = 2\nsharding = \"fsdp\"\n");
    let spread = accuracies(&format!("{spread}[slurm]\nnodes = 2\n"));
    assert!(alone.iter().zip(&spread).all(|(one, two)| (one - two).abs() < 0.011), "{alone:?} {spread:?}");
}
