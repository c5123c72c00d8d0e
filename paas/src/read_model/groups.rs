//! The tree of groups. It is nowhere stored: groups exist because apps lie in them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::answer::separated;
use super::embed::GroupParts;
use super::view::AppView;
use crate::model::{RunSpecId, Version};

/// A group: the apps directly in it, the groups below it.
#[derive(Default)]
pub(super) struct Tree<'a> {
    apps: Vec<&'a AppView>,
    groups: BTreeMap<&'a str, Tree<'a>>,
    /// The newest version of an app in it, at any depth.
    newest: Option<Version>,
}

/// The tree below `root` (a path like `/shop`, or `/`), of apps that lie in it.
pub(super) fn tree<'a>(root: &str, apps: impl Iterator<Item = (&'a RunSpecId, &'a AppView)>) -> Tree<'a> {
    let mut tree = Tree::default();
    for (id, app) in apps {
        let below = id.as_str().strip_prefix(root.trim_end_matches('/')).unwrap_or(id.as_str());
        let mut segments: Vec<&str> = below.split('/').filter(|segment| !segment.is_empty()).collect();
        segments.pop();
        let version = app.definition.as_ref().map(|definition| definition.spec.version);
        let mut group = &mut tree;
        group.newest = group.newest.max(version);
        for segment in segments {
            group = group.groups.entry(segment).or_default();
            group.newest = group.newest.max(version);
        }
        group.apps.push(app);
    }
    tree
}

impl Tree<'_> {
    /// True when no app lies in it.
    pub(super) fn is_empty(&self) -> bool {
        self.apps.is_empty() && self.groups.is_empty()
    }

    /// Appends the group as JSON; `path` is its own. The depth is bounded by the length of an id.
    pub(super) fn render(&self, path: &str, parts: GroupParts, out: &mut Vec<Bytes>) {
        out.push(Bytes::from(format!(r#"{{"id":"{path}","#)));
        if let Some(app_parts) = parts.apps {
            out.push(Bytes::from_static(br#""apps":["#));
            separated(self.apps.iter(), out, |app, out| app.render(app_parts, out));
            out.push(Bytes::from_static(br#"],"pods":[],"#));
        }
        if parts.groups {
            out.push(Bytes::from_static(br#""groups":["#));
            let parent = path.trim_end_matches('/');
            separated(self.groups.iter(), out, |(name, group), out| {
                group.render(&format!("{parent}/{name}"), parts, out)
            });
            out.push(Bytes::from_static(b"],"));
        }
        let version = self.newest.unwrap_or(Version(attica_core_api::Timestamp(0)));
        out.push(Bytes::from(format!(r#""dependencies":[],"version":"{version}"}}"#)));
    }
}
