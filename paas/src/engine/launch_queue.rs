//! Who waits for offers, since when, and why offers were no use: what `/v2/queue` shows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_api::v1::Offer;

use super::Misfit;
use crate::model::{RunSpec, RunSpecId};
use crate::placement::{RejectReason, Rejections};

/// So many unused offers are kept per run spec.
pub const UNUSED_OFFERS_MAX: usize = 5;

/// One run spec that waits for offers.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueItem {
    /// Who.
    pub run_spec: Arc<RunSpec>,
    /// How many instances are waiting.
    pub count: u32,
    /// Since when.
    pub since: Timestamp,
    /// From when and until when failures hold it back; none: it waits for offers only (`overdue`).
    pub delayed: Option<(Timestamp, Timestamp)>,
    /// What became of the offers since then.
    pub offers: OfferSummary,
}

/// What became of the offers that a waiting run spec has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferSummary {
    /// All of them.
    pub processed: u64,
    /// Those that were no use.
    pub unused: u64,
    /// When the latest one was no use.
    pub last_unused_at: Option<Timestamp>,
    /// When the latest one was used.
    pub last_used_at: Option<Timestamp>,
    /// The funnel of the latest offer of each agent in the last batch (`rejectSummaryLastOffers`).
    pub last_offers: Rejections,
    /// The funnel since it began to wait (`rejectSummaryLaunchAttempt`).
    pub launch_attempt: Rejections,
    /// The latest unused offers, oldest first; at most [`UNUSED_OFFERS_MAX`].
    pub last_unused: VecDeque<UnusedOffer>,
    /// Since when every round of offers has had one refused for this reason.
    pub refused_since: BTreeMap<RejectReason, Timestamp>,
    /// Agents without room in the last round, the nearest fit first.
    pub nearest: Vec<Misfit>,
}

/// An offer that was no use.
#[derive(Clone, Debug, PartialEq)]
pub struct UnusedOffer {
    /// The offer.
    pub offer: Arc<Offer>,
    /// Everything that was wrong with it, in the order of the funnel.
    pub reasons: Vec<RejectReason>,
    /// When it came.
    pub at: Timestamp,
}

impl QueueItem {
    /// Whose item it is.
    #[must_use]
    pub fn id(&self) -> &RunSpecId {
        &self.run_spec.id
    }
}
