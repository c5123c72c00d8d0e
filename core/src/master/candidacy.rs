//! How a master comes to lead: through Postgres, through ZooKeeper, or because it is alone.

use attica_core_api::v1::MasterInfo;
use attica_core_api::zookeeper::MASTER_LABEL;
use attica_core_api::{decode_json, encode_json};
use attica_core_store::election::{
    AnyElection, LeaseTime, NoElection, Nomination, PostgresElection, ZooKeeperElection,
};
use attica_core_store::{Database, LeaderRole};

use super::args::{Advertise, Args, Registry};
use super::identity::Identity;
use super::{Error, duration::Milliseconds};

/// Where everything durable is kept, if it is kept at all.
pub(super) fn database(args: &Args) -> Result<Option<Database>, Error> {
    match (args.registry, &args.postgres_url, &args.zk) {
        (Registry::InMemory, _, Some(_)) => Err(Error::ElectionInMemory),
        (Registry::InMemory, _, None) => Ok(None),
        (Registry::Postgres, None, _) => Err(Error::NoDatabase),
        (Registry::Postgres, Some(database), _) => Ok(Some(database.clone())),
    }
}

/// The election that the operator chose.
pub(super) fn election(args: &Args, database: Option<&Database>, identity: &Identity) -> AnyElection {
    let (role, address, time) = (LeaderRole::Master, identity.advertise.to_string(), LeaseTime::default());
    match (database.cloned(), &args.zk) {
        (None, _) => AnyElection::None(NoElection::new(role, address)),
        (Some(database), None) => AnyElection::Postgres(Box::new(PostgresElection::new(database, role, address, time))),
        (Some(database), Some(ensemble)) => {
            let nomination = Nomination {
                ensemble: ensemble.clone(),
                session_timeout: Milliseconds::duration(args.zk_session_timeout),
                label: MASTER_LABEL,
                data: encode_json(&identity.master_info()),
                address_of,
            };
            let election = ZooKeeperElection::new(database, role, address, time, nomination);
            AnyElection::ZooKeeper(Box::new(election))
        }
    }
}

/// Where another master, of whichever make, wants to be reached.
fn address_of(data: &[u8]) -> Option<String> {
    let info: MasterInfo = decode_json(data)
        .inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "the leader's znode is no MasterInfo");
        })
        .ok()?;
    let address = info.address.unwrap_or_default();
    let host = info.hostname.or(address.hostname).or(address.ip)?;
    let port = u16::try_from(info.port).ok()?;
    Some(Advertise { host, port }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_masters_are_found_by_what_they_say_in_zookeeper() {
        let real = br#"{"address":{"hostname":"m1.example.org","ip":"10.0.0.1","port":5050},"hostname":"m1.example.org","id":"x","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"}"#;
        assert_eq!(address_of(real).as_deref(), Some("m1.example.org:5050"));
        let bare = br#"{"address":{"ip":"10.0.0.1","port":5050},"id":"x","ip":16777226,"port":5050}"#;
        assert_eq!(address_of(bare).as_deref(), Some("10.0.0.1:5050"));
        assert_eq!(address_of(b"{}"), None);
        assert_eq!(address_of(b"nonsense"), None);
    }
}
