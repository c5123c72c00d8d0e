//! What happened in a run, to see that something did.

use std::collections::BTreeMap;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary(BTreeMap<&'static str, u64>);

/// What has to happen in the runs together: one in which nothing happens proves nothing.
const EXPECTED: [&str; 24] = [
    "steps",
    "epochs",
    "facts",
    "tasks launched",
    "tasks unreachable",
    "tasks returned",
    "agents forgotten",
    "updates acknowledged",
    "stores lost",
    "updates repeated",
    "commits fenced",
    "frameworks removed",
    "quotas set",
    "folds compared",
    "writes done",
    "writes refused",
    "deployments done",
    "deployments interrupted",
    "instances killed as unhealthy",
    "events received",
    "removals acknowledged",
    "pods launched",
    "returns to volumes",
    "volumes destroyed",
];

impl Summary {
    pub(crate) fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.add(what, *times));
    }

    pub(crate) fn assert_eventful(&self) {
        for what in EXPECTED {
            assert!(self.0.contains_key(what), "{what}: never, in {self:?}");
        }
    }
}
