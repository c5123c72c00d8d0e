//! The OpenAPI 3.1 description, written from [`crate::operations::OPERATIONS`] and the types themselves.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::access::Rule;
use crate::deployment::Forecast;
use crate::error::ErrorBody;
use crate::operations::{Answer, OPERATIONS, Operation, ParameterKind};

/// Ends the name of a type whose written form differs from the form in which it is read.
const WRITTEN: &str = "Written";

/// The whole description, pretty-printed, with a line end.
#[must_use]
pub fn description() -> String {
    let mut text = format!("{:#}", document());
    text.push('\n');
    text
}

fn document() -> Value {
    let mut read = generator(SchemaSettings::for_serialize);
    let mut written = generator(SchemaSettings::for_deserialize);
    let error = read.subschema_for::<ErrorBody>();
    let mut bodies: Vec<Option<Schema>> =
        OPERATIONS.iter().map(|operation| operation.body.map(|schema| schema(&mut written))).collect();
    let mut paths = Map::new();
    let described: Vec<Value> = OPERATIONS.iter().map(|operation| describe(operation, &mut read, &error)).collect();

    let mut schemas = read.take_definitions(true);
    let renamed = written_names(&schemas, &mut written);
    for (name, mut schema) in written.take_definitions(true) {
        rename_references(&mut schema, &renamed);
        let name = if renamed.contains(&name) { format!("{name}{WRITTEN}") } else { name };
        schemas.insert(name, schema);
    }
    schemas.sort_keys();

    for ((operation, mut described), body) in OPERATIONS.iter().zip(described).zip(&mut bodies) {
        if let Some(body) = body {
            let mut schema = body.clone().to_value();
            rename_references(&mut schema, &renamed);
            described["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        }
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = described;
    }
    paths["/v2/events"]["get"]["description"] = crate::event::described().into();
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Attica service API", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn generator(contract: fn(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    contract(settings).into_generator()
}

/// Names of types that both directions use in different forms, of themselves or because a type in them has two.
fn written_names(read: &Map<String, Value>, written: &mut SchemaGenerator) -> Vec<String> {
    let shared: Vec<_> = written.definitions().iter().filter(|(name, _)| read.contains_key(*name)).collect();
    let mut renamed = Vec::new();
    loop {
        let more: Vec<String> = shared
            .iter()
            .filter(|(name, _)| !renamed.contains(*name))
            .filter(|(name, schema)| read.get(*name) != Some(*schema) || refers_to(schema, &renamed))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            return renamed;
        }
        renamed.extend(more);
    }
}

fn refers_to(schema: &Value, names: &[String]) -> bool {
    let mut copy = schema.clone();
    rename_references(&mut copy, names);
    copy != *schema
}

fn rename_references(schema: &mut Value, renamed: &[String]) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match member {
                    Value::String(target) if key == "$ref" && is_one_of(target, renamed) => target.push_str(WRITTEN),
                    member => rename_references(member, renamed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, renamed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_one_of(reference: &str, names: &[String]) -> bool {
    reference.rsplit('/').next().is_some_and(|last| names.iter().any(|name| name == last))
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator, error: &Schema) -> Value {
    let (status, answer) = operation.success;
    let mut responses = Map::new();
    responses.insert(status.to_string(), described_answer(answer, generator));
    if operation.foresees() {
        foreseen(&mut responses, generator);
    }
    for failure in operation.failures {
        responses.insert(failure.to_string(), refused(*failure, error));
    }
    if operation.foresees() {
        responses.entry("422").or_insert_with(|| refused(422, error));
    }
    if operation.rule != Rule::Anyone {
        responses.entry("401").or_insert_with(|| refused(401, error));
    }
    match operation.rule {
        Rule::Changing | Rule::On(_) | Rule::OnRoot(_) | Rule::OnParameter(_) | Rule::Oneself => {
            responses.entry("403").or_insert_with(|| refused(403, error));
        }
        Rule::Anyone | Rule::SignedIn | Rule::Viewing => {}
    }
    let rule = operation.rule.to_string();
    json!({"summary": operation.summary, "description": rule, "parameters": parameters(operation), "responses": responses})
}

fn refused(status: u16, error: &Schema) -> Value {
    json!({"description": reason(status), "content": {"application/json": {"schema": error}}})
}

fn described_answer(answer: Answer, generator: &mut SchemaGenerator) -> Value {
    match answer {
        Answer::Empty => json!({"description": "Done."}),
        Answer::Text(media) => json!({"description": "Done.", "content": {media: {}}}),
        Answer::Json(schema) => {
            json!({"description": "Done.", "content": {"application/json": {"schema": schema(generator)}}})
        }
        Answer::Lines(schema) => {
            json!({"description": "Done.", "content": {"application/x-ndjson": {"schema": schema(generator)}}})
        }
    }
}

/// What a dry run is answered with, which is 200 in any case.
fn foreseen(responses: &mut Map<String, Value>, generator: &mut SchemaGenerator) {
    let forecast = generator.subschema_for::<Forecast>();
    let response = responses.entry("200").or_insert_with(|| json!({"description": "With dryRun: what would follow."}));
    let schema = &mut response["content"]["application/json"]["schema"];
    *schema = match schema.take() {
        Value::Null => json!(forecast),
        done => json!({"anyOf": [done, forecast]}),
    };
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let in_path =
        in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query = operation.query.iter().map(|parameter| {
        let schema = match parameter.kind {
            ParameterKind::Flag => json!({"type": "boolean"}),
            ParameterKind::Text => json!({"type": "string"}),
            ParameterKind::Repeated => json!({"type": "array", "items": {"type": "string"}}),
        };
        json!({"name": parameter.name, "in": "query", "description": parameter.summary, "schema": schema})
    });
    in_path.chain(in_query).collect()
}

/// What a status means to a client.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "The body is not JSON, or parameters contradict each other.",
        401 => "The caller has not signed in, where that is asked for.",
        403 => "A permission is missing, or the agent's rules do not allow it.",
        404 => "There is no such thing.",
        405 => "The Accept header excludes the only form there is.",
        409 => "It exists already, or a running deployment is in the way.",
        413 => "The body is too large.",
        422 => "The document is not valid, or asks for what is not built yet.",
        501 => "The server lacks what it takes: its flag is named.",
        502 => "The master or the agent does not answer.",
        503 => "It cannot be made durable now; try again.",
        _ => "Refused.",
    }
}

#[cfg(test)]
mod tests {
    use super::description;

    /// Regenerate with `UPDATE_EXPECT=1 cargo test -p attica-paas-api`.
    #[test]
    fn the_committed_description_is_current() {
        expect_test::expect_file!["../openapi.json"].assert_eq(&description());
    }
}
