//! Ends what an earlier server of the same data directory has left behind.
//!
//! Every process of a server has the data directory as its working directory, and nobody else's process has both that
//! and the server's name: no process id is trusted, so none that was reused by a stranger can be hit.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::PrivatePostgresError;

/// What each signal is given before the next, harder one. SIGINT is Postgres's fast shutdown, SIGQUIT its immediate one; what
/// is killed leaves a directory from which the next start recovers.
const ESCALATION: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(10)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns when no process uses `data`.
pub(super) async fn end(data: &Path) -> Result<(), PrivatePostgresError> {
    let mut left = processes(data);
    for (signal, patience) in ESCALATION {
        if left.is_empty() {
            return Ok(());
        }
        tracing::warn!(data = %data.display(), processes = ?left, %signal, "ending an earlier Postgres");
        // The main process ends its children; when it is gone they are told one by one.
        let told = main_process(data).filter(|main| left.contains(main)).map_or(left, |main| vec![main]);
        for process in told {
            let _ = kill(Pid::from_raw(process), signal); // it may have ended meanwhile
        }
        let until = Instant::now() + patience;
        left = processes(data);
        while !left.is_empty() && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            left = processes(data);
        }
    }
    match left.first() {
        None => Ok(()),
        Some(&process) => Err(PrivatePostgresError::Leftover { directory: data.to_owned(), process }),
    }
}

/// The living processes of a server on `data`.
fn processes(data: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| {
        let process = Path::new("/proc").join(id.to_string());
        let at_home = std::fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == data);
        at_home && std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim_end() == "postgres")
    })
    .collect()
}

/// The process id that the server wrote down; on its own it proves nothing.
fn main_process(data: &Path) -> Option<i32> {
    std::fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}
