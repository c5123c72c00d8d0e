//! What a task runs, and in which environment.

use super::Secret;
use crate::message::{enumeration, message};

enumeration! {
    /// Where the value of an environment variable comes from.
    pub enum VariableType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// It is in `value`.
        Value "VALUE" = 1,
        /// It is in `secret`.
        Secret "SECRET" = 2,
    }
}

message! {
    /// A file to be brought into the sandbox before the task starts.
    pub struct CommandUri {
        value: required String = 1,
        executable: optional bool = 2,
        extract: default bool = 3 (true),
        cache: optional bool = 4,
        output_file: optional String = 5,
    }
    /// What to run: a shell command (`shell`, `value`) or a program (`value`) with `arguments`, the first of which is its
    /// own name.
    pub struct CommandInfo {
        uris: repeated CommandUri = 1,
        environment: optional Environment = 2,
        shell: default bool = 6 (true),
        value: optional String = 3,
        arguments: repeated String = 7,
        user: optional String = 5,
    }
    /// An environment variable.
    pub struct Variable {
        name: required String = 1,
        r#type: default VariableType = 3 (VariableType::Value),
        value: optional String = 2,
        secret: optional Secret = 4,
    }
    /// Environment variables.
    pub struct Environment {
        variables: repeated Variable = 1,
    }
}
