//! Why bytes are not the message they should be. The texts of [`DecodeError`] are the bodies that Mesos answers with.

use thiserror::Error;

use super::Exceeded;
use super::limits::JSON_VALUES_MAX;

/// Bytes that are not the expected message. `Display` is the text of the 400 response, word for word.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The body is not JSON.
    #[error("Failed to parse body into JSON: syntax error at line {line} near: {near}")]
    Syntax {
        /// Line of the first error, from 1.
        line: usize,
        /// What follows the error on that line, shortened.
        near: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The body is a JSON document with too many values.
    #[error("Failed to parse body into JSON: more than {JSON_VALUES_MAX} values")]
    TooManyValues,
    /// The body is JSON, but not of the message's shape.
    #[error("Failed to convert JSON into {message} protobuf: {reason}")]
    Mismatch {
        /// Name of the expected message.
        message: &'static str,
        /// Which rule the JSON breaks, and where.
        #[source]
        reason: Mismatch,
    },
    /// The body is not the message's protobuf encoding.
    #[error("Failed to parse body into {message} protobuf")]
    Proto {
        /// Name of the expected message.
        message: &'static str,
        /// What is wrong with the bytes.
        #[source]
        source: Malformed,
    },
}

/// JSON of another shape than the message's. Paths are those of the JSON document, as in `accept.operations[0].type`; the texts
/// name the field alone, as Mesos's do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// The document is not an object.
    #[error("Expecting a JSON object")]
    NotAnObject,
    /// A field holds the wrong type.
    #[error("Not expecting a JSON {found} for field '{}'", name(path))]
    Type {
        /// The JSON type found.
        found: &'static str,
        /// The field.
        path: String,
    },
    /// A number does not fit its field.
    #[error("Failed to convert '{number}' to the type of field '{}'", name(path))]
    Number {
        /// The number as written, shortened.
        number: String,
        /// The field.
        path: String,
    },
    /// A bytes field is not standard base64.
    #[error("Failed to base64 decode bytes field '{}': {reason}", name(path))]
    Base64 {
        /// The field.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A required enum field holds a name that the enum does not have.
    #[error("Failed to find enum for '{name}'")]
    Enum {
        /// The name found, shortened.
        name: String,
    },
    /// The document exceeds a limit.
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// Required fields are absent (the first of them, when there are very many).
    #[error("Missing required fields: {}", .paths.join(", "))]
    Missing {
        /// The fields.
        paths: Vec<String>,
    },
}

/// The field that a path leads to: `operations` for `accept.operations[0]`.
fn name(path: &str) -> &str {
    let last = path.rsplit('.').next().unwrap_or(path);
    last.split('[').next().unwrap_or(last)
}

/// What is wrong with protobuf bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The input ends inside a field.
    #[error("the input ends inside a field")]
    Truncated,
    /// A varint has more than ten bytes or does not fit 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// A key names field 0, or a field number beyond 2^29.
    #[error("a field number is out of range")]
    Tag,
    /// A key names a wire type that no version 2 message of ours uses (groups, or an unassigned one).
    #[error("wire type {0} is not supported")]
    WireType(u8),
    /// The document exceeds a limit.
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// A required field is absent.
    #[error("required field {message}.{field} is missing")]
    Missing {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
}
