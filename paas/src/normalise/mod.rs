//! From the model back to the JSON that clients read: every default filled in, every older spelling translated, one form for all.

mod access;
mod app;
mod check;
mod container;
mod deployment;
mod forecast;
mod pod;
mod pod_status;
mod policy;
mod process;
mod queue;
mod readiness;
mod secret;
mod task;

pub use access::{audit_entry, grants, token, user};
pub use app::{app, health_check};
pub use deployment::{deployment, ended};
pub use forecast::{changes, forecast};
pub use pod::pod;
pub(crate) use pod_status::changed_at;
pub use pod_status::{pod_failure, pod_instance};
pub use policy::policy;
pub use queue::{QueueParts, queue_item};
pub use readiness::{Responses, readiness_result};
pub use secret::secret;
pub use task::{kept_instance, last_failure, task};

use serde::Serialize;

use crate::model::RunSpec;

/// A definition of either shape as one line of JSON.
#[must_use]
pub fn definition(spec: &RunSpec) -> String {
    match pod(spec) {
        Some(pod) => json(&pod),
        None => json(&app(spec)),
    }
}

/// A value of the API as one line of JSON.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => unreachable!("the types of the API have text keys only: {error}"),
    }
}
