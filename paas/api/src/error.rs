//! The body of every refusal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::DeploymentReference;

/// Always a `message`; the rest where it helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What was wrong.
    pub message: String,
    /// Where, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// The deployments in the way of a write that was refused with 409.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Vec<DeploymentReference>>,
}

impl ErrorBody {
    /// A message alone.
    #[must_use]
    pub fn message(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: None, deployments: None }
    }

    /// A message with the faults found, or with none.
    #[must_use]
    pub fn faults(message: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self { message: message.into(), details: Some(Details::Faults(faults)), deployments: None }
    }
}

/// A parser's own words, or the faults found in a document that parses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Details {
    /// What the parser said.
    Text(String),
    /// What was wrong with the document, by place.
    Faults(Vec<Fault>),
}

/// What is wrong at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Slash separated, indexes in round brackets: `/healthChecks(1)/portIndex`; `/` for the whole document.
    pub path: String,
    /// One sentence each.
    pub errors: Vec<String>,
}

/// Answer where there is nothing but a sentence to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The sentence.
    pub message: String,
}
