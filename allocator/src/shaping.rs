//! What can be made of an agent's resources while it runs: reservations on top of those it declared, and persistent volumes.
//!
//! Each of these changes turns some resources into as much of others. What an agent has is what it declared, with all changes so far
//! applied: [`Resources::reshaped`] says that from the declaration and the changed part alone.

use crate::{Disk, Identity, Reservation, ReservationKind, Resource, Resources, Sharing};

/// A change of some resources into as much of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// What it takes.
    pub consumed: Resources,
    /// What comes of it.
    pub produced: Resources,
}

impl Resource {
    /// True when this came about while the agent ran: its finest reservation is dynamic, or it is a persistent volume.
    #[must_use]
    pub fn is_shaped(&self) -> bool {
        self.is_dynamically_reserved() || self.is_persistent_volume()
    }

    /// True when its finest reservation was made while the agent ran.
    #[must_use]
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservations().last().is_some_and(|finest| finest.kind == ReservationKind::Dynamic)
    }

    /// True when it is a persistent volume.
    #[must_use]
    pub fn is_persistent_volume(&self) -> bool {
        self.disk().is_some_and(|disk| disk.persistence.is_some())
    }

    /// The same space without the volume on it; everything else stays as it is.
    #[must_use]
    pub fn without_volume(&self) -> Resource {
        self.changed(|identity| {
            identity.sharing = Sharing::Exclusive;
            let source = identity.disk.take().and_then(|disk| disk.source);
            identity.disk = source.map(|source| Disk { source: Some(source), ..Disk::default() });
        })
    }

    /// The same without its finest reservation.
    #[must_use]
    pub fn without_finest_reservation(&self) -> Resource {
        self.changed(|identity| drop(identity.reservations.pop()))
    }

    /// The same with one more reservation on top.
    #[must_use]
    pub fn with_reservation(&self, reservation: Reservation) -> Resource {
        self.changed(|identity| identity.reservations.push(reservation))
    }

    /// What the agent had declared of it.
    fn declared(&self) -> Resource {
        let mut declared = if self.is_persistent_volume() { self.without_volume() } else { self.clone() };
        while declared.is_dynamically_reserved() {
            declared = declared.without_finest_reservation();
        }
        declared
    }

    fn changed(&self, change: impl FnOnce(&mut Identity)) -> Resource {
        let mut identity = self.identity().cloned().unwrap_or_default();
        change(&mut identity);
        self.clone().with_identity(identity)
    }
}

impl Resources {
    /// The part that came about while the agent ran.
    #[must_use]
    pub fn shaped(&self) -> Resources {
        self.filter(Resource::is_shaped)
    }

    /// What an agent has that declared these resources, a part of which has become `shaped` since; `None` when the declaration
    /// does not hold what `shaped` was made of (any more).
    #[must_use]
    pub fn reshaped(&self, shaped: &Resources) -> Option<Resources> {
        let declared: Resources = shaped.iter().map(Resource::declared).collect();
        self.checked_minus(&declared).map(|rest| rest.plus(shaped))
    }

    /// These resources after `conversion`; `None` when they do not hold what it takes.
    #[must_use]
    pub fn converted(&self, conversion: &Conversion) -> Option<Resources> {
        self.checked_minus(&conversion.consumed).map(|rest| rest.plus(&conversion.produced))
    }

    /// The part that only one task at a time can use.
    #[must_use]
    pub fn exclusive(&self) -> Resources {
        self.filter(|resource| resource.sharing() == Sharing::Exclusive)
    }

    /// The same without repetitions of indivisible resources: a shared volume is in a sum as often as it is used.
    #[must_use]
    pub fn distinct(&self) -> Resources {
        let mut distinct: Vec<Resource> = self.iter().cloned().collect();
        distinct.dedup();
        distinct.into_iter().collect()
    }

    /// The part that several tasks can use at the same time.
    #[must_use]
    pub fn shared(&self) -> Resources {
        self.filter(|resource| resource.sharing() == Sharing::Shared)
    }
}

#[cfg(test)]
mod tests;
