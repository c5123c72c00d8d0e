//! What waits for the kernel.
//!
//! One queue for everything, so that a stream's end can never overtake its beginning. Requests wait for room before they
//! enter it; notices (a stream has ended) enter at once: there are never more of them than streams.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::kernel::Input;

/// Requests that may wait for the kernel; more of them wait outside, with their clients.
const MAX_WAITING_REQUESTS: usize = 8_192;

/// The sending side; cheap to clone.
#[derive(Clone)]
pub(super) struct Inbox {
    queue: mpsc::UnboundedSender<Entry>,
    room: Arc<Semaphore>,
}

/// The kernel's side.
pub(super) struct Inputs {
    queue: mpsc::UnboundedReceiver<Entry>,
    taken: Vec<Entry>,
}

struct Entry {
    input: Input,
    /// Given back when the kernel takes the input.
    _room: Option<OwnedSemaphorePermit>,
}

/// The leader has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaderEnded;

pub(super) fn inbox() -> (Inbox, Inputs) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let inbox = Inbox { queue: sender, room: Arc::new(Semaphore::new(MAX_WAITING_REQUESTS)) };
    (inbox, Inputs { queue: receiver, taken: Vec::new() })
}

impl Inbox {
    /// Hands a request to the kernel, waiting for room.
    pub(super) async fn request(&self, input: Input) -> Result<(), LeaderEnded> {
        let room = self.room.clone().acquire_owned().await.map_err(|_| LeaderEnded)?;
        self.queue.send(Entry { input, _room: Some(room) }).map_err(|_| LeaderEnded)
    }

    /// How many requests wait for the kernel.
    pub(super) fn waiting(&self) -> usize {
        MAX_WAITING_REQUESTS - self.room.available_permits()
    }

    /// Waits until the kernel takes nothing any more.
    pub(super) async fn ended(&self) {
        self.queue.closed().await
    }

    /// Tells the kernel that a stream has ended, or that the rules have changed. When the kernel has ended as well there is nobody to tell.
    pub(super) fn notice(&self, input: Input) {
        let _ = self.queue.send(Entry { input, _room: None });
    }
}

impl Inputs {
    /// Waits for an input, then takes up to `limit` that wait; `None` when nobody can send any more. Cancelling loses nothing.
    pub(super) async fn next(&mut self, limit: usize) -> Option<impl Iterator<Item = Input> + '_> {
        let count = self.queue.recv_many(&mut self.taken, limit).await;
        (count > 0).then(|| self.taken.drain(..).map(|entry| entry.input))
    }
}
