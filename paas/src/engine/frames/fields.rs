use attica_core_api::Timestamp;
use serde::Serialize;

use super::Frame;
use crate::access::Scope;
use crate::model::rfc3339;

/// The JSON object of a frame, written field by field in the order in which Marathon has them.
#[derive(Debug)]
pub(super) struct Fields(String);

impl Fields {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.value(name, &value)
    }

    pub(super) fn value<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => self.json(name, &json),
            Err(error) => {
                unreachable!("texts, numbers and lists of them can be written as JSON: {error}")
            }
        }
    }

    /// A value that is JSON already, on one line.
    pub(super) fn json(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
        self
    }

    /// The object alone.
    pub(super) fn object(mut self) -> String {
        self.0.push('}');
        self.0
    }

    pub(super) fn frame(self, event_type: &'static str, at: Timestamp) -> Frame {
        let data = self.text("eventType", event_type).text("timestamp", &rfc3339(at)).object();
        Frame { event_type, data, scope: Scope::Everybody }
    }
}
