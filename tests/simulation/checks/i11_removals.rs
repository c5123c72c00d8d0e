//! I11: the load balancer never routes to an instance whose removal it acknowledged.

use std::collections::BTreeMap;

use attica_paas::engine::INSTANCE_DRAINING;
use attica_paas::events::{Event, EventId};

use crate::paas::Balancer;

/// The tasks that are to be let go of, and the event that says so.
#[derive(Default)]
pub(super) struct Removals(BTreeMap<String, EventId>);

impl Removals {
    pub(super) fn committed(&mut self, event: &Event) {
        if *event.event_type != *INSTANCE_DRAINING {
            return;
        }
        let data: serde_json::Value = serde_json::from_slice(event.data()).expect("events are JSON");
        let tasks = data["taskIds"].as_array().into_iter().flatten().filter_map(|task| task.as_str());
        self.0.extend(tasks.map(|task| (task.to_owned(), event.id)));
    }

    /// Returns how many removals it has acknowledged.
    pub(super) fn check(&self, balancer: &Balancer) -> Result<usize, String> {
        for backend in balancer.in_use.services.iter().flat_map(|service| &service.backends) {
            let removed = self.0.get(backend.task.task_id().as_str());
            if let Some(removed) = removed.filter(|removed| **removed <= balancer.acknowledged) {
                return Err(format!(
                    "I11: {} gets requests, but its removal by event {removed} is acknowledged",
                    backend.task
                ));
            }
        }
        Ok(self.0.values().filter(|removed| **removed <= balancer.acknowledged).count())
    }
}
