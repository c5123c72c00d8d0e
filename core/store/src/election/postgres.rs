//! Election by a lease in the `lead` row, judged by the database's clock alone.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{Election, ElectionError, Leader, Leadership, Lease, Standing};
use crate::{Database, Epoch, Lead, LeaderRole, Position};

/// The times of a lease. The database's clock starts it when the statement runs, ours before that: we stop first.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTime {
    /// How long it holds unless renewed.
    pub ttl: Duration,
    /// How often a candidate looks whether the role is free.
    pub poll: Duration,
}

impl Default for LeaseTime {
    fn default() -> Self {
        LeaseTime { ttl: Duration::from_secs(5), poll: Duration::from_millis(200) }
    }
}

impl LeaseTime {
    /// A third, so that one lost attempt does not cost the lead.
    fn renew_after(self) -> Duration {
        self.ttl / 3
    }

    fn ttl_seconds(self) -> f64 {
        self.ttl.as_secs_f64()
    }

    /// How long the address that resigned lets others go first: all of them have looked by then, also on a busy machine.
    fn deference_seconds(self) -> f64 {
        (5 * self.poll).as_secs_f64()
    }
}

/// A candidate: asks the `lead` row of its role over a connection of its own.
pub struct PostgresElection {
    candidate: Candidate,
    leader: watch::Sender<Option<Leader>>,
}

/// One process that wants to lead.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) database: Database,
    pub(super) role: LeaderRole,
    pub(super) holder: Uuid,
    pub(super) address: String,
    pub(super) time: LeaseTime,
}

/// When a candidate takes the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// When the lease of whoever leads has run out, or at once when somebody else has resigned.
    WhenFree,
    /// At once: something else has decided that this candidate leads. The fence deposes whoever has led until now.
    AtOnce,
}

impl PostgresElection {
    /// A candidate that others reach at `address` once it leads. The database must be migrated.
    pub fn new(database: Database, role: LeaderRole, address: String, time: LeaseTime) -> Self {
        let candidate = Candidate { database, role, holder: Uuid::new_v4(), address, time };
        PostgresElection { candidate, leader: watch::Sender::new(None) }
    }
}

impl Election for PostgresElection {
    async fn campaign(&mut self) -> Result<Leadership, ElectionError> {
        let candidate = self.candidate.clone();
        let mut connection = None;
        loop {
            match candidate.ask(Claim::WhenFree, &mut connection).await {
                Ok(Answer::Won { lead, until }) => {
                    let leader = Leader { address: candidate.address.clone() };
                    self.leader.send_replace(Some(leader));
                    return Ok(candidate.lead(lead, until, connection));
                }
                Ok(Answer::Taken { leader, free_in }) => {
                    self.leader.send_if_modified(|seen| std::mem::replace(seen, leader.clone()) != leader);
                    tokio::time::sleep(free_in.min(candidate.time.poll)).await;
                }
                Err(source) if is_final(&source) => {
                    return Err(ElectionError::Refused { role: candidate.role, source });
                }
                Err(error) => {
                    tracing::warn!(role = %candidate.role, error = &error as &dyn std::error::Error, "cannot campaign");
                    self.leader.send_if_modified(|seen| seen.take().is_some());
                    connection = None;
                    tokio::time::sleep(candidate.time.poll).await;
                }
            }
        }
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.leader.subscribe()
    }
}

pub(super) enum Answer {
    Won { lead: Lead, until: Instant },
    Taken { leader: Option<Leader>, free_in: Duration },
}

/// What became of a renewal.
#[derive(PartialEq, Eq)]
enum Renewal {
    Renewed { until: Instant },
    Deposed,
}

impl Candidate {
    async fn connect<'a>(&self, connection: &'a mut Option<PgConnection>) -> Result<&'a mut PgConnection, sqlx::Error> {
        match connection {
            Some(connection) => Ok(connection),
            None => {
                let options = self.database.options(&format!("attica {} election", self.role));
                Ok(connection.insert(PgConnection::connect_with(&options).await?))
            }
        }
    }

    /// Takes the role if the claim allows it.
    pub(super) async fn ask(&self, claim: Claim, connection: &mut Option<PgConnection>) -> Result<Answer, sqlx::Error> {
        let connection = self.connect(connection).await?;
        let until = Instant::now() + self.time.ttl;
        let won = sqlx::query!(
            "update lead
             set epoch = epoch + 1, holder = $2, address = $3, expires_at = clock_timestamp() + make_interval(secs => $4)
             where role = $1 and (expires_at <= clock_timestamp() or (holder is null and address <> $3) or $5)
             returning epoch, seq",
            self.role.as_str(),
            self.holder,
            self.address,
            self.time.ttl_seconds(),
            claim == Claim::AtOnce,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = won {
            let lead = Lead { role: self.role, epoch: Epoch(row.epoch), seq: Position(row.seq) };
            return Ok(Answer::Won { lead, until });
        }
        let row = sqlx::query!(
            r#"select case when holder is not null then address end as address,
                   greatest(0, extract(epoch from expires_at - clock_timestamp()))::float8 as "free_in_seconds!"
               from lead where role = $1"#,
            self.role.as_str(),
        )
        .fetch_one(connection)
        .await?;
        let leader = row.address.map(|address| Leader { address });
        Ok(Answer::Taken { leader, free_in: Duration::try_from_secs_f64(row.free_in_seconds).unwrap_or_default() })
    }

    /// Starts renewing what was won.
    pub(super) fn lead(self, lead: Lead, until: Instant, connection: Option<PgConnection>) -> Leadership {
        let (standing, seen) = watch::channel(Standing::Until(until));
        let (resign, resigned) = oneshot::channel();
        let renewal = tokio::spawn(self.keep(lead, connection, standing, resigned));
        Leadership { lead, lease: Lease { standing: seen }, resign, renewal }
    }

    /// Renews until deposed, resigned, or dropped.
    async fn keep(
        self,
        lead: Lead,
        mut connection: Option<PgConnection>,
        standing: watch::Sender<Standing>,
        mut resigned: oneshot::Receiver<()>,
    ) {
        let mut pause = self.time.renew_after();
        loop {
            let asked = tokio::select! {
                biased;
                asked = &mut resigned => Some(asked.is_ok()),
                () = tokio::time::sleep(pause) => None,
            };
            match asked {
                Some(false) => return, // the leadership was dropped
                Some(true) => {
                    standing.send_replace(Standing::Deposed);
                    let released = tokio::time::timeout(self.time.renew_after(), self.release(lead, &mut connection));
                    if !matches!(released.await, Ok(Ok(()))) {
                        tracing::warn!(role = %lead.role, "could not hand over: the lease runs out by itself");
                    }
                    return;
                }
                None => {}
            }
            let renewed = tokio::time::timeout(self.time.renew_after(), self.renew(lead, &mut connection)).await;
            match renewed {
                Ok(Ok(Renewal::Renewed { until })) => {
                    standing.send_replace(Standing::Until(until));
                    pause = self.time.renew_after();
                }
                Ok(Ok(Renewal::Deposed)) => {
                    tracing::warn!(role = %lead.role, epoch = %lead.epoch, "deposed");
                    standing.send_replace(Standing::Deposed);
                    return;
                }
                Ok(Err(error)) => {
                    tracing::warn!(role = %lead.role, error = &error as &dyn std::error::Error, "cannot renew the lease");
                    connection = None;
                    pause = self.time.poll;
                }
                Err(_elapsed) => {
                    tracing::warn!(role = %lead.role, "Postgres does not answer: cannot renew the lease");
                    connection = None; // whatever the old statement still does, it only renews
                    pause = self.time.poll;
                }
            }
        }
    }

    /// Also renews a lease that ran out, if nobody took it meanwhile: the epoch says.
    async fn renew(&self, lead: Lead, connection: &mut Option<PgConnection>) -> Result<Renewal, sqlx::Error> {
        let connection = self.connect(connection).await?;
        let until = Instant::now() + self.time.ttl;
        let renewed = sqlx::query!(
            "update lead set expires_at = clock_timestamp() + make_interval(secs => $4)
             where role = $1 and epoch = $2 and holder = $3",
            lead.role.as_str(),
            lead.epoch.0,
            self.holder,
            self.time.ttl_seconds(),
        )
        .execute(connection)
        .await?;
        Ok(if renewed.rows_affected() == 1 { Renewal::Renewed { until } } else { Renewal::Deposed })
    }

    /// Makes the role free: for others at once, for this address a little later, since a supervisor may start it again within no time.
    async fn release(&self, lead: Lead, connection: &mut Option<PgConnection>) -> Result<(), sqlx::Error> {
        let connection = self.connect(connection).await?;
        sqlx::query!(
            "update lead set expires_at = clock_timestamp() + make_interval(secs => $4), holder = null
             where role = $1 and epoch = $2 and holder = $3",
            lead.role.as_str(),
            lead.epoch.0,
            self.holder,
            self.time.deference_seconds(),
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Whether asking again cannot help: the schema, the permissions or the address are wrong.
pub(super) fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["28", "3D", "42"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}
