//! Tasks that are more than one process; ours.
//!
//! Such a task's `command` has an environment and a user, and no value: what runs are the processes of its graph, each by
//! `bash -c`, in the order that the graph asks for. Regular processes come first; `final` ones when the others are done.

use crate::message::{enumeration, message};

enumeration! {
    /// Where a process's output goes.
    pub enum LogDestination {
        /// To `.logs/<process>/<run>/stdout` and `stderr` in the sandbox.
        File "FILE" = 0,
        /// To the task's own `stdout` and `stderr`.
        Console "CONSOLE" = 1,
        /// To both of these.
        Both "BOTH" = 2,
        /// Nowhere.
        Nowhere "NONE" = 3,
    }
    /// How a process fares.
    pub enum ProcessState {
        /// It waits for other processes, for its next run, or for a place.
        Waiting "WAITING" = 0,
        /// It runs.
        Running "RUNNING" = 1,
        /// It has done what it was for.
        Success "SUCCESS" = 2,
        /// It has failed as often as it may.
        Failed "FAILED" = 3,
        /// It was ended with its task.
        Killed "KILLED" = 4,
    }
}

message! {
    /// How much of a process's own files is kept.
    pub struct LogRotation {
        /// What may be in one, about.
        size_bytes: required u64 = 1,
        /// Earlier ones that are kept beside it.
        backups: required u32 = 2,
    }
    /// What becomes of a process's output.
    pub struct ProcessLogger {
        destination: default LogDestination = 1 (LogDestination::File),
        /// Of its own files; absent: as of the task's.
        rotation: optional LogRotation = 2,
    }
    /// One process of a task.
    pub struct ProcessInfo {
        /// Unique in its graph; names its log directory.
        name: required String = 1,
        /// For `bash -c`.
        command_line: required String = 2,
        /// It has failed after so many failed runs; 0: never.
        max_failures: default u32 = 3 (1),
        /// It is run again when it has succeeded, too.
        daemon: default bool = 4 (false),
        /// The task does not wait for it, and does not fail with it.
        ephemeral: default bool = 5 (false),
        /// It runs when all that are not have ended.
        r#final: default bool = 6 (false),
        /// From the end of one run to the beginning of the next, at least.
        min_duration_seconds: default f64 = 7 (5.0),
        logger: optional ProcessLogger = 8,
    }
    /// Each waits for the one before.
    pub struct ProcessOrder {
        order: repeated String = 1,
    }
    /// A task is asked over HTTP to end before its processes are sent signals.
    pub struct HttpLifecycle {
        port: required u32 = 1,
        graceful_shutdown_path: default String = 2 ("/quitquitquit".to_owned()),
        shutdown_path: default String = 3 ("/abortabortabort".to_owned()),
        graceful_shutdown_wait_seconds: default f64 = 4 (5.0),
        shutdown_wait_seconds: default f64 = 5 (5.0),
    }
    /// What a task consists of.
    pub struct ProcessGraph {
        processes: repeated ProcessInfo = 1,
        orders: repeated ProcessOrder = 2,
        /// The task has failed when so many of its processes have; 0: never.
        max_failures: default u32 = 3 (1),
        /// Regular processes that run at a time; 0: as many as there are.
        max_concurrency: default u32 = 4 (0),
        /// From SIGTERM, through the final processes, to SIGKILL.
        finalization_wait_seconds: default f64 = 5 (30.0),
        lifecycle: optional HttpLifecycle = 6,
    }
    /// How a process of a task fares.
    pub struct ProcessStatus {
        name: required String = 1,
        state: required ProcessState = 2,
        /// Runs that were begun; the latest one's files are in `.logs/<process>/<runs - 1>`.
        runs: required u32 = 3,
        /// Runs that have failed.
        failures: required u32 = 4,
        /// How the latest run ended, if by itself.
        exit_code: optional i32 = 5,
        /// The signal that ended it.
        signal: optional i32 = 6,
        /// When the latest run began, in seconds since 1970.
        started: optional f64 = 7,
        /// When it ended.
        ended: optional f64 = 8,
        /// Why it could not be run.
        message: optional String = 9,
    }
}
