//! Apps whose instances are more than one process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::Number;

/// What an instance consists of, in the place of `cmd` and `args`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessGraph {
    /// Regular processes, and `final` ones that run when these are done.
    pub processes: Vec<GraphProcess>,
    /// Each a list of names of processes, of which each waits for the one before.
    #[serde(default)]
    pub orders: Vec<Vec<String>>,
    /// The instance has failed when so many of its processes have; 0: never.
    #[serde(default = "one")]
    pub max_failures: i64,
    /// Processes that run at a time; 0: any number.
    #[serde(default)]
    pub max_concurrency: i64,
    /// Seconds from SIGTERM, through the final processes, to SIGKILL.
    #[serde(default = "thirty")]
    pub finalization_wait_seconds: Number,
    /// How an instance is asked to end before it is sent signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<GraphLifecycle>,
}

/// One process of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphProcess {
    /// Unique among the processes; names the directory of its logs, `.logs/<name>/<run>`.
    pub name: String,
    /// A command line for `bash -c`.
    pub cmd: String,
    /// It has failed after so many failed runs; 0: never.
    #[serde(default = "one")]
    pub max_failures: i64,
    /// It is run again when it has succeeded, too.
    #[serde(default)]
    pub daemon: bool,
    /// The instance does not wait for it, and does not fail with it.
    #[serde(default)]
    pub ephemeral: bool,
    /// It runs when all that are not have ended.
    #[serde(default)]
    pub r#final: bool,
    /// Seconds from the end of one run to the beginning of the next, at least.
    #[serde(default = "five")]
    pub min_duration_seconds: Number,
    /// Where its output goes: to files of its own, to the instance's, to both, or nowhere.
    #[serde(default)]
    pub logger: GraphLogger,
    /// How much of the files of its own is kept; absent: as much as of the instance's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<GraphRotation>,
}

/// How much of a process's output is kept in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphRotation {
    /// How large `stdout` and `stderr` become before they are moved aside, in bytes.
    pub size_bytes: i64,
    /// How many earlier ones are kept of either.
    pub backups: i64,
}

/// Where a process's output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GraphLogger {
    /// To files of its own.
    #[default]
    File,
    /// To the instance's.
    Console,
    /// To both.
    Both,
    /// Nowhere.
    None,
}

/// How an instance is asked to end: a POST to each of two paths, with a wait after each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphLifecycle {
    /// Index into the app's ports.
    #[serde(default)]
    pub port_index: i64,
    /// Asked first.
    #[serde(default = "graceful_shutdown_path")]
    pub graceful_shutdown_path: String,
    /// Asked then.
    #[serde(default = "shutdown_path")]
    pub shutdown_path: String,
    /// Seconds after the first.
    #[serde(default = "five")]
    pub graceful_shutdown_wait_seconds: Number,
    /// Seconds after the second.
    #[serde(default = "five")]
    pub shutdown_wait_seconds: Number,
}

/// How a process of an instance fares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStatus {
    /// Its name.
    pub name: String,
    /// `WAITING`, `RUNNING`, `SUCCESS`, `FAILED`, or `KILLED`: ended with the instance.
    pub state: String,
    /// Runs that were begun.
    pub runs: u32,
    /// Runs that have failed.
    pub failures: u32,
    /// How the latest run ended, if by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it could not be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn one() -> i64 {
    1
}
fn five() -> Number {
    Number(5.0)
}
fn thirty() -> Number {
    Number(30.0)
}
fn graceful_shutdown_path() -> String {
    "/quitquitquit".to_owned()
}
fn shutdown_path() -> String {
    "/abortabortabort".to_owned()
}
