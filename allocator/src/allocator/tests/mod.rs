mod fairness;
mod naive;
mod naive_quotas;
mod offers;
mod oracle;
mod policies;
mod quotas;
mod restrictions;

use super::*;
use crate::{
    Disk, Guarantee, Identity, Limits, Persistence, Ranges, Reservation, ReservationKind, Resource, Sharing, Volume,
    VolumeMode,
};

const NOW: Tick = Tick(1_000);

fn role(role: &str) -> Role {
    Role::new(role).unwrap()
}

fn capabilities(all: &[Capability]) -> Capabilities {
    all.iter().copied().collect()
}

fn reserved(roles: &[&str]) -> Identity {
    let level = |name: &&str| Reservation {
        role: role(name),
        kind: ReservationKind::Dynamic,
        principal: None,
        labels: Vec::new(),
    };
    Identity { reservations: roles.iter().map(level).collect(), ..Identity::default() }
}

fn revocable() -> Identity {
    Identity { guarantee: Guarantee::Revocable, ..Identity::default() }
}

fn shared() -> Identity {
    Identity { sharing: Sharing::Shared, ..Identity::default() }
}

/// A shared persistent volume of a role.
fn shared_volume(name: &str, megabytes: u32) -> Resource {
    let persistence = Some(Persistence { id: "v".into(), principal: None });
    let volume = Some(Volume { mode: VolumeMode::ReadWrite, container_path: "data".into(), host_path: None });
    let disk = Some(Disk { persistence, volume, source: None });
    scalar("disk", megabytes).with_identity(Identity { disk, sharing: Sharing::Shared, ..reserved(&[name]) })
}

fn quantities(all: &[(&str, u32)]) -> Quantities {
    all.iter().fold(Quantities::default(), |sum, (name, units)| sum.with(*name, Scalar::units(*units)))
}

fn limits(all: &[(&str, u32)]) -> Limits {
    all.iter().fold(Limits::default(), |sum, (name, units)| sum.with(*name, Scalar::units(*units)))
}

fn scalar(name: &str, units: u32) -> Resource {
    Resource::scalar(name, Scalar::units(units))
}

fn ports(begin: u64, end: u64) -> Resource {
    Resource::ranges("ports", Ranges::new([(begin, end)]).unwrap())
}

fn bag(resources: impl IntoIterator<Item = Resource>) -> Resources {
    resources.into_iter().collect()
}

/// A machine of `cpus` processors and 1024 MB for each of them.
fn machine(cpus: u32) -> Resources {
    bag([scalar("cpus", cpus), scalar("mem", cpus * 1024), ports(31000, 31009)])
}

fn allocate(allocator: &mut Allocator, now: Tick) -> Vec<Offer> {
    let mut offers = Vec::new();
    allocator.allocate(now, &mut offers);
    allocator.assert_consistent();
    offers
}

/// What was offered to whom where, in order.
fn summary(offers: &[Offer]) -> Vec<(u32, u32, String)> {
    offers.iter().map(|offer| (offer.agent.0, offer.framework.0, offer.resources.to_string())).collect()
}

/// To whom each offer went.
fn takers(offers: &[Offer]) -> Vec<u32> {
    offers.iter().map(|offer| offer.framework.0).collect()
}

fn decline_all(allocator: &mut Allocator, now: Tick, offers: &[Offer], refuse_ms: u64) {
    for offer in offers {
        let offer = allocator.take(offer.key).unwrap();
        allocator.decline(now, &offer, &offer.resources, refuse_ms);
    }
}
