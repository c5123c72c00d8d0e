//! Follows the leader.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Ensemble, MASTER_LABEL, Session, ZooKeeperError};
use crate::decode_json;
use crate::v1::MasterInfo;

/// How long a session of a mere reader lasts without contact.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to get a session.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Before a path that does not exist yet is looked at again.
const ABSENT_PAUSE: Duration = Duration::from_millis(200);

/// Follows the leading master that ZooKeeper names, in the background of the current tokio runtime, until it is dropped.
///
/// Nobody is named before the first answer, while there is no candidate, and while there is no session: whoever was named before
/// may have been replaced meanwhile.
pub struct Detector {
    leader: watch::Receiver<Option<MasterInfo>>,
    task: JoinHandle<()>,
}

impl Detector {
    /// Starts following.
    pub fn start(ensemble: Ensemble) -> Detector {
        let (named, leader) = watch::channel(None);
        Detector { leader, task: tokio::spawn(follow(ensemble, named)) }
    }

    /// The leader, now and when it changes.
    pub fn leader(&self) -> watch::Receiver<Option<MasterInfo>> {
        self.leader.clone()
    }
}

impl Drop for Detector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(ensemble: Ensemble, named: watch::Sender<Option<MasterInfo>>) {
    let mut failures: u32 = 0;
    loop {
        let error = match Session::open(&ensemble, SESSION_TIMEOUT).await {
            Ok(session) => {
                failures = 0;
                match watch_leader(&session, &named).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        named.send_if_modified(|leader| leader.take().is_some());
        failures += 1;
        if failures == 1 || failures.is_multiple_of(100) {
            tracing::warn!(failures, error = &error as &dyn std::error::Error, "cannot follow the leader");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn watch_leader(
    session: &Session,
    named: &watch::Sender<Option<MasterInfo>>,
) -> Result<std::convert::Infallible, ZooKeeperError> {
    loop {
        let Some((members, changed)) = session.members_if_any(MASTER_LABEL).await? else {
            named.send_if_modified(|leader| leader.take().is_some());
            tokio::time::sleep(ABSENT_PAUSE).await;
            continue;
        };
        let data = match members.first() {
            Some(first) => session.data(first).await?,
            None => None,
        };
        let leader = data.as_deref().and_then(master_info);
        named.send_if_modified(|seen| std::mem::replace(seen, leader.clone()) != leader);
        changed.wait().await;
    }
}

/// What a candidate says about itself, if it makes sense.
fn master_info(data: &[u8]) -> Option<MasterInfo> {
    decode_json(data)
        .inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "the leader's znode is no MasterInfo")
        })
        .ok()
}
