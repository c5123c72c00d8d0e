//! No election: one process, whose state is worth nothing to anybody else, leads from its start to its end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{oneshot, watch};

use super::{Election, ElectionError, Leader, Leadership, Lease, Standing};
use crate::{Epoch, Lead, LeaderRole, Position};

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A candidate without rivals.
///
/// Its epoch is the time of day in seconds: agents remember the highest epoch they have seen, also beyond the end of a leader that
/// remembers nothing.
pub struct NoElection {
    role: LeaderRole,
    leader: watch::Sender<Option<Leader>>,
    address: String,
}

impl NoElection {
    /// A candidate that others reach at `address`.
    pub fn new(role: LeaderRole, address: String) -> Self {
        NoElection { role, leader: watch::Sender::new(None), address }
    }
}

impl Election for NoElection {
    async fn campaign(&mut self) -> Result<Leadership, ElectionError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = Epoch(i64::try_from(since.as_secs()).unwrap_or(i64::MAX).max(1));
        self.leader.send_replace(Some(Leader { address: self.address.clone() }));
        let (standing, seen) = watch::channel(Standing::Until(Instant::now() + FOR_EVER));
        let (resign, resigned) = oneshot::channel::<()>();
        let renewal = tokio::spawn(async move {
            // Asked for or dropped: nobody leads any more.
            let _ = resigned.await;
            standing.send_replace(Standing::Deposed);
        });
        let lead = Lead { role: self.role, epoch, seq: Position::START };
        Ok(Leadership { lead, lease: Lease { standing: seen }, resign, renewal })
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.leader.subscribe()
    }
}
