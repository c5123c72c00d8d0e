//! The processes of a cluster, each with a way to kill it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Cluster, processes_of};

/// How a victim is killed.
pub type Strike = fn(&Cluster);

/// Every process whose death nobody may notice in what runs.
pub const VICTIMS: [(&str, Strike); 5] = [
    ("agent", |cluster| cluster.kill("agent-1")),
    ("launcher", |cluster| kill_pid_of(" launcher --dir ", cluster)),
    ("paas", |cluster| cluster.kill("paas")),
    ("master", |cluster| cluster.kill("master")),
    ("postgres", |cluster| kill_pid_of("postgres -D", cluster)),
];

fn kill_pid_of(needle: &str, cluster: &Cluster) {
    let matches = |pid: i32| {
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&cmdline).replace('\0', " ").contains(needle)
    };
    // A child that has not become its program yet looks like its parent.
    let parent = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let is_it = |pid: &i32| matches(*pid) && !parent(*pid).is_some_and(matches);
    let matching = processes_of(&cluster.data_dir()).into_iter().find(is_it);
    let pid = matching.unwrap_or_else(|| panic!("no process `{needle}`"));
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it ran");
}

/// How many processes of the cluster's tasks have this variable in their environment and this program as their first word:
/// what really runs, whatever anybody believes.
pub fn processes_with(cluster: &Cluster, variable: &str, program: &str) -> usize {
    let needle = format!("{variable}\0");
    let first_word = format!("{program}\0");
    let is_one = |pid: &i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        cmdline.starts_with(first_word.as_bytes())
            && environ.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    processes_of(&cluster.data_dir()).iter().filter(|pid| is_one(pid)).count()
}
