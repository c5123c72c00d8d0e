use super::quotas;
use crate::{Quantities, Resource, Resources, Sharing};

/// Resources together with what the policy keeps asking about them, so that a cycle need not look into the bag.
#[derive(Clone, Debug, Default)]
pub(super) struct Lot {
    resources: Resources,
    quantities: Quantities,
    audience: Audience,
}

/// Who may have all of it?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everybody: all of it is plain.
    #[default]
    Everybody,
    /// Some of it is reserved, or asks for a capability.
    Depends,
}

impl Lot {
    pub(super) fn new(resources: Resources) -> Lot {
        let audience = match resources.iter().all(Resource::is_plain) {
            true => Audience::Everybody,
            false => Audience::Depends,
        };
        Lot { quantities: quantities(&resources), resources, audience }
    }

    pub(super) fn into_resources(self) -> Resources {
        self.resources
    }

    pub(super) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What it costs others: shared resources, which others can use as well, cost nothing.
    pub(super) fn quantities(&self) -> &Quantities {
        &self.quantities
    }

    /// What of it counts against quotas.
    pub(super) fn rationed(&self) -> Quantities {
        match self.audience {
            Audience::Everybody => self.quantities.clone(),
            Audience::Depends => quotas::rationed(&self.resources),
        }
    }

    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// What is left without `part`; `None` when it is not contained.
    pub(super) fn checked_minus(&self, part: &Resources) -> Option<Lot> {
        self.resources.checked_minus(part).map(Lot::new)
    }

    /// The part for which `keep` holds.
    pub(super) fn part(&self, keep: impl Fn(&Resource) -> bool) -> Lot {
        match self.resources.iter().all(&keep) {
            true => self.clone(),
            false => Lot::new(self.resources.filter(keep)),
        }
    }

    /// Both together.
    pub(super) fn plus(&self, other: &Lot) -> Lot {
        match self.resources.is_empty() {
            true => other.clone(),
            false => Lot::new(self.resources.plus(&other.resources)),
        }
    }
}

/// What resources cost others.
pub(super) fn quantities(resources: &Resources) -> Quantities {
    match resources.iter().all(|resource| resource.sharing() == Sharing::Exclusive) {
        true => resources.quantities(),
        false => resources.exclusive().quantities(),
    }
}
