//! What is read of apps and events, and what it means to the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::v1::TaskState;
use serde::Deserialize;

use super::sse::Frame;
use crate::lb::table::{App, Checks, Event, HostPorts, Instance, ServicePort, Transport};
use crate::model::{InstanceId, RunSpecId, TaskIdentity};

/// The events that the table is made of.
pub const EVENT_TYPES: [&str; 9] = [
    STATUS,
    "instance_changed_event",
    "instance_health_changed_event",
    "instance_draining",
    "api_post_event",
    "app_terminated_event",
    "deployment_info",
    "deployment_success",
    "deployment_failed",
];
const STATUS: &str = "status_update_event";
/// Events are missing before this one.
pub(super) const RESET: &str = "event_stream_reset";

/// Answer to `GET /v2/apps`.
#[derive(Deserialize)]
pub(super) struct List {
    pub(super) apps: Vec<WireApp>,
}

/// Answer to `GET /v2/apps/{id}`.
#[derive(Deserialize)]
pub(super) struct Single {
    pub(super) app: WireApp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireApp {
    id: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    port_definitions: Vec<WirePort>,
    container: Option<WireContainer>,
    #[serde(default)]
    require_ports: bool,
    #[serde(default)]
    health_checks: Vec<WireCheck>,
    #[serde(default)]
    tasks: Vec<WireTask>,
}

#[derive(Deserialize)]
struct WirePort {
    #[serde(default)]
    port: u16,
    #[serde(default)]
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContainer {
    #[serde(default)]
    port_mappings: Vec<WireMapping>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMapping {
    #[serde(default)]
    service_port: u16,
    host_port: Option<u16>,
    #[serde(default)]
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCheck {
    #[serde(default)]
    protocol: String,
    port_index: Option<usize>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTask {
    id: String,
    #[serde(default)]
    version: String,
    state: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    health_check_results: Vec<WireResult>,
}

#[derive(Deserialize)]
struct WireResult {
    alive: bool,
}

/// Something in an answer that no service layer of ours would say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of an app")]
pub(super) struct ForeignApp(String);

impl WireApp {
    pub(super) fn into_app(self) -> Result<App, ForeignApp> {
        let id = RunSpecId::parse(&self.id).map_err(|_| ForeignApp(self.id.clone()))?;
        let checks = if self.health_checks.is_empty() { Checks::None } else { Checks::Some };
        let checks_count = self.health_checks.len();
        let mappings = self.container.iter().flat_map(|container| &container.port_mappings).enumerate();
        // Where no way leads there from the host, instances have no port.
        let mappings = mappings.filter(|(_, mapping)| mapping.host_port.is_some());
        let mappings = mappings.map(|(index, mapping)| (index, mapping.service_port, &mapping.protocol));
        let defined = self.port_definitions.iter().enumerate();
        let ports = defined.map(|(index, port)| (index, port.port, &port.protocol)).chain(mappings);
        let ports = ports.map(|(index, number, protocol)| ServicePort {
            number: (number > 0).then_some(number),
            transport: if protocol == "udp" { Transport::Udp } else { Transport::Tcp },
            speaks_http: self.health_checks.iter().any(|check| check.tells_http(index)),
        });
        Ok(App {
            id,
            version: self.version.into(),
            ports: ports.collect(),
            labels: self.labels,
            host_ports: if self.require_ports { HostPorts::Required } else { HostPorts::Assigned },
            checks,
            instances: self.tasks.into_iter().filter_map(|task| task.into_instance(checks_count)).collect(),
        })
    }
}

impl WireCheck {
    /// Whether what is checked on this port answers HTTP.
    fn tells_http(&self, index: usize) -> bool {
        self.port.is_none() && self.port_index.unwrap_or(0) == index && self.protocol.ends_with("HTTP")
    }
}

impl WireTask {
    /// None for a task in a form that this cannot route to.
    fn into_instance(self, checks: usize) -> Option<Instance> {
        let results = &self.health_check_results;
        let healthy = match results.iter().all(|result| result.alive) {
            _ if results.is_empty() => None,
            true if results.len() < checks => None,
            verdict => Some(verdict),
        };
        Some(Instance {
            task: TaskIdentity::parse(&self.id).ok()?,
            version: self.version.into(),
            state: TaskState::from_name(&self.state).unwrap_or(TaskState::Unknown),
            host: self.host.into(),
            ports: self.ports,
            healthy,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    task_id: String,
    task_status: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfInstance {
    instance_id: String,
    #[serde(default)]
    condition: String,
    #[serde(default)]
    healthy: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    app_definition: Named,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    app_id: String,
}

#[derive(Deserialize)]
struct OfDeployment {
    plan: Plan,
}

#[derive(Deserialize)]
struct Plan {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    app: Option<String>,
}

/// Conditions after which an instance has no task.
const GONE: [&str; 8] = ["Killed", "Finished", "Failed", "Error", "Gone", "Dropped", "Unknown", "Scheduled"];

/// What an event means. One in a form that is not known means nothing.
pub(super) fn event(frame: &Frame) -> Event {
    let meaning = match frame.event_type.as_str() {
        STATUS => parse::<Status>(frame).and_then(status),
        "instance_changed_event" => parse::<OfInstance>(frame).and_then(|event| {
            GONE.contains(&event.condition.as_str()).then(|| instance(&event)).flatten().map(Event::Gone)
        }),
        "instance_health_changed_event" => parse::<OfInstance>(frame)
            .and_then(|event| instance(&event).map(|instance| Event::Health { instance, healthy: event.healthy })),
        "instance_draining" => parse::<OfInstance>(frame).and_then(|event| instance(&event)).map(Event::Draining),
        "api_post_event" => parse::<Posted>(frame).map(|event| defined([event.app_definition.id])),
        "app_terminated_event" => parse::<Terminated>(frame).map(|event| defined([event.app_id])),
        "deployment_info" | "deployment_success" | "deployment_failed" => parse::<OfDeployment>(frame).map(|event| {
            let actions = event.plan.steps.into_iter().flat_map(|step| step.actions);
            defined(actions.filter_map(|action| action.app))
        }),
        _ => None,
    };
    meaning.unwrap_or(Event::Other)
}

fn parse<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Option<T> {
    serde_json::from_str(&frame.data)
        .inspect_err(|error| tracing::warn!(%error, event = frame.event_type, "an event cannot be read"))
        .ok()
}

fn status(status: Status) -> Option<Event> {
    Some(Event::Task(Instance {
        task: TaskIdentity::parse(&status.task_id).ok()?,
        version: Arc::from(status.version),
        state: TaskState::from_name(&status.task_status).unwrap_or(TaskState::Unknown),
        host: Arc::from(status.host),
        ports: status.ports,
        healthy: None,
    }))
}

fn instance(event: &OfInstance) -> Option<InstanceId> {
    InstanceId::parse(&event.instance_id).ok()
}

fn defined(apps: impl IntoIterator<Item = String>) -> Event {
    Event::Defined(apps.into_iter().filter_map(|app| RunSpecId::parse(&app).ok()).collect())
}
