use attica_core_api::Timestamp;
use attica_core_api::v1::{Attribute, Offer, Ranges, Resource};
use attica_paas_api::Number;
use attica_paas_api::queue::{
    OfferAttribute, OfferRange, OfferResource, OfferView, OffersSummary, QueueCondition, QueueDelay,
    QueueItem as ReadItem, RejectRow as ReadRow, UnusedOffer as ReadUnused,
};

use super::forecast::misfit;
use super::{app, pod};
use crate::engine::{OfferSummary, QueueItem, UnusedOffer};
use crate::model::{Shape, rfc3339};
use crate::placement::{RejectRow, Rejections};

/// What is shown of a waiting run spec beside what Marathon always shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueParts {
    /// The offers last refused.
    pub unused_offers: bool,
    /// What keeps it waiting.
    pub conditions: bool,
    /// The agents that come nearest to having room.
    pub nearest_fits: bool,
}

/// A waiting run spec as clients read it at `now`.
#[must_use]
pub fn queue_item(item: &QueueItem, parts: QueueParts, now: Timestamp) -> ReadItem {
    let left_ms = item.delayed.map_or(0, |(_, until)| until.0.saturating_sub(now.0)).max(0).unsigned_abs();
    ReadItem {
        count: item.count,
        role: item.run_spec.role.clone(),
        since: rfc3339(item.since),
        app: (item.run_spec.shape() == Shape::App).then(|| app(&item.run_spec)),
        pod: pod(&item.run_spec),
        delay: QueueDelay { time_left_seconds: left_ms.div_ceil(1000), overdue: left_ms == 0 },
        processed_offers_summary: summary(&item.offers),
        last_unused_offers: parts.unused_offers.then(|| item.offers.last_unused.iter().map(unused_offer).collect()),
        conditions: parts.conditions.then(|| conditions(item, now)),
        nearest_fits: parts.nearest_fits.then(|| item.offers.nearest.iter().map(misfit).collect()),
    }
}

fn conditions(item: &QueueItem, now: Timestamp) -> Vec<QueueCondition> {
    let condition = |reason: &str, since| QueueCondition { reason: reason.to_owned(), since: rfc3339(since) };
    if let Some((since, _)) = item.delayed.filter(|(_, until)| *until > now) {
        return vec![condition("BackedOff", since)];
    }
    if item.offers.processed == 0 {
        return vec![condition("NoOffers", item.since)];
    }
    item.offers.refused_since.iter().map(|(reason, since)| condition(reason.as_str(), *since)).collect()
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
