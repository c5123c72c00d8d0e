use attica_paas_api::AppUpdate;
use serde_json::{Map, Value};

/// Fields of a read that no write changes.
const READ_ONLY: [&str; 11] = [
    "id",
    "version",
    "versionInfo",
    "tasks",
    "tasksStaged",
    "tasksRunning",
    "tasksHealthy",
    "tasksUnhealthy",
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
];

/// The definition in an app that was read.
pub(in crate::client) fn definition_of(app: &Value) -> Map<String, Value> {
    let members = app.as_object().into_iter().flatten();
    members
        .filter(|(field, _)| !READ_ONLY.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// The definition that an update makes of the `current` one, as far as can be told from here: what it names replaces what was there,
/// defaults within a field are filled in, and service ports are kept.
pub(in crate::client) fn predicted(current: &Map<String, Value>, update: &Map<String, Value>) -> Map<String, Value> {
    let mut next = current.clone();
    for (field, value) in completed(update) {
        if READ_ONLY.contains(&field.as_str()) {
            continue;
        }
        // The one takes the place of the other.
        match field.as_str() {
            "cmd" => drop(next.insert("args".to_owned(), Value::Null)),
            "args" => drop(next.insert("cmd".to_owned(), Value::Null)),
            _ => {}
        }
        next.insert(field, value);
    }
    keep_ports(current, &mut next);
    next
}

/// The same document with the defaults within its fields. One that cannot be understood is left as it is: the server will say why.
pub(in crate::client) fn completed(update: &Map<String, Value>) -> Map<String, Value> {
    let typed = serde_json::from_value::<AppUpdate>(Value::Object(update.clone()));
    match typed.and_then(serde_json::to_value) {
        Ok(Value::Object(completed)) => completed,
        Ok(_) | Err(_) => update.clone(),
    }
}

/// A service port of any number becomes one of those that are no longer named, in their order.
pub(in crate::client) fn keep_ports(current: &Map<String, Value>, next: &mut Map<String, Value>) {
    let former = current.get("portDefinitions").and_then(Value::as_array);
    if let (Some(former), Some(Value::Array(ports))) = (former, next.get_mut("portDefinitions")) {
        keep("port", former, ports);
    }
    let former = current.get("container").and_then(|container| container["portMappings"].as_array());
    let ports = next.get_mut("container").and_then(|container| container.get_mut("portMappings"));
    if let (Some(former), Some(Value::Array(ports))) = (former, ports) {
        keep("servicePort", former, ports);
    }
}

fn keep(number: &str, former: &[Value], ports: &mut [Value]) {
    let named: Vec<u64> = ports.iter().filter_map(|port| port[number].as_u64()).collect();
    let mut free = former.iter().filter_map(|port| port[number].as_u64()).filter(|port| !named.contains(port));
    for port in ports.iter_mut().filter(|port| port[number].as_u64() == Some(0)) {
        if let Some(kept) = free.next() {
            port[number] = Value::from(kept);
        }
    }
}
