//! Consumers of the event stream that are waited for before a task is killed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `POST /v2/events/ack`: everything up to `position` has been taken in and acted upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The name under which the consumer subscribed (`?ack=`).
    pub name: String,
    /// The id of an event, or of a read (`Attica-Event-Id`).
    pub position: i64,
}
