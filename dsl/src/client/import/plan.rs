//! What an import would change, as the server forecasts it, and what it refuses.

use std::collections::BTreeMap;

use attica_paas_api::deployment::Forecast;
use attica_paas_api::error::{Details, Fault};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::source::{Cluster, pods_of};
use super::tree::{Document, Subject, Tree};
use crate::client::failure::Failure;
use crate::client::forecast::change_lines;
use crate::client::server::{Request, Server, encode};
use crate::terminal::{Line, Tone};

/// The server takes no larger document.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// How many instances there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// As many as there.
    AsThere,
    /// None of what is new.
    Nothing,
}

/// What would be written, and what follows from it.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where it comes from.
    from: String,
    /// The write of the root group.
    pub(super) document: Value,
    places: Document,
    /// The state that was looked at.
    pub(super) looked_at: Option<HeaderValue>,
    forecast: Forecast,
    /// Groups that are new or change themselves, with what changes.
    groups: Vec<(String, GroupChange)>,
    pub(super) pods: Vec<Pod>,
    /// Apps and pods that are like this already.
    same: Vec<String>,
    /// What is refused, and why.
    pub(super) refused: BTreeMap<String, Vec<Fault>>,
}

/// A pod that would be written.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) id: String,
    pub(super) document: Value,
    /// None: it is like this already.
    pub(super) change: Option<Forecast>,
}

impl Pod {
    pub(super) fn path(&self, rest: &str) -> String {
        let segments = self.id.split('/').filter(|segment| !segment.is_empty());
        let path: String = segments.map(|segment| format!("/{}", encode(segment))).collect();
        format!("/v2/pods{path}{rest}")
    }
}

impl Plan {
    /// Looks at what is here and has the server say what would follow.
    pub(super) async fn make(server: &Server, mut cluster: Cluster, start: Start) -> Result<Self, Failure> {
        let answer = server.call(&Request::get("/v2/groups?embed=group.groups&embed=group.apps")).await?;
        let here = Tree::of(&answer.read()?).map_err(|what| Failure::failed(format!("/v2/groups: {what}")))?;
        let pods_here = pods_of(&server.get("/v2/pods").await?);
        if start == Start::Nothing {
            let apps: BTreeMap<String, Value> = here
                .all_apps()
                .map(|(id, app)| (id.clone(), app.get("instances").cloned().unwrap_or_default()))
                .collect();
            cluster.root.change_apps(&|id, app| {
                drop(app.insert("instances".to_owned(), apps.get(id).cloned().unwrap_or(json!(0))))
            });
            for (id, pod) in &mut cluster.pods {
                let scaling = pods_here.get(id).and_then(|pod| pod.get("scaling")).cloned();
                pod.insert("scaling".to_owned(), scaling.unwrap_or(json!({"kind": "fixed", "instances": 0})));
            }
        }
        let mut refused = BTreeMap::new();
        let (places, mut forecast) = forecast_apps(server, &mut cluster.root, &here, &mut refused).await?;
        // What becomes of groups is told below, roles included.
        forecast.changes.retain(|change| change.group.is_none());
        let pods = forecast_pods(server, &cluster.pods, &mut refused).await?;
        let changed = |id: &str| forecast.changes.iter().any(|change| change.app.as_deref() == Some(id));
        let same_apps = cluster.root.all_apps().map(|(id, _)| id).filter(|id| !changed(id)).cloned();
        let same_pods = pods.iter().filter(|pod| pod.change.is_none()).map(|pod| pod.id.clone());
        let same = same_apps.chain(same_pods).collect();
        let groups = group_changes(&cluster.root, &here);
        Ok(Self {
            from: format!("{} at {}", cluster.name, cluster.address),
            document: places.value.clone(),
            places,
            looked_at: answer.tag,
            forecast,
            groups,
            same,
            pods,
            refused,
        })
    }

    pub(super) fn changes_groups(&self) -> bool {
        !self.forecast.changes.is_empty()
            || self.groups.iter().any(|(_, change)| !matches!(change, GroupChange::Enforcement(_)))
    }

    pub(super) fn changes_nothing(&self) -> bool {
        let pods = self.pods.iter().any(|pod| pod.change.is_some());
        self.forecast.changes.is_empty() && self.groups.is_empty() && !pods
    }

    /// Groups that are to enforce their role, or no longer.
    pub(super) fn enforcements(&self) -> impl Iterator<Item = (&str, bool)> {
        self.groups.iter().filter_map(|(id, change)| match change {
            GroupChange::Enforcement(wanted) => Some((id.as_str(), *wanted)),
            GroupChange::New | GroupChange::Dependencies => None,
        })
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::toned(Tone::Faint, format!("from {}", self.from))];
        for (id, change) in &self.groups {
            let (sign, tone) = if *change == GroupChange::New { ("+ ", Tone::Good) } else { ("~ ", Tone::Warning) };
            lines.push(
                Line::toned(tone, sign)
                    .then(Tone::Plain, "group ")
                    .then(Tone::Strong, id)
                    .then(Tone::Plain, format!(" {}", change.words())),
            );
        }
        lines.extend(change_lines(&self.forecast));
        lines.extend(self.pods.iter().filter_map(|pod| pod.change.as_ref()).flat_map(change_lines));
        for (id, faults) in &self.refused {
            lines.push(Line::toned(Tone::Bad, "! ").then(Tone::Strong, id).then(Tone::Plain, " cannot be taken over"));
            for Fault { path, errors } in faults {
                lines.extend(
                    errors
                        .iter()
                        .map(|error| Line::toned(Tone::Faint, format!("    {path}: ")).then(Tone::Plain, error)),
                );
            }
        }
        if !self.same.is_empty() {
            lines.push(Line::toned(Tone::Faint, format!("= {}: like this already", self.same.join(", "))));
        }
        lines
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let groups: Vec<Value> =
            self.groups.iter().map(|(id, change)| json!({"id": id, "change": change.words()})).collect();
        let forecasts = std::iter::once(&self.forecast).chain(self.pods.iter().filter_map(|pod| pod.change.as_ref()));
        let changes: Vec<Value> =
            forecasts.flat_map(|forecast| &forecast.changes).map(|change| json!(change)).collect();
        json!({"from": self.from, "groups": groups, "changes": changes, "refused": self.refused, "same": self.same})
    }

    /// The failure with the names of what the places in the document are about.
    pub(super) fn located(&self, failure: Failure) -> Failure {
        located(failure, &self.places)
    }
}

/// What changes of a group itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupChange {
    New,
    Dependencies,
    /// It is here already: that is written by itself.
    Enforcement(bool),
}

/// Asks until nothing is refused any more: each answer may name some of what is, and the rest is asked for again without it.
async fn forecast_apps(
    server: &Server,
    root: &mut Tree,
    here: &Tree,
    refused: &mut BTreeMap<String, Vec<Fault>>,
) -> Result<(Document, Forecast), Failure> {
    loop {
        let document = root.beside(Some(here));
        if document.value.to_string().len() > DOCUMENT_BYTES_MAX {
            let message = "all of it together is more than the server takes at once".to_owned();
            return Err(Failure::Failed { message, hint: Some("a group at a time: --only GROUP".to_owned()) });
        }
        let request = Request::new(Method::PUT, "/v2/groups?dryRun=true").with_document(&document.value);
        let failure = match server.call(&request).await {
            Ok(answer) => return Ok((document, answer.read()?)),
            Err(failure) => failure,
        };
        let mut apps: Vec<String> = Vec::new();
        for Fault { path, errors } in faults(&failure) {
            if let (Subject::App(id), rest) = document.subject(path) {
                let fault = Fault {
                    path: if rest.is_empty() { "/".to_owned() } else { rest.to_owned() },
                    errors: errors.clone(),
                };
                refused.entry(id.clone()).or_default().push(fault);
                apps.push(id.clone());
            }
        }
        let before = root.all_apps().count();
        apps.iter().for_each(|app| root.forget(app));
        if root.all_apps().count() == before {
            return Err(located(failure, &document));
        }
    }
}

async fn forecast_pods(
    server: &Server,
    pods: &BTreeMap<String, Map<String, Value>>,
    refused: &mut BTreeMap<String, Vec<Fault>>,
) -> Result<Vec<Pod>, Failure> {
    let mut forecast = Vec::new();
    for (id, pod) in pods {
        let mut pod = Pod { id: id.clone(), document: Value::Object(pod.clone()), change: None };
        let request = Request::new(Method::PUT, pod.path("?dryRun=true")).with_document(&pod.document);
        match server.call(&request).await {
            Ok(answer) => {
                pod.change = Some(answer.read::<Forecast>()?).filter(|forecast| !forecast.changes.is_empty());
                forecast.push(pod);
            }
            Err(failure) => match faults(&failure) {
                [] => return Err(failure),
                faults => drop(refused.insert(pod.id, faults.to_vec())),
            },
        }
    }
    Ok(forecast)
}

/// What is wrong with a document, if that is why it was refused.
fn faults(failure: &Failure) -> &[Fault] {
    const WRONG: [StatusCode; 2] = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
    match failure {
        Failure::Refused { status, body: Some(body), .. } if WRONG.contains(status) => match &body.details {
            Some(Details::Faults(faults)) => faults,
            Some(Details::Text(_)) | None => &[],
        },
        _ => &[],
    }
}

fn located(failure: Failure, places: &Document) -> Failure {
    let Failure::Refused { request, status, body: Some(mut body), hint } = failure else { return failure };
    if let Some(Details::Faults(faults)) = &mut body.details {
        for fault in faults {
            let (subject, rest) = places.subject(&fault.path);
            let (Subject::App(id) | Subject::Group(id)) = subject;
            fault.path = format!("{id} {}", rest.trim_start_matches('/')).trim_end().to_owned();
        }
    }
    Failure::Refused { request, status, body: Some(body), hint }
}

/// What changes of groups themselves. The server's forecast is about what lies in them.
fn group_changes(there: &Tree, here: &Tree) -> Vec<(String, GroupChange)> {
    let present: BTreeMap<&str, &Tree> = here.all().into_iter().map(|group| (group.id.as_str(), group)).collect();
    let mut changes = Vec::new();
    for group in there.all() {
        let Some(present) = present.get(group.id.as_str()) else {
            changes.push((group.id.clone(), GroupChange::New));
            continue;
        };
        if group.dependencies.is_some() && group.dependencies != present.dependencies {
            changes.push((group.id.clone(), GroupChange::Dependencies));
        }
        let enforced = present.enforce_role.unwrap_or_default();
        if let Some(wanted) = group.enforce_role.filter(|wanted| *wanted != enforced) {
            changes.push((group.id.clone(), GroupChange::Enforcement(wanted)));
        }
    }
    changes
}

impl GroupChange {
    fn words(self) -> &'static str {
        match self {
            Self::New => "is new",
            Self::Dependencies => "has other dependencies",
            Self::Enforcement(true) => "enforces its role",
            Self::Enforcement(false) => "enforces no role",
        }
    }
}
