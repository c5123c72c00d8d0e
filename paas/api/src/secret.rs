//! Secrets: who uses which. No answer holds a value.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Where an app or a pod has a secret from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretDef {
    /// Its path among the secrets that are kept: `/db/password`, or `db/password`.
    pub source: String,
}

/// Names one of the secrets that an app or a pod declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretReference {
    /// Its name there.
    pub secret: String,
}

/// What is told of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// Its path.
    pub path: String,
    /// When its value was set.
    pub version: String,
    /// The apps that refer to it.
    pub apps: Vec<String>,
    /// The pods that refer to it.
    pub pods: Vec<String>,
}

/// Answer of `GET /v2/secrets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretList {
    /// All of them, by path.
    pub secrets: Vec<Secret>,
}

/// Body of `PUT /v2/secrets/{secret}`, as it is described: values are read and written where they are hidden at once.
pub enum SecretValue {}

impl JsonSchema for SecretValue {
    fn schema_name() -> Cow<'static, str> {
        "SecretValue".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A value of at most 64 KiB: either as text or in base64.",
            "type": "object",
            "properties": {
                "value": {"type": "string", "description": "The value, as text."},
                "data": {"type": "string", "contentEncoding": "base64", "description": "The value, in base64."},
            },
            "oneOf": [{"required": ["value"]}, {"required": ["data"]}],
            "additionalProperties": false,
        })
    }
}
