//! The private ZooKeeper as children that are kept running.

use std::sync::Arc;
use std::time::Duration;

use attica_core_store::private_zookeeper::{PrivateZooKeeper, PrivateZooKeeperError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::data_dir::DataDir;

/// As many as lose none of what they know when one is lost.
const SERVERS: usize = 3;
/// The pause before a server that ended is started again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The servers, and who keeps them.
pub(super) struct ZooKeeper {
    masters: String,
    service_layers: String,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl ZooKeeper {
    pub(super) async fn start(data_dir: &Arc<DataDir>) -> Result<ZooKeeper, PrivateZooKeeperError> {
        let servers = PrivateZooKeeper::start(data_dir.zookeeper(), SERVERS).await?;
        let [masters, service_layers] =
            ["mesos", "marathon"].map(|path| format!("zk://{}/{path}", servers.addresses()));
        let (stop, stopped) = oneshot::channel();
        Ok(ZooKeeper {
            masters,
            service_layers,
            stop,
            keeper: tokio::spawn(keep(servers, Arc::clone(data_dir), stopped)),
        })
    }

    /// Where masters stand for election, and where service layers do.
    pub(super) fn urls(&self) -> (&str, &str) {
        (&self.masters, &self.service_layers)
    }

    pub(super) async fn stop(self) {
        // Neither can fail: the keeper ends only after it was told to.
        let _ = self.stop.send(());
        let _ = self.keeper.await;
    }
}

async fn keep(mut servers: PrivateZooKeeper, data_dir: Arc<DataDir>, mut stopped: oneshot::Receiver<()>) {
    loop {
        remember(&servers, &data_dir);
        tokio::select! {
            (index, status) = servers.ended() => {
                match status {
                    Ok(status) => tracing::warn!("{} ended with {status}; starting it again", name(index)),
                    Err(error) => tracing::error!(%error, "cannot wait for {}; starting it again", name(index)),
                }
                tokio::time::sleep(RETRY_PAUSE).await;
                if let Err(error) = servers.restart(index) {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot start {}", name(index));
                }
            }
            _ = &mut stopped => break,
        }
    }
    servers.stop().await;
    (0..SERVERS).for_each(|index| data_dir.forget(&name(index)));
}

/// So that the next `up` can end them, should this one be killed.
fn remember(servers: &PrivateZooKeeper, data_dir: &DataDir) {
    for (index, pid) in servers.pids() {
        if let Err(error) = data_dir.remember(&name(index), pid) {
            tracing::warn!(%error, "cannot note down where {} runs", name(index));
        }
    }
}

fn name(index: usize) -> String {
    format!("zookeeper-{}", index + 1)
}
