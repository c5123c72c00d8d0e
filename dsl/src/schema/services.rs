//! The structs of services. Apps and all that is in them are made from the description of `/v2`, so that no field of it is missing;
//! pods, which it does not have yet, are written down in `services.aurora`; a group is made of both.
//!
//! They come after everything Aurora has and everything a file defines: a name that is known already never means one of these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;

use crate::evaluate::budget::Budget;
use crate::evaluate::value::Value;
use crate::evaluate::{Evaluator, Host};
use crate::source::Sources;

use super::prelude;
use super::types::{EnumType, Field, StructType, Type};

const FILE_NAME: &str = "services.aurora";
const TEXT: &str = include_str!("services.aurora");

/// The description's name of an app as it is written.
const WRITTEN_APP: &str = "AppUpdate";

/// Fields of the description that a definition has no use for: `version` asks for an older definition instead.
const NOT_DEFINED: [&str; 1] = ["version"];

static DEFINITIONS: LazyLock<BTreeMap<Arc<str>, Type>> = LazyLock::new(|| {
    let description: Json = serde_json::from_str(&attica_paas_api::openapi::description())
        .unwrap_or_else(|error| unreachable!("the description of /v2 is JSON: {error}"));
    let mut maker = Maker { schemas: &description["components"]["schemas"], made: written_down() };
    let Some(app) = maker.named(WRITTEN_APP) else { unreachable!("the description has apps") };
    let part = |name: &str, kind, is_required| Field { name: name.into(), kind, is_required, default: None };
    let pod = maker.made.get("Pod").cloned().unwrap_or_else(|| unreachable!("pods are written down"));
    let group = StructType::new(
        "Group".into(),
        vec![
            part("id", Type::String, true),
            part("apps", list(app), false),
            part("pods", list(pod), false),
            part("groups", list(Type::Named("Group")), false),
            part("dependencies", list(Type::String), false),
        ],
    );
    maker.made.insert("Group".into(), Type::Struct(Arc::new(group)));
    maker.made
});

/// What a name means.
pub(crate) fn value(name: &str) -> Option<Value> {
    DEFINITIONS.get(name).cloned().map(Value::Type)
}

/// The names, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.keys().map(|name| &**name)
}

/// A type by its name, which there is.
pub(crate) fn kind(name: &str) -> Type {
    DEFINITIONS.get(name).cloned().unwrap_or_else(|| unreachable!("there is a struct {name}"))
}

/// A struct by its name, which there is.
pub(crate) fn structure(name: &str) -> Arc<StructType> {
    match kind(name) {
        Type::Struct(kind) => kind,
        other => unreachable!("{other} is a struct"),
    }
}

fn list(element: Type) -> Type {
    Type::List(Arc::new(element))
}

fn written_down() -> BTreeMap<Arc<str>, Type> {
    let (mut sources, budget, host) = (Sources::default(), Budget::default(), Host::default());
    let mut evaluator = Evaluator::bare(&mut sources, &budget, &host, PathBuf::new());
    evaluator.run(FILE_NAME, None, TEXT.into());
    assert!(evaluator.diagnostics.is_empty(), "{FILE_NAME} is wrong");
    let types = evaluator.globals.into_iter().filter_map(|(name, value)| match value {
        Value::Type(kind) => Some((name, kind)),
        _ => None,
    });
    types.collect()
}

/// Makes types of the schemas of a description.
struct Maker<'a> {
    schemas: &'a Json,
    made: BTreeMap<Arc<str>, Type>,
}

impl Maker<'_> {
    /// The type of a schema by its name; nothing where the language has none.
    fn named(&mut self, name: &str) -> Option<Type> {
        let schema = self.schemas.get(name)?;
        let Some(properties) = schema["properties"].as_object() else { return self.kind(schema) };
        let own_name = own_name(name);
        if let Some(known) = self.made.get(&own_name) {
            return Some(known.clone());
        }
        let mut fields = Vec::new();
        for (field, schema) in properties {
            if name == WRITTEN_APP && NOT_DEFINED.contains(&field.as_str()) {
                continue;
            }
            let Some(kind) = self.kind(schema) else { continue };
            let is_app = name == WRITTEN_APP;
            let kind = if is_app && field == "constraints" { self.constraints(kind) } else { kind };
            // What has a default need not be given, and the server fills it in: only an app's id must be.
            fields.push(Field {
                name: field.as_str().into(),
                kind,
                is_required: is_app && field == "id",
                default: None,
            });
        }
        let made = Type::Struct(Arc::new(StructType::new(Arc::clone(&own_name), fields)));
        self.made.insert(own_name, made.clone());
        Some(made)
    }

    /// Constraints by name beside the lists of words that they are in `/v2`.
    fn constraints(&self, listed: Type) -> Type {
        match (listed, self.made.get("AppConstraint")) {
            (Type::List(words), Some(named)) => list(Type::Choice([named.clone(), (*words).clone()].into())),
            (other, _) => other,
        }
    }

    fn kind(&mut self, schema: &Json) -> Option<Type> {
        if let Some(path) = schema["$ref"].as_str() {
            return self.named(path.rsplit('/').next()?);
        }
        if let Some(word) = schema["const"].as_str() {
            return Some(words([word]));
        }
        if let Some(either) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let either: Vec<&Json> = either.iter().filter(|schema| schema["type"] != "null").collect();
            let constants: Option<Vec<&str>> = either.iter().map(|schema| schema["const"].as_str()).collect();
            return match (constants, either.as_slice()) {
                (Some(constants), _) => Some(words(constants)),
                (None, [only]) => self.kind(only),
                (None, several) => {
                    let kinds: Option<Vec<Type>> = several.iter().map(|schema| self.kind(schema)).collect();
                    Some(Type::Choice(kinds?.into()))
                }
            };
        }
        let of_array = |kinds: &Json| {
            kinds.as_array()?.iter().filter_map(Json::as_str).find(|kind| *kind != "null").map(str::to_owned)
        };
        let kind = schema["type"].as_str().map(str::to_owned).or_else(|| of_array(&schema["type"]))?;
        Some(match kind.as_str() {
            "string" => match schema["enum"].as_array() {
                Some(values) => words(values.iter().filter_map(Json::as_str)),
                None => Type::String,
            },
            "integer" => Type::Integer,
            "number" => Type::Float,
            "boolean" => Type::Boolean,
            "array" => list(self.kind(&schema["items"])?),
            "object" => Type::Map(Arc::new(Type::String), Arc::new(self.kind(&schema["additionalProperties"])?)),
            _ => return None,
        })
    }
}

fn words<'a>(values: impl IntoIterator<Item = &'a str>) -> Type {
    Type::Enum(Arc::new(EnumType { values: values.into_iter().map(Arc::from).collect() }))
}

/// The name a schema has in the language: its own, unless Aurora has another struct of that name.
fn own_name(schema: &str) -> Arc<str> {
    let name = if schema == WRITTEN_APP { "App" } else { schema.strip_suffix("Written").unwrap_or(schema) };
    if prelude::value(name).is_some() { format!("App{name}").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description's fields, but for what only chooses a version.
    #[test]
    fn apps_have_every_field_of_the_description() {
        let description: Json = serde_json::from_str(&attica_paas_api::openapi::description()).unwrap();
        let described = description["components"]["schemas"][WRITTEN_APP]["properties"].as_object().unwrap();
        let app = structure("App");
        let missing: Vec<&String> = described.keys().filter(|name| app.position(name).is_none()).collect();
        assert_eq!(
            missing,
            NOT_DEFINED.iter().collect::<Vec<_>>(),
            "a field whose schema the language cannot express?"
        );
        for name in ["HealthCheck", "PortDefinition", "Network", "UpgradeStrategy", "UnreachableDelays", "Pod", "Group"]
        {
            assert!(!structure(name).fields.is_empty(), "{name}");
        }
    }

    #[test]
    fn no_name_is_one_of_auroras() {
        for name in names() {
            assert!(prelude::value(name).is_none(), "{name}");
            assert!(crate::evaluate::names().all(|known| known != name), "{name}");
        }
    }
}
