//! Aurora's schema, written in the language itself: `schema.aurora` is evaluated once, and every configuration sees its names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};

use crate::evaluate::budget::Budget;
use crate::evaluate::value::Value;
use crate::evaluate::{Evaluator, Host};
use crate::source::Sources;

use super::object::Object;
use super::types::{StructType, Type};

/// The name the schema's file has in messages.
pub(crate) const FILE_NAME: &str = "schema.aurora";

/// The text of the schema.
pub(crate) const TEXT: &str = include_str!("schema.aurora");

/// What the schema defines, without what belongs to one evaluation.
#[derive(Clone)]
enum Definition {
    Type(Type),
    Object(Arc<Object>),
    Integer(i64),
}

static DEFINITIONS: LazyLock<BTreeMap<Arc<str>, Definition>> = LazyLock::new(|| {
    let (mut sources, budget, host) = (Sources::default(), Budget::default(), Host::default());
    let mut evaluator = Evaluator::bare(&mut sources, &budget, &host, PathBuf::new());
    evaluator.run(FILE_NAME, None, TEXT.into());
    let Evaluator { globals, diagnostics, .. } = evaluator;
    assert!(
        diagnostics.is_empty(),
        "the schema is wrong: {}",
        diagnostics.iter().map(|wrong| wrong.render(&sources)).collect::<String>()
    );
    let definition = |value| match value {
        Value::Type(kind) => Some(Definition::Type(kind)),
        Value::Object(object) => Some(Definition::Object(object.placeless())),
        Value::Integer(value) => Some(Definition::Integer(value)),
        _ => None,
    };
    globals.into_iter().filter_map(|(name, value)| Some((name, definition(value)?))).collect()
});

/// What a name of the schema means.
pub(crate) fn value(name: &str) -> Option<Value> {
    Some(match DEFINITIONS.get(name)? {
        Definition::Type(kind) => Value::Type(kind.clone()),
        Definition::Object(object) => Value::Object(Arc::clone(object)),
        Definition::Integer(value) => Value::Integer(*value),
    })
}

/// The names of the schema, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.keys().map(|name| &**name)
}

/// A struct of the schema, which has it.
pub(crate) fn structure(name: &str) -> Arc<StructType> {
    match DEFINITIONS.get(name) {
        Some(Definition::Type(Type::Struct(kind))) => Arc::clone(kind),
        Some(Definition::Type(_) | Definition::Object(_) | Definition::Integer(_)) | None => {
            unreachable!("the schema defines {name}")
        }
    }
}

/// The schema as JSON: struct → field → `type`, `required`, `default`.
pub fn schema_json() -> Json {
    let structs = DEFINITIONS.iter().filter_map(|(name, definition)| match definition {
        Definition::Type(Type::Struct(kind)) => Some((name.to_string(), fields_json(kind))),
        Definition::Type(_) | Definition::Object(_) | Definition::Integer(_) => None,
    });
    Json::Object(structs.collect())
}

fn fields_json(kind: &StructType) -> Json {
    let fields = kind.fields.iter().map(|field| {
        let mut json = json!({"type": field.kind.to_string(), "required": field.is_required});
        if let Some(default) = &field.default {
            json["default"] = default.to_json();
        }
        (field.name.to_string(), json)
    });
    Json::Object(fields.collect())
}
