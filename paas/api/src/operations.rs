//! The calls of the API, as data: the description is written from this table, and the server's tests hold the server to it.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::agent::AgentList;
use crate::app::{AppInfo, AppList, AppWrapper, VersionList};
use crate::callback::{CallbackChange, CallbackList, CallbackSettings};
use crate::consumer::Acknowledgement;
use crate::deployment::{Deployment, DeploymentResult, EndedDeployment};
use crate::error::Message;
use crate::group::{Group, GroupPatch, GroupUpdate};
use crate::info::{Info, Leader};
use crate::pod::{Pod, PodInstance, PodStatus};
use crate::queue::Queue;
use crate::secret::{Secret, SecretList, SecretValue};
use crate::session::{Exec, SessionEvent, SessionInput};
use crate::task::{LogPiece, TaskList};
use crate::traffic::{LoadBalancer, Traffic};
use crate::update::{AppUpdate, DeleteTasks};

/// One call.
#[derive(Clone, Copy)]
pub struct Operation {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// With `{app}`, `{task}`, `{version}` and `{deployment}` in place of ids; an app's id may hold slashes.
    pub path: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Query parameters.
    pub query: &'static [Parameter],
    /// The body that is read, if any.
    pub body: Option<SchemaOf>,
    /// Status and body of success.
    pub success: (u16, Answer),
    /// Statuses of failure that a client should expect, each with an [`crate::ErrorBody`].
    pub failures: &'static [u16],
}

/// Registers a type with a generator and returns its schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What success carries.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Nothing.
    Empty,
    /// A text of this media type.
    Text(&'static str),
    /// JSON of this shape.
    Json(SchemaOf),
    /// Line after line, each JSON of this shape, for as long as there is something to tell.
    Lines(SchemaOf),
}

/// A query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does, with its default.
    pub summary: &'static str,
    /// Its values.
    pub kind: ParameterKind,
}

/// The values of a query parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// May be given several times.
    Repeated,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const FORCE: Parameter = Parameter {
    name: "force",
    summary: "Supersede running deployments of the same apps. Default false.",
    kind: ParameterKind::Flag,
};
const DRY_RUN: Parameter = Parameter {
    name: "dryRun",
    summary: "Change nothing and answer with what would follow: steps and differences. Default false.",
    kind: ParameterKind::Flag,
};
const FORCE_DELETE: Parameter = Parameter {
    name: "force",
    summary: "Supersede running deployments of the app. Default true.",
    kind: ParameterKind::Flag,
};
const PARTIAL: Parameter = Parameter {
    name: "partialUpdate",
    summary: "Keep what the body does not name; false replaces the definition. Default true.",
    kind: ParameterKind::Flag,
};
const EMBED: Parameter = Parameter {
    name: "embed",
    summary: "Parts to add: apps.tasks, apps.counts, apps.deployments, apps.readiness, apps.lastTaskFailure, apps.failures.",
    kind: ParameterKind::Repeated,
};
const WIPE: Parameter = Parameter {
    name: "wipe",
    summary: "Have new instances replace the killed ones, whose persistent volumes are destroyed. Default false.",
    kind: ParameterKind::Flag,
};
const SCALE: Parameter = Parameter {
    name: "scale",
    summary: "Lower the number of instances by the killed ones. Default false.",
    kind: ParameterKind::Flag,
};
const CALLBACK_URL: &[Parameter] =
    &[Parameter { name: "callbackUrl", summary: "The URL. It must be given.", kind: ParameterKind::Text }];
const LIST: &[Parameter] = &[
    Parameter { name: "cmd", summary: "Only apps whose cmd contains this, in any case.", kind: ParameterKind::Text },
    Parameter { name: "id", summary: "Only apps whose id contains this, in any case.", kind: ParameterKind::Text },
    Parameter {
        name: "label",
        summary: "Only apps whose labels match: a, a==b, a!=b, a in (x,y), a notin (x,y), joined by commas.",
        kind: ParameterKind::Text,
    },
    EMBED,
];
const HOST: Parameter = Parameter { name: "host", summary: "Only tasks on this host.", kind: ParameterKind::Text };
const EVENTS: &[Parameter] = &[
    Parameter { name: "event_type", summary: "Only events of these types.", kind: ParameterKind::Repeated },
    Parameter { name: "plan-format", summary: "light is the only form.", kind: ParameterKind::Text },
    Parameter {
        name: "lastEventId",
        summary: "Resume after this event; the header Last-Event-ID says the same.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "ack",
        summary: "The name of a consumer that is waited for before a task is killed: it acknowledges positions, every 5 seconds at least.",
        kind: ParameterKind::Text,
    },
];
const LOG: &[Parameter] = &[
    Parameter { name: "file", summary: "stdout or stderr. Default stdout.", kind: ParameterKind::Text },
    Parameter {
        name: "offset",
        summary: "The first byte; -1 asks for the size of the file. Default 0.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "length",
        summary: "Bytes, at most 1048576; fewer may come. Default: as many as come at once.",
        kind: ParameterKind::Text,
    },
];

const READ: &[u16] = &[404];
const SECRETS: &[u16] = &[501];
const GROUP_WRITE: &[u16] = &[400, 404, 409, 412, 413, 422, 503];
const WRITE: &[u16] = &[400, 404, 409, 412, 413, 422, 503];

const fn get(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    Operation { method: "GET", path, summary, query: &[], body: None, success: (200, answer), failures: &[] }
}

/// All calls, in the order of the description.
pub const OPERATIONS: &[Operation] = &[
    Operation { query: LIST, failures: &[422], ..get("/v2/apps", "Lists apps.", Answer::Json(schema::<AppList>)) },
    Operation {
        method: "POST",
        path: "/v2/apps",
        summary: "Creates an app.",
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (201, Answer::Json(schema::<AppInfo>)),
        failures: WRITE,
    },
    Operation {
        method: "PUT",
        path: "/v2/apps",
        summary: "Creates or changes several apps in one deployment.",
        query: &[FORCE, PARTIAL, DRY_RUN],
        body: Some(schema::<Vec<AppUpdate>>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/apps",
        summary: "Changes several existing apps in one deployment.",
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<Vec<AppUpdate>>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        query: &[EMBED],
        failures: READ,
        ..get(
            "/v2/apps/{app}",
            "Shows an app; an id that ends in /* lists the apps of that group.",
            Answer::Json(schema::<AppWrapper>),
        )
    },
    Operation {
        method: "PUT",
        path: "/v2/apps/{app}",
        summary: "Creates or changes an app, or returns to one of its versions.",
        query: &[FORCE, PARTIAL, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/apps/{app}",
        summary: "Changes an existing app.",
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}",
        summary: "Ends an app and forgets it.",
        query: &[FORCE_DELETE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/apps/{app}/restart",
        summary: "Replaces all instances of an app.",
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        failures: READ,
        ..get("/v2/apps/{app}/tasks", "Lists the instances of an app.", Answer::Json(schema::<TaskList>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}/tasks",
        summary: "Kills instances of an app; with scale the answer is a deployment.",
        query: &[HOST, SCALE, FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<TaskList>)),
        failures: &[400, 404, 409, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}/tasks/{task}",
        summary: "Kills one instance of an app; with scale the answer is a deployment.",
        query: &[SCALE, FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<crate::task::TaskWrapper>)),
        failures: &[400, 404, 409, 503],
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/apps/{app}/versions",
            "Lists the versions of an app, newest first.",
            Answer::Json(schema::<VersionList>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/apps/{app}/versions/{version}", "Shows one version of an app.", Answer::Json(schema::<crate::App>))
    },
    get("/v2/pods", "Lists the definitions of pods.", Answer::Json(schema::<Vec<Pod>>)),
    Operation {
        method: "POST",
        path: "/v2/pods",
        summary: "Creates a pod.",
        query: &[FORCE],
        body: Some(schema::<Pod>),
        success: (201, Answer::Json(schema::<Pod>)),
        failures: WRITE,
    },
    get("/v2/pods::status", "Lists pods with their instances.", Answer::Json(schema::<Vec<PodStatus>>)),
    Operation { failures: READ, ..get("/v2/pods/{pod}", "Shows a pod's definition.", Answer::Json(schema::<Pod>)) },
    Operation {
        method: "PUT",
        path: "/v2/pods/{pod}",
        summary: "Creates or replaces a pod.",
        query: &[FORCE],
        body: Some(schema::<Pod>),
        success: (200, Answer::Json(schema::<Pod>)),
        failures: WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}",
        summary: "Ends a pod and forgets it; the location is the id of the deployment.",
        query: &[FORCE],
        body: None,
        success: (202, Answer::Empty),
        failures: &[404, 409, 503],
    },
    Operation {
        failures: READ,
        ..get("/v2/pods/{pod}::status", "Shows a pod with its instances.", Answer::Json(schema::<PodStatus>))
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/pods/{pod}::versions",
            "Lists the versions of a pod, newest first.",
            Answer::Json(schema::<Vec<String>>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/pods/{pod}::versions/{version}", "Shows one version of a pod.", Answer::Json(schema::<Pod>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}::instances",
        summary: "Kills the named instances of a pod, or all without a body.",
        query: &[WIPE],
        body: Some(schema::<Vec<String>>),
        success: (200, Answer::Json(schema::<Vec<PodInstance>>)),
        failures: &[400, 404, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}::instances/{instance}",
        summary: "Kills one instance of a pod.",
        query: &[WIPE],
        body: None,
        success: (200, Answer::Json(schema::<PodInstance>)),
        failures: &[404, 503],
    },
    get("/v2/groups", "Shows the tree of groups and apps.", Answer::Json(schema::<Group>)),
    Operation {
        failures: READ,
        ..get("/v2/groups/{group}", "Shows a group and what lies below it.", Answer::Json(schema::<Group>))
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/groups/{group}/apps",
            "Lists the apps in a group, at any depth.",
            Answer::Json(schema::<Vec<AppInfo>>),
        )
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/groups/{group}/versions",
            "Lists when a group, or anything in it, changed, newest first.",
            Answer::Json(schema::<Vec<String>>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/groups/{group}/versions/{version}", "Shows a group as it was.", Answer::Json(schema::<Group>))
    },
    Operation {
        method: "POST",
        path: "/v2/groups",
        summary: "Creates a group with everything in it, in one deployment.",
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<GroupUpdate>),
        success: (201, Answer::Json(schema::<DeploymentResult>)),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "PUT",
        path: "/v2/groups/{group}",
        summary: "Creates or changes a group with everything in it, in one deployment; scales it, or returns to what it was.",
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<GroupUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/groups/{group}",
        summary: "Says whether what lies in a group directly in the root must use its own role.",
        query: &[DRY_RUN],
        body: Some(schema::<GroupPatch>),
        success: (200, Answer::Empty),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/groups/{group}",
        summary: "Ends everything in a group and forgets it; without an id, everything.",
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        query: &[Parameter { name: "status", summary: "running or staging.", kind: ParameterKind::Repeated }],
        ..get("/v2/tasks", "Lists the instances of all apps.", Answer::Json(schema::<TaskList>))
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/delete",
        summary: "Kills the named tasks; with scale the answer is a deployment.",
        query: &[SCALE, FORCE, DRY_RUN],
        body: Some(schema::<DeleteTasks>),
        success: (200, Answer::Json(schema::<TaskList>)),
        failures: &[400, 409, 422, 503],
    },
    Operation {
        query: LOG,
        failures: &[400, 404, 502, 503],
        ..get("/v2/tasks/{task}/log", "Reads a piece of a task's output.", Answer::Json(schema::<LogPiece>))
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/{task}/exec",
        summary: "Runs a program within a task for as long as the answer is read, and tells what it writes.",
        query: &[],
        body: Some(schema::<Exec>),
        success: (200, Answer::Lines(schema::<SessionEvent>)),
        failures: &[400, 403, 404, 413, 422, 502, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/{task}/exec/{session}/input",
        summary: "Writes to a program that was run so, one request after the other; answered once it is written.",
        query: &[],
        body: Some(schema::<SessionInput>),
        success: (204, Answer::Empty),
        failures: &[400, 403, 404, 409, 413, 422, 502, 503],
    },
    Operation {
        failures: &[403, 404, 422, 502, 503],
        ..get(
            "/v2/tasks/{task}/attach",
            "Tells what a task writes from now on, and how it ends.",
            Answer::Lines(schema::<SessionEvent>),
        )
    },
    Operation {
        failures: &[502, 503],
        ..get("/v2/agents", "Lists the machines that apps run on.", Answer::Json(schema::<AgentList>))
    },
    get("/v2/deployments", "Lists running deployments.", Answer::Json(schema::<Vec<Deployment>>)),
    get(
        "/v2/deployments/ended",
        "Lists the deployments that ended lately, the latest first, each with how and why.",
        Answer::Json(schema::<Vec<EndedDeployment>>),
    ),
    Operation {
        method: "POST",
        path: "/v2/deployments/{deployment}/pause",
        summary: "Has a deployment start and kill nothing until it is resumed.",
        query: &[DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/deployments/{deployment}/resume",
        summary: "Has a paused deployment go on; deadlines count anew.",
        query: &[DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/deployments/{deployment}",
        summary: "Reverts a deployment by another one; with force it stops where it stands (202, no body).",
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        query: &[Parameter { name: "embed", summary: "lastUnusedOffers adds them.", kind: ParameterKind::Repeated }],
        ..get("/v2/queue", "Lists what waits to be started, and why.", Answer::Json(schema::<Queue>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/queue/{app}/delay",
        summary: "Forgets the delay after failures.",
        query: &[],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 503],
    },
    Operation {
        failures: SECRETS,
        ..get(
            "/v2/secrets",
            "Lists secrets and who uses them, without their values.",
            Answer::Json(schema::<SecretList>),
        )
    },
    Operation {
        failures: &[404, 501],
        ..get("/v2/secrets/{secret}", "Shows who uses a secret, without its value.", Answer::Json(schema::<Secret>))
    },
    Operation {
        method: "PUT",
        path: "/v2/secrets/{secret}",
        summary: "Keeps a secret (201), or another value of it (200): tasks that are started from then on have that.",
        query: &[DRY_RUN],
        body: Some(schema::<SecretValue>),
        success: (200, Answer::Json(schema::<Secret>)),
        failures: &[400, 409, 412, 413, 422, 501, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/secrets/{secret}",
        summary: "Forgets a secret that nobody uses.",
        query: &[DRY_RUN],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 409, 412, 501, 503],
    },
    get("/v2/info", "Describes the server.", Answer::Json(schema::<Info>)),
    Operation { failures: READ, ..get("/v2/leader", "Names the leader.", Answer::Json(schema::<Leader>)) },
    Operation {
        method: "DELETE",
        path: "/v2/leader",
        summary: "Makes the leader step down; its process ends and its supervisor starts it again.",
        query: &[],
        body: None,
        success: (200, Answer::Json(schema::<Message>)),
        failures: READ,
    },
    Operation {
        query: EVENTS,
        failures: &[405, 422, 503],
        ..get("/v2/events", "Streams events as they become durable.", Answer::Text("text/event-stream"))
    },
    Operation {
        method: "POST",
        path: "/v2/events/ack",
        summary: "Tells how far a consumer of the event stream that is waited for has come.",
        query: &[],
        body: Some(schema::<Acknowledgement>),
        success: (204, Answer::Empty),
        failures: &[400, 413, 422, 503],
    },
    get("/v2/eventSubscriptions", "Lists the URLs that events are posted to.", Answer::Json(schema::<CallbackList>)),
    Operation {
        method: "POST",
        path: "/v2/eventSubscriptions",
        summary: "Has every event posted to a URL from now on, in order and at least once; signed, if the body holds a secret.",
        query: CALLBACK_URL,
        body: Some(schema::<CallbackSettings>),
        success: (200, Answer::Json(schema::<CallbackChange>)),
        failures: &[400, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/eventSubscriptions",
        summary: "Has nothing posted to a URL any more.",
        query: CALLBACK_URL,
        body: None,
        success: (200, Answer::Json(schema::<CallbackChange>)),
        failures: &[422, 503],
    },
    Operation {
        query: &[Parameter { name: "app", summary: "Only this app.", kind: ParameterKind::Text }],
        ..get("/v2/traffic", "Shows what load balancers reported lately.", Answer::Json(schema::<Traffic>))
    },
    Operation {
        method: "POST",
        path: "/v2/traffic",
        summary: "Reports the traffic through a load balancer; it is forgotten after 15 seconds without a report.",
        query: &[],
        body: Some(schema::<LoadBalancer>),
        success: (204, Answer::Empty),
        failures: &[400, 413, 422, 503],
    },
    get("/v2/openapi.json", "This description.", Answer::Text("application/json")),
    get("/ping", "Answers pong.", Answer::Text("text/plain")),
    get("/metrics", "Counts and gauges as JSON.", Answer::Text("application/json")),
    get("/metrics/prometheus", "Counts and gauges as Prometheus reads them.", Answer::Text("text/plain")),
];
