//! How a fact travels in the journal.

use attica_core_store::Fact as StoredFact;
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::engine::{Fact, Recorded};
use crate::normalise::json;

/// Goes up when the meaning of a stored field changes; facts of every earlier version stay readable.
const VERSION: i16 = 1;

#[derive(Serialize)]
struct Payload<'a> {
    /// Milliseconds since 1970.
    at: i64,
    fact: &'a Fact,
}

/// A frame beside its fact.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredFrame {
    /// The `event:` line.
    pub event_type: String,
    /// The `data:` line.
    pub data: String,
    /// The paths that it is about: who may view all of them may read it. None in frames of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Vec<String>>,
}

impl StoredFrame {
    /// Who may read it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match &self.about {
            None => Scope::Unknown,
            Some(paths) => Scope::of_all(paths.iter().map(String::as_str)),
        }
    }
}

fn about(scope: &Scope) -> Option<Vec<String>> {
    match scope {
        Scope::Unknown => None,
        Scope::Everybody => Some(Vec::new()),
        Scope::Paths(paths) => Some(paths.iter().map(ToString::to_string).collect()),
    }
}

impl StoredFact for Recorded {
    fn kind(&self) -> &'static str {
        self.fact.kind()
    }

    fn version(&self) -> i16 {
        VERSION
    }

    fn encode(&self) -> Vec<u8> {
        json(&Payload { at: self.at.0, fact: &self.fact }).into_bytes()
    }

    fn frames(&self) -> Option<Vec<u8>> {
        if self.frames.is_empty() {
            return None;
        }
        let frames = self.frames.iter().map(|frame| StoredFrame {
            event_type: frame.event_type.to_owned(),
            data: frame.data.clone(),
            about: about(&frame.scope),
        });
        Some(json(&frames.collect::<Vec<_>>()).into_bytes())
    }
}

/// Reads the frames of a journal entry.
///
/// # Errors
/// When another program wrote them.
pub fn decode_frames(stored: &[u8]) -> Result<Vec<StoredFrame>, serde_json::Error> {
    serde_json::from_slice(stored)
}
