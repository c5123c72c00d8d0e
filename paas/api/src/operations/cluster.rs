//! Calls about everything around what runs: secrets, the server, events, load balancers, users and what they did.

use super::parameters::{AUDIT, CALLBACK_URL, DRY_RUN, EVENTS, FORCE, LEADER, PRUNE, REVOKED};
use super::{Answer, Operation, Parameter, ParameterKind, READ, SECRETS, get, schema};
use crate::access::Permission::{Admin, View};
use crate::access::{Audit, IssuedToken, NewToken, Rule, Session, SignIn, UserList, UserUpdate};
use crate::callback::{CallbackChange, CallbackList, CallbackSettings};
use crate::consumer::Acknowledgement;
use crate::deployment::DeploymentResult;
use crate::error::Message;
use crate::info::{Configuration, Info, Leader};
use crate::logging::{LoggerChange, Loggers, PluginList};
use crate::secret::{Secret, SecretList, SecretValue};
use crate::traffic::{LoadBalancer, Traffic};

pub(super) const CLUSTER: &[Operation] = &[
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
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: Some(schema::<SecretValue>),
        success: (200, Answer::Json(schema::<Secret>)),
        failures: &[400, 409, 412, 413, 422, 501, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/secrets/{secret}",
        summary: "Forgets a secret that nobody uses.",
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 409, 412, 501, 503],
    },
    Operation { rule: Rule::SignedIn, ..get("/v2/info", "Describes the server.", Answer::Json(schema::<Info>)) },
    Operation {
        rule: Rule::SignedIn,
        failures: READ,
        ..get("/v2/leader", "Names the leader.", Answer::Json(schema::<Leader>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/leader",
        summary: "Makes the leader step down, after a backup or the return to one; its process ends and its supervisor starts it again.",
        rule: Rule::OnRoot(Admin),
        query: LEADER,
        body: None,
        success: (200, Answer::Json(schema::<Message>)),
        failures: &[404, 409, 422, 503],
    },
    Operation {
        rule: Rule::OnRoot(Admin),
        failures: &[503],
        ..get(
            "/v2/backup",
            "Writes down what the service layer knows, tables and facts at one position; secrets are sealed.",
            Answer::Text("application/octet-stream"),
        )
    },
    Operation {
        method: "POST",
        path: "/v2/backup",
        summary: "Brings back what was defined when a backup, the body, was made, in one deployment; secrets, users and callbacks come back where they are gone. What it knows nothing of stays.",
        rule: Rule::OnRoot(Admin),
        query: &[PRUNE, FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[408, 409, 412, 413, 422, 503],
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
        rule: Rule::OnRoot(View),
        query: &[],
        body: Some(schema::<Acknowledgement>),
        success: (204, Answer::Empty),
        failures: &[400, 413, 422, 503],
    },
    Operation {
        rule: Rule::OnRoot(Admin),
        ..get(
            "/v2/eventSubscriptions",
            "Lists the URLs that events are posted to, and how each of them keeps up.",
            Answer::Json(schema::<CallbackList>),
        )
    },
    Operation {
        method: "POST",
        path: "/v2/eventSubscriptions",
        summary: "Has every event posted to a URL from now on, in order and at least once; signed, if the body holds a secret.",
        rule: Rule::OnRoot(Admin),
        query: CALLBACK_URL,
        body: Some(schema::<CallbackSettings>),
        success: (200, Answer::Json(schema::<CallbackChange>)),
        failures: &[400, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/eventSubscriptions",
        summary: "Has nothing posted to a URL any more.",
        rule: Rule::OnRoot(Admin),
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
        rule: Rule::OnRoot(View),
        query: &[],
        body: Some(schema::<LoadBalancer>),
        success: (204, Answer::Empty),
        failures: &[400, 413, 422, 503],
    },
    Operation {
        rule: Rule::SignedIn,
        ..get("/v2/session", "Tells who the caller is, and what it may do.", Answer::Json(schema::<Session>))
    },
    Operation {
        method: "POST",
        path: "/v2/session",
        summary: "Signs in: the answer sets a cookie, which proves who the caller is for twelve hours.",
        rule: Rule::Anyone,
        query: &[],
        body: Some(schema::<SignIn>),
        success: (200, Answer::Json(schema::<Session>)),
        failures: &[400, 401, 409, 413, 422, 429, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/session",
        summary: "Signs out: the cookie proves nothing any more.",
        rule: Rule::SignedIn,
        query: &[],
        body: None,
        success: (204, Answer::Empty),
        failures: &[503],
    },
    Operation {
        rule: Rule::OnRoot(Admin),
        ..get("/v2/users", "Lists users, with what they may do.", Answer::Json(schema::<UserList>))
    },
    Operation {
        rule: Rule::Oneself,
        failures: READ,
        ..get("/v2/users/{user}", "Shows a user.", Answer::Json(schema::<crate::access::User>))
    },
    Operation {
        method: "PUT",
        path: "/v2/users/{user}",
        summary: "Makes or changes a user; only an admin makes one, or says what it may do.",
        rule: Rule::Oneself,
        query: &[DRY_RUN],
        body: Some(schema::<UserUpdate>),
        success: (200, Answer::Json(schema::<crate::access::User>)),
        failures: &[400, 409, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/users/{user}",
        summary: "Removes a user, its tokens and its sessions.",
        rule: Rule::OnRoot(Admin),
        query: &[DRY_RUN],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 422, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/users/{user}/grants",
        summary: "Adds to what a user may do.",
        rule: Rule::OnRoot(Admin),
        query: &[DRY_RUN],
        body: Some(schema::<crate::access::Grant>),
        success: (200, Answer::Json(schema::<crate::access::User>)),
        failures: &[400, 404, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/users/{user}/grants",
        summary: "Takes from what a user may do at a path.",
        rule: Rule::OnRoot(Admin),
        query: REVOKED,
        body: None,
        success: (200, Answer::Json(schema::<crate::access::User>)),
        failures: &[404, 422, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/users/{user}/tokens",
        summary: "Makes a token; this answer is the only one that shows it.",
        rule: Rule::Oneself,
        query: &[DRY_RUN],
        body: Some(schema::<NewToken>),
        success: (201, Answer::Json(schema::<IssuedToken>)),
        failures: &[400, 404, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/users/{user}/tokens/{token}",
        summary: "Revokes a token.",
        rule: Rule::Oneself,
        query: &[DRY_RUN],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 422, 503],
    },
    Operation {
        rule: Rule::OnParameter(Admin),
        query: AUDIT,
        failures: &[422, 503],
        ..get(
            "/v2/audit",
            "Lists writes, the latest first: who did what, and what came of it.",
            Answer::Json(schema::<Audit>),
        )
    },
    Operation {
        rule: Rule::SignedIn,
        ..get("/v2/openapi.json", "This description.", Answer::Text("application/json"))
    },
    Operation { rule: Rule::Anyone, ..get("/ping", "Answers pong.", Answer::Text("text/plain")) },
    Operation {
        rule: Rule::OnRoot(View),
        ..get("/config", "Shows the settings in effect, without secrets.", Answer::Json(schema::<Configuration>))
    },
    Operation {
        rule: Rule::SignedIn,
        success: (302, Answer::Empty),
        ..get("/help", "Leads to /v2/openapi.json.", Answer::Empty)
    },
    Operation {
        rule: Rule::SignedIn,
        success: (302, Answer::Empty),
        ..get("/api-console", "Leads to /v2/openapi.json, as does all that lies below.", Answer::Empty)
    },
    Operation {
        rule: Rule::OnRoot(View),
        ..get("/logging", "Tells how much the server logs.", Answer::Json(schema::<Loggers>))
    },
    Operation {
        method: "POST",
        path: "/logging",
        summary: "Has a part of the server log from another level on, for a while or until it ends.",
        rule: Rule::OnRoot(Admin),
        query: &[],
        body: Some(schema::<LoggerChange>),
        success: (200, Answer::Json(schema::<LoggerChange>)),
        failures: &[400, 409, 413, 422],
    },
    Operation {
        rule: Rule::SignedIn,
        ..get("/v2/plugins", "Lists plugins: there are none.", Answer::Json(schema::<PluginList>))
    },
    Operation {
        rule: Rule::SignedIn,
        ..get("/metrics", "Counts and gauges as JSON.", Answer::Text("application/json"))
    },
    Operation {
        rule: Rule::SignedIn,
        ..get("/metrics/prometheus", "Counts and gauges as Prometheus reads them.", Answer::Text("text/plain"))
    },
];
