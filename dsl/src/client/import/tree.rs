//! Groups with their apps, and how those of another cluster are written beside those that are here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::client::definition::definition_of;

/// A group with everything in it but pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    /// Absolute; `/` is the root.
    pub(super) id: String,
    /// Definitions of the apps directly in it, by id.
    pub(super) apps: BTreeMap<String, Map<String, Value>>,
    /// The groups directly in it, by id.
    pub(super) groups: BTreeMap<String, Tree>,
    /// None: nothing is said of them.
    pub(super) dependencies: Option<Vec<String>>,
    pub(super) enforce_role: Option<bool>,
}

/// What a place of a document is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    App(String),
    Group(String),
}

/// The document of one write of the root group, and what stands where in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    /// `/groups(0)/apps(1)`, with what stands there.
    places: Vec<(String, Subject)>,
}

/// Whether a path is this one or lies in it.
pub(super) fn is_within(path: &str, around: &str) -> bool {
    let around = around.trim_end_matches('/');
    path.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Tree {
    /// A group as it was read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(group: &Value) -> Result<Self, String> {
        let id = id_of(group)?;
        let list = |field: &str| group[field].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut tree = Self { id, ..Self::default() };
        for app in list("apps") {
            tree.apps.insert(id_of(app)?, definition_of(app));
        }
        for below in list("groups") {
            let below = Self::of(below)?;
            tree.groups.insert(below.id.clone(), below);
        }
        tree.dependencies =
            Some(list("dependencies").iter().filter_map(|path| Some(path.as_str()?.to_owned())).collect());
        tree.enforce_role = group["enforceRole"].as_bool();
        Ok(tree)
    }

    /// This group and all below it.
    pub(super) fn all(&self) -> Vec<&Tree> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(group) = all.get(next) {
            next += 1;
            all.extend(group.groups.values().collect::<Vec<_>>());
        }
        all
    }

    /// Every app at any depth.
    pub(super) fn all_apps(&self) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
        self.all().into_iter().flat_map(|group| &group.apps)
    }

    /// Whether a group or an app lies at this path.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.all()
            .into_iter()
            .any(|group| is_within(&group.id, path) || group.apps.keys().any(|app| is_within(app, path)))
    }

    /// Forgets all but what is wanted. Of a group around that nothing is said then but that it is there.
    pub(super) fn keep(&mut self, is_kept: &impl Fn(&str) -> bool) {
        if is_kept(&self.id) {
            return;
        }
        self.dependencies = None;
        self.enforce_role = None;
        self.apps.retain(|id, _| is_kept(id));
        self.groups.values_mut().for_each(|group| group.keep(is_kept));
        self.groups.retain(|id, group| is_kept(id) || !group.apps.is_empty() || !group.groups.is_empty());
    }

    /// Forgets an app.
    pub(super) fn forget(&mut self, app: &str) {
        self.apps.remove(app);
        self.groups.values_mut().filter(|group| is_within(app, &group.id)).for_each(|group| group.forget(app));
    }

    pub(super) fn change_apps(&mut self, change: &impl Fn(&str, &mut Map<String, Value>)) {
        self.apps.iter_mut().for_each(|(id, app)| change(id, app));
        self.groups.values_mut().for_each(|group| group.change_apps(change));
    }

    /// A write of this group that leaves everything else where it is: what a document lists replaces what was there, so that it names
    /// what is `here` as well.
    pub(super) fn beside(&self, here: Option<&Tree>) -> Document {
        let mut places = Vec::new();
        let value = self.document(here, "", &mut places);
        Document { value, places }
    }

    fn document(&self, here: Option<&Tree>, place: &str, places: &mut Vec<(String, Subject)>) -> Value {
        places.push((place.to_owned(), Subject::Group(self.id.clone())));
        let mut document = Map::from_iter([("id".to_owned(), json!(self.id))]);
        if !self.apps.is_empty() {
            let kept = here.into_iter().flat_map(|here| &here.apps).filter(|(id, _)| !self.apps.contains_key(*id));
            let mut apps = Vec::new();
            for (id, app) in self.apps.iter().chain(kept) {
                places.push((format!("{place}/apps({})", apps.len()), Subject::App(id.clone())));
                let named = std::iter::once(("id".to_owned(), json!(id)));
                apps.push(Value::Object(named.chain(app.clone()).collect()));
            }
            document.insert("apps".to_owned(), Value::Array(apps));
        }
        if !self.groups.is_empty() {
            let below = |id: &String| here.and_then(|here| here.groups.get(id));
            let mut groups = Vec::new();
            for (id, group) in &self.groups {
                let place = format!("{place}/groups({})", groups.len());
                groups.push(group.document(below(id), &place, places));
            }
            let kept = here.into_iter().flat_map(|here| here.groups.keys()).filter(|id| !self.groups.contains_key(*id));
            groups.extend(kept.map(|id| json!({"id": id})));
            document.insert("groups".to_owned(), Value::Array(groups));
        }
        if let Some(dependencies) = &self.dependencies
            && (!dependencies.is_empty() || here.is_some())
        {
            document.insert("dependencies".to_owned(), json!(dependencies));
        }
        // Of a group that is there it is changed by itself.
        if let (Some(enforced), None) = (self.enforce_role, here) {
            document.insert("enforceRole".to_owned(), json!(enforced));
        }
        Value::Object(document)
    }
}

impl Document {
    /// What a place is about, and the path below that; the whole document when it is about nothing in it.
    pub(super) fn subject<'a>(&self, path: &'a str) -> (&Subject, &'a str) {
        let stands_there =
            |place: &str| path.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let found =
            self.places.iter().filter_map(|(place, subject)| Some((place.len(), subject, stands_there(place)?)));
        let (_, subject, rest) = found.max_by_key(|(length, ..)| *length).unwrap_or((0, &self.places[0].1, path));
        (subject, rest)
    }
}

fn id_of(document: &Value) -> Result<String, String> {
    let id = document["id"].as_str().filter(|id| id.starts_with('/'));
    id.map(str::to_owned).ok_or_else(|| format!("{} is not an id", document["id"]))
}
