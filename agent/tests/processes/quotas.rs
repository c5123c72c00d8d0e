//! What sandboxes may hold, as the file system counts it: on an image of its own, where the kernel has what that takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attica_core_api::decode_json;
use attica_core_api::v1::{Resource, TaskInfo, TaskStatusReason};

use crate::agent::{Agent, get, scalar, shell};
use crate::master::Master;
use crate::support::{can_isolate, eventually};

/// An image as the tests of the virtual machine leave it, which has no program to make one.
pub const IMAGE: &str = "/quotas.ext4";
const IMAGE_MEGABYTES: u64 = 32;

/// Makes an image of a file system that counts what projects hold.
pub fn make_image(path: &Path) -> bool {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(IMAGE_MEGABYTES << 20).unwrap();
    let arguments = ["-q", "-F", "-m", "0", "-O", "quota,project,^has_journal", "-E", "quotatype=prjquota"];
    Command::new("mkfs.ext4").args(arguments).arg(path).status().is_ok_and(|status| status.success())
}

/// Tests may be given the same image, one after the other.
static IN_TURN: Mutex<()> = Mutex::new(());

/// A mounted image; it goes when this does.
pub struct Mounted {
    directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Mounted {
    /// `None`, and says so, where that cannot be done.
    pub fn new() -> Option<Mounted> {
        let turn = IN_TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("mounted");
        std::fs::create_dir(&place).unwrap();
        let own = directory.path().join("image");
        let image = if Path::new(IMAGE).exists() { PathBuf::from(IMAGE) } else { own };
        if !image.exists() && !make_image(&image) {
            println!("skipped: needs mkfs.ext4");
            return None;
        }
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "ext4", "-o", "loop,prjquota"]).arg(&image).arg(&place).output().unwrap();
        if !mounted.status.success() {
            println!("skipped: this kernel counts nothing for projects: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        // mktemp makes the directory for root alone.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Some(Mounted { directory, _turn: turn })
    }

    pub fn place(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Who is next finds it empty.
        for entry in std::fs::read_dir(self.place()).into_iter().flatten().filter_map(Result::ok) {
            let (_file, _directory) = (std::fs::remove_file(entry.path()), std::fs::remove_dir_all(entry.path()));
        }
        let _unmounted = Command::new("umount").arg("-l").arg(self.place()).status();
    }
}

fn with(mut task: TaskInfo, resource: Resource) -> TaskInfo {
    task.resources.push(resource);
    task
}

/// Root is let have more by ext4.
fn of_nobody(mut task: TaskInfo) -> TaskInfo {
    task.command.as_mut().unwrap().user = Some("nobody".to_owned());
    task
}

fn statistics(master: &Master, agent: &Agent, task: &str) -> Option<(u64, u64)> {
    let told = get(master, &agent.ready_address(), "/monitor/statistics").1;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let entry = told.as_array().unwrap().iter().find(|entry| entry["executor_id"] == task)?.clone();
    let figure = |name: &str| entry["statistics"][name].as_u64();
    Some((figure("disk_used_bytes")?, figure("disk_limit_bytes")?))
}

/// An agent that works there, whose file system counts, and its master.
fn start(work: &Path, settings: &[&str]) -> (Master, Agent) {
    let common = ["--isolation", "disk/xfs", "--enforce-container-disk-quota", "--work-dir", work.to_str().unwrap()];
    let master = Master::start();
    let root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), root, &[&common, settings].concat());
    master.await_registration(1);
    (master, agent)
}

#[test]
fn a_task_cannot_write_more_than_its_disk() {
    if !can_isolate() {
        return;
    }
    let Some(mounted) = Mounted::new() else { return };
    let work = mounted.place().join("work");
    let settings = ["--container-disk-watch-interval-ms", "50", "--xfs-project-range", "[7000-7003]"];
    let (master, agent) = start(&work, &settings);
    // What it has to say needs room as well.
    let greedy = "head -c 8388608 /dev/zero > data; code=$?; size=$(stat -c %s data); truncate -s 3400000 data; \
                  echo ended with $code; echo $size; exec sleep 1000";
    let limited = of_nobody(with(shell("greedy", greedy), scalar("disk", 4.0)));
    master.run(vec![limited, of_nobody(shell("free", greedy))]);
    let told = |task: &str| {
        let stdout = Agent::sandbox_in(&work, task).join("stdout");
        eventually("it tells", || std::fs::read_to_string(&stdout).ok().filter(|text| text.lines().count() == 2))
    };
    assert_eq!(told("free"), "ended with 0\n8388608\n");
    let of_greedy = told("greedy");
    let size: u64 = of_greedy.lines().nth(1).unwrap().parse().unwrap();
    assert!(of_greedy.starts_with("ended with 1\n") && size < 4 << 20, "{of_greedy}");
    assert_eq!(master.states("greedy").last(), Some(&"TASK_RUNNING"), "its disk is full: that is all");
    let (used, limit) = eventually("it is counted", || statistics(&master, &agent, "greedy"));
    assert!(limit == 4 << 20 && (3 << 20..=limit).contains(&used), "{used} of {limit}");
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let metrics = get(&master, &agent.ready_address(), "/metrics/snapshot").1;
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!(metrics["containerizer/mesos/disk/project_ids_total"], 4.0);
    assert_eq!(metrics["containerizer/mesos/disk/project_ids_free"], 2.0, "a new agent knows whose they are");
    let (used, _) = eventually("it is counted again", || statistics(&master, &agent, "greedy"));
    assert!(used > 3 << 20, "{used}");
    let fill = "head -c 8388608 /dev/zero > data; exec sleep 1000";
    master.run(vec![with(shell("roots", fill), scalar("disk", 4.0))]);
    let ended = master.await_state("roots", "TASK_FAILED").status;
    assert_eq!(ended.reason, Some(TaskStatusReason::ContainerLimitationDisk), "where root may have more, it is ended");
    for task in ["greedy", "free"] {
        master.kill(task, Some(0));
        master.await_state(task, "TASK_KILLED");
    }
    agent.finish();
}

#[test]
fn a_volume_cannot_hold_more_than_its_size_whatever_was_in_it_before() {
    if !can_isolate() {
        return;
    }
    let Some(mounted) = Mounted::new() else { return };
    let work = mounted.place().join("work");
    let settings = ["--xfs-project-range", "[7000-7005]"];
    // It is from a time when nobody counted.
    let volume = work.join("volumes/roles/team/kept");
    std::fs::create_dir_all(volume.join("deep")).unwrap();
    std::fs::write(volume.join("deep/old"), vec![1; 3 << 20]).unwrap();
    let aside = mounted.place().join("aside");
    std::fs::write(&aside, vec![1; 4 << 20]).unwrap();
    std::os::unix::fs::symlink(&aside, volume.join("link")).unwrap();
    let (master, agent) = start(&work, &settings);
    let of_size = |megabytes: f64| -> Resource {
        let volume = serde_json::json!({
            "name": "disk", "type": "SCALAR", "scalar": {"value": megabytes}, "reservations": [{"type": "DYNAMIC", "role": "team"}],
            "disk": {"persistence": {"id": "kept"}, "volume": {"container_path": "kept", "mode": "RW"}}
        });
        decode_json(volume.to_string().as_bytes()).unwrap()
    };
    let tell = |task: &str, megabytes: f64| {
        let fill = "head -c 6291456 /dev/zero > kept/new; echo ended with $?; rm -f kept/new; exec sleep 1000";
        master.run(vec![of_nobody(with(shell(task, fill), of_size(megabytes)))]);
        master.await_state(task, "TASK_RUNNING");
        let stdout = Agent::sandbox_in(&work, task).join("stdout");
        let told = eventually("it tells", || std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with('\n')));
        master.kill(task, Some(0));
        master.await_state(task, "TASK_KILLED");
        told
    };
    assert_eq!(tell("small", 8.0), "ended with 1\n");
    assert_eq!(tell("grown", 12.0), "ended with 0\n");
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    assert_eq!(tell("shrunk", 8.0), "ended with 1\n");
    let removed = std::fs::remove_dir_all(&volume);
    removed.and_then(|()| std::fs::create_dir(&volume)).unwrap();
    assert_eq!(tell("another", 4.0), "ended with 1\n", "one that has the same name by now is limited, too");
    agent.finish();
}

#[test]
fn a_task_that_is_not_kept_from_more_than_its_disk_ends() {
    if !can_isolate() {
        return;
    }
    let Some(mounted) = Mounted::new() else { return };
    let work = mounted.place().join("work");
    let settings = ["--xfs-kill-containers", "--container-disk-watch-interval-ms", "50"];
    let (master, agent) = start(&work, &settings);
    let fill = "head -c 8388608 /dev/zero > data && echo all > written; exec sleep 1000";
    master.run(vec![of_nobody(with(shell("greedy", fill), scalar("disk", 4.0)))]);
    let ended = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(ended.reason, Some(TaskStatusReason::ContainerLimitationDisk));
    agent.finish();
}

#[test]
fn a_file_system_that_counts_nothing_is_refused() {
    if !can_isolate() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let work = directory.path().join("memory");
    std::fs::create_dir(&work).unwrap();
    let place = nix::mount::mount(Some("tmpfs"), &work, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=1m"));
    place.unwrap();
    let agent = Command::new(env!("CARGO_BIN_EXE_attica-agent"))
        .args(["agent", "--master", "127.0.0.1:1", "--port", "0", "--isolation", "disk/xfs", "--work-dir"])
        .arg(&work)
        .output();
    nix::mount::umount2(&work, nix::mount::MntFlags::MNT_DETACH).unwrap();
    let said = String::from_utf8_lossy(&agent.unwrap().stderr).into_owned();
    assert!(said.contains("keeps no project quotas"), "{said}");
}
