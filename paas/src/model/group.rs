use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DeploymentPolicy, InvalidId, RunSpec, RunSpecId, Version};

/// The path of a group: `/shop`, or `/` for the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(Arc<str>);

impl GroupId {
    /// The group of everything.
    #[must_use]
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Reads a path as clients write it (`shop`, `/shop`, `//shop/`), relative ones from the root; nothing at all is the root.
    ///
    /// # Errors
    /// What is no [`RunSpecId`] either, but for the root.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match RunSpecId::parse(text) {
            Ok(id) => Ok(Self(id.as_str().into())),
            Err(InvalidId::Root) => Ok(Self::root()),
            Err(error) => Err(error),
        }
    }

    /// The group that a run spec lies in.
    #[must_use]
    pub fn of(id: &RunSpecId) -> Self {
        Self(id.parent().into())
    }

    /// The group that has the path of a run spec.
    #[must_use]
    pub fn at(id: &RunSpecId) -> Self {
        Self(id.as_str().into())
    }

    /// The path with its leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the group of everything.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// True for a group directly in the root.
    #[must_use]
    pub fn is_top_level(&self) -> bool {
        !self.is_root() && self.0.rfind('/') == Some(0)
    }

    /// The group that this one lies in; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self.0.rfind('/') {
            _ if self.is_root() => None,
            None | Some(0) => Some(Self::root()),
            Some(slash) => Some(Self(self.0[..slash].into())),
        }
    }

    /// This group, the one around it, and so on up to the root.
    pub fn and_around(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    /// The top-level group that a run spec lies in; none for one directly in the root.
    #[must_use]
    pub fn top_level_of(id: &RunSpecId) -> Option<Self> {
        let end = id.as_str()[1..].find('/')?;
        Some(Self(id.as_str()[..=end].into()))
    }

    /// The group that is called `name` in this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(format!("{}{name}", self.prefix()).into())
    }

    /// The name, without the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// True when `other` lies in this group, at any depth; a group does not lie in itself.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        if self.is_root() {
            return !other.is_root();
        }
        other.0.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// What the path of everything in this group begins with: `/shop/`, or `/`.
    #[must_use]
    pub fn prefix(&self) -> String {
        if self.is_root() { "/".to_owned() } else { format!("{}/", self.0) }
    }

    /// The id that a run spec of the same path would have; none for the root.
    #[must_use]
    pub fn as_run_spec(&self) -> Option<RunSpecId> {
        RunSpecId::parse(&self.0).ok()
    }
}

impl Borrow<str> for GroupId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GroupId({})", self.0)
    }
}

/// What is said of a group itself; what lies in it is told by paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Run specs, or groups of them, that are deployed before everything in this group: absolute paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
    /// Run specs in it must use its own role. Only for groups directly in the root.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforce_role: bool,
    /// How deployments go about what lies in it and does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<DeploymentPolicy>,
}

/// The versions of a group, each with what was said of it from then on; none: it was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// By version.
    pub versions: BTreeMap<Version, Option<Group>>,
}

impl GroupState {
    /// What is said of it now; none: it is removed.
    #[must_use]
    pub fn current(&self) -> Option<&Group> {
        self.versions.values().next_back()?.as_ref()
    }

    /// The version since when that is so.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.versions.keys().next_back().copied()
    }

    /// What was said of it at `version`.
    #[must_use]
    pub fn at(&self, version: Version) -> Option<&Group> {
        self.versions.range(..=version).next_back()?.1.as_ref()
    }
}

/// What a run spec was in the course of time.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// Its definitions, from when each was made.
    pub versions: &'a BTreeMap<Version, Arc<RunSpec>>,
    /// When it was removed.
    pub removals: &'a BTreeSet<Version>,
}

impl<'a> Past<'a> {
    /// What it was at `version`; none: it was not there.
    #[must_use]
    pub fn at(self, version: Version) -> Option<&'a Arc<RunSpec>> {
        let (made, definition) = self.versions.range(..=version).next_back()?;
        let removed = self.removals.range(..=version).next_back();
        removed.is_none_or(|removed| removed < made).then_some(definition)
    }

    /// The last time that it changed.
    #[must_use]
    pub fn latest(self) -> Option<Version> {
        self.versions.keys().next_back().max(self.removals.last()).copied()
    }

    /// Whenever it changed.
    pub fn moments(self) -> impl Iterator<Item = Version> + 'a {
        self.versions.keys().chain(self.removals).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &str) -> GroupId {
        GroupId::parse(path).unwrap()
    }

    #[test]
    fn paths_are_read_as_clients_write_them() {
        for (text, path) in [("", "/"), ("/", "/"), ("//", "/"), ("shop", "/shop"), ("//shop//front/", "/shop/front")] {
            assert_eq!(group(text).as_str(), path, "{text}");
        }
        assert_eq!(GroupId::parse("/Shop"), Err(InvalidId::Segment));
        assert_eq!(GroupId::parse("/shop/versions"), Err(InvalidId::Reserved));
    }

    #[test]
    fn groups_lie_in_groups() {
        let around: Vec<String> = group("/a/b").and_around().map(|group| group.to_string()).collect();
        assert_eq!(around, ["/a/b", "/a", "/"]);
        assert!(group("/").contains(&group("/a")) && group("/a").contains(&group("/a/b")));
        assert!(!group("/a").contains(&group("/ab")) && !group("/a").contains(&group("/a")));
        assert!(group("/a").is_top_level() && !group("/a/b").is_top_level() && !group("/").is_top_level());
        let top = |path| GroupId::top_level_of(&RunSpecId::parse(path).unwrap()).map(|group| group.to_string());
        assert_eq!((top("/a/b/c"), top("/a")), (Some("/a".to_owned()), None));
    }
}
