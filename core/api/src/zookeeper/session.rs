//! A session, with the few questions that an election asks.

use std::time::{Duration, Instant};

use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Error, OneshotWatcher, Permission, SessionState};

use super::{Ensemble, Label};

/// Why ZooKeeper did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ZooKeeperError {
    /// No session, or no answer that says whether it was done.
    #[error("cannot {what} in ZooKeeper at {ensemble}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Where.
        ensemble: Ensemble,
        /// The client's error.
        #[source]
        source: Error,
    },
    /// No answer in time.
    #[error("ZooKeeper at {ensemble} did not answer in time: cannot {what}")]
    Silent {
        /// What was tried.
        what: &'static str,
        /// Where.
        ensemble: Ensemble,
    },
    /// The session has ended, and its znodes with it.
    #[error("the session with ZooKeeper at {0} expired")]
    Expired(Ensemble),
}

/// A session. Dropping it ends it, and its znodes go as soon as the servers hear of that.
pub struct Session {
    client: Client,
    ensemble: Ensemble,
}

/// A znode with a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The number that ZooKeeper gave it: the lowest leads.
    pub number: i64,
    /// Its name below the path.
    pub name: String,
}

/// Resolves when what was read may not be so any more.
pub struct Changed {
    watcher: OneshotWatcher,
    again_after: Duration,
}

impl Changed {
    /// Waits for the change, for the end of the session, or for as long as that lasts without contact: a watch that was lost together
    /// with a connection must not make anybody wait for ever.
    pub async fn wait(self) {
        let _unchanged = tokio::time::timeout(self.again_after, self.watcher.changed()).await;
    }
}

impl Session {
    /// Connects. The servers may allow a shorter session only: [`Session::timeout`] says.
    pub async fn open(ensemble: &Ensemble, timeout: Duration) -> Result<Session, ZooKeeperError> {
        let mut connector = Client::connector().with_session_timeout(timeout);
        if let Some(credentials) = ensemble.credentials() {
            connector = connector.with_auth("digest", credentials.as_bytes());
        }
        let client = connector.connect(ensemble.servers()).await.map_err(|source| ZooKeeperError::Failed {
            what: "open a session",
            ensemble: ensemble.clone(),
            source,
        })?;
        Ok(Session { client, ensemble: ensemble.clone() })
    }

    /// After so long a silence the servers end the session.
    pub fn timeout(&self) -> Duration {
        self.client.session_timeout()
    }

    /// Returns when the session has ended for good.
    pub async fn ended(&self) {
        let mut watcher = self.client.state_watcher();
        let mut state = watcher.peek_state();
        while !matches!(state, SessionState::Expired | SessionState::Closed | SessionState::AuthFailed) {
            state = watcher.changed().await;
        }
    }

    /// Makes a member of the group, for as long as the session lasts.
    pub async fn enter(&self, label: Label, data: &[u8]) -> Result<Member, ZooKeeperError> {
        let acl = match self.ensemble.credentials() {
            None => Acls::anyone_all().to_vec(),
            Some(_) => vec![Acl::new(Permission::READ, AuthId::anyone()), Acl::new(Permission::ALL, AuthId::authed())],
        };
        let directory = CreateMode::Persistent.with_acls(Acls::new(&acl));
        self.asked("make the path", self.client.mkdir(self.ensemble.path(), &directory)).await?;
        let znode = CreateMode::EphemeralSequential.with_acls(Acls::new(&acl));
        let beginning = label.beginning();
        let path = self.path(&beginning);
        let (_, number) = self.asked("announce a candidate", self.client.create(&path, data, &znode)).await?;
        Ok(Member { number: number.into_i64(), name: format!("{beginning}{number}") })
    }

    /// Ends a membership.
    pub async fn leave(&self, member: &Member) -> Result<(), ZooKeeperError> {
        self.asked("withdraw a candidate", self.client.delete(&self.path(&member.name), None)).await
    }

    /// The members whose names are like that, the lowest number first.
    pub async fn members(&self, label: Label) -> Result<(Vec<Member>, Changed), ZooKeeperError> {
        match self.members_if_any(label).await? {
            Some(found) => Ok(found),
            None => Err(self.failed("list the candidates", Error::NoNode)),
        }
    }

    /// The same, for one who does not know whether there has ever been one: nothing when the path does not exist.
    pub async fn members_if_any(&self, label: Label) -> Result<Option<(Vec<Member>, Changed)>, ZooKeeperError> {
        let listed = self.client.list_and_watch_children(self.ensemble.path());
        let listed = async { listed.await.map(Some).or_else(|error| absent(error, None)) };
        let Some((names, watcher)) = self.asked("list the candidates", listed).await? else { return Ok(None) };
        let member = |name: String| Some(Member { number: label.number(&name)?, name });
        let mut members: Vec<Member> = names.into_iter().filter_map(member).collect();
        members.sort_unstable();
        Ok(Some((members, Changed { watcher, again_after: self.timeout() })))
    }

    /// What a member says about itself; nothing when it is gone.
    pub async fn data(&self, member: &Member) -> Result<Option<Vec<u8>>, ZooKeeperError> {
        let read = self.client.get_data(&self.path(&member.name));
        let read = async { read.await.map(|(data, _)| Some(data)).or_else(|error| absent(error, None)) };
        self.asked("read a candidate", read).await
    }

    /// Whether a member of this session is still there, as the servers' leader knows it, and until when nobody can say otherwise:
    /// no server ends a session earlier than its time-out after it heard of it.
    pub async fn holds(&self, member: &Member) -> Result<Option<Instant>, ZooKeeperError> {
        let asked_at = Instant::now();
        self.asked("synchronise", self.client.sync(self.ensemble.path())).await?;
        let path = self.path(&member.name);
        let stat = self.asked("look for a candidate", self.client.check_stat(&path)).await?;
        let is_ours = stat.is_some_and(|stat| stat.ephemeral_owner == self.client.session_id().0);
        Ok(is_ours.then(|| asked_at + self.timeout()))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.ensemble.path())
    }

    /// Waits no longer than for a session: what takes longer has failed, or will be found out by another question.
    async fn asked<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ZooKeeperError> {
        match tokio::time::timeout(self.timeout(), answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Error::SessionExpired)) => Err(ZooKeeperError::Expired(self.ensemble.clone())),
            Ok(Err(source)) => Err(self.failed(what, source)),
            Err(_) => Err(ZooKeeperError::Silent { what, ensemble: self.ensemble.clone() }),
        }
    }

    fn failed(&self, what: &'static str, source: Error) -> ZooKeeperError {
        ZooKeeperError::Failed { what, ensemble: self.ensemble.clone(), source }
    }
}

fn absent<T>(error: Error, value: T) -> Result<T, Error> {
    if error == Error::NoNode { Ok(value) } else { Err(error) }
}
