//! Looks from time to time at what tasks take that the kernel does not limit: what their sandboxes hold, at which ports they listen.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Message;
use crate::launcher::isolation::{Isolation, Place, Subject};
use crate::quota::ProjectQuotas;
use crate::supervisor::{Excess, Input, Suspect};
use crate::usage::DiskUsage;

/// In which the kernel counts what a file holds.
const BLOCK_BYTES: u64 = 512;
/// The state of a socket that is listened on, as `/proc/net/tcp` writes it.
const LISTENING: &str = "0A";

/// What follows from an excess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It is in the log.
    Told,
    /// The task ends.
    Enforced,
}

/// One look that is taken again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: Matter,
    pub(super) interval: Duration,
    pub(super) consequence: Consequence,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    Disk,
    Ports,
}

/// With what it is looked at.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) isolation: Arc<dyn Isolation>,
    /// Of the file system, if it counts what sandboxes and volumes hold.
    pub(super) quotas: Option<Arc<ProjectQuotas>>,
    /// Where others find what sandboxes held.
    pub(super) disk_usage: Arc<DiskUsage>,
}

/// Until the agent does not listen any more.
pub(super) async fn run(look: Look, means: Means, messages: mpsc::Sender<Message>) {
    let mut due = interval_at(Instant::now() + look.interval, look.interval);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let (answer, suspects) = oneshot::channel();
        if messages.send(Message::Suspects(answer)).await.is_err() {
            return;
        }
        let Ok(suspects) = suspects.await else { return };
        let means = means.clone();
        let found = tokio::task::spawn_blocking(move || match look.at {
            Matter::Disk => disk(&means, suspects),
            Matter::Ports => ports(means.isolation.as_ref(), suspects),
        });
        for (suspect, excess) in found.await.unwrap_or_default() {
            let container = suspect.container;
            match look.consequence {
                Consequence::Told => tracing::warn!(%container, ?excess, "a task takes more than it was given"),
                Consequence::Enforced => {
                    let input = Input::Exceeded { container, excess };
                    if messages.send(Message::Input(input)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

fn disk(means: &Means, suspects: Vec<Suspect>) -> Vec<(Suspect, Excess)> {
    let used = |suspect: &Suspect| {
        let sandbox = match &means.quotas {
            Some(quotas) => quotas.used(&suspect.sandbox)?,
            None => bytes_in(&suspect.sandbox),
        };
        Some(sandbox + bytes_in(&suspect.root))
    };
    let measured: Vec<(Option<u64>, Suspect)> = suspects.into_iter().map(|suspect| (used(&suspect), suspect)).collect();
    let told = measured.iter().filter_map(|(used, suspect)| Some((suspect.container.clone(), (*used)?)));
    means.disk_usage.set(told.collect());
    let excess = |(used, suspect): (Option<u64>, Suspect)| {
        let own = used.zip(suspect.disk_bytes).filter(|(used_bytes, limit_bytes)| used_bytes > limit_bytes);
        let own = own.map(|(used_bytes, limit_bytes)| Excess::Disk { used_bytes, limit_bytes });
        let found = own.or_else(|| suspect.volumes.iter().find_map(|(path, size)| of_volume(means, path, *size)))?;
        Some((suspect, found))
    };
    measured.into_iter().filter_map(excess).collect()
}

fn of_volume(means: &Means, path: &Path, limit_bytes: u64) -> Option<Excess> {
    let counted = means.quotas.as_ref().and_then(|quotas| quotas.used(path));
    let used_bytes = counted.unwrap_or_else(|| bytes_in(path));
    (used_bytes > limit_bytes).then_some(Excess::Volume { used_bytes, limit_bytes })
}

/// What is held there, on the same file system; files with several names count once, links are not followed.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(top) = std::fs::symlink_metadata(directory) else { return 0 };
    let (mut bytes, mut seen) = (0, HashSet::new());
    let mut waiting = vec![directory.to_owned()];
    // What goes away meanwhile, or cannot be read, holds nothing.
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.dev() != top.dev()
                || (metadata.nlink() > 1 && !metadata.is_dir() && !seen.insert(metadata.ino()))
            {
                continue;
            }
            bytes += metadata.blocks() * BLOCK_BYTES;
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    bytes
}

fn ports(isolation: &dyn Isolation, suspects: Vec<Suspect>) -> Vec<(Suspect, Excess)> {
    let listening = listening();
    let machine = std::fs::read_link("/proc/self/ns/net").ok();
    let excess = |suspect: &Suspect| {
        let place = Place::of(&suspect.container);
        let processes = isolation.processes(Subject { place: &place, leader: Some(suspect.process.pid) });
        // In a network of its own a task listens where it likes.
        let here = processes.iter().filter(|pid| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok() == machine);
        let mut own = here.flat_map(|pid| sockets_of(*pid)).filter_map(|inode| listening.get(&inode).copied());
        own.find(|port| !suspect.ports.contains(port)).map(Excess::Port)
    };
    suspects.into_iter().filter_map(|suspect| excess(&suspect).map(|excess| (suspect, excess))).collect()
}

/// The TCP sockets that are listened on, with their ports.
fn listening() -> BTreeMap<u64, u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).filter_map(listener).collect()
}

/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …`, addresses as `hex:hex`.
fn listener(line: &str) -> Option<(u64, u16)> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    if fields.nth(1)? != LISTENING {
        return None;
    }
    Some((fields.nth(5)?.parse().ok()?, u16::from_str_radix(port, 16).ok()?))
}

fn sockets_of(pid: i32) -> BTreeSet<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
    let links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let line =
            "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x 100";
        assert_eq!(listener(line), Some((4242, 8080)));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn files_are_counted_once_and_links_not_followed() {
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("big"), vec![1; 4 << 20]).unwrap();
        std::fs::create_dir(directory.path().join("deep")).unwrap();
        std::fs::write(directory.path().join("deep/file"), vec![1; 1 << 20]).unwrap();
        std::fs::hard_link(directory.path().join("deep/file"), directory.path().join("again")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("link")).unwrap();
        let bytes = bytes_in(directory.path());
        assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
        assert_eq!(bytes_in(Path::new("/no/such/directory")), 0);
    }
}
