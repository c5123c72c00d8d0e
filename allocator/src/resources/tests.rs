use proptest::prelude::*;

use super::*;
use crate::{
    Disk, DiskKind, DiskSource, Guarantee, Identity, Label, Persistence, Reservation, ReservationKind, Set, Sharing,
};

fn cpus(thousandths: i64) -> Resource {
    Resource::scalar("cpus", Scalar::from_thousandths(thousandths).unwrap())
}

fn ports(begin: u64, end: u64) -> Resource {
    Resource::ranges("ports", Ranges::new([(begin, end)]).unwrap())
}

fn bag(resources: impl IntoIterator<Item = Resource>) -> Resources {
    resources.into_iter().collect()
}

fn reserved_for(role: &str) -> Reservation {
    let role = Role::new(role).unwrap();
    Reservation { role, kind: ReservationKind::Dynamic, principal: None, labels: Vec::new() }
}

fn reserved(role: &str) -> Identity {
    Identity { reservations: vec![reserved_for(role)], ..Identity::default() }
}

fn volume(id: &str) -> Identity {
    let persistence = Some(Persistence { id: id.into(), principal: None });
    Identity { disk: Some(Disk { persistence, ..Disk::default() }), ..reserved("a") }
}

fn mount(root: &str) -> Identity {
    let kind = DiskKind::Mount { root: Some(root.into()) };
    let source = DiskSource { kind, vendor: None, id: None, metadata: Vec::new(), profile: None };
    Identity { disk: Some(Disk { source: Some(source), ..Disk::default() }), ..Identity::default() }
}

fn disk(size: u32, identity: Identity) -> Resource {
    Resource::scalar("disk", Scalar::units(size)).with_identity(identity)
}

#[test]
fn what_is_the_same_adds_up_and_nothing_is_left_out() {
    let sum = bag([cpus(1500), ports(5, 9), cpus(250), ports(1, 4), cpus(0)]);
    assert_eq!(sum.to_string(), "cpus:1.75;ports:[1-9]");
    assert_eq!((sum.cpus(), sum.ports().count()), (Scalar::from_thousandths(1750).unwrap(), 9));
    assert!(bag([cpus(0), Resource::set("racks", Set::default())]).is_empty());
}

#[test]
fn identities_keep_resources_apart() {
    let labelled = Reservation { labels: vec![Label { key: "k".into(), value: None }], ..reserved_for("a") };
    let principal = Reservation { principal: Some("ops".into()), ..reserved_for("a") };
    let fixed = Reservation { kind: ReservationKind::Static, ..reserved_for("a") };
    let identities = [
        Identity::default(),
        reserved("a"),
        reserved("b"),
        Identity { reservations: vec![labelled], ..Identity::default() },
        Identity { reservations: vec![principal], ..Identity::default() },
        Identity { reservations: vec![fixed], ..Identity::default() },
        Identity { reservations: vec![reserved_for("a"), reserved_for("a/b")], ..Identity::default() },
        Identity { guarantee: Guarantee::Revocable, ..Identity::default() },
        Identity { sharing: Sharing::Shared, ..Identity::default() },
        Identity { provider: Some("plug-in".into()), ..Identity::default() },
        volume("v1"),
        volume("v2"),
        mount("/mnt/a"),
        mount("/mnt/b"),
    ];
    let bags: Vec<Resources> = identities.iter().map(|identity| bag([disk(10, identity.clone())])).collect();
    let all = bags.iter().fold(Resources::new(), |sum, one| sum.plus(one));
    assert_eq!(all.iter().count(), identities.len());
    for (index, one) in bags.iter().enumerate() {
        assert!(all.contains(one));
        assert_eq!(all.checked_minus(one).unwrap().plus(one), all);
        for other in &bags[index + 1..] {
            assert!(!one.contains(other) && one.checked_minus(other).is_none(), "{one} is not {other}");
        }
    }
    assert_eq!(all.disk(), Scalar::units(140));
    assert_eq!(all.unreserved().iter().count(), 6);
    assert_eq!(all.reserved_for(&Role::new("a").unwrap()).iter().count(), 6);
    assert_eq!(all.reserved_for(&Role::new("a/b").unwrap()).iter().count(), 1);
}

#[test]
fn volumes_and_mounts_are_given_out_whole() {
    for identity in [volume("v"), mount("/mnt/a")] {
        let whole = bag([disk(10, identity.clone())]);
        let part = bag([disk(4, identity)]);
        assert!(!whole.contains(&part) && whole.checked_minus(&part).is_none());
        let two = whole.plus(&part);
        assert_eq!(two.iter().count(), 2);
        assert_eq!(two, part.plus(&whole));
        assert_eq!(two.checked_minus(&part), Some(whole.clone()));
        assert!(!two.contains(&whole.plus(&whole)));
    }
}

#[test]
fn resources_of_one_name_but_different_kinds_do_not_meet() {
    let quantity = bag([Resource::scalar("x", Scalar::units(5))]);
    let numbers = bag([Resource::ranges("x", Ranges::new([(1, 5)]).unwrap())]);
    let both = quantity.plus(&numbers);
    assert!(!quantity.contains(&numbers) && both.contains(&quantity) && both.contains(&numbers));
    assert_eq!(both.checked_minus(&quantity), Some(numbers));
}

#[test]
fn quantities_are_sums_of_scalars_by_name() {
    let sum = bag([
        cpus(500),
        cpus(250).with_identity(reserved("a")),
        ports(1, 9),
        Resource::scalar("slots", Scalar::units(3)),
    ]);
    assert_eq!(sum.quantities().to_string(), "cpus:0.75;slots:3");
    let less = Quantities::default().with("slots", Scalar::units(2));
    assert!(sum.quantities().contains(&less) && !less.contains(&sum.quantities()));
}

/// A few resources among which additions, collisions and whole pieces happen often.
fn resource() -> impl Strategy<Value = Resource> {
    let value = prop_oneof![
        (0_i64..5000).prop_map(cpus),
        (0_u64..40, 0_u64..6).prop_map(|(begin, length)| ports(begin, begin + length)),
        proptest::collection::btree_set("[a-e]", 0..4)
            .prop_map(|items| Resource::set("racks", Set::new(items.iter().map(String::as_str)))),
        (0_u32..4).prop_map(|size| Resource::scalar("disk", Scalar::units(size))),
    ];
    let identity = prop_oneof![
        4 => Just(Identity::default()),
        2 => Just(reserved("a")),
        1 => Just(volume("v")),
        1 => Just(mount("/m")),
    ];
    (value, identity).prop_map(|(value, identity)| value.with_identity(identity))
}

fn resources() -> impl Strategy<Value = Resources> {
    proptest::collection::vec(resource(), 0..8).prop_map(bag)
}

proptest! {
    #[test]
    fn bags_follow_the_laws(a in resources(), b in resources(), c in resources()) {
        prop_assert_eq!(a.plus(&b), b.plus(&a));
        prop_assert_eq!(a.plus(&b).plus(&c), a.plus(&b.plus(&c)));
        prop_assert!(a.plus(&b).contains(&b));
        prop_assert_eq!(a.contains(&b), a.checked_minus(&b).is_some());
        if let Some(rest) = a.checked_minus(&b) {
            prop_assert_eq!(rest.plus(&b), a.clone());
            prop_assert!(a.contains(&rest));
            // Of other identities the rest may hold the same items: nothing was taken there.
            let alike = |left: &Resource, taken: &Resource| left.name() == taken.name() && left.identity() == taken.identity();
            let met = rest.iter().any(|left| b.iter().any(|taken| alike(left, taken) && !left.value().is_disjoint(taken.value())));
            prop_assert!(!met, "{} is left of {} without {}", rest, a, b);
        }
        if a.is_disjoint(&b) {
            prop_assert_eq!(a.plus(&b).checked_minus(&b), Some(a.clone()));
        }
        prop_assert!(a.contains(&Resources::new()) && a.contains(&a));
        prop_assert_eq!(a.checked_minus(&a), Some(Resources::new()));
        let mut sum = a.quantities();
        sum.add(&b.quantities());
        prop_assert_eq!(sum, a.plus(&b).quantities());
    }
}
