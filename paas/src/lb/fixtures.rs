//! Apps and instances for tests.

use std::sync::Arc;

use attica_core_api::v1::TaskState;
use uuid::Uuid;

use super::table::{App, Checks, HostPorts, Instance, ServicePort, Transport};
use crate::events::EventId;
use crate::model::{InstanceId, RunSpecId, TaskIdentity};

pub(crate) fn id(text: &str) -> RunSpecId {
    RunSpecId::parse(text).unwrap()
}

pub(crate) fn at(number: i64) -> EventId {
    EventId::from_number(number).unwrap()
}

pub(crate) fn instance_id(app: &str, number: u128) -> InstanceId {
    InstanceId { run_spec: id(app), uuid: Uuid::from_u128(number) }
}

/// A running instance on 127.0.0.1, at these ports, of version `v1`.
pub(crate) fn instance(app: &str, number: u128, ports: &[u16]) -> Instance {
    Instance {
        task: TaskIdentity { instance: instance_id(app, number), container: None, incarnation: 1 },
        version: Arc::from("v1"),
        state: TaskState::Running,
        host: Arc::from("127.0.0.1"),
        ports: ports.to_vec(),
        healthy: None,
    }
}

/// An app of version `v1` without checks, with these service ports.
pub(crate) fn app(app_id: &str, labels: &[(&str, &str)], ports: &[u16], instances: Vec<Instance>) -> App {
    let port = |number: &u16| ServicePort { number: Some(*number), transport: Transport::Tcp, speaks_http: false };
    App {
        id: id(app_id),
        version: Arc::from("v1"),
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ports: ports.iter().map(port).collect(),
        host_ports: HostPorts::Assigned,
        checks: Checks::None,
        instances,
    }
}
