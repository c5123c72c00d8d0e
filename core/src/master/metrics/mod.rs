//! What is counted, under Mesos's names.
//!
//! Counters start at zero with every leader; gauges come from the read model when somebody asks. A test compares the names with those
//! of a real Mesos, and lists which are missing here, and why.

mod frameworks;
mod gauges;
mod operations;
mod timer;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use attica_core_api::http::reload;
use attica_core_api::link::{self, CallType};
use attica_core_api::scheduler::Command;
use attica_core_api::v1::{AgentId, OfferOperationType, TaskState, TaskStatus, TaskStatusReason, TaskStatusSource};

use super::identity::Identity;
use super::leader::Leader;
use crate::fact::Fact;
use crate::kernel::View;
use crate::snapshot::Service;
use frameworks::FrameworkCounters;
use operations::OperationCounters;
pub(super) use operations::OperationCounts;
use timer::Timer;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    /// Mesos's name: lower case, `_` and `/` only.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) value: f64,
}

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
}

macro_rules! counters {
    ($($(#[$meta:meta])* $field:ident,)*) => {
        /// The counters of one leader; the names are those of the metrics.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($(#[$meta])* $field: AtomicU64,)*
            slave_removals_unhealthy: AtomicU64,
            slave_removals_unregistered: AtomicU64,
            /// Tasks that have ended, by how and why.
            endings: Mutex<BTreeMap<Ending, u64>>,
            operations: OperationCounters,
            /// What is counted for each framework.
            pub(super) frameworks: FrameworkCounters,
            /// How long the kernel's turns take, offers included.
            pub(super) allocation_runs: Timer,
            /// From handing a batch to the writer until it is committed.
            pub(super) store: Timer,
            /// How long it took to read what the predecessors left, in microseconds.
            fetched_us: AtomicU64,
        }

        impl Counters {
            fn named(&self) -> Vec<Metric> {
                vec![$(counter(stringify!($field), self.$field.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    messages_register_framework,
    messages_reregister_framework,
    messages_unregister_framework,
    messages_launch_tasks,
    messages_decline_offers,
    messages_revive_offers,
    messages_suppress_offers,
    messages_kill_task,
    messages_reconcile_tasks,
    messages_reconcile_operations,
    messages_resource_request,
    messages_framework_to_executor,
    messages_status_update_acknowledgement,
    messages_operation_status_update_acknowledgement,
    messages_executor_to_framework,
    messages_exited_executor,
    messages_register_slave,
    messages_reregister_slave,
    messages_status_update,
    messages_operation_status_update,
    valid_status_updates,
    valid_status_update_acknowledgements,
    slave_registrations,
    slave_reregistrations,
    slave_removals,
    slave_unreachable_scheduled,
    slave_unreachable_canceled,
    slave_unreachable_completed,
    frameworks_removed,
    tasks_launched,
}

impl Counters {
    /// Counts a call of a framework that is well formed.
    pub(super) fn count_command(&self, command: &Command) {
        let counter = match command {
            Command::Subscribe(subscribe) => match subscribe.framework_info.id {
                None => &self.messages_register_framework,
                Some(_) => &self.messages_reregister_framework,
            },
            Command::Teardown => &self.messages_unregister_framework,
            Command::Accept(_) => &self.messages_launch_tasks,
            Command::Decline(_) => &self.messages_decline_offers,
            Command::Revive { .. } => &self.messages_revive_offers,
            Command::Suppress { .. } => &self.messages_suppress_offers,
            Command::Kill(_) => &self.messages_kill_task,
            Command::Reconcile(_) => &self.messages_reconcile_tasks,
            Command::ReconcileOperations(_) => &self.messages_reconcile_operations,
            Command::Request(_) => &self.messages_resource_request,
            Command::Message(_) => &self.messages_framework_to_executor,
            Command::Acknowledge(_) => &self.messages_status_update_acknowledgement,
            Command::AcknowledgeOperationStatus(_) => &self.messages_operation_status_update_acknowledgement,
            // Mesos has no metric for these.
            Command::Shutdown(_)
            | Command::AcceptInverseOffers(_)
            | Command::DeclineInverseOffers(_)
            | Command::UpdateFramework(_)
            | Command::Unknown => return,
        };
        add(counter, 1);
    }

    /// Counts a call of an agent that is well formed.
    pub(super) fn count_agent_call(&self, call: &link::Call) {
        match call.r#type {
            CallType::Register if call.agent_id.is_none() => add(&self.messages_register_slave, 1),
            CallType::Register => add(&self.messages_reregister_slave, 1),
            CallType::Statuses => {
                let updates = call.statuses.as_ref().map_or(0, |statuses| statuses.updates.len());
                add(&self.messages_status_update, updates as u64);
            }
            CallType::Message => add(&self.messages_executor_to_framework, 1),
            CallType::ExecutorExited => add(&self.messages_exited_executor, 1),
            CallType::OperationStatus => add(&self.messages_operation_status_update, 1),
            CallType::Heartbeat | CallType::Tasks => {}
        }
    }

    /// Counts what has become durable together. `is_known` tells whether an agent was there before.
    pub(super) fn count_facts(&self, facts: &[Fact], is_known: impl Fn(&AgentId) -> bool) {
        let mut dismissed = None;
        for fact in facts {
            match fact {
                // Whom an operator gives up is not lost as well, which is the fact that follows.
                Fact::AgentServiceChanged { agent, service: Service::Gone { .. } } => dismissed = Some(agent),
                Fact::AgentUnreachable { agent, .. } if dismissed == Some(agent) => {
                    add(&self.slave_removals, 1);
                    add(&self.slave_removals_unregistered, 1);
                }
                fact => self.count_fact(fact, &is_known),
            }
        }
    }

    fn count_fact(&self, fact: &Fact, is_known: impl FnOnce(&AgentId) -> bool) {
        match fact {
            Fact::AgentRegistered { info, .. } => match info.id.as_ref().is_some_and(is_known) {
                true => add(&self.slave_reregistrations, 1),
                false => add(&self.slave_registrations, 1),
            },
            Fact::AgentUnreachable { .. } => {
                add(&self.slave_unreachable_completed, 1);
                add(&self.slave_removals, 1);
                add(&self.slave_removals_unhealthy, 1);
            }
            Fact::FrameworkRemoved { .. } => add(&self.frameworks_removed, 1),
            Fact::FrameworkForgotten { framework } => self.frameworks.forget(framework),
            Fact::TaskLaunched { .. } => add(&self.tasks_launched, 1),
            Fact::TaskUpdated { status, sequence, .. } => {
                add(&self.valid_status_updates, u64::from(sequence.is_some()));
                self.count_ending(status);
            }
            Fact::UpdateAcknowledged { .. } => add(&self.valid_status_update_acknowledgements, 1),
            Fact::OperationStarted { info, .. } => {
                self.operations.begun(info.r#type.unwrap_or(OfferOperationType::Unknown));
            }
            Fact::FrameworkSubscribed { .. }
            | Fact::FrameworkDisconnected { .. }
            | Fact::TaskUnreachable { .. }
            | Fact::TaskReachable { .. }
            | Fact::KillRequested { .. }
            | Fact::TaskCompleted { .. }
            | Fact::AgentForgotten { .. }
            | Fact::TaskForgotten { .. }
            | Fact::QuotasUpdated { .. }
            | Fact::QuotaRemoved { .. }
            | Fact::WeightsUpdated { .. }
            | Fact::AgentServiceChanged { .. }
            | Fact::MaintenanceChanged { .. }
            | Fact::FrameworkUpdated { .. }
            | Fact::ExecutorLaunched { .. }
            | Fact::ExecutorEnded { .. }
            | Fact::AgentShaped { .. }
            | Fact::OperationUpdated { .. }
            | Fact::OperationEnded { .. } => {}
        }
    }

    /// Counts visible changes that are in no fact.
    pub(super) fn count_view(&self, view: &View) {
        match view {
            View::AgentSilent { .. } => add(&self.slave_unreachable_scheduled, 1),
            View::AgentHeard { .. } => add(&self.slave_unreachable_canceled, 1),
            View::OperationOver { kind, state } => self.operations.over(*kind, *state),
            View::FrameworkConnected { .. }
            | View::FrameworkDisconnected { .. }
            | View::RolesSuppressed { .. }
            | View::AgentConnected { .. }
            | View::AgentDisconnected { .. }
            | View::OfferConstraints { .. }
            | View::InverseOffer(_)
            | View::OfferMade { .. }
            | View::OfferGone { .. } => {}
        }
    }

    /// What the predecessors left was read in this time.
    pub(super) fn fetched(&self, took: Duration) {
        self.fetched_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn count_ending(&self, status: &TaskStatus) {
        let (Some(source), Some(reason)) = (status.source, status.reason) else { return };
        if status.state.is_terminal() || status.state == TaskState::Lost {
            let mut endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
            *endings.entry(Ending { state: status.state, source, reason }).or_default() += 1;
        }
    }

    fn all(&self) -> Vec<Metric> {
        let mut metrics = self.named();
        let removals = |name: &str, counter: &AtomicU64| {
            self::counter(&format!("slave_removals/{name}"), counter.load(Ordering::Relaxed))
        };
        metrics.push(removals("reason_unhealthy", &self.slave_removals_unhealthy));
        metrics.push(removals("reason_unregistered", &self.slave_removals_unregistered));
        let endings = self.endings.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.extend(endings.iter().map(|(ending, count)| counter(&ending.name(), *count)));
        drop(endings);
        let runs = self.allocation_runs.count() as f64;
        metrics.push(Metric { name: "allocator/mesos/allocation_runs".to_owned(), kind: Kind::Counter, value: runs });
        metrics.extend(self.allocation_runs.metrics("allocator/mesos/allocation_run_ms"));
        metrics.extend(self.store.metrics("registrar/state_store_ms"));
        let fetched_ms = self.fetched_us.load(Ordering::Relaxed) as f64 / 1_000.0;
        metrics.push(Metric { name: "registrar/state_fetch_ms".to_owned(), kind: Kind::Gauge, value: fetched_ms });
        metrics
    }
}

/// How and why a task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ending {
    state: TaskState,
    source: TaskStatusSource,
    reason: TaskStatusReason,
}

impl Ending {
    /// In the words of old, when agents were slaves.
    fn name(&self) -> String {
        let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_ascii_lowercase();
        let name = format!(
            "task_{}/source_{}/reason_{}",
            word(self.state.name(), "TASK_"),
            word(self.source.name(), "SOURCE_"),
            word(self.reason.name(), "REASON_")
        );
        name.replace("agent", "slave")
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn counter(name: &str, value: u64) -> Metric {
    Metric { name: format!("master/{name}"), kind: Kind::Counter, value: value as f64 }
}

fn gauge(name: &str, value: f64) -> Metric {
    Metric { name: format!("master/{name}"), kind: Kind::Gauge, value }
}

/// Every figure, by name.
pub(super) fn collect(identity: &Identity, leader: Option<&Leader>) -> Vec<Metric> {
    let mut metrics = vec![
        gauge("elected", if leader.is_some() { 1.0 } else { 0.0 }),
        gauge("uptime_secs", identity.uptime().as_secs_f64()),
        // Ours: an operator's mistake in a file that is watched.
        counter("reloads_refused", reload::refused()),
    ];
    metrics.extend(gauges::of_system());
    if let Some(leader) = leader {
        metrics.extend(leader.counters.all());
        gauges::of_leader(leader, &mut metrics);
    }
    metrics.sort_by(|left, right| left.name.cmp(&right.name));
    metrics
}

/// `master/tasks_running` becomes `attica_master_tasks_running`. What Mesos has within names are labels here: a framework, a role,
/// how and why a task has ended.
pub(super) fn prometheus_text(metrics: &[Metric]) -> String {
    // The samples of a name stand together.
    let mut families: BTreeMap<String, (Kind, Vec<String>)> = BTreeMap::new();
    for Metric { name, kind, value } in metrics {
        let (name, labels) = labelled(name);
        let samples = &mut families.entry(name.clone()).or_insert((*kind, Vec::new())).1;
        samples.push(format!("{name}{labels} {value}"));
    }
    let mut text = String::new();
    for (name, (kind, samples)) in families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{}", samples.join("\n"));
    }
    text
}

/// A name as Prometheus has it, and its labels.
fn labelled(name: &str) -> (String, String) {
    let mut words: Vec<&str> = name.split('/').collect();
    let mut labels: Vec<(&str, String)> = Vec::new();
    match words.as_slice() {
        ["master", "frameworks", framework, id, rest @ ..] => {
            labels.extend([("framework", (*framework).to_owned()), ("framework_id", (*id).to_owned())]);
            words = ["master", "framework"].into_iter().chain(rest.iter().copied()).collect();
        }
        ["master", task, source, reason] if source.starts_with("source_") => {
            labels.extend([("source", source["source_".len()..].to_owned())]);
            labels.extend([("reason", reason.trim_start_matches("reason_").to_owned())]);
            words = vec!["master", *task, "endings"];
        }
        _ => {}
    }
    if let Some(place) = words.iter().position(|word| *word == "roles")
        && let Some(end) = words.iter().skip(place + 1).position(|word| ENDS_OF_ROLES.contains(word))
    {
        labels.push(("role", words[place + 1..place + 1 + end].join("/")));
        words.drain(place..place + 1 + end);
    }
    let name = format!("attica_{}", words.join("_")).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    (name, if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) })
}

/// What follows the name of a role, which may have slashes of its own.
const ENDS_OF_ROLES: [&str; 4] = ["suppressed", "shares", "active", "resources"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_names_are_labels() {
        for (name, expected) in [
            ("master/tasks_running", "attica_master_tasks_running"),
            (
                "master/frameworks/a b/f-0/calls/kill",
                "attica_master_framework_calls_kill{framework=\"a b\",framework_id=\"f-0\"}",
            ),
            (
                "master/frameworks/x/f/roles/a/b/suppressed",
                "attica_master_framework_suppressed{framework=\"x\",framework_id=\"f\",role=\"a/b\"}",
            ),
            ("allocator/mesos/roles/a/shares/dominant", "attica_allocator_mesos_shares_dominant{role=\"a\"}"),
            (
                "master/task_failed/source_executor/reason_x",
                "attica_master_task_failed_endings{source=\"executor\",reason=\"x\"}",
            ),
        ] {
            let (name, labels) = labelled(name);
            assert_eq!(format!("{name}{labels}"), expected);
        }
    }
}
