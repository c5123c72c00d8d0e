//! What an operator, and the election, tell the kernel once.

use std::collections::BTreeSet;
use std::sync::Arc;

use attica_allocator::{self as allocator, Role};
use attica_core_api::v1::MasterInfo;

/// The settings of one leader's kernel. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Config {
    /// This leader. `id` is the prefix of the ids that it gives out (`<id>-0000`, `<id>-S0`, `<id>-O0`), so it must be new for every
    /// won election: a UUID.
    pub master_info: Arc<MasterInfo>,
    /// The epoch of the won election. It is in every message on the agent link.
    pub epoch: u64,
    /// How often agents must report.
    pub agent_heartbeat_ms: u64,
    /// How many missed heartbeats make an agent unreachable.
    pub agent_missed_limit: u32,
    /// How long agents and frameworks that the last leader knew may take to come back to this one.
    pub reregister_ms: u64,
    /// How fast agents may be declared unreachable.
    pub unreachable_limit: RateLimit,
    /// How long an unreachable agent is remembered, and with it what ran there.
    pub forget_unreachable_ms: u64,
    /// How many unreachable agents are remembered.
    pub unreachable_agents_limit: usize,
    /// How long an offer may stay unanswered before it is rescinded; `None`: for ever.
    pub offer_timeout_ms: Option<u64>,
    /// By which rules resources are offered; its `offer_timeout_ms` is not looked at.
    pub allocation: allocator::Config,
    /// The roles that frameworks may take, besides `*`; `None`: any.
    pub roles: Option<BTreeSet<Role>>,
    /// Whether agents that do not say where they stand are turned away.
    pub require_agent_domain: bool,
    /// The heartbeat that schedulers are told to expect.
    pub scheduler_heartbeat_ms: u64,
    /// When an unacknowledged status update is sent again for the first time. It doubles from there.
    pub resend_first_ms: u64,
    /// The longest wait between two sends of the same update.
    pub resend_longest_ms: u64,
    /// How many finished tasks are kept per framework.
    pub completed_tasks_limit: usize,
    /// How many removed frameworks are kept.
    pub completed_frameworks_limit: usize,
}

/// A token bucket: `burst` at once, then one per `interval_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The size of the bucket; at least 1.
    pub burst: u32,
    /// The time in which one token comes back.
    pub interval_ms: u64,
}

impl Config {
    /// The defaults, for this leader.
    pub fn new(master_info: MasterInfo, epoch: u64) -> Self {
        Self {
            master_info: Arc::new(master_info),
            epoch,
            agent_heartbeat_ms: 2_000,
            agent_missed_limit: 5,
            reregister_ms: 600_000,
            unreachable_limit: RateLimit { burst: 20, interval_ms: 1_000 },
            forget_unreachable_ms: 14 * 86_400_000,
            unreachable_agents_limit: 102_400,
            offer_timeout_ms: Some(60_000),
            allocation: allocator::Config::default(),
            roles: None,
            require_agent_domain: false,
            scheduler_heartbeat_ms: 15_000,
            resend_first_ms: 10_000,
            resend_longest_ms: 600_000,
            completed_tasks_limit: 1_000,
            completed_frameworks_limit: 50,
        }
    }

    /// How long a silent agent counts as reachable.
    pub fn agent_silence_ms(&self) -> u64 {
        self.agent_heartbeat_ms * u64::from(self.agent_missed_limit)
    }
}
