//! What instance 0 would run, on a host and with ports made up for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::evaluate::budget::Budget;
use crate::schema::{Bound, Environment, Object};
use crate::template::{Cache, Interpolation};

use super::ports::{Ports, Target};

const HOSTNAME: &str = "agent-0.example.com";
const FIRST_PORT: i64 = 31_000;

/// What instance 0 would run.
#[derive(Debug)]
pub(super) struct Runtime {
    assigned: BTreeMap<String, i64>,
    portmap: BTreeMap<String, i64>,
    task_id: String,
    /// Names and command lines.
    processes: Vec<(String, String)>,
}

impl Runtime {
    pub(super) fn of(config: &Object, task: &Object, ports: &Ports, budget: &Budget, cache: &mut Cache) -> Self {
        let assigned: BTreeMap<String, i64> = ports.requested.iter().cloned().zip(FIRST_PORT..).collect();
        let mut portmap = assigned.clone();
        for (name, target) in &ports.aliases {
            let number = match target {
                Target::Static(number) => Some(*number),
                Target::Name(port) => assigned.get(port).copied(),
            };
            portmap.extend(number.map(|number| (name.clone(), number)));
        }
        let part = |field: &str| config.text(field).unwrap_or_default();
        let task_id =
            format!("{}-{}-{}-0-00000000-0000-0000-0000-000000000000", part("role"), part("environment"), part("name"));
        let mut environment = Environment::default();
        let mut bind = |name: &str, value: &str| environment.insert(name.into(), Bound::Text(value.into()));
        bind("mesos.instance", "0");
        bind("mesos.hostname", HOSTNAME);
        bind("thermos.task_id", &task_id);
        bind("thermos.user", &part("role"));
        for (name, number) in &portmap {
            bind(&format!("thermos.ports[{name}]"), &number.to_string());
        }
        let environment = Arc::new(environment);
        let mut interpolation = Interpolation::new(budget, cache);
        let items = task.field("processes").map(|processes| processes.items()).unwrap_or_default();
        let processes = items.iter().map(|process| {
            let running = interpolation.object(&Arc::new(process.bind([Arc::clone(&environment)])), None);
            (running.text("name").unwrap_or_default(), running.text("cmdline").unwrap_or_default())
        });
        Self { processes: processes.collect(), assigned, portmap, task_id }
    }

    pub(super) fn to_json(&self) -> Json {
        let process = |(name, cmdline): &(String, String)| json!({"name": name, "cmdline": cmdline});
        json!({
            "instance": 0,
            "hostname": HOSTNAME,
            "task_id": self.task_id,
            "assigned_ports": self.assigned,
            "portmap": self.portmap,
            "processes": self.processes.iter().map(process).collect::<Vec<_>>(),
        })
    }
}
