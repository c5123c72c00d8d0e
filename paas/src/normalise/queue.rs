use attica_core_api::Timestamp;
use attica_core_api::v1::{Attribute, Offer, Ranges, Resource};
use attica_paas_api::Number;
use attica_paas_api::queue::{
    OfferAttribute, OfferRange, OfferResource, OfferView, OffersSummary, QueueDelay, QueueItem as ReadItem,
    RejectRow as ReadRow, UnusedOffer as ReadUnused,
};

use super::{app, pod};
use crate::engine::{OfferSummary, QueueItem, UnusedOffer};
use crate::model::{Shape, rfc3339};
use crate::placement::{RejectRow, Rejections};

/// Whether the offers last refused are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusedOffers {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// A waiting run spec as clients read it at `now`.
#[must_use]
pub fn queue_item(item: &QueueItem, unused: UnusedOffers, now: Timestamp) -> ReadItem {
    let left_ms = item.delayed_until.map_or(0, |until| until.0.saturating_sub(now.0)).max(0).unsigned_abs();
    ReadItem {
        count: item.count,
        role: item.run_spec.role.clone(),
        since: rfc3339(item.since),
        app: (item.run_spec.shape() == Shape::App).then(|| app(&item.run_spec)),
        pod: pod(&item.run_spec),
        delay: QueueDelay { time_left_seconds: left_ms.div_ceil(1000), overdue: left_ms == 0 },
        processed_offers_summary: summary(&item.offers),
        last_unused_offers: match unused {
            UnusedOffers::Shown => Some(item.offers.last_unused.iter().map(unused_offer).collect()),
            UnusedOffers::Hidden => None,
        },
    }
}

fn summary(offers: &OfferSummary) -> OffersSummary {
    OffersSummary {
        processed_offers_count: offers.processed,
        unused_offers_count: offers.unused,
        last_unused_offer_at: offers.last_unused_at.map(rfc3339),
        last_used_offer_at: offers.last_used_at.map(rfc3339),
        reject_summary_last_offers: rows(&offers.last_offers),
        reject_summary_launch_attempt: rows(&offers.launch_attempt),
    }
}

fn rows(rejections: &Rejections) -> Vec<ReadRow> {
    let row = |row: RejectRow| ReadRow {
        reason: row.reason.as_str().to_owned(),
        declined: row.declined,
        processed: row.processed,
    };
    rejections.rows().into_iter().map(row).collect()
}

fn unused_offer(unused: &UnusedOffer) -> ReadUnused {
    ReadUnused {
        offer: offer(&unused.offer),
        reason: unused.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
        timestamp: rfc3339(unused.at),
    }
}

fn offer(offer: &Offer) -> OfferView {
    OfferView {
        id: offer.id.to_string(),
        hostname: offer.hostname.clone(),
        agent_id: offer.agent_id.to_string(),
        resources: offer.resources.iter().map(resource).collect(),
        attributes: offer.attributes.iter().map(attribute).collect(),
    }
}

fn resource(resource: &Resource) -> OfferResource {
    let reserved_for = resource.reservations.last().and_then(|reservation| reservation.role.clone());
    OfferResource {
        name: resource.name.clone(),
        role: reserved_for.or_else(|| resource.role.clone()).unwrap_or_else(|| "*".to_owned()),
        scalar: resource.scalar.as_ref().map(|scalar| Number(scalar.value)),
        ranges: resource.ranges.as_ref().map(ranges),
        set: resource.set.as_ref().map(|set| set.item.clone()),
    }
}

fn attribute(attribute: &Attribute) -> OfferAttribute {
    OfferAttribute {
        name: attribute.name.clone(),
        text: attribute.text.as_ref().map(|text| text.value.clone()),
        scalar: attribute.scalar.as_ref().map(|scalar| Number(scalar.value)),
        ranges: attribute.ranges.as_ref().map(ranges),
        set: attribute.set.as_ref().map(|set| set.item.clone()),
    }
}

fn ranges(ranges: &Ranges) -> Vec<OfferRange> {
    ranges.range.iter().map(|range| OfferRange { begin: range.begin, end: range.end }).collect()
}
