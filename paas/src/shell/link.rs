//! The way to the master: one subscription, and calls in the engine's order.
//!
//! A call that is lost without the master's knowledge would leave engine and master with different ideas of each other (offers wanted
//! or not, offers in use). So whenever that may have happened the stream is given up and a new one begun: on a new stream both
//! start from nothing, and statuses that were not acknowledged come again.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use attica_core_api::client::{self, CallError, Calls, Detection, Signal};
use attica_core_api::http::Security;
use attica_core_api::scheduler::{Call, CallType, Event, EventType, Subscribed};
use attica_core_api::v1::{FrameworkId, FrameworkInfo};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::outgoing::Outgoing;
use crate::engine::Input;
use crate::http::Metrics;

/// Acknowledgements of different tasks do not wait for each other: so many are under way at once. Each waits for a commit of the
/// master, so with fewer of them it would commit more often, and everything else would wait for that.
const ACKNOWLEDGING_LANES: usize = 128;
/// Calls that wait in one lane. More than that means that the master takes none.
const LANE_CALLS_MAX: usize = 16_384;

/// What Mesos says to a framework that it has removed.
const REMOVED: &str = "Framework has been removed";

/// Whom to subscribe with.
pub(super) struct Masters {
    /// How they are found.
    pub(super) detection: Detection,
    /// What proves to them who this is.
    pub(super) security: Security,
}

/// Sends calls. Dropping it ends the subscription.
pub(super) struct MasterLink {
    /// Everything whose order matters.
    ordered: mpsc::Sender<Call>,
    acknowledging: Vec<mpsc::Sender<Call>>,
    /// What the master is told of us; changes with our roles.
    framework: Arc<watch::Sender<FrameworkInfo>>,
    out_of_step: Arc<Notify>,
    metrics: Arc<Metrics>,
    subscriber: JoinHandle<()>,
}

impl MasterLink {
    /// Subscribes, in the background. The receiver resolves with the master's words when it refuses the framework for good.
    pub(super) fn start(
        masters: Masters,
        framework: FrameworkInfo,
        inputs: mpsc::Sender<Input>,
        metrics: Arc<Metrics>,
    ) -> (Self, oneshot::Receiver<String>) {
        let (current, seen) = watch::channel(None);
        let out_of_step = Arc::new(Notify::new());
        let outlet = Outlet { current: seen, out_of_step: Arc::clone(&out_of_step) };
        let lane = || {
            let (sender, calls) = mpsc::channel(LANE_CALLS_MAX);
            tokio::spawn(send_singly(calls, outlet.clone()));
            sender
        };
        let acknowledging = std::iter::repeat_with(lane).take(ACKNOWLEDGING_LANES).collect();
        let (ordered, calls) = mpsc::channel(LANE_CALLS_MAX);
        tokio::spawn(send_in_order(calls, outlet.clone()));
        let (refused, refusal) = oneshot::channel();
        let framework = Arc::new(watch::Sender::new(framework));
        let subscriber = Subscriber {
            masters,
            framework: Arc::clone(&framework),
            inputs,
            current,
            out_of_step: Arc::clone(&out_of_step),
            metrics: Arc::clone(&metrics),
        };
        let subscriber = tokio::spawn(subscriber.run(refused));
        (Self { ordered, acknowledging, framework, out_of_step, metrics, subscriber }, refusal)
    }

    /// Queues a call behind those that it must not overtake; never waits.
    pub(super) fn send(&self, mut call: Call) {
        self.count(&call);
        if let Some(update) = &mut call.update_framework {
            let roles = std::mem::take(&mut update.framework_info.roles);
            self.framework.send_modify(|framework| framework.roles = roles);
            update.framework_info = self.framework.borrow().clone();
        }
        let lane = match &call.acknowledge {
            Some(acknowledge) => {
                let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&acknowledge.task_id);
                usize::try_from(hash % ACKNOWLEDGING_LANES as u64).ok().and_then(|lane| self.acknowledging.get(lane))
            }
            None => None,
        };
        if lane.unwrap_or(&self.ordered).try_send(call).is_err() {
            tracing::warn!("too many calls wait for the master");
            self.out_of_step.notify_one();
        }
    }

    fn count(&self, call: &Call) {
        let offers = match (&call.accept, &call.decline) {
            (Some(accept), _) => accept.offer_ids.len(),
            (None, Some(decline)) => decline.offer_ids.len(),
            (None, None) => 1,
        };
        if let Some(accept) = &call.accept {
            self.metrics.count_operations(accept);
        }
        self.metrics.count_call(call.r#type.unwrap_or(CallType::Unknown), offers);
    }
}

impl Drop for MasterLink {
    fn drop(&mut self) {
        self.subscriber.abort();
    }
}

/// Sends calls as soon as they may leave.
async fn send_in_order(mut calls: mpsc::Receiver<Call>, outlet: Outlet) {
    let mut outgoing = Outgoing::default();
    let mut under_way = JoinSet::new();
    loop {
        while let Some((ticket, call)) = outgoing.next() {
            let outlet = outlet.clone();
            under_way.spawn(async move {
                outlet.send(call).await;
                ticket
            });
        }
        tokio::select! {
            call = calls.recv(), if outgoing.waiting() < LANE_CALLS_MAX => match call {
                Some(call) => outgoing.push(call),
                None => return,
            },
            answered = under_way.join_next(), if !under_way.is_empty() => match answered {
                Some(Ok(ticket)) => outgoing.done(ticket),
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// Sends calls one after the other.
async fn send_singly(mut calls: mpsc::Receiver<Call>, outlet: Outlet) {
    while let Some(call) = calls.recv().await {
        outlet.send(call).await;
    }
}

/// Where calls leave.
#[derive(Clone)]
struct Outlet {
    current: watch::Receiver<Option<Calls>>,
    out_of_step: Arc<Notify>,
}

impl Outlet {
    async fn send(&self, call: Call) {
        let Some(master) = self.current.borrow().clone() else { return };
        let kind = call.r#type;
        match master.send(call).await {
            Ok(()) => {}
            // The engine knows, or is about to be told.
            Err(CallError::NotSubscribed) => tracing::debug!(?kind, "a call came too late"),
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(?kind, %error, "a call was refused")
            }
            Err(error @ (CallError::Unavailable { .. } | CallError::Unknown(_))) => {
                tracing::warn!(
                    ?kind,
                    error = &error as &dyn std::error::Error,
                    "a call may be lost: subscribing again"
                );
                self.out_of_step.notify_one();
            }
        }
    }
}

struct Subscriber {
    masters: Masters,
    framework: Arc<watch::Sender<FrameworkInfo>>,
    inputs: mpsc::Sender<Input>,
    current: watch::Sender<Option<Calls>>,
    out_of_step: Arc<Notify>,
    metrics: Arc<Metrics>,
}

impl Subscriber {
    async fn run(self, refused: oneshot::Sender<String>) {
        loop {
            let config = client::Config {
                security: self.masters.security.clone(),
                ..client::Config::new(self.masters.detection.clone(), self.framework.borrow().clone())
            };
            let (calls, mut signals) = client::connect(config);
            self.current.send_replace(Some(calls));
            let mut connected = false;
            loop {
                let signal = tokio::select! {
                    signal = signals.next() => signal,
                    () = self.out_of_step.notified(), if connected => break,
                };
                let input = match signal {
                    Some(Signal::Subscribed { framework_id, master }) => {
                        connected = true;
                        self.framework.send_modify(|framework| framework.id = Some(framework_id.clone()));
                        subscribed(framework_id, master.map(|master| *master))
                    }
                    Some(Signal::Event(event)) => {
                        self.count(&event);
                        Input::Scheduler(event)
                    }
                    Some(Signal::Disconnected(why)) => {
                        connected = false;
                        tracing::warn!(error = &why as &dyn std::error::Error, "the master's stream ended");
                        Input::Disconnected
                    }
                    Some(Signal::Refused { text }) if text == REMOVED && self.framework.borrow().id.is_some() => {
                        let mut id = None;
                        self.framework.send_modify(|framework| id = framework.id.take());
                        let id = id.map(|id| id.to_string()).unwrap_or_default();
                        tracing::warn!(
                            framework_id = id,
                            "the master has removed this framework: it registers anew, and what should run is started again"
                        );
                        if self.inputs.send(Input::FrameworkRemoved).await.is_err() {
                            return;
                        }
                        break;
                    }
                    Some(Signal::Refused { text }) => {
                        // Nobody listens any more when the leader is ending.
                        let _ = refused.send(text);
                        return;
                    }
                    None => return,
                };
                if self.inputs.send(input).await.is_err() {
                    return;
                }
            }
            if self.inputs.send(Input::Disconnected).await.is_err() {
                return;
            }
        }
    }

    fn count(&self, event: &Event) {
        if let Some(offers) = &event.offers {
            self.metrics.count_offers(offers.offers.len());
        }
        if let Some(update) = &event.update {
            self.metrics.count_task_update(&update.status);
        }
    }
}

fn subscribed(framework_id: FrameworkId, master_info: Option<attica_core_api::v1::MasterInfo>) -> Input {
    let subscribed = Subscribed { framework_id, master_info, ..Subscribed::default() };
    Input::Scheduler(Box::new(Event {
        r#type: Some(EventType::Subscribed),
        subscribed: Some(subscribed),
        ..Event::default()
    }))
}
