//! The executors' streams of events, and their calls on the way through the loop.

use std::collections::HashMap;
use std::time::Duration;

use attica_core_api::executor::Event;
use attica_core_api::http::MediaType;
use attica_core_api::http::stream::StreamSender;
use attica_core_api::{encode_json, encode_proto, recordio};
use tokio::sync::oneshot;

use crate::supervisor::{ExecutorCall, ExecutorKey, ExecutorRefusal, Input, ReplyTo, StreamId};

/// How often an idle stream carries a heartbeat, as in Mesos.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// A call of an executor.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) executor: ExecutorKey,
    pub(crate) call: ExecutorCall,
    /// Of its Authorization.
    pub(crate) token: Option<String>,
    /// The stream that a SUBSCRIBE opens.
    pub(crate) stream: Option<Stream>,
    pub(crate) answer: oneshot::Sender<Result<(), ExecutorRefusal>>,
}

/// The agent's end of a stream.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) sender: StreamSender,
    pub(crate) media: MediaType,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("media", &self.media).finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream that has ended has said so already.
    fn send(&self, event: &Event) -> bool {
        let body = match self.media {
            MediaType::Json => encode_json(event),
            MediaType::Protobuf => encode_proto(event),
        };
        self.sender.send(recordio::encode(&body)).is_ok()
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Executors {
    streams: HashMap<StreamId, Stream>,
    waiting: HashMap<ReplyTo, oneshot::Sender<Result<(), ExecutorRefusal>>>,
    /// Of SUBSCRIBEs that are not answered yet.
    opening: HashMap<ReplyTo, StreamId>,
    replies: u64,
}

impl Executors {
    /// What the supervisor is to make of a call.
    pub(super) fn called(&mut self, called: Called) -> Input {
        let Called { executor, call, token, stream, answer } = called;
        self.replies += 1;
        let reply = ReplyTo(self.replies);
        self.waiting.insert(reply, answer);
        if let (ExecutorCall::Subscribe { stream: id, .. }, Some(stream)) = (&call, stream) {
            self.streams.insert(*id, stream);
            self.opening.insert(reply, *id);
        }
        Input::ExecutorCall { executor, call, token, reply }
    }

    pub(super) fn answer(&mut self, reply: ReplyTo, outcome: Result<(), ExecutorRefusal>) {
        match (self.opening.remove(&reply), outcome) {
            (Some(stream), Ok(())) => self.beat(stream),
            (Some(stream), Err(_)) => drop(self.streams.remove(&stream)),
            (None, _) => {}
        }
        if let Some(answer) = self.waiting.remove(&reply) {
            // Whoever asked has given up waiting.
            let _gone = answer.send(outcome);
        }
    }

    pub(super) fn tell(&self, stream: StreamId, event: &Event) {
        if let Some(stream) = self.streams.get(&stream) {
            stream.send(event);
        }
    }

    /// Nothing more is said on it.
    pub(super) fn close(&mut self, stream: StreamId) {
        if let Some(stream) = self.streams.remove(&stream) {
            stream.sender.finish();
        }
    }

    fn beat(&self, stream: StreamId) {
        let Some(stream) = self.streams.get(&stream).cloned() else { return };
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT_INTERVAL).await;
                if !stream.send(&Event::heartbeat()) {
                    return;
                }
            }
        });
    }
}
