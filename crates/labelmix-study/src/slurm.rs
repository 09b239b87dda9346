//! `[slurm]` of a study, or a profile of a cluster: what is asked of Slurm. None of it is in any stage's key.

use serde::{Deserialize, Serialize};

/// `[slurm]`: what every task asks of the cluster. What is left out is the cluster's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The account that is charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Generic resources, such as `gpu:1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gres: Option<String>,
    /// The time limit of a task, such as `02:00:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Machines of a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Graphics processors of each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus_per_node: Option<u32>,
    /// Processors of a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_per_task: Option<u16>,
    /// Memory of a task, such as `8G`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// How many stages a task does, one after the other. Every task loads data and model once.
    pub stages_per_task: usize,
    /// How long before its time limit a task is told to keep what it has and go back to the queue, in seconds.
    pub warning_seconds: u32,
    /// Other options of sbatch, such as `--constraint=a100`.
    pub options: Vec<String>,
    /// Lines of shell that run before labelmix, such as `module load cuda`.
    pub setup: Vec<String>,
}

impl Default for SlurmTable {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            gres: None,
            time: None,
            nodes: None,
            gpus_per_node: None,
            cpus_per_task: None,
            memory: None,
            stages_per_task: 1,
            warning_seconds: 120,
            options: Vec::new(),
            setup: Vec::new(),
        }
    }
}

/// Options of sbatch that labelmix sets itself.
const OURS: [&str; 9] = [
    "--array",
    "--dependency",
    "--job-name",
    "--output",
    "--error",
    "--parsable",
    "--requeue",
    "--no-requeue",
    "--signal",
];

impl SlurmTable {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn check(&self) -> Result<(), (String, String)> {
        let problem = |reason: String, help: &str| Err((reason, help.to_owned()));
        if self.stages_per_task == 0 {
            return problem("stages_per_task = 0".to_owned(), "a task does at least one stage");
        }
        if self.nodes == Some(0) {
            return problem("nodes = 0".to_owned(), "a task has at least one machine");
        }
        for option in &self.options {
            if !option.starts_with("--") || option.contains(char::is_whitespace) {
                let help = "write each option by itself and with its value behind `=`: \"--constraint=a100\"";
                return problem(format!("{option:?} among the options"), help);
            }
            let name = option.split('=').next().unwrap_or_default();
            if OURS.contains(&name) {
                return problem(
                    format!("{option:?} among the options"),
                    "leave it out: labelmix sets this option itself",
                );
            }
        }
        Ok(())
    }

    /// The table with what another one, which is nearer to the user, says differently.
    pub fn overridden_by(self, nearer: Overrides) -> Self {
        let Overrides { partition, account, gres, time, options } = nearer;
        Self {
            partition: partition.or(self.partition),
            account: account.or(self.account),
            gres: gres.or(self.gres),
            time: time.or(self.time),
            options: self.options.into_iter().chain(options).collect(),
            ..self
        }
    }

    /// What sbatch is asked for.
    pub fn arguments(&self) -> Vec<String> {
        let given = [
            ("partition", &self.partition),
            ("account", &self.account),
            ("gres", &self.gres),
            ("time", &self.time),
            ("mem", &self.memory),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?)));
        let counts = [
            ("nodes", self.nodes),
            ("gpus-per-node", self.gpus_per_node),
            ("cpus-per-task", self.cpus_per_task.map(u32::from)),
        ];
        let counts = counts.into_iter().filter_map(|(name, count)| Some(format!("--{name}={}", count?)));
        let warning = format!("--signal=B:USR1@{}", self.warning_seconds);
        given.chain(counts).chain(self.options.iter().cloned()).chain(["--requeue".to_owned(), warning]).collect()
    }
}

/// What the command line says of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub partition: Option<String>,
    pub account: Option<String>,
    pub gres: Option<String>,
    /// The time limit.
    pub time: Option<String>,
    /// Options besides those of the table.
    pub options: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> SlurmTable {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_sbatch_is_asked_for() {
        let table = table(
            r#"
            partition = "gpu"
            gres = "gpu:1"
            time = "02:00:00"
            nodes = 2
            gpus_per_node = 8
            cpus_per_task = 4
            options = ["--constraint=a100"]
            "#,
        );
        let nearer =
            Overrides { time: Some("10".to_owned()), options: vec!["--nice".to_owned()], ..Overrides::default() };
        let arguments = table.overridden_by(nearer).arguments();
        assert_eq!(
            arguments,
            [
                "--partition=gpu",
                "--gres=gpu:1",
                "--time=10",
                "--nodes=2",
                "--gpus-per-node=8",
                "--cpus-per-task=4",
                "--constraint=a100",
                "--nice",
                "--requeue",
                "--signal=B:USR1@120"
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let reason = |text: &str| table(text).check().unwrap_err().0;
        assert_eq!(reason("stages_per_task = 0"), "stages_per_task = 0");
        assert_eq!(reason("nodes = 0"), "nodes = 0");
        assert_eq!(reason(r#"options = ["-p gpu"]"#), r#""-p gpu" among the options"#);
        assert_eq!(reason(r#"options = ["--array=1-3"]"#), r#""--array=1-3" among the options"#);
        assert!(toml::from_str::<SlurmTable>("queue = 1").is_err());
        assert_eq!(SlurmTable::default().check(), Ok(()));
    }
}
