//! Whole answers, put together from rendered parts.

use std::sync::Arc;

use attica_core_api::Timestamp;
use bytes::{Bytes, BytesMut};

use super::embed::{AppParts, GroupParts};
use super::groups;
use super::model::ReadModel;
use super::selector::AppFilter;
use super::view::TaskFilter;
use crate::model::{Instance, RunSpec, RunSpecId, Version};
use crate::normalise::{self, UnusedOffers};

/// There is no such thing (404).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such app.
    #[error("App '{0}' does not exist")]
    App(String),
    /// No such version of an app.
    #[error("App '{app}' does not exist in version {version}")]
    Version {
        /// The app.
        app: String,
        /// The version, as it was written.
        version: String,
    },
    /// No such group.
    #[error("Group '{0}' does not exist")]
    Group(String),
}

impl ReadModel {
    /// Names the present state, for `ETag`: equal tags, equal answers to equal questions.
    #[must_use]
    pub fn tag(&self) -> String {
        self.read().tag()
    }

    /// `{"apps":[…]}`, and the tag of the state that it shows.
    #[must_use]
    pub fn apps(&self, filter: &AppFilter, parts: AppParts) -> (String, Bytes) {
        let mut out = vec![Bytes::from_static(br#"{"apps":["#)];
        let views = self.read();
        let shown = views
            .apps
            .values()
            .filter(|app| app.definition.as_ref().is_some_and(|definition| filter.passes(&definition.spec)));
        separated(shown, &mut out, |app, out| app.render(parts, out));
        let tag = views.tag();
        drop(views);
        out.push(Bytes::from_static(b"]}"));
        (tag, concat(&out))
    }

    /// `{"app":{…}}`
    ///
    /// # Errors
    /// No such app.
    pub fn app(&self, id: &RunSpecId) -> Result<Bytes, Missing> {
        let mut out = vec![Bytes::from_static(br#"{"app":"#)];
        let views = self.read();
        let app =
            views.apps.get(id).filter(|app| app.definition.is_some()).ok_or_else(|| Missing::App(id.to_string()))?;
        app.render(AppParts::single(), &mut out);
        drop(views);
        out.push(Bytes::from_static(b"}"));
        Ok(concat(&out))
    }

    /// `{"*":[…]}`: the apps at any depth in a group, which is a path like `/shop`, or `/`.
    ///
    /// # Errors
    /// No app lies in the group.
    pub fn apps_of_group(&self, group: &str, parts: AppParts) -> Result<Bytes, Missing> {
        let mut out = vec![Bytes::from_static(br#"{"*":["#)];
        let views = self.read();
        let mut within =
            views.apps.iter().filter(|(id, app)| app.definition.is_some() && id.is_within(group)).peekable();
        if within.peek().is_none() && group != "/" {
            return Err(Missing::Group(group.to_owned()));
        }
        separated(within, &mut out, |(_, app), out| app.render(parts, out));
        drop(views);
        out.push(Bytes::from_static(b"]}"));
        Ok(concat(&out))
    }

    /// `{"tasks":[…]}` of one app.
    ///
    /// # Errors
    /// No such app.
    pub fn tasks_of_app(&self, id: &RunSpecId) -> Result<Bytes, Missing> {
        let views = self.read();
        let app =
            views.apps.get(id).filter(|app| app.definition.is_some()).ok_or_else(|| Missing::App(id.to_string()))?;
        Ok(task_list(app.task_parts(TaskFilter::All)))
    }

    /// `{"tasks":[…]}` of the apps in a group.
    ///
    /// # Errors
    /// No app lies in the group.
    pub fn tasks_of_group(&self, group: &str) -> Result<Bytes, Missing> {
        let views = self.read();
        let mut within =
            views.apps.iter().filter(|(id, app)| app.definition.is_some() && id.is_within(group)).peekable();
        if within.peek().is_none() && group != "/" {
            return Err(Missing::Group(group.to_owned()));
        }
        Ok(task_list(within.flat_map(|(_, app)| app.task_parts(TaskFilter::All))))
    }

    /// `{"tasks":[…]}` of all apps, removed ones included.
    #[must_use]
    pub fn tasks(&self, filter: TaskFilter) -> Bytes {
        let views = self.read();
        task_list(views.apps.values().flat_map(|app| app.task_parts(filter)))
    }

    /// `{"versions":[…]}`, newest first.
    ///
    /// # Errors
    /// No such app.
    pub fn versions(&self, id: &RunSpecId) -> Result<Bytes, Missing> {
        let views = self.read();
        let app =
            views.apps.get(id).filter(|app| app.definition.is_some()).ok_or_else(|| Missing::App(id.to_string()))?;
        let versions = app.versions.keys().rev().map(ToString::to_string).collect();
        Ok(Bytes::from(normalise::json(&attica_paas_api::app::VersionList { versions })))
    }

    /// One version of an app; `written` is how the client names it.
    ///
    /// # Errors
    /// No such app, no such version.
    pub fn version(&self, id: &RunSpecId, version: Option<Version>, written: &str) -> Result<Bytes, Missing> {
        let views = self.read();
        let app =
            views.apps.get(id).filter(|app| app.definition.is_some()).ok_or_else(|| Missing::App(id.to_string()))?;
        let spec = version.and_then(|version| app.versions.get(&version));
        let spec = spec.ok_or_else(|| Missing::Version { app: id.to_string(), version: written.to_owned() })?;
        Ok(Bytes::from(normalise::json(&normalise::app(spec))))
    }

    /// A group, a path like `/shop`, or `/`.
    ///
    /// # Errors
    /// No app lies in the group.
    pub fn group(&self, group: &str, parts: GroupParts) -> Result<Bytes, Missing> {
        let mut out = Vec::new();
        let views = self.read();
        let within = views.apps.iter().filter(|(id, app)| app.definition.is_some() && id.is_within(group));
        let tree = groups::tree(group, within);
        if tree.is_empty() && group != "/" {
            return Err(Missing::Group(group.to_owned()));
        }
        tree.render(group, parts, &mut out);
        drop(views);
        Ok(concat(&out))
    }

    /// The version that an instance runs.
    #[must_use]
    pub fn spec(&self, instance: &Instance) -> Option<Arc<RunSpec>> {
        self.read().apps.get(&instance.id.run_spec)?.versions.get(&instance.version).cloned()
    }

    /// `[…]`
    #[must_use]
    pub fn deployments(&self) -> Bytes {
        let mut out = vec![Bytes::from_static(b"[")];
        let views = self.read();
        join(views.deployments.values(), &mut out);
        drop(views);
        out.push(Bytes::from_static(b"]"));
        concat(&out)
    }

    /// `{"queue":[…]}` as it is at `now`.
    #[must_use]
    pub fn queue(&self, unused: UnusedOffers, now: Timestamp) -> Bytes {
        let items: Vec<_> = self.read().queue.values().cloned().collect();
        let queue = items.iter().map(|item| normalise::queue_item(item, unused, now)).collect();
        Bytes::from(normalise::json(&attica_paas_api::queue::Queue { queue }))
    }
}

fn task_list<'a>(tasks: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut out = vec![Bytes::from_static(br#"{"tasks":["#)];
    join(tasks, &mut out);
    out.push(Bytes::from_static(b"]}"));
    concat(&out)
}

/// Appends parts with commas in between.
pub(super) fn join<'a>(parts: impl Iterator<Item = &'a Bytes>, out: &mut Vec<Bytes>) {
    separated(parts, out, |part, out| out.push(part.clone()));
}

/// Appends what `render` makes of each item, with commas in between.
pub(super) fn separated<T>(items: impl Iterator<Item = T>, out: &mut Vec<Bytes>, render: impl Fn(T, &mut Vec<Bytes>)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(Bytes::from_static(b","));
        }
        render(item, out);
    }
}

fn concat(parts: &[Bytes]) -> Bytes {
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole.freeze()
}
