//! The memory that the kernel would still give to this process: what the machine has left, within the limits of the control
//! groups that the process is in. Cached files count as free, because the kernel drops them first.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Memory that this process can still get, in bytes: the machine's available memory, within the limits of its control group
/// and of every group above it.
pub fn available_memory() -> u64 {
    let kernel = Kernel::at(Path::new("/"));
    let machine = kernel.available().unwrap_or_else(|| {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        system.available_memory()
    });
    machine.min(kernel.left_in_groups())
}

/// What Linux says about memory in its files, below a root: `/`, or a folder in a test.
struct Kernel {
    root: PathBuf,
}

/// The names of a control group's files.
struct GroupFiles {
    /// Each holds the most that the group may use, in bytes; what is no number is no limit.
    limits: &'static [&'static str],
    /// What the group uses, in bytes, with its cached files.
    usage: &'static str,
    /// The names of cached files in `memory.stat`, for the group and all below it. The first that are there count.
    cached: &'static [[&'static str; 2]],
}

const VERSION_1: GroupFiles = GroupFiles {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    cached: &[["total_inactive_file", "total_active_file"], ["inactive_file", "active_file"]],
};

/// Above `memory.high` the kernel slows a group down until it has given memory back.
const VERSION_2: GroupFiles = GroupFiles {
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    cached: &[["inactive_file", "active_file"]],
};

impl Kernel {
    fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// What the machine has left, in bytes; `None` where the kernel does not say, as on other systems than Linux.
    fn available(&self) -> Option<u64> {
        let text = self.read("proc/meminfo")?;
        let of = |name: &str| Some(number_after(&text, &format!("{name}:"))? * 1024);
        // Kernels before 3.14 do not add it up.
        of("MemAvailable").or_else(|| Some(of("MemFree")? + of("Buffers")? + of("Cached")?))
    }

    /// The least that is left to a control group that this process is in, in bytes; the largest number where none is limited.
    fn left_in_groups(&self) -> u64 {
        let groups = self.read("proc/self/cgroup").unwrap_or_default();
        let mounts = self.read("proc/self/mountinfo").unwrap_or_default();
        let mut least = u64::MAX;
        // A line is `number:controllers:path`; version 2 has no controllers.
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
            let (files, mount) = match controllers {
                "" => (&VERSION_2, Mount::find(&mounts, |kind, _| kind == "cgroup2")),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    let of_memory = |kind: &str, options: &str| {
                        kind == "cgroup" && options.split(',').any(|option| option == "memory")
                    };
                    (&VERSION_1, Mount::find(&mounts, of_memory))
                }
                _ => continue,
            };
            let Some(mount) = mount else { continue };
            let top = self.root.join(mount.point.trim_start_matches('/'));
            let own = top.join(mount.below(group));
            let up = own.ancestors().take_while(|folder| folder.starts_with(&top));
            least = up.filter_map(|folder| files.left(folder)).fold(least, u64::min);
        }
        least
    }
}

/// Where control groups are mounted.
struct Mount {
    /// The group at the mount's top: not the root's in a container without a namespace for its groups.
    top: String,
    point: String,
}

impl Mount {
    /// The first mount whose kind and options are these. A line of mountinfo is `id parent device top point options… - kind
    /// source options`.
    fn find(mountinfo: &str, is_wanted: impl Fn(&str, &str) -> bool) -> Option<Self> {
        mountinfo.lines().find_map(|line| {
            let (place, file_system) = line.split_once(" - ")?;
            let mut file_system = file_system.split(' ');
            let (kind, options) = (file_system.next()?, file_system.nth(1).unwrap_or_default());
            let mut place = place.split(' ').skip(3).map(|path| path.replace(r"\040", " "));
            is_wanted(kind, options).then_some(())?;
            Some(Self { top: place.next()?, point: place.next()? })
        })
    }

    /// A group's folder below the mount. A group that lies outside of what is mounted is looked for at the top.
    fn below(&self, group: &str) -> PathBuf {
        let below = Path::new(group).strip_prefix(&self.top).unwrap_or(Path::new(""));
        if below.components().any(|part| part == Component::ParentDir) { PathBuf::new() } else { below.to_owned() }
    }
}

impl GroupFiles {
    /// What is left to the group in a folder, in bytes; `None` if it has no limit.
    fn left(&self, folder: &Path) -> Option<u64> {
        let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        let limit = self.limits.iter().filter_map(|name| number(name)).min()?;
        let usage = number(self.usage).unwrap_or(0);
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cached = self.cached.iter().find_map(|names| {
            let [inactive, active] = names.map(|name| number_after(&stat, name));
            Some(inactive? + active?)
        });
        Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
    }
}

/// The number behind a name at the beginning of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A machine with so much memory available, in MiB, whose other files are these.
    fn machine(available: u64, files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let meminfo = format!("MemTotal: 99999999 kB\nMemFree: 1 kB\nMemAvailable: {} kB\n", available * 1024);
        for (path, text) in [("proc/meminfo", &*meminfo)].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    /// What is left on it in MiB: by the machine, and by its groups.
    fn left(root: &tempfile::TempDir) -> [u64; 2] {
        let kernel = Kernel::at(root.path());
        [kernel.available().unwrap(), kernel.left_in_groups()].map(|bytes| bytes / MIB)
    }

    const NO_LIMIT: u64 = u64::MAX / MIB;
    const UNIFIED: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const OF_VERSION_1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                                34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                                35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

    /// So many MiB, in bytes.
    fn bytes(mib: u64) -> String {
        format!("{}\n", mib * MIB)
    }

    /// A stat file with so many MiB of cached files of either kind.
    fn stat(names: [&str; 2], [inactive, active]: [u64; 2]) -> String {
        format!("anon 5\nfile 7\n{} {}\n{} {}\n", names[0], inactive * MIB, names[1], active * MIB)
    }

    #[test]
    fn cached_files_of_a_group_of_version_2_are_free() {
        let stat = stat(["inactive_file", "active_file"], [500, 100]);
        let root = machine(
            9000,
            &[
                ("proc/self/cgroup", "0::/jobs/mine\n"),
                ("proc/self/mountinfo", UNIFIED),
                ("sys/fs/cgroup/jobs/mine/memory.max", &bytes(1000)),
                ("sys/fs/cgroup/jobs/mine/memory.current", &bytes(900)),
                ("sys/fs/cgroup/jobs/mine/memory.stat", &stat),
            ],
        );
        assert_eq!(left(&root), [9000, 700]);
    }

    #[test]
    fn cached_files_of_a_group_of_version_1_are_free() {
        let of_all = stat(["total_inactive_file", "total_active_file"], [500, 100]);
        let stat = stat(["inactive_file", "active_file"], [1, 1]) + &of_all;
        let root = machine(
            9000,
            &[
                ("proc/self/cgroup", "4:memory:/slurm/job_7\n3:cpu,cpuacct:/\n0::/\n"),
                ("proc/self/mountinfo", OF_VERSION_1),
                ("sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", &bytes(1000)),
                ("sys/fs/cgroup/memory/slurm/job_7/memory.usage_in_bytes", &bytes(900)),
                ("sys/fs/cgroup/memory/slurm/job_7/memory.stat", &stat),
                // The root's, which says no limit with a number.
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", &bytes(8000)),
            ],
        );
        assert_eq!(left(&root), [9000, 700]);
    }

    #[test]
    fn the_tightest_of_nested_groups_decides() {
        let root = machine(
            9000,
            &[
                ("proc/self/cgroup", "0::/user/session/job\n"),
                ("proc/self/mountinfo", UNIFIED),
                ("sys/fs/cgroup/user/session/job/memory.max", "max\n"),
                ("sys/fs/cgroup/user/session/job/memory.high", "max\n"),
                ("sys/fs/cgroup/user/session/memory.max", &bytes(4000)),
                ("sys/fs/cgroup/user/session/memory.current", &bytes(1000)),
                ("sys/fs/cgroup/user/memory.max", &bytes(5000)),
                ("sys/fs/cgroup/user/memory.high", &bytes(4500)),
                ("sys/fs/cgroup/user/memory.current", &bytes(4000)),
            ],
        );
        assert_eq!(left(&root), [9000, 500]);
    }

    #[test]
    fn a_hybrid_machine_is_limited_by_the_version_that_has_the_controller() {
        let mounts = format!("{OF_VERSION_1}{}", UNIFIED.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"));
        let root = machine(
            9000,
            &[
                ("proc/self/cgroup", "9:name=systemd:/a\n4:memory:/a\n0::/a\n"),
                ("proc/self/mountinfo", &mounts),
                ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", &bytes(300)),
                ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", &bytes(100)),
                ("sys/fs/cgroup/unified/a/cgroup.procs", "1\n"),
            ],
        );
        assert_eq!(left(&root), [9000, 200]);
    }

    #[test]
    fn in_a_container_the_group_is_at_the_top_of_the_mount() {
        // Without a namespace of its own for groups, and with one that the process was moved out of.
        for (group, top) in [("/docker/3a45", "/docker/3a45"), ("/../other", "/"), ("/elsewhere", "/docker/3a45")] {
            let root = machine(
                9000,
                &[
                    ("proc/self/cgroup", &format!("4:memory:{group}\n")),
                    ("proc/self/mountinfo", &OF_VERSION_1.replace("0:32 / ", &format!("0:32 {top} "))),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", &bytes(300)),
                    ("sys/fs/cgroup/memory/memory.usage_in_bytes", &bytes(100)),
                ],
            );
            assert_eq!(left(&root), [9000, 200], "{group} below {top}");
        }
    }

    #[test]
    fn without_groups_or_their_files_the_machine_decides() {
        for files in [
            &[][..],
            &[("proc/self/cgroup", "0::/\n")],
            &[("proc/self/cgroup", "0::/a\n"), ("proc/self/mountinfo", UNIFIED)],
            &[("proc/self/cgroup", "nonsense\n"), ("proc/self/mountinfo", "nonsense - x\n")],
            &[("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", UNIFIED), ("sys/fs/cgroup/memory.max", "max\n")],
        ] {
            assert_eq!(left(&machine(9000, files)), [9000, NO_LIMIT], "{files:?}");
        }
    }

    #[test]
    fn more_in_use_than_allowed_leaves_nothing() {
        let root = machine(
            9000,
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("proc/self/mountinfo", UNIFIED),
                ("sys/fs/cgroup/memory.max", &bytes(100)),
                ("sys/fs/cgroup/memory.current", &bytes(120)),
            ],
        );
        assert_eq!(left(&root), [9000, 0]);
    }

    #[test]
    fn old_kernels_do_not_add_up_what_is_available() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        let meminfo = "MemTotal: 9 kB\nMemFree: 1024 kB\nBuffers: 2048 kB\nCached: 4096 kB\nSwapCached: 8 kB\n";
        fs::write(root.path().join("proc/meminfo"), meminfo).unwrap();
        assert_eq!(Kernel::at(root.path()).available(), Some(7 * MIB));
        assert_eq!(Kernel::at(Path::new("/nowhere")).available(), None);
    }
}
