//! What happens to a framework or an executor, in order.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The signals of one subscription, in order. Dropping it ends the subscription.
pub struct Signals<S> {
    queue: mpsc::Receiver<S>,
    task: JoinHandle<()>,
}

impl<S> Signals<S> {
    /// Those that `task` puts into `queue`.
    pub(super) fn new(queue: mpsc::Receiver<S>, task: JoinHandle<()>) -> Self {
        Self { queue, task }
    }

    /// The next signal; `None` after the last.
    pub async fn next(&mut self) -> Option<S> {
        self.queue.recv().await
    }
}

impl<S> Drop for Signals<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
