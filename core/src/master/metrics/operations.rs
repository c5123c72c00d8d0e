//! Operations on resources: how many there were, and how they ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attica_core_api::v1::{OfferOperationType, OperationState};

use super::{Kind, Metric};

/// So many operations of a kind are, or have come, in a state.
pub(in crate::master) type OperationCounts = BTreeMap<(OfferOperationType, OperationState), u64>;

/// The kinds that have metrics: launches count as tasks.
const KINDS: [OfferOperationType; 8] = [
    OfferOperationType::Reserve,
    OfferOperationType::Unreserve,
    OfferOperationType::Create,
    OfferOperationType::Destroy,
    OfferOperationType::GrowVolume,
    OfferOperationType::ShrinkVolume,
    OfferOperationType::CreateDisk,
    OfferOperationType::DestroyDisk,
];

/// In these an operation is under way.
const UNDER_WAY: [OperationState; 3] =
    [OperationState::Pending, OperationState::Recovering, OperationState::Unreachable];

/// In these it is over.
const OVER: [OperationState; 5] = [
    OperationState::Finished,
    OperationState::Failed,
    OperationState::Error,
    OperationState::Dropped,
    OperationState::GoneByOperator,
];

/// What one leader has counted.
#[derive(Debug, Default)]
pub(super) struct OperationCounters(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    begun: BTreeMap<OfferOperationType, u64>,
    over: OperationCounts,
}

impl OperationCounters {
    /// One has begun.
    pub(super) fn begun(&self, kind: OfferOperationType) {
        *self.lock().begun.entry(kind).or_default() += 1;
    }

    /// One is over, or was refused.
    pub(super) fn over(&self, kind: OfferOperationType, state: OperationState) {
        *self.lock().over.entry((kind, state)).or_default() += 1;
    }

    /// Of each kind, and of all together.
    pub(super) fn metrics(&self, under_way: &OperationCounts, metrics: &mut Vec<Metric>) {
        let counted = self.lock();
        let mut totals: BTreeMap<&str, (Kind, u64)> = BTreeMap::new();
        for kind in KINDS {
            let began = counted.begun.get(&kind).copied().unwrap_or(0);
            let now = UNDER_WAY.map(|state| (name(state), Kind::Gauge, of(under_way, kind, state)));
            let over = OVER.map(|state| (name(state), Kind::Counter, of(&counted.over, kind, state)));
            for (state, moves, count) in [("total", Kind::Counter, began)].into_iter().chain(now).chain(over) {
                totals.entry(state).or_insert((moves, 0)).1 += count;
                let name = format!("master/operations/{}/{state}", kind.name().to_ascii_lowercase());
                metrics.push(Metric { name, kind: moves, value: count as f64 });
            }
        }
        for (state, (kind, count)) in totals {
            metrics.push(Metric { name: format!("master/operations/{state}"), kind, value: count as f64 });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(counts: &OperationCounts, kind: OfferOperationType, state: OperationState) -> u64 {
    counts.get(&(kind, state)).copied().unwrap_or(0)
}

/// The state in a metric's name.
fn name(state: OperationState) -> &'static str {
    match state {
        OperationState::Pending => "pending",
        OperationState::Recovering => "recovering",
        OperationState::Unreachable => "unreachable",
        OperationState::Finished => "finished",
        OperationState::Failed => "failed",
        OperationState::Error => "error",
        OperationState::Dropped => "dropped",
        OperationState::GoneByOperator => "gone_by_operator",
        OperationState::Unknown => "unknown",
        OperationState::Unsupported => "unsupported",
    }
}
