//! Row a8: reservations come and go on an agent that has very many of them.

use std::time::Instant;

use attica_allocator::{
    Allocator, Capabilities, Conversion, Identity, Label, Reservation, ReservationKind, Resource, Resources, Role,
    Scalar, Tick,
};

use crate::report::Figure;
use crate::{figure, median_of_runs, milliseconds, patient, role};

const RESERVATIONS: u32 = 6_400;
const ROUNDS: u32 = 20;

fn reserved(role: &Role, label: u32) -> Resource {
    let labels = vec![Label { key: "reservation".into(), value: Some(label.to_string().into()) }];
    let reservation = Reservation { role: role.clone(), kind: ReservationKind::Dynamic, principal: None, labels };
    let identity = Identity { reservations: vec![reservation], ..Identity::default() };
    Resource::scalar("cpus", Scalar::units(1)).with_identity(identity)
}

/// Each time something is reserved and unreserved again, with a cycle after both.
pub(crate) fn a8() -> Vec<Figure> {
    let [took] = median_of_runs(|| {
        let owner = role("owner");
        let mut allocator = Allocator::new(patient());
        let framework = allocator.add_framework([owner.clone()], Capabilities::default());
        allocator.suppress(framework, &owner);
        let plain = Resource::scalar("cpus", Scalar::units(ROUNDS));
        let total = (0..RESERVATIONS).map(|label| reserved(&owner, label)).chain([plain]).collect();
        let agent = allocator.add_agent(total);
        let mut offers = Vec::new();
        allocator.allocate(Tick(0), &mut offers);
        let started = Instant::now();
        for round in 0..ROUNDS {
            let consumed: Resources = [Resource::scalar("cpus", Scalar::units(1))].into_iter().collect();
            let produced: Resources = [reserved(&owner, RESERVATIONS + round)].into_iter().collect();
            let reserve = Conversion { consumed: consumed.clone(), produced: produced.clone() };
            let unreserve = Conversion { consumed: produced, produced: consumed };
            for conversion in [reserve, unreserve] {
                allocator.convert(agent, &conversion).expect("it is free");
                allocator.allocate(Tick(0), &mut offers);
            }
        }
        assert!(offers.is_empty(), "nobody wants any");
        [milliseconds(started.elapsed())]
    });
    vec![figure("a8.reserve_and_unreserve", took, "ms", Some(20.0))]
}
