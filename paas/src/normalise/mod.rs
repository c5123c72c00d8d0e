//! From the model back to the JSON that clients read: every default filled in, every older spelling translated, one form for all.

mod app;
mod check;
mod container;
mod deployment;
mod process;
mod queue;
mod task;

pub use app::{app, health_check};
pub use deployment::deployment;
pub use queue::{UnusedOffers, queue_item};
pub use task::{last_failure, task};

use serde::Serialize;

/// A value of the API as one line of JSON.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => unreachable!("the types of the API have text keys only: {error}"),
    }
}
