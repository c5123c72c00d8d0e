//! What stands in the read model, in figures.

use attica_core_api::v1::TaskState;

use super::{Kind, Metric, counter, gauge};
use crate::master::leader::Leader;
use crate::master::system::{Memory, System};
use crate::master::view::{FrameworkFigures, RoleFigures, TaskCounts, Totals};

/// Of the machine.
pub(super) fn of_system() -> Vec<Metric> {
    let gauge = |name: &str, value| Metric { name: format!("system/{name}"), kind: Kind::Gauge, value };
    let System { processors, load, memory } = System::now();
    let mut metrics = vec![gauge("cpus_total", processors as f64)];
    if let Some([one, five, fifteen]) = load {
        metrics.extend([gauge("load_1min", one), gauge("load_5min", five), gauge("load_15min", fifteen)]);
    }
    if let Some(Memory { total_bytes, free_bytes }) = memory {
        metrics.extend([gauge("mem_total_bytes", total_bytes as f64), gauge("mem_free_bytes", free_bytes as f64)]);
    }
    metrics
}

/// Of the cluster.
pub(super) fn of_leader(leader: &Leader, metrics: &mut Vec<Metric>) {
    metrics.extend(of_totals(&leader.model.totals()));
    metrics.push(gauge("operator_event_stream_subscribers", leader.model.watchers.count() as f64));
    metrics.push(gauge("event_queue_messages", leader.waiting_inputs() as f64));
    leader.counters.operations.metrics(&leader.model.operation_counts(), metrics);
    let frameworks = if leader.measures_frameworks { leader.model.framework_figures() } else { Vec::new() };
    for framework in frameworks {
        let prefix = format!("master/frameworks/{}/{}", encoded(&framework.name), framework.id);
        of_framework(&framework, &prefix, metrics);
        leader.counters.frameworks.metrics(&framework.id, &prefix, metrics);
    }
    let (roles, totals) = leader.model.role_figures();
    for (name, total, taken) in totals {
        metrics.push(allocator(format!("resources/{name}/total"), total));
        metrics.push(allocator(format!("resources/{name}/offered_or_allocated"), taken));
    }
    roles.iter().for_each(|role| of_role(role, metrics));
}

fn of_totals(totals: &Totals) -> Vec<Metric> {
    let count = |name, value: usize| gauge(name, value as f64);
    let inactive = totals.agents_connected + totals.agents_disconnected - totals.agents_active;
    let mut metrics = vec![
        count("frameworks_active", totals.frameworks_connected),
        count("frameworks_connected", totals.frameworks_connected),
        count("frameworks_disconnected", totals.frameworks_disconnected),
        count("frameworks_inactive", totals.frameworks_disconnected),
        count("slaves_active", totals.agents_active),
        count("slaves_connected", totals.agents_connected),
        count("slaves_disconnected", totals.agents_disconnected),
        count("slaves_inactive", inactive),
        count("slaves_unreachable", totals.agents_unreachable),
        count("outstanding_offers", totals.outstanding_offers),
    ];
    metrics.extend(TaskState::ALL.iter().filter_map(|state| of_tasks(&totals.tasks, *state)));
    let kinds = [("", &totals.total, &totals.used), ("_revocable", &totals.revocable_total, &totals.revocable_used)];
    for (kind, total, used) in kinds {
        for (name, total, used) in [
            ("cpus", total.cpus, used.cpus),
            ("mem", total.mem, used.mem),
            ("disk", total.disk, used.disk),
            ("gpus", total.gpus, used.gpus),
        ] {
            let percent = if total.is_zero() { 0.0 } else { used.to_f64() / total.to_f64() };
            metrics.extend([
                gauge(&format!("{name}{kind}_total"), total.to_f64()),
                gauge(&format!("{name}{kind}_used"), used.to_f64()),
                gauge(&format!("{name}{kind}_percent"), percent),
            ]);
        }
    }
    metrics
}

/// Tasks that go on are gauges, tasks that have ended are counted.
fn of_tasks(tasks: &TaskCounts, state: TaskState) -> Option<Metric> {
    let name = format!("tasks_{}", state.name().trim_start_matches("TASK_").to_ascii_lowercase());
    match goes_on(state)? {
        true => Some(gauge(&name, tasks.now(state) as f64)),
        false => Some(counter(&name, tasks.ended(state))),
    }
}

/// `None` for the state that nobody is ever in: it answers questions.
fn goes_on(state: TaskState) -> Option<bool> {
    match state {
        TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing | TaskState::Unreachable => {
            Some(true)
        }
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Lost
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator => Some(false),
        TaskState::Unknown => None,
    }
}

fn of_framework(framework: &FrameworkFigures, prefix: &str, metrics: &mut Vec<Metric>) {
    let gauge = |name: String, value| Metric { name: format!("{prefix}/{name}"), kind: Kind::Gauge, value };
    let flag = |set: bool| if set { 1.0 } else { 0.0 };
    metrics.push(gauge("subscribed".to_owned(), flag(framework.connected)));
    for role in &framework.roles {
        metrics.push(gauge(format!("roles/{role}/suppressed"), flag(framework.suppressed.contains(role))));
    }
    for state in TaskState::ALL {
        let name = state.name().to_ascii_lowercase();
        match goes_on(*state) {
            Some(true) => metrics.push(gauge(format!("tasks/active/{name}"), framework.tasks.now(*state) as f64)),
            Some(false) => metrics.push(Metric {
                name: format!("{prefix}/tasks/terminal/{name}"),
                kind: Kind::Counter,
                value: framework.tasks.ended(*state) as f64,
            }),
            None => {}
        }
    }
}

fn of_role(role: &RoleFigures, metrics: &mut Vec<Metric>) {
    if let Some(share) = role.share {
        metrics.push(allocator(format!("roles/{}/shares/dominant", role.name), share));
    }
    for (kind, amounts) in &role.quota {
        for (name, amount) in amounts {
            metrics.push(allocator(format!("quota/roles/{}/resources/{name}/{kind}", role.name), *amount));
        }
    }
}

fn allocator(name: String, value: f64) -> Metric {
    Metric { name: format!("allocator/mesos/{name}"), kind: Kind::Gauge, value }
}

/// A framework's name where only some characters have no other meaning.
fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
