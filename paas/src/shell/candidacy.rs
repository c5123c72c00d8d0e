//! How this process comes to lead: through Postgres, or through ZooKeeper, as Marathon's do.

use std::time::Duration;

use attica_core_api::zookeeper::{Ensemble, InvalidEnsemble, LATCH_LABEL};
use attica_core_store::LeaderRole;
use attica_core_store::election::{AnyElection, LeaseTime, Nomination, PostgresElection, ZooKeeperElection};

use super::args::Args;

/// Where Marathon's candidates stand in line, below the path that operators name.
const LATCH: &str = "leader-curator";

/// The election that the operator chose, of one that others reach at `address`.
///
/// # Errors
/// None for a path that was read.
pub(super) fn election(args: &Args, address: String) -> Result<AnyElection, InvalidEnsemble> {
    let (database, role, time) = (args.postgres_url.clone(), LeaderRole::Paas, LeaseTime::default());
    Ok(match &args.zk {
        None => AnyElection::Postgres(Box::new(PostgresElection::new(database, role, address, time))),
        Some(ensemble) => {
            let nomination = Nomination {
                ensemble: latch(ensemble)?,
                session_timeout: Duration::from_millis(args.zk_session_timeout),
                label: LATCH_LABEL,
                data: address.clone().into_bytes(),
                address_of,
            };
            AnyElection::ZooKeeper(Box::new(ZooKeeperElection::new(database, role, address, time, nomination)))
        }
    })
}

fn latch(ensemble: &Ensemble) -> Result<Ensemble, InvalidEnsemble> {
    ensemble.at(&format!("{}/{LATCH}", ensemble.path()))
}

/// Where another candidate wants to be reached, which is all that it says.
fn address_of(data: &[u8]) -> Option<String> {
    let address = std::str::from_utf8(data).ok()?;
    match super::args::parse_address(address) {
        Ok(address) => Some(address),
        Err(error) => {
            tracing::warn!(error, "the leader's znode names no address");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_stand_where_marathon_s_do() {
        let ensemble: Ensemble = "zk://me:secret@a:1,b:2/marathon".parse().unwrap();
        assert_eq!(latch(&ensemble).unwrap().path(), "/marathon/leader-curator");
        assert_eq!(address_of(b"m1.example.org:8080").as_deref(), Some("m1.example.org:8080"));
        assert_eq!(address_of(b"\xff"), None);
        assert_eq!(address_of(b"http://m1/"), None);
    }
}
