//! What `/proc` tells about processes.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;

use super::protocol::Process;
use super::sys;

/// The kernel's USER_HZ is the same everywhere and for ever.
const TICKS_PER_SECOND: u64 = 100;
const US_PER_TICK: u64 = 1_000_000 / TICKS_PER_SECOND;

/// The fields of `/proc/PID/stat` that are needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Whether it has ended and waits to be reaped.
    pub(crate) zombie: bool,
    /// Session id: the id of the process that began it.
    pub(crate) session: i32,
    /// Clock ticks since boot at which it started.
    pub(crate) start_ticks: u64,
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses and may contain anything, so reading starts behind the last `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let session = fields.nth(2)?.parse().ok()?;
    let start_ticks = fields.nth(15)?.parse().ok()?;
    Some(Stat { zombie: matches!(state, "Z" | "X"), session, start_ticks })
}

/// What a process has used, and those of its children that it has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Consumption {
    /// In microseconds.
    pub(crate) user_us: u64,
    /// In microseconds.
    pub(crate) system_us: u64,
    pub(crate) threads: u64,
    /// In pages.
    pub(crate) resident: u64,
}

/// Reads it; `None` when there is no such process.
pub(crate) fn consumption(pid: i32) -> Option<Consumption> {
    parse_consumption(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_consumption(text: &str) -> Option<Consumption> {
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let both = |own: usize, of_children: usize| Some((number(own)? + number(of_children)?) * US_PER_TICK);
    Some(Consumption { user_us: both(11, 13)?, system_us: both(12, 14)?, threads: number(17)?, resident: number(21)? })
}

/// The time since boot, in the unit of [`Stat::start_ticks`].
pub(crate) fn clock_ticks() -> u64 {
    let now =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(std::time::Duration::from).unwrap_or_default();
    now.as_secs() * TICKS_PER_SECOND + u64::from(now.subsec_nanos()) / (1_000_000_000 / TICKS_PER_SECOND)
}

/// The process with this number, so named that no other one is mistaken for it.
pub(crate) fn identify(pid: i32) -> Option<Process> {
    stat(pid).map(|stat| Process { pid, start_ticks: stat.start_ticks })
}

/// Whether `process` exists still (a zombie counts: its status can be had), and the number was not given to another one.
pub(crate) fn exists(process: Process) -> bool {
    stat(process.pid).is_some_and(|stat| stat.start_ticks == process.start_ticks)
}

/// Sends it a signal. One that has ended gets none, nor does whoever has its number by now.
pub(crate) fn send(process: Process, signal: i32) -> io::Result<()> {
    // While the descriptor is open, the number is nobody else's.
    let pidfd = match sys::pidfd_open(process.pid) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        pidfd => pidfd?,
    };
    match exists(process) {
        true => sys::pidfd_send(pidfd.as_fd(), signal),
        false => Ok(()),
    }
}

/// Processes by the session that they are in.
pub(crate) type Sessions = HashMap<i32, Vec<i32>>;

/// All that live.
pub(crate) fn sessions() -> Sessions {
    let mut sessions = Sessions::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    for pid in entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()) {
        if let Some(stat) = stat(pid).filter(|stat| !stat.zombie) {
            sessions.entry(stat.session).or_default().push(pid);
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let text = "77 (a) b (c) S 1 50 51 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0\n";
        assert_eq!(parse_stat(text), Some(Stat { zombie: false, session: 51, start_ticks: 987_654 }));
        assert_eq!(parse_stat("77 (torn) S 1"), None);
        let text = "77 (a) b) S 1 50 51 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 987654 0 42\n";
        let used = Consumption { user_us: 120_000, system_us: 140_000, threads: 9, resident: 42 };
        assert_eq!(parse_consumption(text), Some(used));
        assert_eq!(parse_consumption("77 (torn) S 1 50"), None);
    }

    #[test]
    fn this_process_exists_and_its_double_does_not() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let start_ticks = stat(pid).unwrap().start_ticks;
        assert!(exists(Process { pid, start_ticks }));
        assert!(!exists(Process { pid, start_ticks: start_ticks + 1 }));
    }
}
