//! What deploying services would change. Apps are written one by one here, so a definition is compared with the one that runs, and
//! what it does not name with the defaults.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use attica_paas_api::AppUpdate;
use serde_json::{Map, Value, json};

use crate::client::definition::{completed, definition_of, keep_ports};
use crate::client::diff::{Difference, diff, lines};
use crate::product::{Service, contains};
use crate::schema::{Type, services};
use crate::terminal::{Line, Tone};

/// Every change, in the order of the file, and what is left as it is.
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// Apps that are like this already.
    same: Vec<String>,
    /// Apps in the file's groups that the file does not name.
    unnamed: Vec<String>,
}

/// An app that would be written.
pub(super) struct Change {
    pub(super) service: Service,
    kind: Kind,
    /// What would be written, without the id.
    definition: Map<String, Value>,
    differences: Vec<Difference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Added,
    Changed,
}

impl Plan {
    /// `running` are apps as they are read; `groups` the paths of the file's groups.
    pub(super) fn of(services: Vec<Service>, groups: &[String], running: &[Value]) -> Self {
        let by_id: BTreeMap<&str, &Value> = running.iter().filter_map(|app| Some((app["id"].as_str()?, app))).collect();
        let named = |id: &str| services.iter().any(|service| service.id == id);
        let is_inside = |id: &str| groups.iter().any(|group| contains(group, id));
        let unnamed = by_id.keys().filter(|id| is_inside(id) && !named(id)).map(|id| (*id).to_owned()).collect();
        let mut plan = Self { changes: Vec::new(), same: Vec::new(), unnamed };
        for service in services {
            let (kind, definition, differences) = match by_id.get(service.id.as_str()) {
                None => {
                    let mut definition = service.definition.clone();
                    definition.remove("id");
                    let differences = diff(&json!({}), &Value::Object(definition.clone()));
                    (Kind::Added, definition, differences)
                }
                Some(app) => {
                    let current = definition_of(app);
                    let next = replacement(&current, &service.definition);
                    let differences = diff(&Value::Object(current), &Value::Object(next.clone()));
                    (Kind::Changed, next, differences)
                }
            };
            match (kind, differences.is_empty()) {
                (Kind::Changed, true) => plan.same.push(service.id),
                _ => plan.changes.push(Change { service, kind, definition, differences }),
            }
        }
        plan
    }

    /// For people: each change with its differences.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut shown: Vec<Line> = self.changes.iter().flat_map(Change::lines).collect();
        if !self.same.is_empty() {
            shown.push(Line::toned(Tone::Faint, format!("= {}: like this already", self.same.join(", "))));
        }
        for id in &self.unnamed {
            let line = Line::toned(Tone::Warning, "! ").then(Tone::Strong, id);
            shown.push(
                line.then(Tone::Plain, format!(": runs, but is not in the file; attica app remove {id} ends it")),
            );
        }
        shown
    }

    /// For programs: an element for each app.
    pub(super) fn to_json(&self) -> Value {
        let changes = self.changes.iter().map(|change| {
            let differences: Value = change.differences.iter().map(Difference::to_json).collect();
            json!({"id": change.service.id, "change": change.word(), "differences": differences})
        });
        let others = |ids: &[String], word: &str| -> Vec<Value> {
            ids.iter().map(|id| json!({"id": id, "change": word, "differences": []})).collect()
        };
        changes.chain(others(&self.same, "none")).chain(others(&self.unnamed, "not in the file")).collect()
    }

    /// The body of the write.
    pub(super) fn document(&self) -> Value {
        let named = |change: &Change| {
            let id = ("id".to_owned(), Value::from(change.service.id.as_str()));
            Value::Object(std::iter::once(id).chain(change.definition.clone()).collect())
        };
        self.changes.iter().map(named).collect()
    }

    /// `/shop/web is`, `3 apps are`.
    pub(super) fn subject(&self) -> String {
        match self.changes.as_slice() {
            [only] => format!("{} is", only.service.id),
            several => format!("{} apps are", several.len()),
        }
    }
}

impl Change {
    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Added => "added",
            Kind::Changed => "changed",
        }
    }

    fn lines(&self) -> Vec<Line> {
        let (sign, tone) = match self.kind {
            Kind::Added => ("+ ", Tone::Good),
            Kind::Changed => ("~ ", Tone::Warning),
        };
        let headline = Line::toned(tone, sign).then(Tone::Strong, &self.service.id);
        let headline = match self.kind {
            Kind::Added => headline.then(Tone::Plain, " is new"),
            Kind::Changed => headline,
        };
        std::iter::once(headline).chain(lines(&self.differences)).collect()
    }
}

/// The definition that takes the place of the one that runs: what is named, and the defaults for all else. Fields that this program
/// does not know stay as they are.
fn replacement(current: &Map<String, Value>, definition: &Map<String, Value>) -> Map<String, Value> {
    let app = services::structure("App");
    let mut next: Map<String, Value> = Map::new();
    for (field, value) in current {
        if let Some(at) = app.position(field) {
            next.insert(field.clone(), default_of(field, &app.fields[at].kind, value));
        } else {
            next.insert(field.clone(), value.clone());
        }
    }
    next.extend(completed(definition).into_iter().filter(|(field, _)| field != "id"));
    keep_ports(current, &mut next);
    next.get_mut("healthChecks").and_then(Value::as_array_mut).into_iter().flatten().for_each(complete_check);
    next.retain(|_, value| !value.is_null());
    next
}

/// A check with what the server says about it when nothing was said: the first port, the root, and how it is asked.
fn complete_check(check: &mut Value) {
    if check["port"].is_null() && check["portIndex"].is_null() {
        check["portIndex"] = json!(0);
    }
    if check["ipProtocol"].is_null() {
        check["ipProtocol"] = json!("IPv4");
    }
    let protocol = check["protocol"].as_str().unwrap_or_default();
    let (is_http, by_service) = (protocol.contains("HTTP"), ["HTTP", "HTTPS"].contains(&protocol));
    if is_http && check["path"].is_null() {
        check["path"] = json!("/");
    }
    if by_service && check["ignoreHttp1xx"].is_null() {
        check["ignoreHttp1xx"] = json!(false);
    }
}

/// What the server has for the fields that a definition does not name and that are not simply empty then.
static DEFAULTS: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "args": null, "instances": 1, "cpus": 1, "mem": 128, "disk": 0,
        "networks": [{"mode": "host"}],
        "portDefinitions": [{"port": 0, "protocol": "tcp", "name": "default"}],
        "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1},
        "killSelection": "YOUNGEST_FIRST",
        "executor": "",
        "unreachableStrategy": {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
        "backoffSeconds": 1, "backoffFactor": 1.15, "maxLaunchDelaySeconds": 300,
    })
});

/// What a field is when a definition does not name it. The role is the server's own setting: `current` tells it.
fn default_of(field: &str, kind: &Type, current: &Value) -> Value {
    match (DEFAULTS.get(field), kind) {
        (Some(default), _) => default.clone(),
        (None, _) if field == "role" => current.clone(),
        (None, Type::List(_)) => json!([]),
        (None, Type::Map(..)) => json!({}),
        (None, Type::Boolean) => json!(false),
        (None, _) => Value::Null,
    }
}

/// A definition that was read without what need not be said.
///
/// # Errors
/// The field that a file cannot say.
pub(super) fn shortened(definition: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let app = services::structure("App");
    let mut short = Map::new();
    for (field, value) in definition {
        let is_empty = match value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Number(value) => value.as_f64() == Some(0.0),
            Value::String(value) => value.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
        };
        match app.position(field) {
            None if is_empty => {}
            None => return Err(field.clone()),
            Some(at) => {
                let default = default_of(field, &app.fields[at].kind, &Value::Null);
                if !diff(&default, value).is_empty() {
                    short.insert(field.clone(), value.clone());
                }
            }
        }
    }
    // What is within a field is written as `/v2` writes it: without what is empty.
    match serde_json::from_value::<AppUpdate>(Value::Object(short.clone())).and_then(serde_json::to_value) {
        Ok(Value::Object(written)) => Ok(written),
        Ok(_) | Err(_) => Ok(short),
    }
}
