//! Where a container's cgroups are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::launcher::protocol::ContainerId;

/// What the cgroup of a part begins with: a name that no container has, since a task that runs as root makes cgroups of any other.
const PART: &str = "part_";

/// A path beneath the cgroup of all containers: `a`, or `a/part_b` for a part `b` of `a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Place(Arc<str>);

impl Place {
    /// That of a container which is no part of another.
    pub(crate) fn of(container: &ContainerId) -> Place {
        Place(container.as_str().into())
    }

    /// That of a part of the container that is here.
    pub(crate) fn part(&self, container: &ContainerId) -> Place {
        Place(format!("{self}/{PART}{container}", self = self.0).into())
    }

    /// Takes a path apart; `None` when it is no container's.
    pub(super) fn parse(path: &str) -> Option<Place> {
        let mut components = path.split('/');
        ContainerId::new(components.next()?).ok()?;
        let parts_only = components.all(|name| name.strip_prefix(PART).is_some_and(|id| ContainerId::new(id).is_ok()));
        parts_only.then(|| Place(path.into()))
    }

    /// The container that is here.
    pub(crate) fn container(&self) -> Option<ContainerId> {
        let last = self.0.rsplit('/').next()?;
        ContainerId::new(last.strip_prefix(PART).unwrap_or(last)).ok()
    }

    /// Where the container is that this one is a part of.
    pub(crate) fn parent(&self) -> Option<Place> {
        self.0.rsplit_once('/').map(|(parent, _)| Place(parent.into()))
    }

    /// Where the container is that this one is a part of in the end, or this one itself.
    pub(super) fn whole(&self) -> Place {
        Place(self.0.split('/').next().unwrap_or_default().into())
    }

    /// The path.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(path: String) -> Result<Place, String> {
        Place::parse(&path).ok_or_else(|| format!("`{path}` is no container's place"))
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_whose_it_is_and_of_whom_that_is_a_part() {
        let id = |name: &str| ContainerId::new(name).unwrap();
        let whole = Place::of(&id("a"));
        let part = whole.part(&id("b")).part(&id("c"));
        assert_eq!(part.as_str(), "a/part_b/part_c");
        assert_eq!(part.container(), Some(id("c")));
        assert_eq!((part.whole(), whole.whole()), (whole.clone(), whole.clone()));
        assert_eq!(part.parent().and_then(|parent| parent.parent()), Some(whole));
        assert_eq!(Place::parse(part.as_str()), Some(part));
        for stranger in ["", "a/b", "a/part_", "a/../part_b", "part_b", "/a", "a/part_b/"] {
            assert_eq!(Place::parse(stranger), None, "{stranger}");
        }
    }
}
