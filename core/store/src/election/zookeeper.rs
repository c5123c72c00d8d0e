//! Election by ZooKeeper, as Mesos masters do it, with the fence in Postgres.
//!
//! ```text
//!  no session ──► candidate ──lowest number──► claims the `lead` row ──► leader ──session expired, znode gone, row taken──► deposed
//!      ▲              │                             │                       │ ▲
//!      └──────────────┴──session lost───────────────┘                    doubtful: no contact with ZooKeeper, or none with Postgres
//! ```
//!
//! ZooKeeper decides who leads: whoever's ephemeral znode has the lowest number. The winner takes the `lead` row whoever holds it,
//! which gives it an epoch and fences its predecessor, and from then on keeps the lease in that row like any other leader. So its own
//! lease is current only while it holds both: the row's, and the session's as the servers confirm it.

use std::time::{Duration, Instant};

use attica_core_api::zookeeper::{Ensemble, Label, Member, Session, ZooKeeperError};
use sqlx::PgConnection;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::postgres::{Answer, Candidate, Claim, is_final};
use super::{Election, ElectionError, Leader, Leadership, Lease, LeaseTime, Standing};
use crate::{Database, LeaderRole};

/// Between two attempts to get a session.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// A leader asks ZooKeeper whether it still is so often within the time-out of its session.
const CONFIRMATIONS: u32 = 6;

/// How a candidate appears in ZooKeeper.
#[derive(Clone, Debug)]
pub struct Nomination {
    /// Where.
    pub ensemble: Ensemble,
    /// How long its session outlives its last sign of life.
    pub session_timeout: Duration,
    /// What its znode is called.
    pub label: Label,
    /// What its znode holds.
    pub data: Vec<u8>,
    /// Reads from the data of another candidate where it wants to be reached.
    pub address_of: fn(&[u8]) -> Option<String>,
}

/// A candidate with a session.
pub struct ZooKeeperElection {
    nomination: Nomination,
    candidate: Candidate,
    leader: watch::Sender<Option<Leader>>,
}

impl ZooKeeperElection {
    /// A candidate that others reach at `address` once it leads. The database must be migrated.
    pub fn new(database: Database, role: LeaderRole, address: String, time: LeaseTime, nomination: Nomination) -> Self {
        let candidate = Candidate { database, role, holder: Uuid::new_v4(), address, time };
        ZooKeeperElection { nomination, candidate, leader: watch::Sender::new(None) }
    }
}

/// Why an attempt ended without a lead.
enum Setback {
    /// The next session may do better.
    Session(ZooKeeperError),
    /// The znode of this candidate is gone although its session is there: somebody has deleted it.
    Withdrawn,
    /// Time does not help.
    Final(ElectionError),
}

impl From<ZooKeeperError> for Setback {
    fn from(error: ZooKeeperError) -> Self {
        Setback::Session(error)
    }
}

impl Election for ZooKeeperElection {
    async fn campaign(&mut self) -> Result<Leadership, ElectionError> {
        loop {
            match self.attempt().await {
                Ok(leadership) => return Ok(leadership),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Withdrawn) => {
                    tracing::warn!("the znode of this candidate was deleted: announcing it again")
                }
                Err(Setback::Session(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot campaign");
                }
            }
            self.leader.send_if_modified(|seen| seen.take().is_some());
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.leader.subscribe()
    }
}

impl ZooKeeperElection {
    /// One session's candidacy.
    async fn attempt(&self) -> Result<Leadership, Setback> {
        let Nomination { ensemble, session_timeout, label, data, .. } = &self.nomination;
        let session = Session::open(ensemble, *session_timeout).await?;
        let member = session.enter(*label, data).await?;
        tracing::info!(znode = member.name, "this candidate waits in ZooKeeper for its turn");
        let ahead = self.until_first(&session, &member);
        tokio::select! {
            first = ahead => first?,
            () = session.ended() => return Err(ZooKeeperError::Expired(ensemble.clone()).into()),
        }
        let (lead, until, connection) = tokio::select! {
            claimed = self.claim() => claimed?,
            () = session.ended() => return Err(ZooKeeperError::Expired(ensemble.clone()).into()),
        };
        // The database may have been away for longer than a session lasts.
        let confirmed_until = session.holds(&member).await?.ok_or(Setback::Withdrawn)?;
        self.leader.send_replace(Some(Leader { address: self.candidate.address.clone() }));
        let row = self.candidate.clone().lead(lead, until, connection);
        Ok(Tenure { session, member, confirmed_until }.over(row, until))
    }

    /// Waits until nobody has a lower number, and says meanwhile who has the lowest.
    async fn until_first(&self, session: &Session, mine: &Member) -> Result<(), Setback> {
        loop {
            let (members, changed) = session.members(self.nomination.label).await?;
            if !members.contains(mine) {
                return Err(Setback::Withdrawn);
            }
            let Some(first) = members.first().filter(|first| *first != mine) else { return Ok(()) };
            let data = session.data(first).await?;
            let address = data.as_deref().and_then(self.nomination.address_of);
            let leader = address.map(|address| Leader { address });
            self.leader.send_if_modified(|seen| std::mem::replace(seen, leader.clone()) != leader);
            changed.wait().await;
        }
    }

    /// Takes the `lead` row, as soon as the database answers.
    async fn claim(&self) -> Result<(crate::Lead, Instant, Option<PgConnection>), Setback> {
        let mut connection = None;
        loop {
            match self.candidate.ask(Claim::AtOnce, &mut connection).await {
                Ok(Answer::Won { lead, until }) => return Ok((lead, until, connection)),
                // Only when the row is not there at all, which the migrations see to.
                Ok(Answer::Taken { .. }) => {}
                Err(source) if is_final(&source) => {
                    return Err(Setback::Final(ElectionError::Refused { role: self.candidate.role, source }));
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "chosen by ZooKeeper, and cannot reach the database");
                    connection = None;
                }
            }
            tokio::time::sleep(self.candidate.time.poll).await;
        }
    }
}

/// What a leader holds in ZooKeeper.
struct Tenure {
    session: Session,
    member: Member,
    /// Until when the servers' last answer holds.
    confirmed_until: Instant,
}

impl Tenure {
    /// A leadership over the row's that also ends with the session.
    fn over(self, row: Leadership, row_until: Instant) -> Leadership {
        let lead = row.lead;
        let (standing, seen) = watch::channel(Standing::Until(row_until.min(self.confirmed_until)));
        let (resign, resigned) = oneshot::channel();
        let renewal = tokio::spawn(self.keep(row, standing, resigned));
        Leadership { lead, lease: Lease { standing: seen }, resign, renewal }
    }

    /// Confirms until deposed, resigned, or dropped.
    async fn keep(mut self, row: Leadership, standing: watch::Sender<Standing>, mut resigned: oneshot::Receiver<()>) {
        let pause = self.session.timeout() / CONFIRMATIONS;
        let mut row_standing = row.lease.standing.clone();
        let mut confirmation = tokio::time::interval(pause);
        confirmation.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                asked = &mut resigned => {
                    standing.send_replace(Standing::Deposed);
                    if asked.is_ok() {
                        self.hand_over(row).await;
                    }
                    return;
                }
                () = self.session.ended() => {
                    tracing::warn!(role = %row.lead.role, "deposed: the session with ZooKeeper has ended");
                    break;
                }
                // The sender lives as long as the row's leadership.
                _ = row_standing.changed() => {}
                _ = confirmation.tick() => {
                    match tokio::time::timeout(pause, self.session.holds(&self.member)).await {
                        Ok(Ok(Some(until))) => self.confirmed_until = until,
                        Ok(Ok(None)) => {
                            tracing::warn!(role = %row.lead.role, "deposed: the znode of this leader is gone");
                            break;
                        }
                        Ok(Err(error)) => {
                            tracing::warn!(error = &error as &dyn std::error::Error, "cannot confirm the lead");
                        }
                        Err(_elapsed) => tracing::warn!("ZooKeeper does not answer: cannot confirm the lead"),
                    }
                }
            }
            match *row_standing.borrow_and_update() {
                Standing::Until(row_until) => {
                    standing.send_replace(Standing::Until(row_until.min(self.confirmed_until)))
                }
                Standing::Deposed => break,
            };
        }
        standing.send_replace(Standing::Deposed);
    }

    /// The row first: the next leader must find nobody in it when it takes over.
    async fn hand_over(self, row: Leadership) {
        row.resign().await;
        if let Err(error) = self.session.leave(&self.member).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not withdraw: the session runs out by itself"
            );
        }
    }
}
