//! The tree of groups. It is nowhere stored: groups exist because apps lie in them.

use std::collections::BTreeMap;

use attica_core_api::Timestamp;

use super::embed::GroupParts;
use super::parts::Parts;
use super::view::AppView;
use crate::model::{RunSpecId, Shape, Version};

/// A group: the apps and pods directly in it, the groups below it.
#[derive(Default)]
pub(super) struct Tree<'a> {
    apps: Vec<&'a AppView>,
    groups: BTreeMap<&'a str, Tree<'a>>,
    /// The newest version of an app in it, at any depth.
    newest: Option<Version>,
}

/// The tree below `root` (a path like `/shop`, or `/`), of apps that lie in it.
pub(super) fn tree<'a>(root: &str, apps: Vec<(&'a RunSpecId, &'a AppView)>) -> Tree<'a> {
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
    /// Appends the group as JSON; `path` is its own. The depth is bounded by the length of an id.
    pub(super) fn render(&self, path: &str, shown: GroupParts, out: &mut Parts) {
        out.made(format!(r#"{{"id":"{path}","#));
        if let Some(app_parts) = shown.apps {
            out.text(r#""apps":["#);
            let apps = self.apps.iter().filter(|app| app.of_shape(Shape::App).is_some());
            out.separated(apps, |app, out| app.render(app_parts, out));
            out.text("],");
        }
        if shown.pods {
            out.text(r#""pods":["#);
            let pods = self.apps.iter().filter(|app| app.of_shape(Shape::Pod).is_some());
            out.separated(pods, |pod, out| pod.render_pod(out));
            out.text("],");
        }
        if shown.groups {
            out.text(r#""groups":["#);
            let parent = path.trim_end_matches('/');
            out.separated(self.groups.iter(), |(name, group), out| {
                group.render(&format!("{parent}/{name}"), shown, out);
            });
            out.text("],");
        }
        let version = self.newest.unwrap_or(Version(Timestamp(0)));
        out.made(format!(r#""dependencies":[],"version":"{version}"}}"#));
    }
}
