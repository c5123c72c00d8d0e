//! From JSON to rules.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::action::Objects;
use super::{Acls, Action, Entity, Rule};

/// The paths that rules of `get_endpoints` may name, as Mesos has them.
const PATHS: [&str; 6] = [
    "/containers",
    "/containerizer/debug",
    "/files/debug",
    "/logging/toggle",
    "/metrics/snapshot",
    "/monitor/statistics",
];

/// What is wrong with the rules, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclsError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A key that means nothing: a misspelt rule would open what it should close.
    #[error("`{at}` is unknown; expected one of {expected}")]
    Unknown {
        /// Where.
        at: String,
        /// What is known there.
        expected: String,
    },
    /// A part that is missing or of the wrong shape.
    #[error("`{at}` has to be {expected}")]
    Shape {
        /// Where.
        at: String,
        /// What it has to be.
        expected: &'static str,
    },
}

pub(super) fn parse(text: &str) -> Result<Acls, AclsError> {
    let value: Value = serde_json::from_str(text).map_err(|error| AclsError::Syntax(error.to_string()))?;
    let mut acls = Acls { permissive: true, rules: HashMap::new() };
    for (key, value) in object(&value, "the whole")? {
        if key == "permissive" {
            acls.permissive = value.as_bool().ok_or_else(|| shape(key, "true or false"))?;
            continue;
        }
        let Some(action) = Action::ALL.iter().copied().find(|action| action.list() == key) else {
            let known = Action::ALL.iter().map(|action| action.list());
            return Err(unknown(key, std::iter::once("permissive").chain(known)));
        };
        let listed = value.as_array().ok_or_else(|| shape(key, "a list"))?;
        let rules = listed.iter().enumerate().map(|(index, value)| rule(action, value, &format!("{key}[{index}]")));
        acls.rules.insert(action, rules.collect::<Result<_, _>>()?);
    }
    Ok(acls)
}

fn rule(action: Action, value: &Value, at: &str) -> Result<Rule, AclsError> {
    let members = object(value, at)?;
    let known = ["principals", action.member()];
    if let Some(key) = members.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown(&format!("{at}.{key}"), known.into_iter()));
    }
    let side = |name: &str| {
        let at = format!("{at}.{name}");
        entity(members.get(name).ok_or_else(|| shape(&at, "present"))?, &at)
    };
    let (principals, objects) = (side("principals")?, side(action.member())?);
    let at = format!("{at}.{}", action.member());
    let objects = match (action.objects(), objects) {
        (Objects::Roles, Entity::Some(roles)) => Entity::roles(roles),
        (Objects::Implicit, Entity::Some(_)) => return Err(shape(&at, "of type ANY or NONE")),
        (Objects::Paths, Entity::Some(paths)) => match paths.iter().find(|path| !PATHS.contains(&path.as_str())) {
            Some(path) => return Err(unknown(&format!("{at}: {path}"), PATHS.into_iter())),
            None => Entity::Some(paths),
        },
        (_, objects) => objects,
    };
    Ok(Rule { principals, objects })
}

/// `{"type": "ANY"}`, `{"type": "NONE"}` or `{"values": […]}`.
fn entity(value: &Value, at: &str) -> Result<Entity, AclsError> {
    const TYPES: [&str; 3] = ["SOME", "ANY", "NONE"];
    let members = object(value, at)?;
    let known = ["type", "values"];
    if let Some(key) = members.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown(&format!("{at}.{key}"), known.into_iter()));
    }
    let listed = match members.get("values") {
        None => Vec::new(),
        Some(values) => strings(values).ok_or_else(|| shape(&format!("{at}.values"), "a list of strings"))?,
    };
    match members.get("type").map_or(Some("SOME"), Value::as_str) {
        Some("SOME") => Ok(Entity::Some(listed)),
        Some("ANY") => Ok(Entity::Any),
        Some("NONE") => Ok(Entity::Nobody),
        Some(other) => Err(unknown(&format!("{at}.type: {other}"), TYPES.into_iter())),
        None => Err(shape(&format!("{at}.type"), "SOME, ANY or NONE")),
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, AclsError> {
    value.as_object().ok_or_else(|| shape(at, "a JSON object"))
}

fn shape(at: &str, expected: &'static str) -> AclsError {
    AclsError::Shape { at: at.to_owned(), expected }
}

fn unknown<'a>(at: &str, known: impl Iterator<Item = &'a str>) -> AclsError {
    AclsError::Unknown { at: at.to_owned(), expected: known.collect::<Vec<_>>().join(", ") }
}
