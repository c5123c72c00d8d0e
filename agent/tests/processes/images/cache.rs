//! Images that nobody uses, on a disk that fills.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::registry::{Access, File, Registry, busybox, can_pull, layer};
use super::{finished, on_mesos, start};
use crate::agent::{Agent, shell};
use crate::support::eventually;

const DISK_BYTES: usize = 64 << 20;

/// A disk of its own, in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> SmallDisk {
        let disk = SmallDisk(tempfile::tempdir().unwrap());
        let size = format!("size={DISK_BYTES}");
        assert!(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
                .arg(disk.path())
                .status()
                .unwrap()
                .success()
        );
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _not_mounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn images_that_nobody_uses_go_as_the_disk_fills() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("used", "latest", &[busybox()], json!({}));
    registry.push("idle", "latest", &[busybox(), layer(&[File::Text("etc/idle", "x")])], json!({}));
    let disk = SmallDisk::mount();
    let (master, agent) = start(&["--work-dir", disk.path().to_str().unwrap(), "--gc-delay", "1weeks"]);
    master.run(vec![on_mesos(shell("user", "exec sleep 1000"), &registry.image("used"))]);
    master.await_state("user", "TASK_RUNNING");
    master.run(vec![on_mesos(shell("guest", "true"), &registry.image("idle"))]);
    finished(&master, &agent, "guest");
    let store = disk.path().join("store/docker");
    let count = |name: &str| std::fs::read_dir(store.join(name)).unwrap().count();
    // Nobody has asked for either since.
    for entry in std::fs::read_dir(store.join("images")).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
    // The agent looks as it starts: what is of no image is gone after that, whatever room there is.
    let mut registrations = 1;
    let mut look = |agent: Agent| {
        let orphan = store.join("layers").join("0".repeat(64));
        std::fs::create_dir(&orphan).unwrap();
        let agent = agent.crash_and_restart(&master);
        registrations += 1;
        master.await_registration(registrations);
        eventually("it has looked", || (!orphan.exists()).then_some(()));
        (agent, (count("images"), count("layers")))
    };
    // An hour is nothing while there is room.
    let (mut agent, left) = look(agent);
    assert_eq!(left, (2, 2));
    // Nine tenths of the disk, and what is there already.
    std::fs::write(disk.path().join("ballast"), vec![0; DISK_BYTES / 10 * 9]).unwrap();
    // A task that has ended is known until the master has taken that down.
    for looks in 1.. {
        let (next, left) = look(agent);
        agent = next;
        if left == (1, 1) {
            break;
        }
        assert!(looks < 20, "{left:?}");
    }
    master.kill("user", None);
    master.await_state("user", "TASK_KILLED");
    std::fs::remove_file(disk.path().join("ballast")).unwrap();
    agent.finish();
}
