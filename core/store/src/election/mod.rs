//! Who leads.
//!
//! A role campaigns, wins, and holds a [`Leadership`]; whoever else campaigns waits and knows the leader's address. Losing
//! has two steps, because a database that is down for all is not a lost election:
//!
//! * *doubtful*: the lease ran out on our own monotonic clock without being renewed (the database is gone, or this process was
//!   paused). Somebody else may lead. Nothing new is said to anybody ([`Lease::confirmed`] waits); reads may go on.
//! * *deposed*: somebody else does lead, or we resigned. Final; [`Lease::lost`] returns.
//!
//! From doubt the way leads to either: when the database answers again and the epoch is still ours, the lease is renewed. The
//! fence, not this clock, keeps a deposed leader from writing.
//!
//! There are three elections behind one trait: by a lease in Postgres ([`PostgresElection`]), by ZooKeeper as in Mesos
//! ([`ZooKeeperElection`]), and none at all ([`NoElection`]). [`AnyElection`] is whichever an operator chose.

mod none;
mod postgres;
#[cfg(test)]
mod tests;
mod zookeeper;
#[cfg(test)]
mod zookeeper_tests;

use std::time::Instant;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::Lead;
pub use none::NoElection;
pub use postgres::{LeaseTime, PostgresElection};
pub use zookeeper::{Nomination, ZooKeeperElection};

/// Decides who leads one role. Dropping a future of [`Election::campaign`] ends the candidacy.
pub trait Election: Send + 'static {
    /// Waits until this candidate leads, through outages of whatever decides; an error is one that time does not cure.
    fn campaign(&mut self) -> impl Future<Output = Result<Leadership, ElectionError>> + Send;

    /// The leader as this candidate last saw it; kept up to date while it campaigns and while it leads.
    fn leader(&self) -> watch::Receiver<Option<Leader>>;
}

/// Who leads, for those who do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// What it wants to be reached at, as it said when it campaigned.
    pub address: String,
}

/// The election that an operator chose.
pub enum AnyElection {
    /// By a lease in Postgres.
    Postgres(Box<PostgresElection>),
    /// By ZooKeeper.
    ZooKeeper(Box<ZooKeeperElection>),
    /// None: this process is alone.
    None(NoElection),
}

impl Election for AnyElection {
    async fn campaign(&mut self) -> Result<Leadership, ElectionError> {
        match self {
            AnyElection::Postgres(election) => election.campaign().await,
            AnyElection::ZooKeeper(election) => election.campaign().await,
            AnyElection::None(election) => election.campaign().await,
        }
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        match self {
            AnyElection::Postgres(election) => election.leader(),
            AnyElection::ZooKeeper(election) => election.leader(),
            AnyElection::None(election) => election.leader(),
        }
    }
}

/// Why a candidate can never lead.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// The database refuses the question itself: no migrations, no permission, no such database.
    #[error("the database cannot hold an election for {role}")]
    Refused {
        /// What was to be led.
        role: crate::LeaderRole,
        /// The database's error.
        #[source]
        source: sqlx::Error,
    },
}

/// How sure a leader may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody else leads before then.
    Until(Instant),
    /// Somebody else may lead, or does.
    Deposed,
}

/// Tells whether a leader still leads; cheap to clone and to ask.
#[derive(Clone, Debug)]
pub struct Lease {
    standing: watch::Receiver<Standing>,
}

impl Lease {
    /// Whether nobody else can lead at this moment.
    pub fn is_current(&self) -> bool {
        match *self.standing.borrow() {
            Standing::Until(end) => Instant::now() < end,
            Standing::Deposed => false,
        }
    }

    /// Waits while leadership is in doubt. `true`: we lead at this moment; `false`: deposed.
    pub async fn confirmed(&self) -> bool {
        let mut standing = self.standing.clone();
        let current = |standing: &Standing| match *standing {
            Standing::Until(end) => Instant::now() < end,
            Standing::Deposed => true,
        };
        matches!(standing.wait_for(current).await.as_deref(), Ok(Standing::Until(_)))
    }

    /// Returns when somebody else leads, or we resigned.
    pub async fn lost(&self) {
        let mut standing = self.standing.clone();
        // An error means that the lease is no longer renewed by anybody, which is as good as lost.
        let _ = standing.wait_for(|standing| *standing == Standing::Deposed).await;
    }
}

/// A won election. Dropping it stops renewing: the next leader follows when the lease has run out.
#[derive(Debug)]
pub struct Leadership {
    lead: Lead,
    lease: Lease,
    resign: oneshot::Sender<()>,
    renewal: JoinHandle<()>,
}

impl Leadership {
    /// What was won, and from which position the winner goes on.
    pub fn lead(&self) -> Lead {
        self.lead
    }

    /// Whether it still holds.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Hands over: once this returns another candidate can win at once. End the writer first, so that nothing promised is
    /// left in its queue.
    pub async fn resign(self) {
        let Leadership { resign, renewal, .. } = self;
        let _ = resign.send(());
        let _ = renewal.await; // it ends by itself, within one attempt to tell the database
    }
}
