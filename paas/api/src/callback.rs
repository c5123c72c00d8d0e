//! URLs that events are posted to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /v2/eventSubscriptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallbackList {
    /// Where events are posted to.
    pub callback_urls: Vec<String>,
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
