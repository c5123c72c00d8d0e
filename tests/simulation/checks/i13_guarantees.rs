//! I13: no role below its guarantee while another one is above its own and an offer would fit. What would fit is what the other was
//! offered: whoever gets more than it was promised may only get what nobody else's promise needs.

use std::collections::BTreeMap;

use attica_allocator::{Allocator, Guarantee, Name, Offer, OfferKey, Resource, Resources, Role};
use attica_core_api::operator::QuotaConfig;

/// The quotas that operators set, by role.
pub(crate) type Quotas = BTreeMap<String, QuotaConfig>;

const NAMES: [Name; 2] = [Name::Cpus, Name::Mem];

/// The offer that will be made next, if any is.
pub(crate) fn next_offer(allocator: &Allocator) -> OfferKey {
    allocator.outstanding().map(|offer| OfferKey(offer.key.0 + 1)).max().unwrap_or(OfferKey(0))
}

/// Amounts are whole thousandths; their sums are not quite, in floating point.
const ROUNDING: f64 = 0.000_5;

/// Looks at the offers since `first`, right after they were made.
pub(crate) fn offered(allocator: &Allocator, quotas: &Quotas, first: OfferKey) -> Result<(), String> {
    let lacks = |role: &String, quota: &QuotaConfig, name: &Name| {
        let promised = quota.guarantees.get(name.as_str()).map_or(0.0, |promised| promised.value);
        promised - has(allocator, &Role::new(role).expect("a role"), name)
    };
    for name in NAMES {
        let needed: f64 = quotas.iter().map(|(role, quota)| lacks(role, quota, &name).max(0.0)).sum();
        let free: f64 = allocator.active_agents().map(|agent| counted(allocator.free(agent), &name)).sum();
        if needed <= free + ROUNDING {
            continue;
        }
        let beyond = |offer: &Offer| {
            let quota = quotas.get_key_value(offer.role.as_str());
            let above = quota.is_none_or(|(role, quota)| lacks(role, quota, &name) < -ROUNDING);
            offer.key >= first && above && counted(&offer.resources, &name) > 0.0
        };
        if let Some(offer) = allocator.outstanding().find(beyond) {
            let (role, resources) = (&offer.role, &offer.resources);
            return Err(format!(
                "I13: {role} is offered {resources}, but of {name} {needed} are promised and {free} free"
            ));
        }
    }
    Ok(())
}

/// What a role uses and is offered of what is nobody's in particular, and what is reserved for it.
fn has(allocator: &Allocator, role: &Role, name: &Name) -> f64 {
    let offers = allocator.outstanding().filter(|offer| offer.role.is_within(role));
    allocator.consumed(role).get(name).to_f64() + offers.map(|offer| counted(&offer.resources, name)).sum::<f64>()
}

fn counted(resources: &Resources, name: &Name) -> f64 {
    let plain = |one: &Resource| one.reserved_role().is_none() && one.guarantee() == Guarantee::Firm;
    resources.filter(plain).scalar(name).to_f64()
}
