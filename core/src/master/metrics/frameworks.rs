//! What is counted for each framework, from its first subscription until it is forgotten or another leader counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attica_core_api::scheduler::{Accept, CallType, Command, Event, EventType};
use attica_core_api::v1::{FrameworkId, OfferOperationType};

use super::{Kind, Metric};
use crate::kernel::{Send, StreamId};

/// The counters of all frameworks.
#[derive(Debug, Default)]
pub(in crate::master) struct FrameworkCounters(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    frameworks: HashMap<FrameworkId, OfFramework>,
    /// Who listens on a stream.
    streams: HashMap<StreamId, FrameworkId>,
}

/// By the names of the metrics.
#[derive(Debug, Default)]
struct OfFramework {
    stream: Option<StreamId>,
    calls: BTreeMap<CallType, u64>,
    events: BTreeMap<EventType, u64>,
    operations: BTreeMap<OfferOperationType, u64>,
    offers_sent: u64,
    offers_accepted: u64,
    offers_declined: u64,
    offers_rescinded: u64,
}

impl FrameworkCounters {
    /// A call that is well formed.
    pub(in crate::master) fn count_call(&self, framework: &FrameworkId, command: &Command) {
        let mut counted = self.lock();
        // One that is not known has no name to count under.
        let Some(framework) = counted.frameworks.get_mut(framework) else { return };
        *framework.calls.entry(type_of(command)).or_default() += 1;
        match command {
            Command::Accept(Accept { offer_ids, operations, .. }) => {
                framework.offers_accepted += offer_ids.len() as u64;
                for kind in operations.iter().filter_map(|operation| operation.r#type) {
                    *framework.operations.entry(kind).or_default() += 1;
                }
            }
            Command::Decline(decline) => framework.offers_declined += decline.offer_ids.len() as u64,
            Command::Subscribe(_)
            | Command::Teardown
            | Command::AcceptInverseOffers(_)
            | Command::DeclineInverseOffers(_)
            | Command::Revive { .. }
            | Command::Suppress { .. }
            | Command::Kill(_)
            | Command::Shutdown(_)
            | Command::Acknowledge(_)
            | Command::AcknowledgeOperationStatus(_)
            | Command::Reconcile(_)
            | Command::ReconcileOperations(_)
            | Command::Message(_)
            | Command::Request(_)
            | Command::UpdateFramework(_)
            | Command::Unknown => {}
        }
    }

    /// Something that goes out.
    pub(in crate::master) fn count_send(&self, send: &Send) {
        match send {
            Send::Scheduler { stream, event } => self.count_event(stream, event),
            Send::CloseScheduler { stream } => {
                let mut counted = self.lock();
                let framework = counted.streams.remove(stream);
                if let Some(framework) = framework.and_then(|id| counted.frameworks.get_mut(&id)) {
                    framework.stream = None;
                }
            }
            Send::Agent { .. } | Send::CloseAgent { .. } => {}
        }
    }

    /// A framework that nobody will ask about any more.
    pub(in crate::master) fn forget(&self, framework: &FrameworkId) {
        let mut counted = self.lock();
        if let Some(stream) = counted.frameworks.remove(framework).and_then(|framework| framework.stream) {
            counted.streams.remove(&stream);
        }
    }

    /// The figures of one framework under `prefix`.
    pub(in crate::master) fn metrics(&self, framework: &FrameworkId, prefix: &str, metrics: &mut Vec<Metric>) {
        let counted = self.lock();
        let none = OfFramework::default();
        let framework = counted.frameworks.get(framework).unwrap_or(&none);
        let mut push = |name: String, value: u64| {
            metrics.push(Metric { name: format!("{prefix}/{name}"), kind: Kind::Counter, value: value as f64 });
        };
        push("calls".to_owned(), framework.calls.values().sum());
        for kind in CallType::ALL.iter().filter(|kind| **kind != CallType::Unknown) {
            push(format!("calls/{}", lower(kind.name())), of(&framework.calls, *kind));
        }
        push("events".to_owned(), framework.events.values().sum());
        // Heartbeats are made by the streams themselves, which know no framework.
        let counted_events = |kind: &&EventType| !matches!(kind, EventType::Unknown | EventType::Heartbeat);
        for kind in EventType::ALL.iter().filter(counted_events) {
            push(format!("events/{}", lower(kind.name())), of(&framework.events, *kind));
        }
        push("operations".to_owned(), framework.operations.values().sum());
        for kind in OfferOperationType::ALL.iter().filter(|kind| **kind != OfferOperationType::Unknown) {
            push(format!("operations/{}", lower(kind.name())), of(&framework.operations, *kind));
        }
        push("offers/sent".to_owned(), framework.offers_sent);
        push("offers/accepted".to_owned(), framework.offers_accepted);
        push("offers/declined".to_owned(), framework.offers_declined);
        push("offers/rescinded".to_owned(), framework.offers_rescinded);
    }

    fn count_event(&self, stream: &StreamId, event: &Event) {
        let mut counted = self.lock();
        if let Some(subscribed) = &event.subscribed {
            let id = subscribed.framework_id.clone();
            let framework = counted.frameworks.entry(id.clone()).or_default();
            *framework.calls.entry(CallType::Subscribe).or_default() += 1;
            if let Some(earlier) = framework.stream.replace(stream.clone()) {
                counted.streams.remove(&earlier);
            }
            counted.streams.insert(stream.clone(), id);
        }
        let Counted { frameworks, streams } = &mut *counted;
        let Some(framework) = streams.get(stream).and_then(|id| frameworks.get_mut(id)) else { return };
        if let Some(kind) = event.r#type {
            *framework.events.entry(kind).or_default() += 1;
        }
        framework.offers_sent += event.offers.as_ref().map_or(0, |offers| offers.offers.len() as u64);
        framework.offers_rescinded += u64::from(event.rescind.is_some());
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of<K: Ord>(counts: &BTreeMap<K, u64>, kind: K) -> u64 {
    counts.get(&kind).copied().unwrap_or(0)
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn type_of(command: &Command) -> CallType {
    match command {
        Command::Subscribe(_) => CallType::Subscribe,
        Command::Teardown => CallType::Teardown,
        Command::Accept(_) => CallType::Accept,
        Command::Decline(_) => CallType::Decline,
        Command::AcceptInverseOffers(_) => CallType::AcceptInverseOffers,
        Command::DeclineInverseOffers(_) => CallType::DeclineInverseOffers,
        Command::Revive { .. } => CallType::Revive,
        Command::Kill(_) => CallType::Kill,
        Command::Shutdown(_) => CallType::Shutdown,
        Command::Acknowledge(_) => CallType::Acknowledge,
        Command::AcknowledgeOperationStatus(_) => CallType::AcknowledgeOperationStatus,
        Command::Reconcile(_) => CallType::Reconcile,
        Command::ReconcileOperations(_) => CallType::ReconcileOperations,
        Command::Message(_) => CallType::Message,
        Command::Request(_) => CallType::Request,
        Command::Suppress { .. } => CallType::Suppress,
        Command::UpdateFramework(_) => CallType::UpdateFramework,
        Command::Unknown => CallType::Unknown,
    }
}
