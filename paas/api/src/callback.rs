//! URLs that events are posted to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /v2/eventSubscriptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallbackList {
    /// Where events are posted to.
    pub callback_urls: Vec<String>,
    /// How each of them keeps up, in the same order.
    pub callbacks: Vec<CallbackStanding>,
}

/// How one who has events posted to it keeps up, as far as the leader has seen it since it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallbackStanding {
    /// Where events are posted to.
    pub url: String,
    /// So many changes of what is stored have come since it took everything; not each of them is an event. 0: it has taken everything.
    pub behind: i64,
    /// Since when the event that is being posted to it is not taken, RFC 3339 with milliseconds; absent: it has taken everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<String>,
    /// Why it did not take an event the last time that it did not; absent: it always did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<CallbackError>,
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallbackError {
    /// What went wrong.
    pub message: String,
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
}

/// Body of `POST /v2/eventSubscriptions`; it need not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackSettings {
    /// Signs what is posted: `Attica-Signature: sha256=` and the HMAC-SHA256 of the body, in hexadecimal digits. 16 to 256 visible ASCII
    /// characters; never shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Answer to a change of the list: the event that tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallbackChange {
    /// The client's address.
    pub client_ip: String,
    /// Where events are posted to from now on, or no longer.
    pub callback_url: String,
    /// `subscribe_event` or `unsubscribe_event`.
    pub event_type: String,
    /// RFC 3339 with milliseconds.
    pub timestamp: String,
}
