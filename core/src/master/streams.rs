//! The open event streams of schedulers and agents.
//!
//! A stream is here from the moment its request is accepted until either side ends it; its end is told to the kernel, whoever
//! caused it. Heartbeats are made here: the kernel knows nothing of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attica_core_api::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use attica_core_api::http::{Connection, MediaType};
use attica_core_api::link;
use attica_core_api::message::Message;
use attica_core_api::scheduler;
use attica_core_api::{encode_json, encode_proto, operator, recordio};
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::inbox::Inbox;
use crate::kernel::{Input, LinkId, Send, StreamId};

/// An implicit reconciliation of 100,000 tasks fits. A reader that takes nothing for two minutes has missed many heartbeats.
const SCHEDULER_LIMITS: StreamLimits =
    StreamLimits { max_pending_bytes: 128 << 20, max_stall: Duration::from_secs(120) };
/// An agent gets its tasks and acknowledgements, some kilobytes each.
const LINK_LIMITS: StreamLimits = StreamLimits { max_pending_bytes: 32 << 20, max_stall: Duration::from_secs(60) };

/// All open streams of one leader.
pub(super) struct Streams {
    inbox: Inbox,
    heartbeats: Heartbeats,
    schedulers: Mutex<HashMap<StreamId, SchedulerStream>>,
    links: Mutex<HashMap<LinkId, StreamSender>>,
}

/// How often idle streams carry a heartbeat, and of which epoch.
#[derive(Clone)]
pub(super) struct Heartbeats {
    pub(super) scheduler: Duration,
    pub(super) link: Duration,
    pub(super) epoch: u64,
    /// Whether nobody else can lead at this moment. Who hears nothing from a leader that may be deposed is free to look for another.
    pub(super) leads: Leads,
}

/// Asks whether this leader is one for certain.
pub(super) type Leads = Arc<dyn Fn() -> bool + std::marker::Send + Sync>;

#[derive(Clone)]
struct SchedulerStream {
    sender: StreamSender,
    media: MediaType,
}

impl Streams {
    pub(super) fn new(inbox: Inbox, heartbeats: Heartbeats) -> Streams {
        Streams { inbox, heartbeats, schedulers: Mutex::default(), links: Mutex::default() }
    }

    /// Opens a scheduler's stream.
    pub(super) fn open_scheduler(
        self: &Arc<Self>,
        media: MediaType,
        connection: Option<Connection>,
    ) -> (StreamId, StreamBody) {
        let id = StreamId::new(Uuid::new_v4().to_string());
        let (streams, ended) = (self.clone(), id.clone());
        let (sender, body) = stream::channel(SCHEDULER_LIMITS, connection, move |why| {
            tracing::info!(stream = %ended, %why, "scheduler stream ended");
            lock(&streams.schedulers).remove(&ended);
            streams.inbox.notice(Input::SchedulerClosed { stream: ended });
        });
        lock(&self.schedulers).insert(id.clone(), SchedulerStream { sender, media });
        (id, body)
    }

    /// Opens an agent's stream.
    pub(super) fn open_link(self: &Arc<Self>, connection: Option<Connection>) -> (LinkId, StreamBody) {
        let id = LinkId::new(Uuid::new_v4().to_string());
        let (streams, ended) = (self.clone(), id.clone());
        let (sender, body) = stream::channel(LINK_LIMITS, connection, move |why| {
            tracing::debug!(link = %ended, %why, "agent stream ended");
            lock(&streams.links).remove(&ended);
            streams.inbox.notice(Input::LinkClosed { link: ended });
        });
        lock(&self.links).insert(id.clone(), sender);
        (id, body)
    }

    /// Whether an agent's stream is open. The kernel closes the one that a newer one replaces.
    pub(super) fn has_link(&self, link: &LinkId) -> bool {
        lock(&self.links).contains_key(link)
    }

    /// Ends every stream, after what is pending.
    pub(super) fn finish_all(&self) {
        // Collected first: finishing a stream takes it out of the map.
        let schedulers: Vec<_> = lock(&self.schedulers).values().map(|open| open.sender.clone()).collect();
        let links: Vec<_> = lock(&self.links).values().cloned().collect();
        schedulers.iter().chain(&links).for_each(StreamSender::finish);
    }

    /// Sends one event, or ends a stream. A stream that is gone, or goes with this, has told the kernel already.
    pub(super) fn send(&self, send: &Send) {
        match send {
            Send::Scheduler { stream, event } => {
                if let Some(open) = find(&self.schedulers, stream) {
                    self.send_scheduler(&open, event);
                }
            }
            Send::CloseScheduler { stream } => {
                if let Some(open) = find(&self.schedulers, stream) {
                    open.sender.finish();
                }
            }
            Send::Agent { link, event } => {
                if let Some(open) = find(&self.links, link) {
                    self.send_link(&open, event);
                }
            }
            Send::CloseAgent { link, reason } => {
                tracing::info!(%link, %reason, "agent stream closed");
                if let Some(open) = find(&self.links, link) {
                    open.finish();
                }
            }
        }
    }

    /// The heartbeats of an operator's stream: the first goes out with the state.
    pub(super) fn operator_heartbeat(&self, media: MediaType) -> Bytes {
        record(&operator::Event::heartbeat(), media)
    }

    /// How often they go out, as operators are told.
    pub(super) fn operator_interval(&self) -> Duration {
        self.heartbeats.scheduler
    }

    /// Keeps an operator's stream alive.
    pub(super) fn keep_operator(&self, sender: StreamSender, media: MediaType) {
        let heartbeat = self.operator_heartbeat(media);
        tokio::spawn(beat(sender, heartbeat, self.heartbeats.scheduler, self.heartbeats.leads.clone()));
    }

    fn send_scheduler(&self, open: &SchedulerStream, event: &scheduler::Event) {
        // An error means that the stream has ended, which its hook has dealt with.
        let _ = open.sender.send(record(event, open.media));
        if event.r#type == Some(scheduler::EventType::Subscribed) {
            let heartbeat = record(&scheduler::Event::heartbeat(), open.media);
            let _ = open.sender.send(heartbeat.clone());
            tokio::spawn(beat(
                open.sender.clone(),
                heartbeat,
                self.heartbeats.scheduler,
                self.heartbeats.leads.clone(),
            ));
        }
    }

    fn send_link(&self, open: &StreamSender, event: &link::Event) {
        let _ = open.send(record(event, MediaType::Protobuf));
        if event.r#type == link::EventType::Registered {
            let heartbeat = record(&link::Event::heartbeat(self.heartbeats.epoch), MediaType::Protobuf);
            tokio::spawn(beat(open.clone(), heartbeat, self.heartbeats.link, self.heartbeats.leads.clone()));
        }
    }
}

/// Sends the same record again and again while it `leads`, until the stream has ended.
async fn beat(sender: StreamSender, heartbeat: Bytes, interval: Duration, leads: Leads) {
    loop {
        tokio::time::sleep(interval).await;
        if leads() && sender.send(heartbeat.clone()).is_err() {
            return;
        }
    }
}

/// One RecordIO record.
fn record(message: &(impl Message + Serialize), media: MediaType) -> Bytes {
    recordio::encode(&match media {
        MediaType::Json => encode_json(message),
        MediaType::Protobuf => encode_proto(message),
    })
}

fn find<Id: Eq + Hash, Stream: Clone>(streams: &Mutex<HashMap<Id, Stream>>, id: &Id) -> Option<Stream> {
    // Cloned, not borrowed: sending may end the stream, which takes it out of the map.
    lock(streams).get(id).cloned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use attica_core_api::http::stream::StreamEnd;
    use http_body_util::BodyExt;

    use super::super::inbox::inbox;
    use super::*;

    fn heartbeats(interval: Duration, leads: impl Fn() -> bool + std::marker::Send + Sync + 'static) -> Heartbeats {
        Heartbeats { scheduler: interval, link: interval, epoch: 1, leads: Arc::new(leads) }
    }

    #[tokio::test]
    async fn a_leader_in_doubt_gives_no_sign_of_life() {
        let (inbox, _inputs) = inbox();
        let certain = Arc::new(AtomicBool::new(false));
        let (asked, mut asks) = tokio::sync::mpsc::unbounded_channel();
        let answer = certain.clone();
        let leads = move || asked.send(()).is_ok() && answer.load(Ordering::SeqCst);
        let streams = Arc::new(Streams::new(inbox, heartbeats(Duration::from_millis(1), leads)));
        let (link, mut read) = streams.open_link(None);
        let registered = Box::new(link::Event::registered(1, link::Registered::default()));
        streams.send(&Send::Agent { link, event: registered });
        assert!(read.frame().await.unwrap().is_ok(), "registered");
        for _ in 0..3 {
            asks.recv().await.unwrap();
        }
        assert!(tokio::time::timeout(Duration::ZERO, read.frame()).await.is_err(), "nothing more");
        certain.store(true, Ordering::SeqCst);
        assert!(read.frame().await.unwrap().is_ok(), "a heartbeat");
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_is_cut_and_the_kernel_is_told() {
        let (inbox, mut inputs) = inbox();
        let streams = Arc::new(Streams::new(inbox, heartbeats(Duration::from_secs(15), || true)));
        let (stalled, unread) = streams.open_scheduler(MediaType::Protobuf, None);
        let (other, mut read) = streams.open_scheduler(MediaType::Protobuf, None);
        let large = scheduler::Event::error("x".repeat(8 << 20));
        for _ in 0..=SCHEDULER_LIMITS.max_pending_bytes / (8 << 20) {
            streams.send(&Send::scheduler(stalled.clone(), large.clone()));
        }
        let told: Vec<Input> = inputs.next(10).await.unwrap().collect();
        assert!(matches!(told.as_slice(), [Input::SchedulerClosed { stream }] if *stream == stalled), "{told:?}");
        let end = unread.collect().await.unwrap_err();
        assert_eq!(end.0, StreamEnd::TooManyPending);
        // What is sent to it now goes nowhere, and the other one goes on.
        streams.send(&Send::scheduler(stalled, scheduler::Event::heartbeat()));
        streams.send(&Send::scheduler(other, scheduler::Event::heartbeat()));
        assert!(read.frame().await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_closed_link_is_forgotten_at_once() {
        let (inbox, mut inputs) = inbox();
        let streams = Arc::new(Streams::new(inbox, heartbeats(Duration::from_secs(15), || true)));
        let (link, body) = streams.open_link(None);
        assert!(streams.has_link(&link));
        drop(body);
        assert!(!streams.has_link(&link));
        let told: Vec<Input> = inputs.next(10).await.unwrap().collect();
        assert!(matches!(told.as_slice(), [Input::LinkClosed { link: closed }] if *closed == link), "{told:?}");
    }
}
