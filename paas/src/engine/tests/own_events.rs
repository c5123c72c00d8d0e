use std::collections::{BTreeMap, BTreeSet};

use attica_paas_api::event::OWN_EVENTS;
use serde_json::Value;

use super::super::*;
use super::world::{Behaviour, World, update};
use crate::events::EventFilter;
use crate::model::{DeploymentPolicy, OnFailure, RunSpecUpdate};

fn second(on_failure: OnFailure) -> RunSpecUpdate {
    let policy = DeploymentPolicy {
        progress_deadline_ms: Some(30_000),
        on_failure,
        minimum_healthy_ms: Some(0),
        ..DeploymentPolicy::default()
    };
    RunSpecUpdate { cmd: Some("serve two".into()), policy: Some(policy), ..RunSpecUpdate::default() }
}

/// A world in which each of our own events happens: with a reason and without one.
fn history() -> Vec<Frame> {
    let mut world = World::new(4);
    for app in ["/by-itself", "/by-hand", "/given-up"] {
        world.put(app, update(1));
    }
    world.behaviour = Behaviour::Stall;
    world.put("/by-itself", second(OnFailure::Pause));
    let by_hand = world.put("/by-hand", second(OnFailure::Pause));
    world.deployed(Write::Hold { id: by_hand, paused: true });
    world.put("/given-up", second(OnFailure::Continue));
    world.pass(31_000);
    // What was launched and never came up is launched anew meanwhile.
    world.behaviour = Behaviour::Run;
    world.pass(400_000);
    world.deployed(Write::Hold { id: by_hand, paused: false });
    // The old instance goes.
    world.pass(400_000);
    world.frames
}

#[test]
fn events_of_our_own_have_the_fields_that_are_described_and_go_to_those_alone_who_name_them() {
    let own: BTreeSet<&str> = OWN_EVENTS.iter().map(|event| event.name).collect();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let frames = history();
    let nothing_named = EventFilter::default();
    let marathon = frames.iter().map(|frame| frame.event_type).filter(|event_type| !own.contains(event_type));
    let all_of_marathon = EventFilter {
        event_types: marathon.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect(),
        ..EventFilter::default()
    };
    for frame in &frames {
        let Some(event) = OWN_EVENTS.iter().find(|event| event.name == frame.event_type) else {
            assert!(nothing_named.wants(frame.event_type), "{}", frame.event_type);
            continue;
        };
        let data: Value = serde_json::from_str(&frame.data).unwrap();
        let members: BTreeSet<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
        let always: BTreeSet<&str> = event.fields.iter().copied().chain(["eventType", "timestamp"]).collect();
        assert!(always.is_subset(&members), "{}", frame.data);
        assert!(members.difference(&always).all(|member| event.optional.contains(member)), "{}", frame.data);
        assert_eq!(data["eventType"], event.name);
        seen.entry(event.name).or_default().extend(members.into_iter().map(str::to_owned));

        assert!(!nothing_named.wants(event.name) && !all_of_marathon.wants(event.name), "{}", event.name);
        let named = EventFilter { event_types: vec![event.name.to_owned()], ..EventFilter::default() };
        assert!(named.wants(event.name));
    }
    let all: BTreeMap<&str, BTreeSet<String>> = OWN_EVENTS
        .iter()
        .map(|event| {
            let members = event.fields.iter().chain(event.optional).chain(&["eventType", "timestamp"]);
            (event.name, members.map(|member| (*member).to_owned()).collect())
        })
        .collect();
    assert_eq!(seen, all, "each happens, with each of its members");
}
