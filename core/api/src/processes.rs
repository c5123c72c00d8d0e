//! What makes a [`ProcessGraph`] one that can be walked.
//!
//! Regular and final processes are two graphs, of which the second follows the first as a whole. In either, a process waits until
//! those before it have succeeded: so nothing can wait for a daemon, which never has, nor, unless it is ephemeral itself, for an
//! ephemeral process, which the task does not wait for.

use std::collections::BTreeMap;

use crate::v1::{LogRotation, ProcessGraph};

/// Processes of one task, at most.
pub const MAX_PROCESSES: usize = 1_000;
/// Length of a command line, at most.
const MAX_COMMAND_LINE: usize = 128 << 10;

/// What a file holds, at least, before it is moved aside.
pub const MIN_ROTATION_BYTES: u64 = 4_096;
/// Files that are kept beside it, at most.
pub const MAX_ROTATION_BACKUPS: u32 = 1_000;

/// Why a graph cannot be walked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGraph {
    /// There is nothing to run.
    #[error("a task needs a process that is not final")]
    Empty,
    /// There is too much.
    #[error("a task has {MAX_PROCESSES} processes at most, not {0}")]
    Long(usize),
    /// The name cannot name a directory.
    #[error("`{0}` cannot name a process: it has to be the name of a directory that does not begin with a dot")]
    Name(String),
    /// Two have it.
    #[error("two processes are named `{0}`")]
    Twice(String),
    /// Nothing can be run by it.
    #[error("the command line of process `{0}` is empty, has a NUL character or is too long")]
    CommandLine(String),
    /// Its files cannot be kept so.
    #[error(
        "`{0}`: a file holds at least {MIN_ROTATION_BYTES} bytes before it is moved aside, and {MAX_ROTATION_BACKUPS} are kept at most"
    )]
    Rotation(String),
    /// A number of seconds that is none.
    #[error("`{0}` has to be a number of seconds, not negative")]
    Seconds(&'static str),
    /// There is no such process.
    #[error("there is no process `{0}` to order")]
    Unknown(String),
    /// Final processes run after all others anyway.
    #[error("`{0}` and `{1}` cannot be ordered: one of them is final, and runs after all others")]
    Mixed(String, String),
    /// A daemon does not end.
    #[error("`{1}` cannot wait for `{0}`, a daemon: it never ends")]
    Daemon(String, String),
    /// The task may end before.
    #[error("`{1}` cannot wait for `{0}`, which is ephemeral: the task does not wait for it")]
    Ephemeral(String, String),
    /// They wait for each other.
    #[error("processes wait for each other: `{0}` is one of them")]
    Cycle(String),
    /// Nobody can be asked there.
    #[error("the lifecycle's port {0} is not one")]
    Port(u32),
    /// It cannot be asked for.
    #[error("the lifecycle's path `{0}` has to begin with `/` and be printable ASCII")]
    Path(String),
}

impl ProcessGraph {
    /// For each process, by its place, the places of those it waits for.
    ///
    /// # Errors
    /// What is wrong with the graph first.
    pub fn predecessors(&self) -> Result<Vec<Vec<usize>>, InvalidGraph> {
        self.check_processes()?;
        self.check_rest()?;
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, process) in self.processes.iter().enumerate() {
            if places.insert(&process.name, place).is_some() {
                return Err(InvalidGraph::Twice(process.name.clone()));
            }
        }
        let mut before = vec![Vec::new(); self.processes.len()];
        for order in &self.orders {
            let known = order
                .order
                .iter()
                .map(|name| places.get(name.as_str()).copied().ok_or_else(|| InvalidGraph::Unknown(name.clone())));
            let known: Vec<usize> = known.collect::<Result<_, _>>()?;
            for pair in known.windows(2) {
                let [first, second] = *pair else { continue };
                self.check_pair(first, second)?;
                if !before[second].contains(&first) {
                    before[second].push(first);
                }
            }
        }
        match cycle(&before) {
            Some(place) => Err(InvalidGraph::Cycle(self.processes[place].name.clone())),
            None => Ok(before),
        }
    }

    fn check_processes(&self) -> Result<(), InvalidGraph> {
        if self.processes.iter().all(|process| process.r#final) {
            return Err(InvalidGraph::Empty);
        }
        if self.processes.len() > MAX_PROCESSES {
            return Err(InvalidGraph::Long(self.processes.len()));
        }
        for process in &self.processes {
            let name = &process.name;
            let legal = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\0']);
            if !legal {
                return Err(InvalidGraph::Name(name.clone()));
            }
            let line = &process.command_line;
            if line.trim().is_empty() || line.contains('\0') || line.len() > MAX_COMMAND_LINE {
                return Err(InvalidGraph::CommandLine(name.clone()));
            }
            check_seconds("min_duration_seconds", process.min_duration_seconds)?;
            let rotation = process.logger.as_ref().and_then(|logger| logger.rotation.as_ref());
            let possible = |it: &LogRotation| it.size_bytes >= MIN_ROTATION_BYTES && it.backups <= MAX_ROTATION_BACKUPS;
            if !rotation.is_none_or(possible) {
                return Err(InvalidGraph::Rotation(name.clone()));
            }
        }
        Ok(())
    }

    fn check_rest(&self) -> Result<(), InvalidGraph> {
        check_seconds("finalization_wait_seconds", self.finalization_wait_seconds)?;
        let Some(lifecycle) = &self.lifecycle else { return Ok(()) };
        if u16::try_from(lifecycle.port).map_or(true, |port| port == 0) {
            return Err(InvalidGraph::Port(lifecycle.port));
        }
        for path in [&lifecycle.graceful_shutdown_path, &lifecycle.shutdown_path] {
            if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(InvalidGraph::Path(path.clone()));
            }
        }
        check_seconds("graceful_shutdown_wait_seconds", lifecycle.graceful_shutdown_wait_seconds)?;
        check_seconds("shutdown_wait_seconds", lifecycle.shutdown_wait_seconds)
    }

    fn check_pair(&self, first: usize, second: usize) -> Result<(), InvalidGraph> {
        let (before, after) = (&self.processes[first], &self.processes[second]);
        let names = || (before.name.clone(), after.name.clone());
        let wrong = |error: fn(String, String) -> InvalidGraph| {
            let (first, second) = names();
            Err(error(first, second))
        };
        match (before.r#final == after.r#final, before.daemon, before.ephemeral && !after.ephemeral) {
            (false, _, _) => wrong(InvalidGraph::Mixed),
            (true, true, _) => wrong(InvalidGraph::Daemon),
            (true, false, true) => wrong(InvalidGraph::Ephemeral),
            (true, false, false) => Ok(()),
        }
    }
}

fn check_seconds(name: &'static str, seconds: f64) -> Result<(), InvalidGraph> {
    if (0.0..=1e9).contains(&seconds) { Ok(()) } else { Err(InvalidGraph::Seconds(name)) }
}

/// A place that cannot be reached because it waits for itself, if there is one.
fn cycle(before: &[Vec<usize>]) -> Option<usize> {
    let mut missing: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut behind = vec![Vec::new(); before.len()];
    for (place, firsts) in before.iter().enumerate() {
        firsts.iter().for_each(|first| behind[*first].push(place));
    }
    let mut free: Vec<usize> = (0..before.len()).filter(|place| missing[*place] == 0).collect();
    while let Some(place) = free.pop() {
        for next in &behind[place] {
            missing[*next] -= 1;
            if missing[*next] == 0 {
                free.push(*next);
            }
        }
    }
    // From one that is left, backwards among those that are left: that comes round.
    let mut at = (0..before.len()).find(|place| missing[*place] > 0)?;
    let mut seen = vec![false; before.len()];
    while !std::mem::replace(&mut seen[at], true) {
        at = *before[at].iter().find(|first| missing[**first] > 0)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{HttpLifecycle, ProcessInfo, ProcessLogger, ProcessOrder};

    fn process(name: &str) -> ProcessInfo {
        ProcessInfo { name: name.to_owned(), command_line: "true".to_owned(), ..ProcessInfo::default() }
    }

    fn graph(processes: Vec<ProcessInfo>, orders: &[&[&str]]) -> ProcessGraph {
        let order = |names: &&[&str]| ProcessOrder { order: names.iter().map(|name| (*name).to_owned()).collect() };
        ProcessGraph { processes, orders: orders.iter().map(order).collect(), ..ProcessGraph::default() }
    }

    #[test]
    fn orders_are_chains_that_add_up() {
        let all = ["a", "b", "c", "d"].map(process).to_vec();
        let before = graph(all, &[&["a", "b", "d"], &["a", "c", "d"], &["a", "b"]]).predecessors();
        assert_eq!(before.unwrap(), [vec![], vec![0], vec![0], vec![1, 2]]);
    }

    #[test]
    fn what_cannot_be_walked_is_refused_with_the_reason() {
        let ab = || ["a", "b"].map(process).to_vec();
        let with = |change: fn(&mut ProcessInfo)| {
            let mut processes = ab();
            change(&mut processes[0]);
            processes
        };
        fn rotated(size_bytes: u64, backups: u32) -> Option<ProcessLogger> {
            Some(ProcessLogger { rotation: Some(LogRotation { size_bytes, backups }), ..ProcessLogger::default() })
        }
        let lifecycle = |port, path: &str| ProcessGraph {
            lifecycle: Some(HttpLifecycle { port, shutdown_path: path.to_owned(), ..HttpLifecycle::default() }),
            ..graph(ab(), &[])
        };
        let cases = [
            (graph(Vec::new(), &[]), "needs a process that is not final"),
            (graph(with(|a| a.logger = rotated(4_095, 1)), &[]), "`a`: a file holds"),
            (graph(with(|a| a.logger = rotated(4_096, 1_001)), &[]), "`a`: a file holds"),
            (graph(with(|a| a.name = "..".to_owned()), &[]), "cannot name a process"),
            (graph(with(|a| a.name = "x/y".to_owned()), &[]), "cannot name a process"),
            (graph(with(|a| a.name = "b".to_owned()), &[]), "two processes are named `b`"),
            (graph(with(|a| a.command_line = " ".to_owned()), &[]), "command line of process `a`"),
            (graph(with(|a| a.min_duration_seconds = f64::NAN), &[]), "`min_duration_seconds`"),
            (graph(ab(), &[&["a", "x"]]), "no process `x`"),
            (graph(with(|a| a.r#final = true), &[&["a", "b"]]), "one of them is final"),
            (graph(with(|a| a.daemon = true), &[&["a", "b"]]), "a daemon"),
            (graph(with(|a| a.ephemeral = true), &[&["a", "b"]]), "which is ephemeral"),
            (graph(ab(), &[&["a", "b"], &["b", "a"]]), "wait for each other"),
            (graph(ab(), &[&["a", "a"]]), "`a` is one of them"),
            (lifecycle(0, "/x"), "port 0"),
            (lifecycle(80, "x"), "path `x`"),
        ];
        for (graph, says) in cases {
            let error = graph.predecessors().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(graph(with(|a| a.daemon = true), &[&["b", "a"]]).predecessors().is_ok());
    }
}
