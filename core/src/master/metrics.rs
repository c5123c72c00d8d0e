//! What is counted, under Mesos's names.
//!
//! Counters start at zero with every leader; gauges come from the read model when somebody asks.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use attica_core_api::link::{self, CallType};
use attica_core_api::scheduler::Command;
use attica_core_api::v1::{AgentId, TaskState};

use super::identity::Identity;
use super::leader::Leader;
use super::view::{Amounts, Totals};
use crate::fact::Fact;

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
        }

        impl Counters {
            fn all(&self) -> Vec<Metric> {
                vec![$(counter(stringify!($field), self.$field.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    messages_register_framework,
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
    messages_register_slave,
    messages_reregister_slave,
    messages_status_update,
    valid_status_updates,
    valid_status_update_acknowledgements,
    slave_registrations,
    slave_reregistrations,
    slave_unreachable_completed,
    frameworks_removed,
    tasks_launched,
}

impl Counters {
    /// Counts a call of a framework that is well formed.
    pub(super) fn count_command(&self, command: &Command) {
        let counter = match command {
            Command::Subscribe(_) => &self.messages_register_framework,
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
            | Command::UpdateFramework(_) => return,
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
            CallType::Heartbeat | CallType::Tasks | CallType::Message | CallType::ExecutorExited => {}
        }
    }

    /// Counts what has become durable. `is_known` tells whether an agent was there before.
    pub(super) fn count_fact(&self, fact: &Fact, is_known: impl FnOnce(&AgentId) -> bool) {
        match fact {
            Fact::AgentRegistered { info, .. } => match info.id.as_ref().is_some_and(is_known) {
                true => add(&self.slave_reregistrations, 1),
                false => add(&self.slave_registrations, 1),
            },
            Fact::AgentUnreachable { .. } => add(&self.slave_unreachable_completed, 1),
            Fact::FrameworkRemoved { .. } => add(&self.frameworks_removed, 1),
            Fact::TaskLaunched { .. } => add(&self.tasks_launched, 1),
            Fact::TaskUpdated { sequence: Some(_), .. } => add(&self.valid_status_updates, 1),
            Fact::UpdateAcknowledged { .. } => add(&self.valid_status_update_acknowledgements, 1),
            Fact::FrameworkSubscribed { .. }
            | Fact::FrameworkDisconnected { .. }
            | Fact::FrameworkForgotten { .. }
            | Fact::TaskUpdated { sequence: None, .. }
            | Fact::TaskUnreachable { .. }
            | Fact::TaskReachable { .. }
            | Fact::KillRequested { .. }
            | Fact::TaskCompleted { .. }
            | Fact::AgentForgotten { .. }
            | Fact::TaskForgotten { .. }
            | Fact::QuotasUpdated { .. }
            | Fact::QuotaRemoved { .. }
            | Fact::WeightsUpdated { .. } => {}
        }
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
    ];
    if let Some(leader) = leader {
        metrics.extend(leader.counters.all());
        metrics.extend(of_totals(&leader.model.totals()));
    }
    metrics.sort_by(|left, right| left.name.cmp(&right.name));
    metrics
}

fn of_totals(totals: &Totals) -> Vec<Metric> {
    let count = |name, value: usize| gauge(name, value as f64);
    let mut metrics = vec![
        count("frameworks_active", totals.frameworks_connected),
        count("frameworks_connected", totals.frameworks_connected),
        count("frameworks_disconnected", totals.frameworks_disconnected),
        count("frameworks_inactive", totals.frameworks_disconnected),
        count("slaves_active", totals.agents_connected),
        count("slaves_connected", totals.agents_connected),
        count("slaves_disconnected", totals.agents_disconnected),
        count("slaves_inactive", totals.agents_disconnected),
        count("slaves_unreachable", totals.agents_unreachable),
        count("outstanding_offers", totals.outstanding_offers),
    ];
    metrics.extend(TaskState::ALL.iter().filter_map(|state| of_tasks(totals, *state)));
    metrics.extend(of_resources(&totals.total, &totals.used));
    metrics
}

/// Tasks that go on are gauges, tasks that have ended are counted.
fn of_tasks(totals: &Totals, state: TaskState) -> Option<Metric> {
    let name = state.name().trim_start_matches("TASK_").to_ascii_lowercase();
    let name = format!("tasks_{name}");
    match state {
        TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing | TaskState::Unreachable => {
            Some(gauge(&name, totals.tasks.now(state) as f64))
        }
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Lost
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator => Some(counter(&name, totals.tasks.ended(state))),
        // Nobody is ever in it: it answers questions.
        TaskState::Unknown => None,
    }
}

fn of_resources(total: &Amounts, used: &Amounts) -> Vec<Metric> {
    let kinds = [
        ("cpus", total.cpus, used.cpus),
        ("mem", total.mem, used.mem),
        ("disk", total.disk, used.disk),
        ("gpus", total.gpus, used.gpus),
    ];
    let figures = kinds.map(|(name, total, used)| {
        let percent = if total.is_zero() { 0.0 } else { used.to_f64() / total.to_f64() };
        [
            gauge(&format!("{name}_total"), total.to_f64()),
            gauge(&format!("{name}_used"), used.to_f64()),
            gauge(&format!("{name}_percent"), percent),
        ]
    });
    figures.into_iter().flatten().collect()
}

/// `master/tasks_running` becomes `attica_master_tasks_running`.
pub(super) fn prometheus_text(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for Metric { name, kind, value } in metrics {
        let name = format!("attica_{}", name.replace('/', "_"));
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    text
}
