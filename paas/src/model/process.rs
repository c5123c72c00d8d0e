use attica_core_api::v1::{LogDestination, ProcessState};
use serde::{Deserialize, Serialize};

/// What an instance consists of, when it is more than one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The processes.
    pub processes: Vec<GraphProcess>,
    /// Chains of their names, of which each waits for the one before.
    pub orders: Vec<Vec<String>>,
    /// Failed processes with which the instance has failed; 0: never.
    pub max_failures: u32,
    /// Processes that run at a time; 0: any number.
    pub max_concurrency: u32,
    /// From SIGTERM, through the final processes, to SIGKILL.
    pub finalization_wait_ms: u64,
    /// How it is asked to end.
    pub lifecycle: Option<Lifecycle>,
}

/// One process of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphProcess {
    /// Its name.
    pub name: String,
    /// For `bash -c`.
    pub line: String,
    /// Failed runs with which it has failed; 0: never.
    pub max_failures: u32,
    /// It is run again when it has succeeded, too.
    pub daemon: bool,
    /// The instance does not wait for it.
    pub ephemeral: bool,
    /// It runs when the others have ended.
    pub last: bool,
    /// Between two runs.
    pub min_duration_ms: u64,
    /// Where its output goes.
    pub output: Output,
    /// How much of its own files is kept; none: as much as of the instance's.
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

/// How much of what a process writes is kept in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How large one becomes.
    pub size_bytes: u64,
    /// Earlier ones that are kept.
    pub backups: u32,
}

/// Where the output of a process goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// To files of its own.
    File,
    /// To the instance's.
    Console,
    /// To both.
    Both,
    /// Nowhere.
    Nowhere,
}

/// How an instance is asked over HTTP to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The instance's port with this index.
    pub port_index: u32,
    /// Asked first.
    pub graceful_path: String,
    /// Asked then.
    pub final_path: String,
    /// After the first.
    pub graceful_wait_ms: u64,
    /// After the second.
    pub final_wait_ms: u64,
}

/// How a process of a task fares, as its agent told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: ProcessState,
    /// Runs that were begun.
    pub runs: u32,
    /// Runs that have failed.
    pub failures: u32,
    /// How the latest run ended.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it could not be run.
    pub message: Option<String>,
}

impl From<Output> for LogDestination {
    fn from(output: Output) -> LogDestination {
        match output {
            Output::File => LogDestination::File,
            Output::Console => LogDestination::Console,
            Output::Both => LogDestination::Both,
            Output::Nowhere => LogDestination::Nowhere,
        }
    }
}
