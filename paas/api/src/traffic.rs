//! What load balancers report.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::Number;

/// Body of `POST /v2/traffic`, and an element of the answer to `GET /v2/traffic`. A report adds to the earlier ones of the same name
/// and need not repeat apps whose figures are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Its own name: letters, digits, `.`, `_`, `-`; at most 128 of them.
    pub name: String,
    /// By the id of the app.
    pub apps: BTreeMap<String, AppTraffic>,
}

/// The requests to one app through one load balancer. Totals count from the start of the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppTraffic {
    /// Requests, or connections where only those are seen; total.
    pub requests: u64,
    /// Requests in each second lately.
    pub requests_per_second: Number,
    /// Answers with a status of 500 or more, and failures to connect; total.
    pub errors: u64,
    /// Open connections.
    pub connections: u64,
    /// Bytes from clients; total.
    pub bytes_in: u64,
    /// Bytes to clients; total.
    pub bytes_out: u64,
    /// Half of the latest requests took so many milliseconds at most; absent: nothing was measured lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<Number>,
    /// Of a hundred of the latest requests, 99 took so many milliseconds at most; absent: nothing was measured lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<Number>,
}

/// Answer to `GET /v2/traffic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// The load balancers that reported in the last 15 seconds, by name.
    pub load_balancers: Vec<LoadBalancer>,
}
