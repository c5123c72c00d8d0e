//! Three masters on three servers of ZooKeeper and one Postgres, with simulated agents and a framework that writes without pause,
//! while leaders are killed, stopped or asked to go. What was acknowledged is checked at the end; the longest time in which nothing was
//! is what a leader's death costs.

#![allow(dead_code, reason = "the fault tests and the benchmark use a part of it each")]

pub mod agents;
pub mod framework;
pub mod site;

use std::time::{Duration, Instant};

use attica_core_store::private_postgres::PrivatePostgresOptions;

use agents::Agents;
use framework::Framework;
use site::{Site, Strike};

/// How large, and how often.
#[derive(Clone, Copy)]
pub struct Plan {
    pub agents: usize,
    pub tasks: usize,
    pub strikes: usize,
    pub strike: Strike,
    /// A session with ZooKeeper outlives its process by this.
    pub session_timeout: Duration,
}

/// What it came to.
pub struct Outcome {
    /// The longest pauses between two acknowledged writes, one per strike.
    pub stalls: Vec<Duration>,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
}

/// Everything in memory, as a test has it.
pub async fn test_site(session_timeout: Duration) -> Site {
    let directory = tempfile::Builder::new().prefix("attica-test-").tempdir().expect("a temporary directory");
    Site::start(directory, session_timeout, PrivatePostgresOptions::for_test).await
}

/// Strikes leader after leader while the framework writes, then checks that nothing acknowledged was lost.
pub async fn strike_leaders(mut site: Site, plan: Plan) -> Outcome {
    let agents = Agents::start(&site.ensemble, plan.agents);
    let mut framework = Framework::launch(&site.ensemble, plan.agents, plan.tasks).await;
    let mut stalls = Vec::new();
    for _ in 0..plan.strikes {
        framework.write_for(Duration::from_millis(500)).await;
        let leader = site.leader().await;
        framework.forget_stalls();
        let struck = Instant::now();
        site.strike(leader, plan.strike).await;
        framework.write_until_acknowledged(struck).await;
        framework.write_for(Duration::from_millis(500)).await;
        site.revive(leader).await;
        stalls.push(framework.longest_stall());
    }
    let acknowledged = framework.check(&site).await;
    drop(agents);
    site.stop().await;
    Outcome { stalls, acknowledged }
}
