use crate::model::Upgrade;

/// How the instances of one generation stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Wanted to run and without a task yet.
    pub waiting: u32,
    /// Wanted to run, and launched, but not ready: starting, unhealthy, out of contact, or about to be killed and replaced.
    pub unready: u32,
    /// Running, and healthy if that is checked.
    pub ready: u32,
    /// Being killed for good.
    pub leaving: u32,
    /// Given up for lost; a replacement is wanted.
    pub inactive: u32,
}

impl Standing {
    /// Those that are wanted to run.
    #[must_use]
    pub fn active(self) -> u32 {
        self.waiting + self.unready + self.ready
    }

    /// All.
    #[must_use]
    pub fn total(self) -> u32 {
        self.active() + self.leaving + self.inactive
    }

    /// The same, but so many of those that are ready do not count as that yet.
    #[must_use]
    pub fn unsettled(self, count: u32) -> Self {
        let count = count.min(self.ready);
        Self { ready: self.ready - count, unready: self.unready + count, ..self }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            unready: self.unready + other.unready,
            ready: self.ready + other.ready,
            leaving: self.leaving + other.leaving,
            inactive: self.inactive + other.inactive,
        }
    }
}

/// What a rolling restart does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollingStep {
    /// Start so many instances of the new generation.
    pub start: u32,
    /// Kill so many old instances that have a task, those that are not ready first. Old ones without a task, and inactive ones,
    /// are dropped in any case: nobody misses them.
    pub kill_old: u32,
    /// Kill so many new instances: there are more than wanted.
    pub kill_new: u32,
}

/// Where a replacement finds room when as many instances have to stay ready as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leeway {
    /// There may be one more.
    OneMore,
    /// One less has to stay ready: one more would need what only those have that are there.
    OneLess,
}

/// One look at a rolling restart: from where it stands to what may be done, so that it can go on from anywhere (a failover, an
/// instance lost on the way).
///
/// Never fewer ready instances than `ceil(instances × minimum_health_capacity)` by our doing, and never more instances than
/// `floor(instances × (1 + maximum_over_capacity))`, those still being killed included. When both are the same number and all of
/// it is ready, nothing could ever move without the `leeway`. Each ready new instance takes the place of an old one.
#[must_use]
pub fn rolling_step(instances: u32, upgrade: Upgrade, leeway: Leeway, old: Standing, new: Standing) -> RollingStep {
    let ready = old.ready + new.ready;
    let (minimum, maximum) = match (leeway, minimum_ready(instances, upgrade)) {
        (Leeway::OneMore, minimum) => (minimum, maximum_instances(instances, upgrade, ready)),
        (Leeway::OneLess, minimum) => {
            let most = most_instances(instances, upgrade);
            (minimum - u32::from(minimum == most && minimum > 0), most)
        }
    };
    let spare = ready.saturating_sub(minimum);
    let replaced = (old.unready + old.ready + new.ready).saturating_sub(instances);
    // An old instance that is not ready serves nobody: when nothing else can move, it makes room.
    let there = old.unready + old.ready + old.leaving + new.total() - new.inactive;
    let full = there >= maximum && new.active() < instances;
    let stuck = full && old.leaving + new.leaving + new.waiting + new.unready == 0;
    let room = u32::from(stuck && old.unready > 0);
    let kill_old = spare.max(replaced).max(room).min(old.unready + old.ready);
    let start = maximum.saturating_sub(there).min(instances.saturating_sub(new.active()));
    RollingStep { start, kill_old, kill_new: new.active().saturating_sub(instances) }
}

/// So many instances stay ready.
#[must_use]
pub fn minimum_ready(instances: u32, upgrade: Upgrade) -> u32 {
    (f64::from(instances) * upgrade.minimum_health_capacity).ceil() as u32
}

/// So many instances may be there at once while `ready` of them are ready.
#[must_use]
pub fn maximum_instances(instances: u32, upgrade: Upgrade, ready: u32) -> u32 {
    let maximum = most_instances(instances, upgrade);
    maximum + u32::from(minimum_ready(instances, upgrade) == maximum && maximum <= ready)
}

fn most_instances(instances: u32, upgrade: Upgrade) -> u32 {
    (f64::from(instances) * (1.0 + upgrade.maximum_over_capacity)).floor() as u32
}
