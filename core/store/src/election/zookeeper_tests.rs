//! Candidates against real servers of ZooKeeper and of Postgres.

use std::time::{Duration, Instant};

use attica_core_api::encode_json;
use attica_core_api::v1::{Address, MasterInfo};
use attica_core_api::zookeeper::{Detector, Ensemble, MASTER_LABEL, Session};
use tokio::sync::watch;

use super::{Election, Leader, LeaseTime, Nomination, ZooKeeperElection};
use crate::private_zookeeper::PrivateZooKeeper;
use crate::testing::TestServer;
use crate::{Epoch, LeaderRole, Position};

const SESSION: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// Both servers, and whom they belong to.
struct Site {
    postgres: TestServer,
    zookeeper: PrivateZooKeeper,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn start() -> Site {
        let directory = tempfile::tempdir().expect("temporary directory");
        let zookeeper = PrivateZooKeeper::start(directory.path(), 3).await.expect("ZooKeeper starts");
        Site { postgres: TestServer::start().await, zookeeper, _directory: directory }
    }

    fn ensemble(&self) -> Ensemble {
        self.zookeeper.ensemble("/test/masters").expect("an address")
    }

    fn candidate_at(&self, ensemble: Ensemble, port: u16) -> ZooKeeperElection {
        let nomination = Nomination {
            ensemble,
            session_timeout: SESSION,
            label: MASTER_LABEL,
            data: encode_json(&master_info(port)),
            address_of: |data| String::from_utf8_lossy(data).split("\"port\":").nth(1).map(digits),
        };
        let role = LeaderRole::Master;
        let address = port.to_string();
        ZooKeeperElection::new(self.postgres.database(), role, address, LeaseTime::default(), nomination)
    }

    fn candidate(&self, port: u16) -> ZooKeeperElection {
        self.candidate_at(self.ensemble(), port)
    }
}

fn digits(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

fn master_info(port: u16) -> MasterInfo {
    let address = Address { hostname: None, ip: Some("127.0.0.1".to_owned()), port: i32::from(port) };
    MasterInfo { id: port.to_string(), port: u32::from(port), address: Some(address), ..MasterInfo::default() }
}

async fn soon<T>(thing: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, thing).await.expect("happens in time")
}

async fn names(mut seen: watch::Receiver<Option<MasterInfo>>, port: Option<u32>) {
    soon(seen.wait_for(|leader| leader.as_ref().map(|leader| leader.port) == port)).await.expect("the detector lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_leads_the_second_follows_and_everybody_can_see_it() {
    let site = Site::start().await;
    let detector = Detector::start(site.ensemble());
    let leadership = soon(site.candidate(5001).campaign()).await.expect("wins");
    assert_eq!((leadership.lead().epoch, leadership.lead().seq), (Epoch(1), Position::START));
    assert!(leadership.lease().is_current());
    names(detector.leader(), Some(5001)).await;

    let mut second = site.candidate(5002);
    let mut seen = second.leader();
    let waited = tokio::time::timeout(SESSION * 3, second.campaign()).await;
    assert!(waited.is_err(), "two leaders");
    assert_eq!(*seen.borrow_and_update(), Some(Leader { address: "5001".to_owned() }));
    assert!(leadership.lease().is_current(), "confirmed again and again");

    // The znodes are those that clients of Mesos look for.
    let session = Session::open(&site.ensemble(), SESSION).await.expect("a session");
    let (members, _) = session.members(MASTER_LABEL).await.expect("members");
    assert_eq!(members[0].name, "json.info_0000000000");
    let data = session.data(&members[0]).await.expect("data").expect("it is there");
    let data = String::from_utf8(data).expect("text");
    assert_eq!(data, r#"{"id":"5001","ip":0,"port":5001,"address":{"ip":"127.0.0.1","port":5001}}"#);

    let started = Instant::now();
    leadership.resign().await;
    let leadership = soon(second.campaign()).await.expect("wins");
    assert!(started.elapsed() < SESSION * 2, "a hand-over does not wait for the session");
    assert_eq!(leadership.lead().epoch, Epoch(2));
    names(detector.leader(), Some(5002)).await;
    leadership.resign().await;
    names(detector.leader(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_znode_that_is_deleted_deposes_its_leader() {
    let site = Site::start().await;
    let leadership = soon(site.candidate(5001).campaign()).await.expect("wins");
    let session = Session::open(&site.ensemble(), SESSION).await.expect("a session");
    let (members, _) = session.members(MASTER_LABEL).await.expect("members");
    session.leave(&members[0]).await.expect("deleted");
    soon(leadership.lease().lost()).await;
    assert!(!leadership.lease().is_current());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nobody_leads_and_with_it_somebody_does_again() {
    let mut site = Site::start().await;
    let first = soon(site.candidate(5001).campaign()).await.expect("wins");
    let mut second = site.candidate(5002);
    // One server less changes nothing.
    site.zookeeper.kill(0).await;
    let waited = tokio::time::timeout(SESSION * 3, second.campaign()).await;
    assert!(waited.is_err() && first.lease().is_current(), "the lead has not changed");

    site.zookeeper.kill(1).await;
    let lost = Instant::now();
    let lease = first.lease();
    soon(async {
        while lease.is_current() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(lost.elapsed() <= SESSION + Duration::from_millis(500), "{:?}", lost.elapsed());
    let waited = tokio::time::timeout(SESSION * 2, second.campaign()).await;
    assert!(waited.is_err() && !lease.is_current(), "nobody can know who leads");

    for index in [0, 1] {
        site.zookeeper.restart(index).expect("starts");
    }
    let followed = soon(second.campaign()).await.expect("wins");
    assert!(followed.lead().epoch >= Epoch(2));
    soon(first.lease().lost()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_with_credentials_is_writable_by_their_owner_alone() {
    let site = Site::start().await;
    let servers = site.ensemble().servers().to_owned();
    let owned: Ensemble = format!("zk://me:secret@{servers}/guarded/masters").parse().expect("an address");
    let leadership = soon(site.candidate_at(owned.clone(), 5001).campaign()).await.expect("wins");
    // Everybody may look, and nobody else may become a candidate.
    let stranger: Ensemble = format!("zk://{servers}/guarded/masters").parse().expect("an address");
    names(Detector::start(stranger.clone()).leader(), Some(5001)).await;
    let session = Session::open(&stranger, SESSION).await.expect("a session");
    let refused = session.enter(MASTER_LABEL, b"{}").await.expect_err("not authorized");
    assert!(format!("{refused:?}").contains("NoAuth"), "{refused:?}");
    leadership.resign().await;
}
