//! Networks that are being made, and what waits for them.

use std::collections::{BTreeMap, HashMap};
use std::io;

use tokio::sync::mpsc;

use super::{Launch, Message};
use crate::launcher::protocol::ContainerId;
use crate::network::Attachment;
use crate::network::host::{Host, Worker};

/// See the module's text.
pub(super) struct Connections {
    worker: Worker,
    /// What is to be launched in a network, once it is there.
    waiting: HashMap<ContainerId, Vec<Launch>>,
}

impl Connections {
    /// Begins with what is left of an earlier life of the agent, of which `known` is to stay.
    pub(super) fn start(
        host: Host,
        known: BTreeMap<ContainerId, Attachment>,
        messages: mpsc::Sender<Message>,
    ) -> io::Result<Connections> {
        let connected = move |container, outcome| {
            // The agent ends: the next one asks again.
            let _ended = messages.blocking_send(Message::Connected { container, outcome });
        };
        Ok(Connections { worker: Worker::start(host, known, connected)?, waiting: HashMap::new() })
    }

    pub(super) fn connect(&mut self, container: ContainerId, attachment: Attachment) {
        self.waiting.entry(container.clone()).or_insert_with(|| {
            self.worker.connect(container, attachment);
            Vec::new()
        });
    }

    pub(super) fn disconnect(&mut self, container: ContainerId) {
        self.worker.disconnect(container);
    }

    /// Keeps what has to wait for its network; gives back what has not.
    pub(super) fn hold(&mut self, launch: Launch) -> Option<Launch> {
        let network = launch.spec.surroundings.as_ref().and_then(|surroundings| surroundings.network.as_ref());
        let owner = network.and_then(|path| ContainerId::new(path.file_name()?.to_str()?).ok());
        match owner.and_then(|owner| self.waiting.get_mut(&owner)) {
            Some(waiting) => {
                waiting.push(launch);
                None
            }
            None => Some(launch),
        }
    }

    /// A network is there, or cannot be: what waited for it.
    pub(super) fn connected(&mut self, container: &ContainerId) -> Vec<Launch> {
        self.waiting.remove(container).unwrap_or_default()
    }

    /// Waits for all that is under way.
    pub(super) fn end(self) {
        self.worker.end();
    }
}
