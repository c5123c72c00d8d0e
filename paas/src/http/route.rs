//! Method and path to what is asked for. Slashes may be doubled or trailing; ids hold slashes of their own.

use http::Method;

use crate::model::{DeploymentId, GroupId, InvalidId, InvalidSecretPath, RunSpecId, SecretPath};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Metrics,
    PrometheusMetrics,
    Config,
    Help,
    Description,
    Info,
    Leader,
    Abdicate,
    Backup,
    Restore,
    Events,
    Apps,
    CreateApp,
    PutApps,
    PatchApps,
    App(RunSpecId),
    GroupApps(String),
    PutApp(RunSpecId),
    PatchApp(RunSpecId),
    DeleteApp(RunSpecId),
    Restart(RunSpecId),
    AppTasks(RunSpecId),
    GroupTasks(String),
    KillAppTasks(RunSpecId),
    KillAppTask { app: RunSpecId, task: String },
    Versions(RunSpecId),
    Version { app: RunSpecId, version: String },
    Group(GroupId),
    GroupAppList(GroupId),
    GroupVersions(GroupId),
    GroupVersion { group: GroupId, version: String },
    CreateGroup(GroupId),
    PutGroup(GroupId),
    PatchGroup(GroupId),
    DeleteGroup(GroupId),
    Tasks,
    TaskLog(String),
    Exec(String),
    SessionInput { task: String, session: String },
    Attach(String),
    AttachInput(String),
    Agents,
    AcknowledgeEvents,
    Callbacks,
    AddCallback,
    RemoveCallback,
    Traffic,
    ReportTraffic,
    KillTasks,
    Deployments,
    EndedDeployments,
    HoldDeployment { written: String, id: Option<DeploymentId>, paused: bool },
    CancelDeployment { written: String, id: Option<DeploymentId> },
    Queue,
    ResetDelay(RunSpecId),
    Secrets,
    Secret(SecretPath),
    PutSecret(SecretPath),
    DeleteSecret(SecretPath),
    Pods,
    PodStatuses,
    CreatePod,
    Pod(RunSpecId),
    PutPod(RunSpecId),
    DeletePod(RunSpecId),
    PodStatus(RunSpecId),
    PodVersions(RunSpecId),
    PodVersion { pod: RunSpecId, version: String },
    KillPodInstances(RunSpecId),
    KillPodInstance { pod: RunSpecId, instance: String },
    Session,
    SignIn,
    SignOut,
    Users,
    User(String),
    PutUser(String),
    RemoveUser(String),
    Grant(String),
    Revoke(String),
    AddToken(String),
    RemoveToken { user: String, token: String },
    Audit,
    Loggers,
    ChangeLogger,
    Plugins,
}

/// Why there is no route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing answers under this path.
    Unknown,
    /// Something does, but not to this method.
    Method(&'static str),
    /// The path names an app by what is not an id: no such app exists, and none can be made.
    Id { written: String, source: InvalidId },
    /// The path names a group by what is not an id.
    Group { written: String, source: InvalidId },
    /// The path names a pod by what is not an id.
    Pod { written: String, source: InvalidId },
    /// The path names a secret by what is not a path.
    Secret { written: String, source: InvalidSecretPath },
    /// The console lies there, at this address: this one has slashes too many.
    Console(String),
    /// Marathon's own description of its API lay there.
    Raml,
}

/// Reads a request line. `path` is still percent-encoded.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let decoded = percent_decode(path).ok_or(NoRoute::Unknown)?;
    let segments: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    match segments.as_slice() {
        ["ping"] => only_get(method, Route::Ping),
        ["metrics"] => only_get(method, Route::Metrics),
        ["metrics", "prometheus"] => only_get(method, Route::PrometheusMetrics),
        ["config"] => only_get(method, Route::Config),
        ["help"] | ["api-console", ..] => only_get(method, Route::Help),
        ["public", ..] => Err(NoRoute::Raml),
        [] | ["ui", ..] if *method == Method::GET => Err(to_console(path)),
        [] | ["ui", ..] => Err(NoRoute::Method("GET, HEAD")),
        ["logging"] => match *method {
            Method::GET => Ok(Route::Loggers),
            Method::POST => Ok(Route::ChangeLogger),
            _ => Err(NoRoute::Method("GET, HEAD, POST")),
        },
        ["v2", "plugins"] => only_get(method, Route::Plugins),
        ["v2", "openapi.json"] => only_get(method, Route::Description),
        ["v2", "info"] => only_get(method, Route::Info),
        ["v2", "leader"] => match *method {
            Method::GET => Ok(Route::Leader),
            Method::DELETE => Ok(Route::Abdicate),
            _ => Err(NoRoute::Method("GET, HEAD, DELETE")),
        },
        ["v2", "backup"] => match *method {
            Method::GET => Ok(Route::Backup),
            Method::POST => Ok(Route::Restore),
            _ => Err(NoRoute::Method("GET, HEAD, POST")),
        },
        ["v2", "events"] => only_get(method, Route::Events),
        ["v2", "events", "ack"] => only(method, &Method::POST, "POST", Route::AcknowledgeEvents),
        ["v2", "eventSubscriptions"] => match *method {
            Method::GET => Ok(Route::Callbacks),
            Method::POST => Ok(Route::AddCallback),
            Method::DELETE => Ok(Route::RemoveCallback),
            _ => Err(NoRoute::Method("GET, HEAD, POST, DELETE")),
        },
        ["v2", "agents"] => only_get(method, Route::Agents),
        ["v2", "traffic"] => match *method {
            Method::GET => Ok(Route::Traffic),
            Method::POST => Ok(Route::ReportTraffic),
            _ => Err(NoRoute::Method("GET, HEAD, POST")),
        },
        ["v2", "apps"] => match *method {
            Method::GET => Ok(Route::Apps),
            Method::POST => Ok(Route::CreateApp),
            Method::PUT => Ok(Route::PutApps),
            Method::PATCH => Ok(Route::PatchApps),
            _ => Err(NoRoute::Method("GET, HEAD, POST, PUT, PATCH")),
        },
        ["v2", "apps", rest @ ..] => app_route(method, rest),
        ["v2", "groups", rest @ ..] => group_route(method, rest),
        ["v2", "tasks"] => only_get(method, Route::Tasks),
        ["v2", "tasks", "delete"] => only(method, &Method::POST, "POST", Route::KillTasks),
        ["v2", "tasks", task, "log"] => only_get(method, Route::TaskLog((*task).to_owned())),
        ["v2", "tasks", task, "attach"] => only_get(method, Route::Attach((*task).to_owned())),
        ["v2", "tasks", task, "attach", "input"] => {
            only(method, &Method::POST, "POST", Route::AttachInput((*task).to_owned()))
        }
        ["v2", "tasks", task, "exec"] => only(method, &Method::POST, "POST", Route::Exec((*task).to_owned())),
        ["v2", "tasks", task, "exec", session, "input"] => {
            let route = Route::SessionInput { task: (*task).to_owned(), session: (*session).to_owned() };
            only(method, &Method::POST, "POST", route)
        }
        ["v2", "deployments"] => only_get(method, Route::Deployments),
        ["v2", "deployments", "ended"] => only_get(method, Route::EndedDeployments),
        ["v2", "deployments", id, what @ ("pause" | "resume")] => {
            let (written, id, paused) = ((*id).to_owned(), DeploymentId::parse(id), *what == "pause");
            only(method, &Method::POST, "POST", Route::HoldDeployment { written, id, paused })
        }
        ["v2", "deployments", id] => {
            let route = Route::CancelDeployment { written: (*id).to_owned(), id: DeploymentId::parse(id) };
            only(method, &Method::DELETE, "DELETE", route)
        }
        ["v2", "queue"] => only_get(method, Route::Queue),
        ["v2", "queue", id @ .., "delay"] if !id.is_empty() => {
            only(method, &Method::DELETE, "DELETE", Route::ResetDelay(app_id(id)?))
        }
        ["v2", "secrets"] => only_get(method, Route::Secrets),
        ["v2", "secrets", path @ ..] => secret_route(method, path),
        ["v2", "pods"] => match *method {
            Method::GET => Ok(Route::Pods),
            Method::POST => Ok(Route::CreatePod),
            _ => Err(NoRoute::Method("GET, HEAD, POST")),
        },
        ["v2", "pods::status"] => only_get(method, Route::PodStatuses),
        ["v2", "pods", rest @ ..] => pod_route(method, rest),
        ["v2", "session"] => match *method {
            Method::GET => Ok(Route::Session),
            Method::POST => Ok(Route::SignIn),
            Method::DELETE => Ok(Route::SignOut),
            _ => Err(NoRoute::Method("GET, HEAD, POST, DELETE")),
        },
        ["v2", "users", rest @ ..] => user_route(method, rest),
        ["v2", "audit"] => only_get(method, Route::Audit),
        _ => Err(NoRoute::Unknown),
    }
}

/// Below `/v2/apps`: the words `restart`, `tasks` and `versions` end an id, and no id can end with one.
fn app_route(method: &Method, rest: &[&str]) -> Result<Route, NoRoute> {
    match rest {
        [group @ .., "*"] => only_get(method, Route::GroupApps(group_path(group))),
        [group @ .., "*", "tasks"] => only_get(method, Route::GroupTasks(group_path(group))),
        [id @ .., "restart"] if !id.is_empty() => only(method, &Method::POST, "POST", Route::Restart(app_id(id)?)),
        [id @ .., "tasks"] if !id.is_empty() => match *method {
            Method::GET => Ok(Route::AppTasks(app_id(id)?)),
            Method::DELETE => Ok(Route::KillAppTasks(app_id(id)?)),
            _ => Err(NoRoute::Method("GET, HEAD, DELETE")),
        },
        [id @ .., "tasks", task] if !id.is_empty() => {
            let route = Route::KillAppTask { app: app_id(id)?, task: (*task).to_owned() };
            only(method, &Method::DELETE, "DELETE", route)
        }
        [id @ .., "versions"] if !id.is_empty() => only_get(method, Route::Versions(app_id(id)?)),
        [id @ .., "versions", version] if !id.is_empty() => {
            only_get(method, Route::Version { app: app_id(id)?, version: (*version).to_owned() })
        }
        id => match *method {
            Method::GET => Ok(Route::App(app_id(id)?)),
            Method::PUT => Ok(Route::PutApp(app_id(id)?)),
            Method::PATCH => Ok(Route::PatchApp(app_id(id)?)),
            Method::DELETE => Ok(Route::DeleteApp(app_id(id)?)),
            _ => Err(NoRoute::Method("GET, HEAD, PUT, PATCH, DELETE")),
        },
    }
}

/// Below `/v2/pods`: two colons end an id, and what they are followed by says what of the pod is meant.
fn pod_route(method: &Method, rest: &[&str]) -> Result<Route, NoRoute> {
    let rest = rest.join("/");
    let (id, part) = match rest.split_once("::") {
        Some((id, part)) => (id, Some(part.trim_end_matches('/'))),
        None => (rest.as_str(), None),
    };
    let written = format!("/{id}");
    let id = || RunSpecId::parse(&written).map_err(|source| NoRoute::Pod { written: written.clone(), source });
    match part.map(|part| part.split_once('/').map_or((part, None), |(part, name)| (part, Some(name)))) {
        None => match *method {
            Method::GET => Ok(Route::Pod(id()?)),
            Method::PUT => Ok(Route::PutPod(id()?)),
            Method::DELETE => Ok(Route::DeletePod(id()?)),
            _ => Err(NoRoute::Method("GET, HEAD, PUT, DELETE")),
        },
        Some(("status", None)) => only_get(method, Route::PodStatus(id()?)),
        Some(("versions", None)) => only_get(method, Route::PodVersions(id()?)),
        Some(("versions", Some(version))) => {
            only_get(method, Route::PodVersion { pod: id()?, version: version.to_owned() })
        }
        Some(("instances", None)) => only(method, &Method::DELETE, "DELETE", Route::KillPodInstances(id()?)),
        Some(("instances", Some(instance))) => {
            let route = Route::KillPodInstance { pod: id()?, instance: instance.to_owned() };
            only(method, &Method::DELETE, "DELETE", route)
        }
        Some(_) => Err(NoRoute::Unknown),
    }
}

/// Where the console has what is asked for with slashes too many. It answers by itself where there are none.
fn to_console(path: &str) -> NoRoute {
    let mut address = String::new();
    path.split('/').filter(|segment| !segment.is_empty()).for_each(|segment| address.extend(["/", segment]));
    if matches!(address.as_str(), "" | "/ui") {
        "/ui/".clone_into(&mut address);
    }
    if address == path { NoRoute::Unknown } else { NoRoute::Console(address) }
}

/// Below `/v2/secrets` is nothing but the secret's path.
fn secret_route(method: &Method, path: &[&str]) -> Result<Route, NoRoute> {
    let written = group_path(path);
    let path = || SecretPath::parse(&written).map_err(|source| NoRoute::Secret { written: written.clone(), source });
    match *method {
        Method::GET => Ok(Route::Secret(path()?)),
        Method::PUT => Ok(Route::PutSecret(path()?)),
        Method::DELETE => Ok(Route::DeleteSecret(path()?)),
        _ => Err(NoRoute::Method("GET, HEAD, PUT, DELETE")),
    }
}

/// Below `/v2/users`.
fn user_route(method: &Method, rest: &[&str]) -> Result<Route, NoRoute> {
    let owned = |text: &&str| (*text).to_owned();
    match rest {
        [] => only_get(method, Route::Users),
        [user] => match *method {
            Method::GET => Ok(Route::User(owned(user))),
            Method::PUT => Ok(Route::PutUser(owned(user))),
            Method::DELETE => Ok(Route::RemoveUser(owned(user))),
            _ => Err(NoRoute::Method("GET, HEAD, PUT, DELETE")),
        },
        [user, "grants"] => match *method {
            Method::POST => Ok(Route::Grant(owned(user))),
            Method::DELETE => Ok(Route::Revoke(owned(user))),
            _ => Err(NoRoute::Method("POST, DELETE")),
        },
        [user, "tokens"] => only(method, &Method::POST, "POST", Route::AddToken(owned(user))),
        [user, "tokens", token] => {
            let route = Route::RemoveToken { user: owned(user), token: owned(token) };
            only(method, &Method::DELETE, "DELETE", route)
        }
        _ => Err(NoRoute::Unknown),
    }
}

/// Below `/v2/groups`: the words `apps` and `versions` end an id.
fn group_route(method: &Method, rest: &[&str]) -> Result<Route, NoRoute> {
    match rest {
        [group @ .., "versions"] => only_get(method, Route::GroupVersions(group_id(group)?)),
        [group @ .., "versions", version] => {
            only_get(method, Route::GroupVersion { group: group_id(group)?, version: (*version).to_owned() })
        }
        [group @ .., "apps"] if *method == Method::GET => Ok(Route::GroupAppList(group_id(group)?)),
        group => match *method {
            Method::GET => Ok(Route::Group(group_id(group)?)),
            Method::POST => Ok(Route::CreateGroup(group_id(group)?)),
            Method::PUT => Ok(Route::PutGroup(group_id(group)?)),
            Method::PATCH => Ok(Route::PatchGroup(group_id(group)?)),
            Method::DELETE => Ok(Route::DeleteGroup(group_id(group)?)),
            _ => Err(NoRoute::Method("GET, HEAD, POST, PUT, PATCH, DELETE")),
        },
    }
}

fn group_id(segments: &[&str]) -> Result<GroupId, NoRoute> {
    let written = group_path(segments);
    GroupId::parse(&written).map_err(|source| NoRoute::Group { written, source })
}

fn app_id(segments: &[&str]) -> Result<RunSpecId, NoRoute> {
    let written = format!("/{}", segments.join("/"));
    RunSpecId::parse(&written).map_err(|source| NoRoute::Id { written, source })
}

fn group_path(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

fn only_get(method: &Method, route: Route) -> Result<Route, NoRoute> {
    only(method, &Method::GET, "GET, HEAD", route)
}

fn only(method: &Method, allowed: &Method, names: &'static str, route: Route) -> Result<Route, NoRoute> {
    if method == allowed { Ok(route) } else { Err(NoRoute::Method(names)) }
}

/// The path with its percent-encoded bytes decoded; none when it is not UTF-8 then.
fn percent_decode(path: &str) -> Option<String> {
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (first, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RunSpecId {
        RunSpecId::parse(text).unwrap()
    }

    fn group(path: &str) -> GroupId {
        GroupId::parse(path).unwrap()
    }

    #[test]
    fn ids_hold_slashes_and_words_end_them() {
        for (method, path, expected) in [
            (Method::GET, "/v2/apps", Route::Apps),
            (Method::GET, "//v2//apps/", Route::Apps),
            (Method::GET, "/v2/apps//shop/web/", Route::App(id("/shop/web"))),
            (Method::HEAD, "/v2/apps/shop%2Fweb", Route::App(id("/shop/web"))),
            (Method::DELETE, "/v2/apps/web", Route::DeleteApp(id("/web"))),
            (Method::GET, "/v2/apps/shop/*", Route::GroupApps("/shop".into())),
            (Method::GET, "/v2/apps/*", Route::GroupApps("/".into())),
            (Method::GET, "/v2/apps/shop/*/tasks", Route::GroupTasks("/shop".into())),
            (Method::POST, "/v2/apps//a/b/restart", Route::Restart(id("/a/b"))),
            (Method::GET, "/v2/apps/a/tasks", Route::AppTasks(id("/a"))),
            (Method::DELETE, "/v2/apps/a/b/tasks/t.1", Route::KillAppTask { app: id("/a/b"), task: "t.1".into() }),
            (Method::GET, "/v2/apps/a/versions/x", Route::Version { app: id("/a"), version: "x".into() }),
            (Method::GET, "/v2/groups", Route::Group(GroupId::root())),
            (Method::GET, "/v2/groups//a/b", Route::Group(group("/a/b"))),
            (Method::GET, "/v2/groups//a/b/apps", Route::GroupAppList(group("/a/b"))),
            (Method::GET, "/v2/groups/apps", Route::GroupAppList(GroupId::root())),
            (Method::POST, "/v2/groups", Route::CreateGroup(GroupId::root())),
            (Method::PUT, "/v2/groups//a/b/", Route::PutGroup(group("/a/b"))),
            (Method::DELETE, "/v2/groups/", Route::DeleteGroup(GroupId::root())),
            (Method::GET, "/v2/groups/versions", Route::GroupVersions(GroupId::root())),
            (Method::GET, "/v2/groups/a/versions/x", Route::GroupVersion { group: group("/a"), version: "x".into() }),
            (Method::DELETE, "/v2/queue//a/b/delay", Route::ResetDelay(id("/a/b"))),
            (Method::GET, "/v2/secrets/", Route::Secrets),
            (Method::GET, "/v2/secrets/db/Pass_1", Route::Secret(SecretPath::parse("/db/Pass_1").unwrap())),
            (Method::PUT, "/v2/secrets//db", Route::PutSecret(SecretPath::parse("/db").unwrap())),
            (Method::HEAD, "/v2/pods", Route::Pods),
            (Method::GET, "/v2/pods::status/", Route::PodStatuses),
            (Method::GET, "/v2/pods//a/b", Route::Pod(id("/a/b"))),
            (Method::GET, "/v2/pods/a/b::status", Route::PodStatus(id("/a/b"))),
            (Method::GET, "/v2/pods/a%3A%3Aversions/x", Route::PodVersion { pod: id("/a"), version: "x".into() }),
            (
                Method::DELETE,
                "/v2/pods//a::instances/i",
                Route::KillPodInstance { pod: id("/a"), instance: "i".into() },
            ),
            (Method::GET, "//ping", Route::Ping),
            (Method::DELETE, "/v2/leader/", Route::Abdicate),
            (Method::GET, "/v2/backup", Route::Backup),
            (Method::POST, "/v2/backup/", Route::Restore),
            (Method::GET, "/v2/tasks/t.1/log", Route::TaskLog("t.1".into())),
            (Method::GET, "/v2/tasks/t.1/attach", Route::Attach("t.1".into())),
            (Method::POST, "/v2/tasks/t.1/attach/input", Route::AttachInput("t.1".into())),
            (Method::POST, "/v2/tasks/t.1/exec", Route::Exec("t.1".into())),
            (
                Method::POST,
                "/v2/tasks/t.1/exec/s/input",
                Route::SessionInput { task: "t.1".into(), session: "s".into() },
            ),
            (Method::POST, "/v2/events/ack", Route::AcknowledgeEvents),
            (Method::POST, "/v2/traffic/", Route::ReportTraffic),
            (Method::DELETE, "/v2/eventSubscriptions", Route::RemoveCallback),
            (Method::HEAD, "/v2/agents", Route::Agents),
            (Method::GET, "/config/", Route::Config),
            (Method::GET, "/help", Route::Help),
            (Method::HEAD, "//api-console", Route::Help),
            (Method::GET, "/api-console/index.html", Route::Help),
        ] {
            assert_eq!(route(&method, path), Ok(expected), "{method} {path}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_apart() {
        for (method, path, expected) in [
            (Method::GET, "/", NoRoute::Console("/ui/".into())),
            (Method::GET, "//ui", NoRoute::Console("/ui/".into())),
            (Method::HEAD, "//ui//assets/a%20b.js", NoRoute::Console("/ui/assets/a%20b.js".into())),
            (Method::GET, "/ui/", NoRoute::Unknown),
            (Method::GET, "/ui/apps", NoRoute::Unknown),
            (Method::POST, "//ui/", NoRoute::Method("GET, HEAD")),
            (Method::GET, "/public/api/v2/apps.raml", NoRoute::Raml),
            (Method::PUT, "/config", NoRoute::Method("GET, HEAD")),
            (Method::GET, "/v2/nothing", NoRoute::Unknown),
            (Method::GET, "/v2/apps/%ff", NoRoute::Unknown),
            (Method::GET, "/v2/tasks/..%2f..%2fetc/log", NoRoute::Unknown),
            (Method::DELETE, "/v2/apps", NoRoute::Method("GET, HEAD, POST, PUT, PATCH")),
            (Method::PUT, "/ping", NoRoute::Method("GET, HEAD")),
            (Method::DELETE, "/v2/pods", NoRoute::Method("GET, HEAD, POST")),
            (Method::GET, "/v2/pods/a::nothing", NoRoute::Unknown),
            (Method::GET, "/v2/pods/a::instances", NoRoute::Method("DELETE")),
            (Method::POST, "/v2/groups/a/versions", NoRoute::Method("GET, HEAD")),
        ] {
            assert_eq!(route(&method, path), Err(expected), "{method} {path}");
        }
        assert!(matches!(route(&Method::GET, "/v2/apps/UPPER"), Err(NoRoute::Id { .. })));
        assert!(matches!(route(&Method::PUT, "/v2/groups/UPPER"), Err(NoRoute::Group { .. })));
        assert!(matches!(route(&Method::GET, "/v2/pods/UPPER::status"), Err(NoRoute::Pod { .. })));
    }
}
