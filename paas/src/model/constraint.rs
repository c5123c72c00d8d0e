use std::fmt;

use serde::{Deserialize, Serialize};

/// Where instances may run, by a property of the agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Constraint {
    /// The property.
    pub field: FieldName,
    /// The rule for its values.
    pub operator: Operator,
}

/// A property of an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FieldName {
    /// The agent's host name: `hostname` or `@hostname`. The flag keeps how the user wrote it.
    Hostname {
        /// True for `@hostname`.
        at_sign: bool,
    },
    /// `@region`: the region of the agent's fault domain.
    Region,
    /// `@zone`: the zone of the agent's fault domain.
    Zone,
    /// An attribute of the agent.
    Attribute(String),
}

impl FieldName {
    /// Reads the first element of a constraint.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "hostname" => Self::Hostname { at_sign: false },
            "@hostname" => Self::Hostname { at_sign: true },
            "@region" => Self::Region,
            "@zone" => Self::Zone,
            attribute => Self::Attribute(attribute.to_owned()),
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hostname { at_sign: false } => "hostname",
            Self::Hostname { at_sign: true } => "@hostname",
            Self::Region => "@region",
            Self::Zone => "@zone",
            Self::Attribute(name) => name,
        })
    }
}

/// The rule of a constraint. An agent without the field satisfies only `Unlike`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// No two instances on the same value.
    Unique,
    /// All instances on the same value: the given one, or that of the first instance placed.
    Cluster(Option<String>),
    /// Instances spread over the values: over so many groups when a number is given (how Marathon 1.11 spreads), else evenly over
    /// all values seen (how it did up to 1.10).
    GroupBy(Option<u32>),
    /// At most so many instances on a value.
    MaxPer(u32),
    /// The value fully matches the regular expression.
    Like(String),
    /// The value does not match the regular expression, or is missing.
    Unlike(String),
    /// The value equals the text or number.
    Is(String),
}

impl Operator {
    /// The second element of a constraint.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unique => "UNIQUE",
            Self::Cluster(_) => "CLUSTER",
            Self::GroupBy(_) => "GROUP_BY",
            Self::MaxPer(_) => "MAX_PER",
            Self::Like(_) => "LIKE",
            Self::Unlike(_) => "UNLIKE",
            Self::Is(_) => "IS",
        }
    }

    /// The third element of a constraint, if it has one.
    #[must_use]
    pub fn value(&self) -> Option<String> {
        match self {
            Self::Unique => None,
            Self::Cluster(value) => value.clone(),
            Self::GroupBy(groups) => groups.map(|groups| groups.to_string()),
            Self::MaxPer(most) => Some(most.to_string()),
            Self::Like(value) | Self::Unlike(value) | Self::Is(value) => Some(value.clone()),
        }
    }
}
