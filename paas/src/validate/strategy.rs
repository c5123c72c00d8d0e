//! How versions are replaced, and what happens to instances out of contact.

use std::collections::BTreeMap;

use attica_paas_api::Number;
use attica_paas_api::app::{
    KillSelection as WrittenKillSelection, UnreachableStrategy, UpgradeStrategy as WrittenUpgrade,
};

use super::merged::{SINGLE_INSTANCE, is_single_instance};
use super::{Faults, numbers};
use crate::model::{KillSelection, Unreachable, Upgrade};

/// The strategy to go by: for an app that is marked as having one instance only, the one that never runs two.
pub(super) fn written(
    strategy: Option<WrittenUpgrade>,
    labels: Option<&BTreeMap<String, String>>,
) -> Option<WrittenUpgrade> {
    let marked = is_single_instance(labels.and_then(|labels| labels.get(SINGLE_INSTANCE)));
    let one_at_a_time = WrittenUpgrade { minimum_health_capacity: Number(0.0), maximum_over_capacity: Number(0.0) };
    strategy.or_else(|| marked.then_some(one_at_a_time))
}

pub(super) fn upgrade(path: &str, written: Option<WrittenUpgrade>, faults: &mut Faults) -> Option<Upgrade> {
    let written = written?;
    let mut share = |name: &str, value: Number| numbers::share(&format!("{path}/{name}"), value, faults);
    let minimum = share("minimumHealthCapacity", written.minimum_health_capacity);
    let maximum = share("maximumOverCapacity", written.maximum_over_capacity);
    Some(Upgrade { minimum_health_capacity: minimum?, maximum_over_capacity: maximum? })
}

pub(super) fn unreachable(
    path: &str,
    written: Option<UnreachableStrategy>,
    faults: &mut Faults,
) -> Option<Unreachable> {
    let delays = match written? {
        UnreachableStrategy::Disabled => return Some(Unreachable::Disabled),
        UnreachableStrategy::After(delays) => delays,
    };
    let mut seconds = |name: &str, value: i64| numbers::seconds(&format!("{path}/{name}"), Some(value), faults);
    let inactive = seconds("inactiveAfterSeconds", delays.inactive_after_seconds);
    let expunge = seconds("expungeAfterSeconds", delays.expunge_after_seconds);
    let (inactive_ms, expunge_ms) = (inactive?, expunge?);
    if expunge_ms < inactive_ms {
        faults.add(path, "expungeAfterSeconds must not be less than inactiveAfterSeconds");
    }
    Some(Unreachable::After { inactive_ms, expunge_ms })
}

pub(super) fn kill_selection(written: Option<WrittenKillSelection>) -> Option<KillSelection> {
    Some(match written? {
        WrittenKillSelection::YoungestFirst => KillSelection::YoungestFirst,
        WrittenKillSelection::OldestFirst => KillSelection::OldestFirst,
    })
}
