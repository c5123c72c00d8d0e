//! Whole answers, put together from rendered parts: references are taken under the lock, bytes are copied as they are sent.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_store::Position;
use attica_paas_api::app::VersionList;
use attica_paas_api::queue::Queue;
use bytes::Bytes;

use super::document::Document;
use super::embed::{AppParts, GroupParts};
use super::model::{DeploymentView, EndedView, ReadModel, Views};
use super::progress;
use super::selector::AppFilter;
use super::view::{AppView, Sandbox, TaskFilter};
use crate::access::Sight;
use crate::engine::QueueItem;
use crate::model::{GroupId, GroupState, Instance, RunSpec, RunSpecId, SecretPath, Shape, TaskIdentity, Version};
use crate::normalise::{self, QueueParts};

/// There is no such thing (404).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such app.
    #[error("App '{0}' does not exist")]
    App(String),
    /// No such pod.
    #[error("Pod '{0}' does not exist")]
    Pod(String),
    /// No such version of a pod.
    #[error("Pod '{pod}' does not exist in version {version}")]
    PodVersion {
        /// The pod.
        pod: String,
        /// The version, as it was written.
        version: String,
    },
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
    /// No such secret.
    #[error("Secret '{0}' does not exist")]
    Secret(String),
    /// No such version of a group.
    #[error("Group '{group}' does not exist in version {version}")]
    GroupVersion {
        /// The group.
        group: String,
        /// The version, as it was written.
        version: String,
    },
}

/// What was read, and of which state.
#[derive(Debug)]
pub struct Answer {
    /// Exactly the facts up to here are in it.
    pub position: Position,
    /// For `ETag`: equal tags, equal answers to equal questions. Usually it names the state. Of one app, pod or group it is
    /// `"<version>+<digest>"`: the version of what was said of it, which a write can ask for, and a digest of the whole answer, since
    /// what became of its instances is not in the version.
    pub tag: String,
    /// The document, or what there is not.
    pub body: Result<Document, Missing>,
}

impl ReadModel {
    /// What somebody with this sight reads.
    #[must_use]
    pub fn seen_by(&self, sight: Sight) -> Reader<'_> {
        Reader { model: self, sight }
    }

    /// An answer without a document: of which state it would be.
    #[must_use]
    pub fn state(&self) -> Answer {
        let views = self.read();
        Answer { position: views.position, tag: views.tag(&Sight::Everything), body: Ok(Document::default()) }
    }

    /// The version that an instance runs.
    #[must_use]
    pub fn spec(&self, instance: &Instance) -> Option<Arc<RunSpec>> {
        self.read().apps.get(&instance.id.run_spec)?.versions.get(&instance.version).cloned()
    }

    /// The current definition of an app or pod.
    #[must_use]
    pub fn definition(&self, id: &RunSpecId) -> Option<Arc<RunSpec>> {
        let views = self.read();
        let app = views.apps.get(id)?;
        let shown = app.of_shape(Shape::App).or_else(|| app.of_shape(Shape::Pod))?;
        Some(Arc::clone(&shown.spec))
    }

    /// True when there is an app of this id.
    #[must_use]
    pub fn exists(&self, id: &RunSpecId) -> bool {
        self.read().apps.get(id).is_some_and(|app| app.of_shape(Shape::App).is_some())
    }
}

/// The read model as somebody sees it: what he may not view is not there.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    model: &'a ReadModel,
    sight: Sight,
}

/// The views that a reader may look at. Every answer goes through here.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    views: &'a Views,
    sight: &'a Sight,
}

impl Reader<'_> {
    /// An answer without a document: of which state it would be.
    #[must_use]
    pub fn state(&self) -> Answer {
        let views = self.model.read();
        Answer { position: views.position, tag: views.tag(&self.sight), body: Ok(Document::default()) }
    }

    /// Where a task writes its output: one that is there, or the latest failure of its app.
    #[must_use]
    pub fn sandbox(&self, task: &str) -> Option<Sandbox> {
        let instance = TaskIdentity::parse(task).ok()?.instance;
        let views = self.model.read();
        let app = Seen { views: &views, sight: &self.sight }.view(&instance.run_spec)?;
        let present = app.tasks.get(&instance).into_iter().flat_map(|task| &task.sandboxes);
        let failed = app.last_failure.as_ref().map(|failure| &failure.sandbox);
        present.chain(failed).find(|sandbox| sandbox.task.as_str() == task).cloned()
    }

    /// `{"apps":[…]}`
    #[must_use]
    pub fn apps(&self, filter: &AppFilter, shown: AppParts) -> Answer {
        self.collect(|views, out| {
            let passes =
                |app: &&AppView| app.of_shape(Shape::App).is_some_and(|definition| filter.passes(&definition.spec));
            out.text(r#"{"apps":["#);
            out.separated(views.apps().map(|(_, app)| app).filter(passes), |app, out| app.render(shown, out));
            out.text("]}");
        })
    }

    /// `{"app":{…}}`; the version of the answer's tag is that of the definition.
    #[must_use]
    pub fn app(&self, id: &RunSpecId, shown: AppParts) -> Answer {
        let mut version = None;
        let answer = self.find(|views, out| {
            let app = views.app(id)?;
            version = app.definition.as_ref().map(|definition| definition.spec.version.to_string());
            out.text(r#"{"app":"#);
            app.render(shown, out);
            out.text("}");
            Ok(())
        });
        with_version(answer, version)
    }

    /// `{"*":[…]}`: the apps at any depth in a group, which is a path like `/shop`, or `/`.
    #[must_use]
    pub fn apps_of_group(&self, group: &str, shown: AppParts) -> Answer {
        self.find(|views, out| {
            out.text(r#"{"*":["#);
            out.separated(views.apps_within(group)?.into_iter(), |(_, app), out| app.render(shown, out));
            out.text("]}");
            Ok(())
        })
    }

    /// `[…]`: the same apps, bare.
    #[must_use]
    pub fn app_list_of_group(&self, group: &str, shown: AppParts) -> Answer {
        self.find(|views, out| {
            out.text("[");
            out.separated(views.apps_within(group)?.into_iter(), |(_, app), out| app.render(shown, out));
            out.text("]");
            Ok(())
        })
    }

    /// `{"tasks":[…]}` of one app.
    #[must_use]
    pub fn tasks_of_app(&self, id: &RunSpecId) -> Answer {
        self.find(|views, out| {
            list_tasks(views.app(id)?.task_parts(TaskFilter::All), out);
            Ok(())
        })
    }

    /// `{"tasks":[…]}` of the apps in a group.
    #[must_use]
    pub fn tasks_of_group(&self, group: &str) -> Answer {
        self.find(|views, out| {
            let within = views.within(group)?;
            list_tasks(within.iter().flat_map(|(_, app)| app.task_parts(TaskFilter::All)), out);
            Ok(())
        })
    }

    /// `{"tasks":[…]}` of all apps, removed ones included.
    #[must_use]
    pub fn tasks(&self, filter: TaskFilter) -> Answer {
        self.collect(|views, out| list_tasks(views.apps().flat_map(|(_, app)| app.task_parts(filter)), out))
    }

    /// `{"versions":[…]}`, newest first.
    #[must_use]
    pub fn versions(&self, id: &RunSpecId) -> Answer {
        self.find(|views, out| {
            let versions = views.app(id)?.versions.keys().rev().map(ToString::to_string).collect();
            out.made(normalise::json(&VersionList { versions }));
            Ok(())
        })
    }

    /// One version of an app; `written` is how the client names it.
    #[must_use]
    pub fn version(&self, id: &RunSpecId, version: Option<Version>, written: &str) -> Answer {
        self.find(|views, out| {
            let app = views.app(id)?;
            let spec = version.and_then(|version| app.versions.get(&version));
            let missing = || Missing::Version { app: id.to_string(), version: written.to_owned() };
            out.made(normalise::json(&normalise::app(spec.ok_or_else(missing)?)));
            Ok(())
        })
    }

    /// A group; the version of the answer's tag is its own.
    #[must_use]
    pub fn group(&self, group: &GroupId, shown: GroupParts) -> Answer {
        let mut version = None;
        let answer = self.find(|views, out| {
            version = Some(views.render_group(group, shown, out)?);
            Ok(())
        });
        with_version(answer, version)
    }

    /// `[…]`: the versions of a group, newest first.
    #[must_use]
    pub fn group_versions(&self, group: &GroupId) -> Answer {
        self.find(|views, out| {
            let versions = views.group_versions(group)?;
            out.made(normalise::json(&versions.iter().map(ToString::to_string).collect::<Vec<_>>()));
            Ok(())
        })
    }

    /// A group as it was at a version; `written` is how the client names that.
    #[must_use]
    pub fn group_version(&self, group: &GroupId, version: Option<Version>, written: &str) -> Answer {
        self.find(|views, out| {
            out.made(normalise::json(&views.group_at(group, version, written)?));
            Ok(())
        })
    }

    /// The root group, as JSON, before a version of it and at that version; none when that is not known any more.
    #[must_use]
    pub fn root_around(&self, version: Version) -> Option<(String, String)> {
        let views = self.model.read();
        let (original, target) = Seen { views: &views, sight: &self.sight }.root_around(version)?;
        drop(views);
        Some((original.to_string(), target.to_string()))
    }

    /// `[…]`, with how far each instance is of which they are about, if that is asked for.
    #[must_use]
    pub fn deployments(&self, with_progress: bool) -> Answer {
        self.collect(|seen, out| {
            out.text("[");
            match with_progress {
                true => out.separated(seen.deployments(), |view, out| progress::render(view, seen.views, out)),
                false => out.list(seen.deployments().map(|view| &view.json)),
            }
            out.text("]");
        })
    }

    /// `[…]`: the deployments that ended lately, the latest first.
    #[must_use]
    pub fn ended_deployments(&self) -> Answer {
        self.collect(|views, out| {
            let mut ended: Vec<_> = views.ended().collect();
            ended.sort_by_key(|ended| std::cmp::Reverse(ended.at));
            out.text("[");
            out.list(ended.into_iter().map(|ended| &ended.json));
            out.text("]");
        })
    }

    /// `{"queue":[…]}` as it is at `now`.
    #[must_use]
    pub fn queue(&self, parts: QueueParts, now: Timestamp) -> Answer {
        let mut items: Vec<_> = Vec::new();
        let answer = self.collect(|views, _| items.extend(views.queue().cloned()));
        let queue = items.iter().map(|item| normalise::queue_item(item, parts, now)).collect();
        let mut document = Document::default();
        document.made(normalise::json(&Queue { queue }));
        Answer { body: Ok(document), ..answer }
    }

    pub(super) fn collect(&self, take: impl FnOnce(Seen<'_>, &mut Document)) -> Answer {
        self.find(|views, out| {
            take(views, out);
            Ok(())
        })
    }

    pub(super) fn find(&self, take: impl FnOnce(Seen<'_>, &mut Document) -> Result<(), Missing>) -> Answer {
        let mut document = Document::default();
        let views = self.model.read();
        let (position, tag) = (views.position, views.tag(&self.sight));
        let taken = take(Seen { views: &views, sight: &self.sight }, &mut document);
        drop(views);
        Answer { position, tag, body: taken.map(|()| document) }
    }
}

impl<'a> Seen<'a> {
    /// All run specs that may be viewed, also removed ones. Whoever may view everything costs nothing here.
    pub(super) fn apps(&self) -> impl Iterator<Item = (&'a RunSpecId, &'a AppView)> + use<'a> {
        let sight = self.sight;
        self.views.apps.iter().filter(move |(id, _)| sight.sees(id.as_str()))
    }

    /// The same of a group, at any depth.
    pub(super) fn apps_in(&self, group: &GroupId) -> impl Iterator<Item = (&'a RunSpecId, &'a AppView)> + use<'a> {
        let (sight, prefix) = (self.sight, group.prefix());
        let behind = self.views.apps.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let inside = behind.take_while(move |(id, _)| id.as_str().starts_with(&prefix));
        inside.filter(move |(id, _)| sight.sees(id.as_str()))
    }

    /// A group and the groups in it that may be viewed, as far as something was ever said of them.
    pub(super) fn groups_in(&self, group: &GroupId) -> impl Iterator<Item = (&'a GroupId, &'a GroupState)> + use<'a> {
        let (sight, prefix) = (self.sight, group.prefix());
        let groups = &self.views.groups;
        let behind = groups.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let inside = behind.take_while(move |(id, _)| id.as_str().starts_with(&prefix)).filter(|(id, _)| !id.is_root());
        groups.get_key_value(group).into_iter().chain(inside).filter(move |(id, _)| sight.sees(id.as_str()))
    }

    /// What groups were is known from here on.
    pub(super) fn history_from(&self) -> Option<Version> {
        self.views.history_from
    }

    fn deployments(&self) -> impl Iterator<Item = &'a DeploymentView> + use<'a> {
        let sight = self.sight;
        self.views.deployments.values().filter(|deployment| sight.hears(&deployment.scope))
    }

    fn ended(&self) -> impl Iterator<Item = &'a EndedView> + use<'a> {
        let sight = self.sight;
        self.views.ended.values().filter(|ended| sight.hears(&ended.scope))
    }

    fn queue(&self) -> impl Iterator<Item = &'a QueueItem> + use<'a> {
        let sight = self.sight;
        self.views.queue.iter().filter(|(id, _)| sight.sees(id.as_str())).map(|(_, item)| item)
    }

    /// The secrets that may be viewed, and when each was set.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'a SecretPath, Version)> + use<'a> {
        let sight = self.sight;
        let seen = self.views.secrets.iter().filter(move |(path, _)| sight.sees(path.as_str()));
        seen.map(|(path, version)| (path, *version))
    }

    /// The secret of this path, if it may be viewed.
    pub(super) fn secret_version(&self, path: &SecretPath) -> Option<Version> {
        self.views.secrets.get(path).copied().filter(|_| self.sight.sees(path.as_str()))
    }

    fn view(&self, id: &RunSpecId) -> Option<&'a AppView> {
        self.views.apps.get(id).filter(|_| self.sight.sees(id.as_str()))
    }

    fn app(&self, id: &RunSpecId) -> Result<&'a AppView, Missing> {
        let app = self.view(id).filter(|app| app.of_shape(Shape::App).is_some());
        app.ok_or_else(|| Missing::App(id.to_string()))
    }

    pub(super) fn pod(&self, id: &RunSpecId) -> Result<&'a AppView, Missing> {
        let pod = self.view(id).filter(|pod| pod.of_shape(Shape::Pod).is_some());
        pod.ok_or_else(|| Missing::Pod(id.to_string()))
    }

    /// The apps in a group, at any depth.
    fn apps_within(&self, group: &str) -> Result<Vec<(&'a RunSpecId, &'a AppView)>, Missing> {
        let is_app = |(_, app): &(&RunSpecId, &AppView)| app.of_shape(Shape::App).is_some();
        Ok(self.within(group)?.into_iter().filter(is_app).collect())
    }

    /// The apps and pods in a group, at any depth. The root is always there.
    fn within(&self, group: &str) -> Result<Vec<(&'a RunSpecId, &'a AppView)>, Missing> {
        let is_within = |id: &RunSpecId, app: &AppView| app.definition.is_some() && id.is_within(group);
        let within: Vec<_> = self.apps().filter(|(id, app)| is_within(id, app)).collect();
        let is_there = !within.is_empty() || GroupId::parse(group).is_ok_and(|group| self.group_exists(&group));
        if is_there { Ok(within) } else { Err(Missing::Group(group.to_owned())) }
    }
}

/// The answer with a tag that a write of what was read can name in `If-Match`.
pub(super) fn with_version(answer: Answer, version: Option<String>) -> Answer {
    let (Some(version), Ok(body)) = (version, &answer.body) else { return answer };
    let mut digest = DefaultHasher::new();
    body.digest(&mut digest);
    Answer { tag: format!("\"{version}+{:016x}\"", digest.finish()), ..answer }
}

fn list_tasks<'a>(tasks: impl Iterator<Item = &'a Bytes>, out: &mut Document) {
    out.text(r#"{"tasks":["#);
    out.list(tasks);
    out.text("]}");
}
