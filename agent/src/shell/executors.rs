//! The executors' streams of events, and their calls on the way through the loop.

use std::collections::HashMap;
use std::time::Duration;

use attica_core_api::executor::Event;
use attica_core_api::http::MediaType;
use attica_core_api::http::stream::StreamSender;
use attica_core_api::{encode_json, encode_proto, recordio};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

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
    /// The tasks that write heartbeats.
    beating: HashMap<StreamId, AbortHandle>,
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
        if let Some(beating) = self.beating.remove(&stream) {
            beating.abort();
        }
        if let Some(stream) = self.streams.remove(&stream) {
            stream.sender.finish();
        }
    }

    fn beat(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id).cloned() else { return };
        let beating = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT_INTERVAL).await;
                if !stream.send(&Event::heartbeat()) {
                    return;
                }
            }
        });
        self.beating.insert(id, beating.abort_handle());
    }
}

#[cfg(test)]
mod tests {
    use attica_core_api::executor::Subscribe;
    use attica_core_api::http::stream::{self, StreamLimits};

    use super::*;

    #[tokio::test]
    async fn nothing_is_kept_of_a_stream_that_has_ended() {
        let mut executors = Executors::default();
        for number in 0..3 {
            let limits = StreamLimits { max_pending_bytes: 1 << 10, max_stall: HEARTBEAT_INTERVAL };
            let (sender, _body) = stream::channel(limits, None, |_| {});
            let (answer, _answered) = oneshot::channel();
            let called = Called {
                executor: ExecutorKey { framework_id: "f".into(), executor_id: "e".into() },
                call: ExecutorCall::Subscribe { stream: StreamId(number), subscribe: Subscribe::default() },
                token: None,
                stream: Some(Stream { sender, media: MediaType::Json }),
                answer,
            };
            let Input::ExecutorCall { reply, .. } = executors.called(called) else { panic!("a call is a call") };
            executors.answer(reply, if number == 2 { Err(ExecutorRefusal::NoExecutor) } else { Ok(()) });
        }
        let beating: Vec<AbortHandle> = executors.beating.values().cloned().collect();
        assert_eq!((executors.streams.len(), beating.len()), (2, 2));
        (0..2).map(StreamId).for_each(|stream| executors.close(stream));
        assert!(executors.streams.is_empty() && executors.beating.is_empty() && executors.opening.is_empty());
        while !beating.iter().all(AbortHandle::is_finished) {
            tokio::task::yield_now().await;
        }
    }
}
