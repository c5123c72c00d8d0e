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
use std::sync::Arc;

use attica_core_api::http::Client;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::engine::Snapshot;
use crate::http::{Leading, Metrics};
use crate::model::{Callback, CallbackUrl};
use worker::Worker;

pub(crate) use worker::ANSWER_TIMEOUT;

/// The subscribers, as they are committed.
#[derive(Debug)]
pub struct Callbacks {
    committed: watch::Sender<BTreeMap<CallbackUrl, Callback>>,
}

impl Callbacks {
    /// Those of a history.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { committed: watch::Sender::new(snapshot.callbacks.clone()) }
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
