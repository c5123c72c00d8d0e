use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Permission, Sight};
use crate::model::GroupId;

/// Permissions that are held at one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u8);

impl Permissions {
    fn bit(permission: Permission) -> u8 {
        1 << permission as u8
    }

    /// Adds those of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Takes those of `other` away.
    pub fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are held, in their order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.0 & Self::bit(*permission) != 0)
    }

    /// Whether holding these is enough: an admin may do everything, and who may do anything may also look.
    #[must_use]
    pub fn allow(self, permission: Permission) -> bool {
        let enough = Self::bit(permission) | Self::bit(Permission::Admin);
        self.0 & enough != 0 || (permission == Permission::View && !self.is_empty())
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | Self::bit(permission)))
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(permissions: Vec<Permission>) -> Self {
        permissions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(permissions: Permissions) -> Self {
        permissions.iter().collect()
    }
}

/// What somebody may do: permissions at paths. What is held at a path is held for everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(BTreeMap<GroupId, Permissions>);

impl Grants {
    /// So many paths may be named.
    pub const PATHS_MAX: usize = 1_000;

    /// Everything, everywhere.
    #[must_use]
    pub fn everything() -> Self {
        [(GroupId::root(), Permissions::from_iter([Permission::Admin]))].into_iter().collect()
    }

    /// Adds permissions at a path.
    pub fn grant(&mut self, path: GroupId, permissions: Permissions) {
        if !permissions.is_empty() {
            self.0.entry(path).or_default().add(permissions);
        }
    }

    /// Takes permissions at a path away; false: there was none of them there.
    pub fn revoke(&mut self, path: &GroupId, permissions: Permissions) -> bool {
        let Some(held) = self.0.get_mut(path) else { return false };
        let before = *held;
        held.remove(permissions);
        let changed = *held != before;
        if held.is_empty() {
            self.0.remove(path);
        }
        changed
    }

    /// By path.
    pub fn iter(&self) -> impl Iterator<Item = (&GroupId, Permissions)> {
        self.0.iter().map(|(path, permissions)| (path, *permissions))
    }

    /// The number of paths that are named.
    #[must_use]
    pub fn paths(&self) -> usize {
        self.0.len()
    }

    /// Whether somebody with these may do this at `path`, which is absolute.
    #[must_use]
    pub fn allow(&self, permission: Permission, path: &str) -> bool {
        and_around(path).any(|at| self.0.get(at).is_some_and(|held| held.allow(permission)))
    }

    /// What somebody with these may view.
    #[must_use]
    pub fn sight(&self) -> Sight {
        // Whatever is held lets its holder look.
        Sight::of(self.0.keys().cloned())
    }
}

impl FromIterator<(GroupId, Permissions)> for Grants {
    fn from_iter<I: IntoIterator<Item = (GroupId, Permissions)>>(grants: I) -> Self {
        let mut all = Self::default();
        grants.into_iter().for_each(|(path, permissions)| all.grant(path, permissions));
        all
    }
}

/// A path, what lies around it, and so on up to `/`.
pub(super) fn and_around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rfind('/') {
        None => None,
        Some(0) => (path.len() > 1).then_some("/"),
        Some(slash) => Some(&path[..slash]),
    })
}
