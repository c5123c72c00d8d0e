//! The tree of groups, now and in the past. What lies in a group is told by paths; a group is there because something lies in it, or
//! because something was said of it.

use std::collections::BTreeMap;

use attica_paas_api::App;
use attica_paas_api::pod::Pod;
use serde_json::{Value, json};

use super::answer::{Missing, Seen};
use super::document::Document;
use super::embed::GroupParts;
use super::view::AppView;
use crate::model::{Group, GroupId, Past, RunSpec, Shape, Version};
use crate::normalise::{self, app, pod};

/// A group: the apps and pods directly in it, the groups below it.
struct Tree<'a, T> {
    apps: Vec<&'a T>,
    groups: BTreeMap<&'a str, Tree<'a, T>>,
    said: Option<&'a Group>,
    /// When anything in it changed last.
    newest: Option<Version>,
}

impl<T> Default for Tree<'_, T> {
    fn default() -> Self {
        Self { apps: Vec::new(), groups: BTreeMap::new(), said: None, newest: None }
    }
}

impl<'a, T> Tree<'a, T> {
    /// The node at a path below this one's own, which is `root`; what changed at `version` changed everything around it.
    fn node(&mut self, root: &GroupId, path: &'a str, version: Option<Version>) -> &mut Self {
        let below = path.strip_prefix(root.as_str().trim_end_matches('/')).unwrap_or(path);
        let mut node = self;
        node.newest = node.newest.max(version);
        for segment in below.split('/').filter(|segment| !segment.is_empty()) {
            node = node.groups.entry(segment).or_default();
            node.newest = node.newest.max(version);
        }
        node
    }

    /// Whatever was removed changed the groups around it that are still there.
    fn touch(&mut self, root: &GroupId, path: &str, version: Option<Version>) {
        let below = path.strip_prefix(root.as_str().trim_end_matches('/')).unwrap_or(path);
        let mut node = Some(self);
        let mut segments = below.split('/').filter(|segment| !segment.is_empty());
        while let Some(present) = node {
            present.newest = present.newest.max(version);
            node = segments.next().and_then(|segment| present.groups.get_mut(segment));
        }
    }

    fn version(&self) -> Version {
        self.newest.unwrap_or_else(Version::never)
    }

    /// Shown where it is so: clients from before there were roles do not know the word.
    fn enforces_role(&self, id: &GroupId) -> Option<bool> {
        (id.is_top_level() && self.said.is_some_and(|said| said.enforce_role)).then_some(true)
    }

    fn dependencies(&self) -> Vec<String> {
        self.said.map(|said| said.dependencies.clone()).unwrap_or_default()
    }
}

impl Seen<'_> {
    /// Appends a group as JSON.
    pub(super) fn render_group(&self, id: &GroupId, shown: GroupParts, out: &mut Document) -> Result<String, Missing> {
        let tree = self.tree(id)?;
        let version = tree.version().to_string();
        tree.render(id, shown, out);
        Ok(version)
    }

    /// When a group, or anything in it, changed, newest first: what it is now, and what it was as far as all of that is known.
    pub(super) fn group_versions(&self, id: &GroupId) -> Result<Vec<Version>, Missing> {
        if !self.group_exists(id) {
            return Err(Missing::Group(id.to_string()));
        }
        let of_apps = self.apps_in(id).flat_map(|(_, app)| app.past().moments());
        let of_groups = self.groups_in(id).flat_map(|(_, state)| state.versions.keys().copied());
        let mut versions: Vec<Version> = of_apps.chain(of_groups).collect();
        versions.sort_unstable_by(|one, other| other.cmp(one));
        versions.dedup();
        if let Some(from) = self.history_from() {
            let known = versions.iter().take_while(|version| **version >= from).count();
            versions.truncate(known.max(1));
        }
        Ok(versions)
    }

    /// A group with everything in it, as it was at a version.
    pub(super) fn group_at(&self, id: &GroupId, version: Option<Version>, written: &str) -> Result<Value, Missing> {
        let known = version.filter(|version| self.group_versions(id).is_ok_and(|versions| versions.contains(version)));
        let missing = || Missing::GroupVersion { group: id.to_string(), version: written.to_owned() };
        Ok(self.group_of_then(id, known.ok_or_else(missing)?))
    }

    /// The root group as it was before a version of it, and as it was then; none when that is not known.
    pub(super) fn root_around(&self, version: Version) -> Option<(Value, Value)> {
        let root = GroupId::root();
        let versions = self.group_versions(&root).ok()?;
        let index = versions.iter().position(|known| *known == version)?;
        let original = match (versions.get(index + 1), self.history_from()) {
            (Some(before), _) => *before,
            (None, None) => Version::never(),
            (None, Some(_)) => return None,
        };
        Some((self.group_of_then(&root, original), self.group_of_then(&root, version)))
    }

    fn group_of_then(&self, id: &GroupId, at: Version) -> Value {
        let mut tree: Tree<'_, RunSpec> = Tree::default();
        for (id_of_app, app) in self.apps_in(id) {
            let Some(spec) = app.past().at(at) else { continue };
            tree.node(id, id_of_app.parent(), Some(spec.version)).apps.push(spec);
        }
        for (group, state) in self.groups_in(id) {
            let since = state.versions.range(..=at).next_back().map(|(since, _)| *since);
            if let Some(said) = state.at(at) {
                tree.node(id, group.as_str(), since).said = Some(said);
            }
        }
        tree.render_past(id, at)
    }

    pub(super) fn group_exists(&self, id: &GroupId) -> bool {
        id.is_root()
            || self.groups_in(id).any(|(_, state)| state.current().is_some())
            || self.apps_in(id).any(|(_, app)| app.definition.is_some())
    }

    fn tree(&self, id: &GroupId) -> Result<Tree<'_, AppView>, Missing> {
        if !self.group_exists(id) {
            return Err(Missing::Group(id.to_string()));
        }
        let mut tree = Tree::default();
        for (group, state) in self.groups_in(id) {
            if let Some(said) = state.current() {
                tree.node(id, group.as_str(), state.version()).said = Some(said);
            }
        }
        for (id_of_app, app) in self.apps_in(id).filter(|(_, app)| app.definition.is_some()) {
            tree.node(id, id_of_app.parent(), app.past().latest()).apps.push(app);
        }
        for (id_of_app, app) in self.apps_in(id).filter(|(_, app)| app.definition.is_none()) {
            tree.touch(id, id_of_app.parent(), app.past().latest());
        }
        for (group, state) in self.groups_in(id).filter(|(_, state)| state.current().is_none()) {
            tree.touch(id, group.as_str(), state.version());
        }
        Ok(tree)
    }
}

impl Tree<'_, AppView> {
    /// Appends the group as JSON; `id` is its own. The depth is bounded by the length of an id.
    fn render(&self, id: &GroupId, shown: GroupParts, out: &mut Document) {
        out.made(format!(r#"{{"id":"{id}","#));
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
            out.separated(self.groups.iter(), |(name, group), out| group.render(&id.child(name), shown, out));
            out.text("],");
        }
        let dependencies = normalise::json(&self.dependencies());
        let version = self.version();
        let enforced = self.enforces_role(id).map(|enforced| format!(r#","enforceRole":{enforced}"#));
        let enforced = enforced.unwrap_or_default();
        let policy = self.said.and_then(|said| said.policy).map(normalise::policy);
        let policy = policy.map(|policy| format!(r#","deployment":{}"#, normalise::json(&policy))).unwrap_or_default();
        out.made(format!(r#""dependencies":{dependencies},"version":"{version}"{enforced}{policy}}}"#));
    }
}

impl Tree<'_, RunSpec> {
    /// The group as JSON, with definitions alone: of instances the past is not known.
    fn render_past(&self, id: &GroupId, version: Version) -> Value {
        let apps: Vec<App> = self.apps.iter().filter(|spec| spec.shape() == Shape::App).map(|spec| app(spec)).collect();
        let pods: Vec<Pod> = self.apps.iter().filter_map(|spec| pod(spec)).collect();
        let below = |(name, group): (&&str, &Self)| group.render_past(&id.child(name), group.version());
        let mut read = json!({
            "id": id.as_str(), "apps": apps, "pods": pods, "groups": self.groups.iter().map(below).collect::<Vec<_>>(),
            "dependencies": self.dependencies(), "version": version.to_string(),
        });
        if let Some(enforced) = self.enforces_role(id) {
            read["enforceRole"] = enforced.into();
        }
        if let Some(policy) = self.said.and_then(|said| said.policy) {
            read["deployment"] = json!(normalise::policy(policy));
        }
        read
    }
}

impl AppView {
    fn past(&self) -> Past<'_> {
        Past { versions: &self.versions, removals: &self.removals }
    }
}
