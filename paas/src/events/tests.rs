use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_store::journal::Journal;
use attica_core_store::{Database, LeaderRole, Position};
use expect_test::expect;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::bus::Remembered;
use super::{Bus, Event, EventFilter, EventId, History, Memory, Start, Subscription};
use crate::access::Scope;
use crate::engine::{Fact, Frame, Recorded};

const TYPES: [&str; 3] = ["one", "two", "three"];

/// A fact with these events.
fn fact(event_types: &[usize]) -> Recorded {
    let frame = |index: &usize| Frame {
        event_type: TYPES[*index],
        data: format!("{{\"of\":{index}}}"),
        scope: Scope::Everybody,
    };
    let frames = event_types.iter().map(frame).collect();
    Recorded { at: Timestamp(0), fact: Fact::Disconnected, frames }
}

/// A past that is never asked for: nothing listens at its address.
fn no_history() -> History {
    let database: Database = "postgresql://nobody@127.0.0.1:1/nothing".parse().unwrap();
    History { journal: Journal::new(database.pool("test", 1), LeaderRole::Paas) }
}

fn subscribe(bus: &Arc<Bus>, event_types: &[&str], start: Start) -> Subscription {
    let filter =
        EventFilter { event_types: event_types.iter().map(ToString::to_string).collect(), ..EventFilter::default() };
    Subscription::new(Arc::clone(bus), no_history(), filter, start, bus.head())
}

/// All that is there for the subscriber at this moment.
fn pending(subscription: &mut Subscription) -> String {
    let mut text = String::new();
    while let Some(next) = subscription.next().now_or_never() {
        text += std::str::from_utf8(&next.unwrap().unwrap()).unwrap();
    }
    text
}

#[tokio::test]
async fn frames_are_written_with_their_ids() {
    let bus = Arc::new(Bus::new(Position(41), Memory::default()));
    let mut all = subscribe(&bus, &[], Start::Now);
    let mut some = subscribe(&bus, &["two", "nonsense"], Start::Now);
    bus.publish(Position(42), &[fact(&[0, 1]), fact(&[]), fact(&[2])]);
    expect![[r#"
        id: 420000
        event: one
        data: {"of":0}

        id: 420001
        event: two
        data: {"of":1}

        id: 440000
        event: three
        data: {"of":2}

    "#]]
    .assert_eq(&pending(&mut all));
    expect![[r#"
        id: 420001
        event: two
        data: {"of":1}

    "#]]
    .assert_eq(&pending(&mut some));
    bus.close();
    assert!(matches!(all.next().await, Ok(None)));
}

#[test]
fn ids_say_which_facts_lie_before_them() {
    for (id, before) in [(0, 0), (9_999, 0), (10_000, 0), (10_005, 0), (19_999, 1), (20_000, 1), (429_999, 42)] {
        let id = EventId::parse(&format!(" {id} ")).unwrap();
        assert_eq!(id.facts_before(), Position(before), "{id}");
    }
    assert_eq!(EventId::end_of(Position(42)).facts_before(), Position(42));
    assert!(EventId::new(Position(42), 20_000) < EventId::new(Position(43), 0));
    assert_eq!(EventId::parse("-1").or(EventId::parse("x")), None);
}

#[test]
fn a_bus_remembers_the_newest_events_only() {
    let bus = Bus::new(Position(0), Memory { events: 3, bytes: usize::MAX });
    for position in 1..=5 {
        bus.publish(Position(position), &[fact(&[0])]);
    }
    let all = EventFilter::default();
    let forgotten = bus.after(EventId::new(Position(1), 0), &all, 1_000, &mut Vec::new());
    assert!(matches!(forgotten, Remembered::Forgotten));
    let ids = |after: i64, bytes| {
        let mut out = Vec::new();
        bus.after(EventId::end_of(Position(after)), &all, bytes, &mut out);
        let text = String::from_utf8(out).unwrap();
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.map(|id| EventId::parse(id).unwrap().fact().0).collect::<Vec<_>>()
    };
    assert_eq!(ids(2, 100_000), [3, 4, 5]);
    assert_eq!(ids(2, 1), [3]);
    assert_eq!(ids(5, 100_000), Vec::<i64>::new());
}

proptest! {
    /// Whoever resumes after any event sees exactly the later ones that match, each once, in order.
    #[test]
    fn a_stream_resumes_anywhere_without_gaps_or_repetitions(
        batches in prop::collection::vec(prop::collection::vec(prop::collection::vec(0..TYPES.len(), 0..4), 1..4), 1..8),
        wanted in prop::sample::subsequence(TYPES.to_vec(), 0..=TYPES.len()),
        resume in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bus = Arc::new(Bus::new(Position(0), Memory::default()));
            let filter = EventFilter { event_types: wanted.iter().map(ToString::to_string).collect(), ..EventFilter::default() };
            let mut live = subscribe(&bus, &wanted, Start::Now);
            let mut seen = String::new();
            let mut history: Vec<Event> = Vec::new();
            let mut position = Position(1);
            for batch in &batches {
                let facts: Vec<Recorded> = batch.iter().map(|event_types| fact(event_types)).collect();
                for recorded in &facts {
                    history.extend(Event::of(position, recorded));
                    position = position.after(1);
                }
                bus.publish(Position(position.0 - facts.len() as i64), &facts);
                seen += &pending(&mut live);
            }
            let text = |events: &[Event]| {
                let mut out = Vec::new();
                events.iter().for_each(|event| filter.write(event, &mut out));
                String::from_utf8(out).unwrap()
            };
            prop_assert_eq!(seen, text(&history));
            if !history.is_empty() {
                let index = resume.index(history.len());
                let mut resumed = subscribe(&bus, &wanted, Start::After(history[index].id));
                prop_assert_eq!(pending(&mut resumed), text(&history[index + 1..]));
            }
            Ok(())
        })?;
    }
}
