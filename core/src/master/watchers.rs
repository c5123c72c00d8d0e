//! Operators who watch: SUBSCRIBE of `/api/v1`.
//!
//! Whoever subscribes gets the state, and from then on what happens, missing nothing and hearing nothing twice: a watcher joins while
//! the read model is locked for reading the state, and what happens before that state is written waits for it. Who does not read is
//! cut; of too many the oldest goes. Nobody is told of what the rules keep from him: when they change every stream ends, and who
//! subscribes again does so by the new ones.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attica_core_api::auth::Viewer;
use attica_core_api::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use attica_core_api::http::{Connection, MediaType};
use attica_core_api::operator::Event;
use attica_core_api::{encode_json, encode_proto, recordio};
use bytes::Bytes;

use super::view::{Concealment, Users};

/// What may wait for a watcher, beside the state that it is reading.
const PENDING_BYTES_MAX: usize = 8 << 20;
/// How long a watcher may take nothing.
const STALL_MAX: Duration = Duration::from_secs(60);

/// All who watch.
pub(super) struct Watchers {
    state: Mutex<State>,
    limit: usize,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    watchers: VecDeque<Watcher>,
    next: u64,
}

struct Watcher {
    id: u64,
    media: MediaType,
    /// Who watches, if rules may keep something from him.
    restricted: Option<Viewer>,
    stage: Stage,
}

enum Stage {
    /// Its state is being written. What has happened since waits.
    Waiting { records: Vec<Bytes>, bytes: usize },
    /// It listens.
    Open(StreamSender),
}

/// A place among those who watch, given up unless it is used.
pub(super) struct Place {
    watchers: Arc<Watchers>,
    id: u64,
    used: bool,
}

/// One event, encoded at most once in each encoding.
struct Record<'e> {
    event: &'e Event,
    json: Option<Bytes>,
    proto: Option<Bytes>,
}

impl Record<'_> {
    fn in_media(&mut self, media: MediaType) -> Bytes {
        let event = self.event;
        match media {
            MediaType::Json => self.json.get_or_insert_with(|| recordio::encode(&encode_json(event))),
            MediaType::Protobuf => self.proto.get_or_insert_with(|| recordio::encode(&encode_proto(event))),
        }
        .clone()
    }
}

impl Watcher {
    /// What it is told of what has happened.
    fn records(&self, records: &mut [Record<'_>], users: &dyn Users) -> Vec<Bytes> {
        match &self.restricted {
            None => records.iter_mut().map(|record| record.in_media(self.media)).collect(),
            Some(viewer) => {
                let concealment = Concealment::new(viewer, users);
                let seen = records.iter().filter_map(|record| concealment.event(record.event));
                seen.map(|event| Record { event: &event, json: None, proto: None }.in_media(self.media)).collect()
            }
        }
    }
}

impl Watchers {
    /// Nobody yet, and at most so many.
    pub(super) fn new(limit: usize) -> Watchers {
        Watchers { state: Mutex::default(), limit }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().watchers.len()
    }

    /// One more, who is told from now on. To be called while the state that it is shown cannot change.
    pub(super) fn join(self: &Arc<Self>, media: MediaType, viewer: &Viewer) -> Place {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let restricted = (!viewer.is_unrestricted()).then(|| viewer.clone());
        state.watchers.push_back(Watcher {
            id,
            media,
            restricted,
            stage: Stage::Waiting { records: Vec::new(), bytes: 0 },
        });
        let surplus = state.watchers.len() > self.limit;
        let oldest = if surplus { state.watchers.pop_front() } else { None };
        drop(state);
        if let Some(Watcher { stage: Stage::Open(sender), .. }) = oldest {
            tracing::warn!(limit = self.limit, "too many operators watch: the oldest stream ends");
            sender.finish();
        }
        Place { watchers: self.clone(), id, used: false }
    }

    /// Tells everybody what has happened, to things of these `users`.
    pub(super) fn tell(&self, events: &[Event], users: &dyn Users) {
        let mut records: Vec<Record<'_>> =
            events.iter().map(|event| Record { event, json: None, proto: None }).collect();
        let mut open = Vec::new();
        let mut state = self.lock();
        for watcher in &mut state.watchers {
            let told = watcher.records(&mut records, users);
            match &mut watcher.stage {
                Stage::Waiting { records: waiting, bytes } => {
                    *bytes += told.iter().map(Bytes::len).sum::<usize>();
                    waiting.extend(told);
                }
                Stage::Open(sender) => open.push((told, sender.clone())),
            }
        }
        state.watchers.retain(|watcher| match &watcher.stage {
            Stage::Waiting { bytes, .. } => *bytes <= PENDING_BYTES_MAX,
            Stage::Open(_) => true,
        });
        // Sending may end a stream, whose end takes the lock.
        drop(state);
        for (told, sender) in open {
            for record in told {
                if sender.send(record).is_err() {
                    break;
                }
            }
        }
    }

    /// Lets everybody go: this master leads no more, or other rules are in force.
    pub(super) fn finish_all(&self) {
        let watchers = std::mem::take(&mut self.lock().watchers);
        for watcher in watchers {
            match watcher.stage {
                Stage::Waiting { .. } => {}
                Stage::Open(sender) => sender.finish(),
            }
        }
    }

    fn leave(&self, id: u64) {
        self.lock().watchers.retain(|watcher| watcher.id != id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Opens the stream with its `first` records; `None` when so much has happened meanwhile that the place was lost.
    pub(super) fn open(
        mut self,
        first: Vec<Bytes>,
        connection: Option<Connection>,
    ) -> Option<(StreamSender, StreamBody)> {
        let max_pending_bytes = PENDING_BYTES_MAX + first.iter().map(Bytes::len).sum::<usize>();
        let (watchers, id) = (self.watchers.clone(), self.id);
        let limits = StreamLimits { max_pending_bytes, max_stall: STALL_MAX };
        let (sender, body) = stream::channel(limits, connection, move |why| {
            tracing::info!(%why, "an operator's stream ended");
            watchers.leave(id);
        });
        let mut state = self.watchers.lock();
        let watcher = state.watchers.iter_mut().find(|watcher| watcher.id == self.id)?;
        let stage = std::mem::replace(&mut watcher.stage, Stage::Open(sender.clone()));
        let Stage::Waiting { records, .. } = stage else { unreachable!("a place is used once") };
        // All of it fits, so that none of these sends can end the stream.
        for record in first.into_iter().chain(records) {
            let _ = sender.send(record);
        }
        drop(state);
        self.used = true;
        Some((sender, body))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.used {
            self.watchers.leave(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::{AgentId, FrameworkId, TaskId};
    use http_body_util::BodyExt;

    use super::*;

    struct Nobody;

    impl Users for Nobody {
        fn of_framework(&self, _: &FrameworkId) -> Option<String> {
            None
        }

        fn of_task(&self, _: &FrameworkId, _: &TaskId) -> Option<String> {
            None
        }
    }

    fn removed(agent: &str) -> Event {
        Event::agent_removed(AgentId::new(agent))
    }

    async fn next(body: &mut StreamBody) -> String {
        String::from_utf8(body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn what_happens_while_the_state_is_written_follows_it() {
        let watchers = Arc::new(Watchers::new(10));
        let place = watchers.join(MediaType::Json, &Viewer::default());
        watchers.tell(&[removed("a")], &Nobody);
        let (_sender, mut body) = place.open(vec![Bytes::from_static(b"state")], None).unwrap();
        watchers.tell(&[removed("b"), removed("c")], &Nobody);
        assert_eq!(next(&mut body).await, "state");
        for agent in ["a", "b", "c"] {
            assert!(next(&mut body).await.contains(&format!("\"value\":\"{agent}\"")));
        }
        drop(body);
        assert_eq!(watchers.count(), 0);
        drop(watchers.join(MediaType::Json, &Viewer::default()));
        assert_eq!(watchers.count(), 0, "a place that is not used");
    }

    #[tokio::test]
    async fn the_oldest_goes_when_there_are_too_many() {
        let watchers = Arc::new(Watchers::new(2));
        let open = || watchers.join(MediaType::Protobuf, &Viewer::default()).open(Vec::new(), None).unwrap();
        let (_first, mut oldest) = open();
        let (_second, _kept) = open();
        let (_third, mut newest) = open();
        assert_eq!(watchers.count(), 2);
        assert!(oldest.frame().await.is_none(), "ended");
        watchers.tell(&[removed("a")], &Nobody);
        assert!(newest.frame().await.is_some());
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut() {
        let watchers = Arc::new(Watchers::new(2));
        let (_sender, unread) = watchers.join(MediaType::Json, &Viewer::default()).open(Vec::new(), None).unwrap();
        let large = removed(&"x".repeat(1 << 20));
        let waiting = watchers.join(MediaType::Json, &Viewer::default());
        for _ in 0..10 {
            watchers.tell(std::slice::from_ref(&large), &Nobody);
        }
        assert_eq!(watchers.count(), 0);
        assert!(unread.collect().await.is_err());
        assert!(waiting.open(Vec::new(), None).is_none(), "it waited for too long for its state");
    }
}
