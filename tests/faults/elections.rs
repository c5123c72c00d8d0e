//! Three masters on three servers of ZooKeeper: leaders die, hand over, sleep, and lose ZooKeeper, while a framework writes.

use std::time::{Duration, Instant};

use http::StatusCode;
use nix::sys::signal::Signal;

use crate::harness::turn;
use crate::takeover::agents::Agents;
use crate::takeover::framework::Framework;
use crate::takeover::site::{Site, Strike, until};
use crate::takeover::{Plan, strike_leaders, test_site};

const SESSION: Duration = Duration::from_secs(2);
/// A session that does not end because the machine is busy, and that nobody waits for who has no need to.
const LONG_SESSION: Duration = Duration::from_secs(10);
/// How many leaders are killed unless this variable says otherwise: as many as fit into a run of all tests.
const KILLS: usize = 4;
const KILLS_VARIABLE: &str = "ATTICA_LEADER_KILLS";

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(test)
}

#[test]
#[allow(clippy::print_stdout, reason = "how long leaders were missed is for whoever reads the test's output")]
fn nothing_acknowledged_is_lost_when_leaders_are_killed() {
    let _turn = turn();
    let strikes = std::env::var(KILLS_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let plan = Plan { agents: 1_000, tasks: 10_000, strikes, strike: Strike::Kill, session_timeout: SESSION };
    let outcome = block_on(async { strike_leaders(test_site(SESSION).await, plan).await });
    let longest = outcome.stalls.iter().max().copied().unwrap_or_default();
    println!("{strikes} leaders killed, {} writes acknowledged, longest stall {longest:?}", outcome.acknowledged);
    assert_eq!(outcome.stalls.len(), strikes);
    assert!(outcome.acknowledged > strikes * 10, "{} writes are too few to show anything", outcome.acknowledged);
}

#[test]
#[allow(clippy::print_stdout, reason = "how long leaders were missed is for whoever reads the test's output")]
fn a_leader_that_is_asked_to_end_hands_over() {
    let _turn = turn();
    let plan = Plan { agents: 10, tasks: 1_000, strikes: 3, strike: Strike::Ask, session_timeout: LONG_SESSION };
    let outcome = block_on(async { strike_leaders(test_site(LONG_SESSION).await, plan).await });
    println!("stalls {:?}", outcome.stalls);
    let longest = outcome.stalls.iter().max().copied().unwrap_or_default();
    assert!(longest < LONG_SESSION, "{:?}: the session was waited for", outcome.stalls);
}

#[test]
fn a_leader_that_slept_finds_itself_deposed() {
    let _turn = turn();
    block_on(async {
        let mut site = test_site(SESSION).await;
        let agents = Agents::start(&site.ensemble, 10);
        let mut framework = Framework::launch(&site.ensemble, 10, 3_000).await;
        let asleep = site.leader().await;
        let began = Instant::now();
        site.masters[asleep].signal(Signal::SIGSTOP);
        framework.write_until_acknowledged(began).await;
        framework.write_for(Duration::from_secs(30).saturating_sub(began.elapsed())).await;
        site.masters[asleep].signal(Signal::SIGCONT);
        // It says nothing more to anybody (the agents would notice), and ends with an error.
        let ended = until("the old leader to end", async || site.masters[asleep].ended()).await;
        assert!(!ended.success(), "{ended}\n{}", site.logs());
        framework.write_for(Duration::from_secs(1)).await;
        assert_ne!(site.leader().await, asleep);
        site.revive(asleep).await;
        framework.check(&site).await;
        drop(agents);
        site.stop().await;
    });
}

#[test]
fn without_a_majority_nobody_leads_and_with_it_the_work_goes_on() {
    let _turn = turn();
    block_on(async {
        let mut site = test_site(LONG_SESSION).await;
        let agents = Agents::start(&site.ensemble, 10);
        let mut framework = Framework::launch(&site.ensemble, 10, 3_000).await;
        let leader = site.leader().await;
        check_standbys(&site, leader).await;
        // One server less changes nothing.
        site.zookeeper.kill(0).await;
        framework.write_for(LONG_SESSION * 2).await;
        assert_eq!(site.leader().await, leader, "the lead did not change");

        site.zookeeper.kill(1).await;
        until("every master to know of no leader", async || {
            for master in &mut site.masters {
                let answer = master.answer("/state").await;
                let knows_none = answer
                    .is_some_and(|answer| answer == (StatusCode::SERVICE_UNAVAILABLE, "No leader elected".to_owned()));
                // The one that led has ended, and is not started again yet.
                if !knows_none && master.ended().is_none() {
                    return None;
                }
            }
            Some(())
        })
        .await;

        for index in [0, 1] {
            site.zookeeper.restart(index).expect("it starts again");
        }
        framework.write_until_acknowledged(Instant::now()).await;
        if site.masters[leader].ended().is_some() {
            site.revive(leader).await;
        }
        framework.write_for(Duration::from_secs(1)).await;
        framework.check(&site).await;
        drop(agents);
        site.stop().await;
    });
}

/// Those that do not lead send whoever asks to the one that does, and answer for themselves what is about themselves.
async fn check_standbys(site: &Site, leader: usize) {
    let location = |path: &str| format!("//{}{path}", site.masters[leader].address);
    for standby in site.masters.iter().filter(|master| master.address != site.masters[leader].address) {
        until("a standby to know the leader", async || {
            (standby.redirect("/state").await == Some(location("/state"))).then_some(())
        })
        .await;
        for path in ["/state", "/master/slaves?slave_id=x", "/api/v1/scheduler", "/tasks.json", "/frameworks"] {
            assert_eq!(standby.redirect(path).await, Some(location(path)), "{path}");
        }
        assert_eq!(standby.redirect("/redirect").await, Some(location("")));
        assert_eq!(standby.redirect("/master/redirect").await, Some(location("")));
        for path in ["/health", "/version", "/flags", "/metrics/snapshot"] {
            assert_eq!(standby.status(path).await, Some(StatusCode::OK), "{path}");
        }
    }
}
