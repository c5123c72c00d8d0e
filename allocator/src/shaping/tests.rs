use super::*;
use crate::{Persistence, Role, Scalar, Volume, VolumeMode};

fn role(name: &str) -> Role {
    Role::new(name).expect("a role")
}

fn reservation(name: &str, kind: ReservationKind) -> Reservation {
    Reservation { role: role(name), kind, principal: None, labels: Vec::new() }
}

fn dynamic(name: &str) -> Reservation {
    reservation(name, ReservationKind::Dynamic)
}

fn disk(mb: u32) -> Resource {
    Resource::scalar("disk", Scalar::units(mb))
}

fn volume(space: &Resource, id: &str) -> Resource {
    let volume = Volume { mode: VolumeMode::ReadWrite, container_path: "data".into(), host_path: None };
    let persistence = Persistence { id: id.into(), principal: None };
    space.changed(|identity| {
        identity.disk = Some(Disk { persistence: Some(persistence), volume: Some(volume), source: None });
    })
}

fn bag<const N: usize>(resources: [Resource; N]) -> Resources {
    resources.into_iter().collect()
}

#[test]
fn an_agent_has_what_it_declared_with_every_change_applied() {
    let fixed = disk(50).with_reservation(reservation("a", ReservationKind::Static));
    let declared = bag([disk(100), fixed.clone()]);
    let reserved = disk(30).with_reservation(dynamic("a"));
    let refined = fixed.with_value(disk(20).value().clone()).with_reservation(dynamic("a/b"));
    let data = volume(&disk(10).with_reservation(dynamic("a")), "data");
    let on_fixed = volume(&fixed.with_value(disk(5).value().clone()), "fixed");
    let shaped = bag([reserved.clone(), refined.clone(), data.clone(), on_fixed.clone()]);
    let total = declared.reshaped(&shaped).expect("it holds them");
    let rest = fixed.with_value(disk(25).value().clone());
    assert_eq!(total, bag([disk(60), rest, reserved, refined, data, on_fixed]));
    assert_eq!(total.shaped(), shaped);
    assert_eq!(bag([disk(39), fixed]).reshaped(&shaped), None, "the declaration has shrunk");
}

#[test]
fn a_volume_leaves_its_space_behind_as_it_was() {
    let space = disk(10).with_reservation(dynamic("a"));
    let data = volume(&space, "data");
    assert!(data.is_shaped() && data.is_persistent_volume() && !space.is_persistent_volume());
    assert_eq!(data.without_volume(), space);
    assert_eq!(space.without_finest_reservation(), disk(10));
    let create = Conversion { consumed: bag([space.clone()]), produced: bag([data.clone()]) };
    assert_eq!(bag([space.clone(), disk(3)]).converted(&create), Some(bag([data, disk(3)])));
    assert_eq!(bag([disk(30)]).converted(&create), None);
}

#[test]
fn what_can_be_shared_is_told_apart() {
    let shared =
        volume(&disk(10).with_reservation(dynamic("a")), "s").changed(|identity| identity.sharing = Sharing::Shared);
    let all = bag([disk(1), shared.clone()]);
    assert_eq!((all.exclusive(), all.shared()), (bag([disk(1)]), bag([shared])));
}
