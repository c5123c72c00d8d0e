/// Why an offer was no use for an instance, in the order in which offers are examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// It has no resources of an accepted role.
    UnfulfilledRole,
    /// A constraint does not hold on its agent.
    UnfulfilledConstraint,
    /// It lacks a needed reservation. (Never yet: nothing asks for one.)
    NoCorrespondingReservationFound,
    /// Its agent is being maintained.
    AgentMaintenance,
    /// Too few cores.
    InsufficientCpus,
    /// Too little memory.
    InsufficientMemory,
    /// Too little disk space.
    InsufficientDisk,
    /// Too few GPUs.
    InsufficientGpus,
    /// Too few free ports, or not the required ones.
    InsufficientPorts,
    /// It has GPUs, which are kept for those who need them.
    DeclinedScarceResources,
}

impl RejectReason {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::UnfulfilledRole,
        Self::UnfulfilledConstraint,
        Self::NoCorrespondingReservationFound,
        Self::AgentMaintenance,
        Self::InsufficientCpus,
        Self::InsufficientMemory,
        Self::InsufficientDisk,
        Self::InsufficientGpus,
        Self::InsufficientPorts,
        Self::DeclinedScarceResources,
    ];

    /// How the queue writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnfulfilledRole => "UnfulfilledRole",
            Self::UnfulfilledConstraint => "UnfulfilledConstraint",
            Self::NoCorrespondingReservationFound => "NoCorrespondingReservationFound",
            Self::AgentMaintenance => "AgentMaintenance",
            Self::InsufficientCpus => "InsufficientCpus",
            Self::InsufficientMemory => "InsufficientMemory",
            Self::InsufficientDisk => "InsufficientDisk",
            Self::InsufficientGpus => "InsufficientGpus",
            Self::InsufficientPorts => "InsufficientPorts",
            Self::DeclinedScarceResources => "DeclinedScarceResources",
        }
    }
}

/// How many offers each reason turned down: a funnel, each offer counted once, under the first reason that applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    examined: u64,
    declined: [u64; RejectReason::ALL.len()],
}

/// One row of the funnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectRow {
    /// The reason.
    pub reason: RejectReason,
    /// Offers that it turned down.
    pub declined: u64,
    /// Offers that had passed the reasons before it.
    pub processed: u64,
}

impl Rejections {
    /// Counts an offer that was used.
    pub fn used(&mut self) {
        self.examined += 1;
    }

    /// Counts an offer that was turned down, first of all for `reason`.
    pub fn rejected(&mut self, reason: RejectReason) {
        self.examined += 1;
        self.declined[reason as usize] += 1;
    }

    /// Adds another funnel.
    pub fn add(&mut self, other: &Self) {
        self.examined += other.examined;
        for (mine, others) in self.declined.iter_mut().zip(other.declined) {
            *mine += others;
        }
    }

    /// The rows, in the order of the funnel.
    #[must_use]
    pub fn rows(&self) -> Vec<RejectRow> {
        let mut processed = self.examined;
        let row = |reason: RejectReason| {
            let row = RejectRow { reason, declined: self.declined[reason as usize], processed };
            processed -= row.declined;
            row
        };
        RejectReason::ALL.into_iter().map(row).collect()
    }
}
