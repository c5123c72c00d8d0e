//! How much the server logs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer to `GET /logging`: the parts of the program whose level is known, `ROOT` among them, which stands for all others.
pub type Loggers = BTreeMap<String, String>;

/// Body of `POST /logging`, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoggerChange {
    /// From which level on it logs.
    pub level: LoggerLevel,
    /// A part of the program, such as `attica_paas::engine`, or `ROOT` for all of it.
    pub logger: String,
    /// After so many seconds the level is again what it was before; none: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
}

/// A level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoggerLevel {
    /// Everything.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    Warn,
    /// What must not happen.
    Error,
}

impl LoggerLevel {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Answer to `GET /v2/plugins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginList {
    /// None: what Marathon left to plugins is part of the program.
    pub plugins: Vec<String>,
}
