//! The launch queue: what waits to be started, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::deployment::Misfit;
use crate::number::Number;
use crate::pod::Pod;

/// Answer to `GET /v2/queue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// One item per app or pod with instances to start.
    pub queue: Vec<QueueItem>,
}

/// An app or pod with instances to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// How many are still to be started.
    pub count: u32,
    /// The role that pays for them.
    pub role: String,
    /// Since when, RFC 3339 with milliseconds.
    pub since: String,
    /// The app. Either this or `pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// Whether a failure delays the start.
    pub delay: QueueDelay,
    /// What was offered, and why it did not do.
    pub processed_offers_summary: OffersSummary,
    /// The offers last refused, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_unused_offers: Option<Vec<UnusedOffer>>,
    /// What keeps it waiting, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<QueueCondition>>,
    /// Agents without room in the last round of offers, the nearest fit first, at most ten, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_fits: Option<Vec<Misfit>>,
}

/// Something that keeps an app or pod waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueCondition {
    /// `BackedOff` after failures, `NoOffers` as long as none has come, or the reason for which every round of offers has had one
    /// refused, by the names of the funnel.
    pub reason: String,
    /// Since when, RFC 3339 with milliseconds.
    pub since: String,
}

impl QueueItem {
    /// The id of the app or pod.
    #[must_use]
    pub fn subject(&self) -> &str {
        let app = self.app.as_ref().map(|app| app.id.as_str());
        app.or(self.pod.as_ref().map(|pod| pod.id.as_str())).unwrap_or_default()
    }
}

/// Whether a failure delays the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDelay {
    /// Seconds until the next start is tried.
    pub time_left_seconds: u64,
    /// True: the start waits for an offer that does. False: it waits out the delay.
    pub overdue: bool,
}

/// What was offered, and why it did not do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OffersSummary {
    /// Offers looked at.
    pub processed_offers_count: u64,
    /// Of those, the ones that did not do.
    pub unused_offers_count: u64,
    /// When an offer last did not do, RFC 3339 with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_unused_offer_at: Option<String>,
    /// When an offer last did, RFC 3339 with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_offer_at: Option<String>,
    /// The reasons for the offer last seen of each agent.
    pub reject_summary_last_offers: Vec<RejectRow>,
    /// The reasons since the app began to wait.
    pub reject_summary_launch_attempt: Vec<RejectRow>,
}

/// One row of the funnel: of `processed` offers that passed the rows above, `declined` failed here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectRow {
    /// The reason's name.
    pub reason: String,
    /// Offers refused for it.
    pub declined: u64,
    /// Offers that came as far as this row.
    pub processed: u64,
}

/// An offer that did not do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnusedOffer {
    /// The offer.
    pub offer: OfferView,
    /// Names of the reasons.
    pub reason: Vec<String>,
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
}

/// An offer as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferView {
    /// The offer's id.
    pub id: String,
    /// The agent's machine.
    pub hostname: String,
    /// The agent.
    pub agent_id: String,
    /// What it holds.
    pub resources: Vec<OfferResource>,
    /// The agent's attributes.
    pub attributes: Vec<OfferAttribute>,
}

/// A resource of an offer; one of the three values is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferResource {
    /// `cpus`, `mem`, …
    pub name: String,
    /// The role that it is reserved for; `*`: none.
    pub role: String,
    /// An amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalar: Option<Number>,
    /// Inclusive ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<Vec<OfferRange>>,
    /// Items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
}

/// An attribute of an agent; one of the four values is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferAttribute {
    /// Its name.
    pub name: String,
    /// A text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalar: Option<Number>,
    /// Inclusive ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<Vec<OfferRange>>,
    /// Items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
}

/// An inclusive range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferRange {
    /// First.
    pub begin: u64,
    /// Last.
    pub end: u64,
}
