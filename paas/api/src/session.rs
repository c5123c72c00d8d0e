//! Programs that are run within a task by hand, and what flows to and from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `POST /v2/tasks/{task}/exec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program, by path or by name, and its arguments.
    pub command: Vec<String>,
    /// Variables of its environment beside those of the task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Gives it a terminal of this size. Absent: its standard output and its standard error are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    /// From top to bottom.
    pub rows: u16,
    /// From left to right.
    pub columns: u16,
}

/// Body of `POST /v2/tasks/{task}/exec/{session}/input` and of `POST /v2/tasks/{task}/attach/input`. What is in it takes effect in the order of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionInput {
    /// The terminal has this size now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
    /// Written to the program's standard input; base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Nothing more will be written: the program reads an end of file.
    #[serde(default)]
    pub end: bool,
}

/// A line of the answer to `POST /v2/tasks/{task}/exec` and `GET /v2/tasks/{task}/attach`. The last one is `ended`, unless the connection to
/// the agent broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SessionEvent {
    /// The program runs; the first line of an `exec`.
    Started {
        /// Names it to those who write to it.
        session: String,
    },
    /// It has written something.
    Output {
        /// Where; with a terminal always to standard output.
        stream: OutputStream,
        /// What; base64.
        data: String,
    },
    /// Nothing has happened for a while.
    Alive,
    /// It has ended; both members are absent when nobody knows how.
    Ended {
        /// Its exit status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_status: Option<u8>,
        /// The signal that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<u8>,
    },
}

/// One of the two streams that a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
