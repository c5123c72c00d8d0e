//! Events that are posted to URLs (`/v2/eventSubscriptions`), for consumers from before there was a stream.
//!
//! Who has subscribed, with what secret, and how far the posts to it have come, is durable. While this process leads, each
//! subscriber has a [`worker`] of its own, which follows the stream of events as any client does: a cursor and one buffer, so that a
//! slow subscriber holds nobody up. It gets every event of Marathon's types in order, at least once: after a change of leaders those
//! of the last moments come again, with the same id.

mod sign;
mod worker;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_core_api::http::Client;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::engine::Snapshot;
use crate::events::EventId;
use crate::http::{Leading, Metrics};
use crate::model::{Callback, CallbackUrl};
use worker::Worker;

pub(crate) use worker::ANSWER_TIMEOUT;

/// The subscribers, as they are committed, and how they keep up, as far as this leader has seen.
#[derive(Debug)]
pub struct Callbacks {
    committed: watch::Sender<BTreeMap<CallbackUrl, Callback>>,
    standings: Mutex<BTreeMap<CallbackUrl, Standing>>,
}

/// How a subscriber keeps up.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The event that it has not taken yet, and since when it is posted; none: it has taken everything.
    pub waiting: Option<(EventId, Timestamp)>,
    /// Why it did not take an event the last time that it did not, and when that was.
    pub last_error: Option<(String, Timestamp)>,
}

impl Callbacks {
    /// Those of a history.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { committed: watch::Sender::new(snapshot.callbacks.clone()), standings: Mutex::default() }
    }

    /// Those that there are from now on.
    pub fn publish(&self, now: &BTreeMap<CallbackUrl, Callback>) {
        self.committed.send_if_modified(|callbacks| {
            let modified = callbacks != now;
            if modified {
                callbacks.clone_from(now);
            }
            modified
        });
    }

    /// Where events are posted to.
    #[must_use]
    pub fn urls(&self) -> Vec<CallbackUrl> {
        self.committed.borrow().keys().cloned().collect()
    }

    /// How each of them keeps up, in the order of [`Callbacks::urls`].
    #[must_use]
    pub fn standings(&self) -> Vec<(CallbackUrl, Standing)> {
        let standings = self.lock().clone();
        let standing = |url: CallbackUrl| (url.clone(), standings.get(&url).cloned().unwrap_or_default());
        self.urls().into_iter().map(standing).collect()
    }

    /// From now on an event is posted to one of them, or it has taken everything.
    fn waits_for(&self, url: &CallbackUrl, event: Option<EventId>) {
        let mut standings = self.lock();
        let standing = standings.entry(url.clone()).or_default();
        if standing.waiting.map(|(waiting, _)| waiting) != event {
            standing.waiting = event.map(|event| (event, Timestamp::from(SystemTime::now())));
        }
    }

    /// One of them did not take an event.
    fn failed(&self, url: &CallbackUrl, error: String) {
        self.lock().entry(url.clone()).or_default().last_error = Some((error, Timestamp::from(SystemTime::now())));
    }

    /// One is none any more.
    fn forget(&self, url: &CallbackUrl) {
        self.lock().remove(url);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CallbackUrl, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, url: &CallbackUrl) -> Option<Callback> {
        self.committed.borrow().get(url).cloned()
    }
}

/// Posts events for as long as it is not dropped: a worker for each subscriber there is.
pub(crate) async fn deliver(leading: Arc<Leading>, client: Client, metrics: Arc<Metrics>) -> Infallible {
    let mut committed = leading.callbacks.committed.subscribe();
    let mut workers = JoinSet::new();
    let mut running: BTreeMap<CallbackUrl, AbortHandle> = BTreeMap::new();
    loop {
        let wanted = leading.callbacks.urls();
        running.retain(|url, worker| {
            let stays = wanted.contains(url);
            if !stays {
                worker.abort();
                leading.callbacks.forget(url);
            }
            stays && !worker.is_finished()
        });
        for url in wanted {
            running.entry(url).or_insert_with_key(|url| {
                let worker = Worker::new(url.clone(), Arc::clone(&leading), client.clone(), Arc::clone(&metrics));
                workers.spawn(worker.run())
            });
        }
        tokio::select! {
            changed = committed.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            Some(_ended) = workers.join_next(), if !workers.is_empty() => {}
        }
    }
}
