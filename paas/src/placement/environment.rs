use std::collections::BTreeMap;

use attica_core_api::Scalar;
use attica_core_api::v1::{Environment, TaskId};

use super::secrets;
use crate::model::{Agent, EnvValue, GivenPort, RunSpec};

/// A label whose value is longer than this is not handed to the task as a variable.
const LABEL_VALUE_MAX: usize = 512;

/// What tasks are told of where they are started, beside what their definition says.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Whether the top-level group of the run spec enforces its role.
    pub enforces_role: bool,
    /// What the names of variables for the host and the ports begin with.
    pub variable_prefix: String,
    /// Whether the agent leaves it to the service to kill what is unhealthy, because only so many may be killed in a minute.
    pub spares_unhealthy: bool,
}

impl Surroundings {
    /// The name of a variable for the host or a port.
    pub(super) fn variable(&self, name: &str) -> String {
        format!("{}{name}", self.variable_prefix)
    }
}

/// A task's environment: the generated variables, and the user's, which win.
pub(super) fn environment(
    run_spec: &RunSpec,
    surroundings: &Surroundings,
    task: &TaskId,
    agent: &Agent,
    ports: &[GivenPort],
) -> Environment {
    let mut variables = generated(run_spec, surroundings, task);
    let host = ("HOST".to_owned(), agent.hostname.clone());
    let places = port_variables(run_spec, ports).into_iter().chain([host]);
    variables.extend(places.map(|(name, value)| (surroundings.variable(&name), value)));
    let generated = variables.into_iter().map(|(name, value)| (name, EnvValue::Text(value)));
    secrets::environment(run_spec, generated.chain(run_spec.env.clone()))
}

fn generated(run_spec: &RunSpec, surroundings: &Surroundings, task: &TaskId) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("MESOS_TASK_ID", task.to_string()),
        ("MARATHON_APP_ID", run_spec.id.to_string()),
        ("MARATHON_APP_VERSION", run_spec.version.to_string()),
        ("MARATHON_APP_RESOURCE_CPUS", decimal(run_spec.resources.cpus)),
        ("MARATHON_APP_RESOURCE_MEM", decimal(run_spec.resources.mem)),
        ("MARATHON_APP_RESOURCE_DISK", decimal(run_spec.resources.disk)),
        ("MARATHON_APP_RESOURCE_GPUS", run_spec.resources.gpus.to_string()),
        ("MARATHON_APP_ENFORCE_GROUP_ROLE", surroundings.enforces_role.to_string()),
    ])
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<BTreeMap<String, String>>();
    if let Some(image) = run_spec.container.as_ref().and_then(|container| container.image.as_ref()) {
        variables.insert("MARATHON_APP_DOCKER_IMAGE".to_owned(), image.name.clone());
    }
    variables.extend(label_variables(&run_spec.labels));
    variables
}

/// Labels that are not too long, and their names together.
pub(super) fn label_variables(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    let short = labels.iter().filter(|(_, value)| value.len() <= LABEL_VALUE_MAX);
    let short: Vec<(String, String)> = short.map(|(name, value)| (variable_name(name), value.clone())).collect();
    let names: Vec<&str> = short.iter().map(|(name, _)| name.as_str()).collect();
    let together = ("MARATHON_APP_LABELS".to_owned(), names.join(" "));
    std::iter::once(together)
        .chain(short.into_iter().map(|(name, value)| (format!("MARATHON_APP_LABEL_{name}"), value)))
}

fn port_variables(run_spec: &RunSpec, ports: &[GivenPort]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    // How others reach it, where they can.
    let numbers: Vec<u16> = ports.iter().map(|port| port.host.unwrap_or(port.container)).collect();
    for (index, ((number, port), definition)) in numbers.iter().zip(ports).zip(&run_spec.ports).enumerate() {
        let named = match &definition.mapping {
            None => Some(definition.port),
            Some(mapping) if mapping.container == 0 => port.host.is_none().then_some(port.container),
            Some(mapping) => Some(mapping.container),
        };
        variables.insert(format!("PORT{index}"), number.to_string());
        if let Some(named) = named {
            variables.insert(format!("PORT_{named}"), number.to_string());
        }
        if let Some(name) = &definition.name {
            variables.insert(format!("PORT_{}", variable_name(name)), number.to_string());
        }
    }
    if let Some(first) = numbers.first() {
        variables.insert("PORT".to_owned(), first.to_string());
        variables.insert("PORTS".to_owned(), numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(","));
    }
    variables
}

/// A name in capitals, with `_` for every run of characters that a variable cannot have.
pub(super) fn variable_name(name: &str) -> String {
    let mut variable = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            variable.push(character.to_ascii_uppercase());
        } else if !variable.ends_with('_') {
            variable.push('_');
        }
    }
    variable
}

/// A quantity with at least one decimal: `0.1`, `32.0`.
pub(super) fn decimal(quantity: Scalar) -> String {
    let text = quantity.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}
