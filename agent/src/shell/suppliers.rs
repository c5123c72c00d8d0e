//! Brings what tasks and executors need before they can be started, each by itself.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::Message;
use crate::daemon::Containerizer;
use crate::daemon::client::Client;
use crate::fetch::Fetcher;
use crate::image::Images;
use crate::launcher::protocol::ContainerId;
use crate::supervisor::{FetchOrder, Input};

pub(super) struct Suppliers {
    fetcher: Fetcher,
    images: Images,
    daemon: Option<Client>,
    /// Whether sandboxes may hold no more than their `disk`.
    enforces_disk: bool,
    messages: mpsc::Sender<Message>,
    under_way: HashMap<ContainerId, AbortHandle>,
}

impl Suppliers {
    /// Tells `messages` how it went.
    pub(super) fn new(
        fetcher: Fetcher,
        images: Images,
        daemon: Option<Client>,
        enforces_disk: bool,
        messages: mpsc::Sender<Message>,
    ) -> Suppliers {
        Suppliers { fetcher, images, daemon, enforces_disk, messages, under_way: HashMap::new() }
    }

    pub(super) fn start(&mut self, order: FetchOrder) {
        self.under_way.retain(|_, work| !work.is_finished());
        let (fetcher, images, messages) = (self.fetcher.clone(), self.images.clone(), self.messages.clone());
        let (daemon, enforces_disk) = (self.daemon.clone(), self.enforces_disk);
        let container = order.container.clone();
        let work = tokio::spawn(async move {
            let FetchOrder { container, items, image, containerizer, sandbox, links: _, show: _, user, disk_bytes } =
                order;
            let bytes_max = disk_bytes.filter(|_| enforces_disk);
            let files = async {
                if items.is_empty() {
                    return Ok(());
                }
                let fetched = fetcher.fetch(&items, &sandbox, user.as_deref(), bytes_max).await;
                fetched.map_err(|error| crate::error_chain(&error))
            };
            let image = async {
                let Some(wish) = image else { return Ok(None) };
                match (containerizer, daemon) {
                    (Containerizer::Launcher, _) => {}
                    (Containerizer::Daemon, Some(daemon)) => {
                        let pulled =
                            daemon.pull(&wish.name, wish.fresh, images.daemons_auth(&wish.name).as_deref()).await;
                        return pulled.map(|()| None).map_err(|error| crate::error_chain(&error));
                    }
                    (Containerizer::Daemon, None) => return Err("this agent uses no Docker daemon".to_owned()),
                }
                let provisioned = images.provision(&wish).await;
                provisioned.map(|image| Some(Box::new(image))).map_err(|error| crate::error_chain(&error))
            };
            let outcome = tokio::try_join!(files, image).map(|((), image)| image);
            // Nobody listens any more when the agent ends.
            let _ended = messages.send(Message::Input(Input::Fetched { container, outcome })).await;
        });
        self.under_way.insert(container, work.abort_handle());
    }

    /// Removes images that nobody has used for `retention`, `except` those; says when it is `done`.
    pub(super) fn collect_images(
        &self,
        retention: Duration,
        in_use: HashSet<PathBuf>,
        except: Vec<String>,
        done: Option<oneshot::Sender<()>>,
    ) {
        let images = self.images.clone();
        tokio::task::spawn_blocking(move || {
            match images.collect(retention, &in_use, &except) {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed layers of images that are not used"),
                Err(error) => {
                    let error = crate::error_chain(&error);
                    tracing::warn!(error, "images that are not used cannot be removed");
                }
            }
            // Who asked may have gone.
            done.map(|done| done.send(()))
        });
    }

    pub(super) fn stop(&mut self, container: &ContainerId) {
        if let Some(work) = self.under_way.remove(container) {
            work.abort();
        }
    }
}
