//! Brings what tasks and executors need before they can be started, each by itself.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Message;
use crate::fetch::Fetcher;
use crate::launcher::protocol::ContainerId;
use crate::supervisor::{FetchOrder, Input};

pub(super) struct Suppliers {
    fetcher: Fetcher,
    messages: mpsc::Sender<Message>,
    under_way: HashMap<ContainerId, AbortHandle>,
}

impl Suppliers {
    /// Tells `messages` how it went.
    pub(super) fn new(fetcher: Fetcher, messages: mpsc::Sender<Message>) -> Suppliers {
        Suppliers { fetcher, messages, under_way: HashMap::new() }
    }

    pub(super) fn start(&mut self, order: FetchOrder) {
        self.under_way.retain(|_, work| !work.is_finished());
        let (fetcher, messages) = (self.fetcher.clone(), self.messages.clone());
        let container = order.container.clone();
        let work = tokio::spawn(async move {
            let FetchOrder { container, items, sandbox, links: _, user } = order;
            let outcome = fetcher.fetch(&items, &sandbox, user.as_deref()).await;
            let outcome = outcome.map_err(|error| crate::error_chain(&error));
            // Nobody listens any more when the agent ends.
            let _ended = messages.send(Message::Input(Input::Fetched { container, outcome })).await;
        });
        self.under_way.insert(container, work.abort_handle());
    }

    pub(super) fn stop(&mut self, container: &ContainerId) {
        if let Some(work) = self.under_way.remove(container) {
            work.abort();
        }
    }
}
