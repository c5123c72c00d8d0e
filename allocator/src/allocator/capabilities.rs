use crate::{Guarantee, Resource, Sharing};

/// What a framework says it can deal with, as far as it decides which resources it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// It may be offered resources that can be taken back from its tasks.
    RevocableResources,
    /// It may be offered resources that other tasks use at the same time.
    SharedResources,
    /// It may be offered agents that have graphics processors.
    GpuResources,
    /// It understands reservations on top of reservations.
    ReservationRefinement,
    /// It may be offered agents of other regions than the master's.
    RegionAware,
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capabilities(u8);

impl Capabilities {
    /// True when `capability` is in the set.
    #[must_use]
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u8 != 0
    }

    /// True when every capability of `other` is in this set.
    pub(super) fn include(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when a framework with these capabilities may be offered `resource` at all.
    pub(super) fn admit(self, resource: &Resource) -> bool {
        let revocable = match resource.guarantee() {
            Guarantee::Firm => true,
            Guarantee::Revocable => self.contains(Capability::RevocableResources),
        };
        let shared = match resource.sharing() {
            Sharing::Exclusive => true,
            Sharing::Shared => self.contains(Capability::SharedResources),
        };
        let refined = resource.reservations().len() <= 1 || self.contains(Capability::ReservationRefinement);
        revocable && shared && refined
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<Items: IntoIterator<Item = Capability>>(capabilities: Items) -> Capabilities {
        Capabilities(capabilities.into_iter().fold(0, |bits, capability| bits | 1 << capability as u8))
    }
}
