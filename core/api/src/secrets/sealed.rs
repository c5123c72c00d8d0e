use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::v1::TaskId;

/// A value that only the key opens. It may be kept, sent and shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sealed(Vec<u8>);

/// What a value is sealed for. It opens for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To be kept under a path, as one of the versions that it has in the course of time.
    Keeping {
        /// The path.
        path: &'a str,
        /// The version.
        version: i64,
    },
    /// To be given to one task.
    Task(&'a TaskId),
}

/// Why a value cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// It is not as it was sealed, was sealed under another key, or for another purpose.
    #[error("it was sealed under another key, for something else, or is not as it was sealed")]
    Opening,
}

impl Sealed {
    /// As it was written down.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Sealed {
        Sealed(bytes)
    }

    /// As it is written down.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// None when it is no such text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Sealed> {
        STANDARD.decode(text).ok().map(Sealed)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({} bytes)", self.0.len())
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Sealed::from_text(&text).ok_or_else(|| de::Error::custom("expected base64"))
    }
}

impl Purpose<'_> {
    /// What is authenticated beside the value: no two purposes have the same.
    pub(super) fn told(&self) -> Vec<u8> {
        match self {
            Purpose::Keeping { path, version } => [b"keeping\0", &version.to_be_bytes()[..], path.as_bytes()].concat(),
            Purpose::Task(task) => [b"task\0", task.as_str().as_bytes()].concat(),
        }
    }
}
