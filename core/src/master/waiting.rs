//! Requests that wait for the kernel's answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::kernel::{Reply, ReplyTo};

/// The waiting requests, by the number that the kernel gets.
#[derive(Default)]
pub(super) struct Waiting {
    next: AtomicU64,
    requests: Mutex<HashMap<ReplyTo, oneshot::Sender<Reply>>>,
}

/// A place in the list; dropping it gives the place up.
pub(super) struct Ticket {
    waiting: Arc<Waiting>,
    reply_to: ReplyTo,
    reply: oneshot::Receiver<Reply>,
}

impl Waiting {
    /// A new place in the list.
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let reply_to = ReplyTo(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, reply) = oneshot::channel();
        self.lock().insert(reply_to, sender);
        Ticket { waiting: self.clone(), reply_to, reply }
    }

    /// Answers; a request that no longer waits is overlooked.
    pub(super) fn answer(&self, reply_to: ReplyTo, reply: Reply) {
        let waiting = self.lock().remove(&reply_to);
        if let Some(waiting) = waiting {
            let _ = waiting.send(reply);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ReplyTo, oneshot::Sender<Reply>>> {
        // Nothing panics while it holds the lock.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// What the kernel is told.
    pub(super) fn reply_to(&self) -> ReplyTo {
        self.reply_to
    }

    /// The answer; `None` when the leader ends without one.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.reply_to);
    }
}
