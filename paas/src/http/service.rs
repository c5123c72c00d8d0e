use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use attica_core_api::http::{Client, Security};
use attica_core_api::secrets::SealingKey;
use attica_core_store::Position;
use attica_core_store::election::Leader;
use attica_core_store::writer::WriterState;
use attica_paas_api::info::Configuration;
use attica_paas_api::logging::PluginList;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::map_response_with_state;
use axum::response::Response;
use http::header::{ALLOW, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, StatusCode};
use sqlx::PgPool;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::compression::{Accepted, compressed};
use super::guard::Denied;
use super::query::Query;
use super::route::{NoRoute, Route, route};
use super::sign_in::Proven;
use super::writes::Asked;
use super::{
    Agents, AllowedOrigins, Loggers, Metrics, Names, Sessions, SignIn, Traffic, agents, answer, audit, backup,
    callbacks, cors, events, groups, guard, info, logging, logs, pods, proxy, reads, refusal, same_origin, secrets,
    sessions, traffic, users, writes,
};
use crate::access::{Caller, Rule, Verdict};
use crate::callbacks::Callbacks;
use crate::engine::{Origin, Refusal, Reply, Terms, Write};
use crate::events::{Bus, History};
use crate::model::Version;
use crate::read_model::ReadModel;
use crate::tables::AuditLog;
use crate::validate::Rules;

/// The longest time that a client waits for its write to become durable.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// It never changes.
static DESCRIPTION: LazyLock<String> = LazyLock::new(attica_paas_api::openapi::description);

/// What became of a write, once that is durable.
pub type WriteOutcome = Result<Reply, Refusal>;

/// A write on its way to the engine.
#[derive(Debug)]
pub struct Pending {
    /// What is to be done.
    pub write: Write,
    /// On what terms.
    pub terms: Terms,
    /// Who asked.
    pub origin: Origin,
    /// Who waits. Dropped without an answer when leadership ends first.
    pub reply: oneshot::Sender<WriteOutcome>,
}

/// What a leader serves.
pub struct Leading {
    /// What is read.
    pub model: Arc<ReadModel>,
    /// The newest events.
    pub bus: Arc<Bus>,
    /// Older events.
    pub history: History,
    /// Takes writes, a limited number at a time.
    pub writes: mpsc::Sender<Pending>,
    /// Whether writes get through.
    pub writer: watch::Receiver<WriterState>,
    /// Where events are posted to.
    pub callbacks: Callbacks,
    /// What load balancers report.
    pub traffic: Traffic,
    /// Who did what.
    pub audit: AuditLog,
    /// Reads the tables.
    pub pool: PgPool,
    /// The position that the history had come to when this leader began.
    pub began_at: Position,
    /// Since when.
    pub since: Instant,
}

/// What all requests share.
pub struct Service {
    /// The address at which others reach this process, `host:port`.
    pub address: String,
    /// The settings in effect, as `/config` shows them, and `/v2/info` some of them.
    pub configuration: Configuration,
    /// What definitions are judged by.
    pub rules: Rules,
    /// What secrets are sealed with; none: there can be none.
    pub secrets_key: Option<SealingKey>,
    /// Set while this process leads.
    pub leading: watch::Receiver<Option<Arc<Leading>>>,
    /// Who leads, as far as is known here.
    pub leader: watch::Receiver<Option<Leader>>,
    /// `http` or `https`: how this process is reached.
    pub scheme: &'static str,
    /// Whether answers are compressed for those who ask for it.
    pub compresses: bool,
    /// Calls the leader.
    pub client: Client,
    /// What proves to masters and agents who this is.
    pub security: Security,
    /// Lets what is posted to subscribers be encrypted. It does not prove who this is: they are strangers.
    pub callback_security: Security,
    /// Calls agents.
    pub agent_client: Client,
    /// Knows the machines.
    pub agents: Agents,
    /// Programs that are run within tasks.
    pub sessions: Sessions,
    /// Who has to show what.
    pub sign_in: SignIn,
    /// The names under which browsers reach this process.
    pub names: Names,
    /// Pages of which others may read what is answered.
    pub allowed_origins: AllowedOrigins,
    /// Proxies that are believed when they name their client.
    pub trusted_proxies: Vec<IpAddr>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How much is logged.
    pub loggers: Arc<Loggers>,
    /// Where clients may have backups written and read.
    pub backup_directory: Option<PathBuf>,
    /// Asks the leader to step down.
    pub abdication: Arc<Notify>,
}

/// The API as a tower service, and under the routes of `console` what that answers.
pub fn router(service: Arc<Service>, console: Router) -> Router {
    let api = Router::new().fallback(handle).with_state(Arc::clone(&service));
    console.layer(map_response_with_state(service, as_from_here)).fallback_service(api)
}

/// Gives an answer of the console the headers that the API's have.
async fn as_from_here(State(service): State<Arc<Service>>, mut response: Response) -> Response {
    answer::add_console_headers(response.headers_mut());
    if let Some(leader) = service.leader.borrow().as_ref() {
        answer::name_leader(response.headers_mut(), service.scheme, &leader.address);
    }
    response
}

async fn handle(State(service): State<Arc<Service>>, request: Request<Body>) -> Result<Response, Infallible> {
    let handling = service.metrics.handling(request.method());
    let request = request.map(|body| service.metrics.counted(body));
    let mut response = match same_origin::check(&service.names, &request) {
        Ok(()) => service.answer_pages_too(request).await,
        Err(foreign) => foreign.answer(),
    };
    answer::add_standard_headers(response.headers_mut());
    Ok(handling.answered(response))
}

impl Service {
    /// Answers, and says whether pages of other origins may read that.
    async fn answer_pages_too(self: &Arc<Self>, request: Request<Body>) -> Response {
        let asked = self.allowed_origins.asked(&request);
        let mut response = match (&asked, self.leading()) {
            (Some(asked), _) if asked.is_preflight => cors::preflight(),
            (_, Some(leading)) => self.serve(&leading, request).await,
            (_, None) => proxy::hand_on(self, request).await,
        };
        if let Some(asked) = &asked {
            self.allowed_origins.add(asked, response.headers_mut());
        }
        response
    }

    /// What is served while this process leads.
    pub(super) fn leading(&self) -> Option<Arc<Leading>> {
        self.leading.borrow().clone()
    }

    /// Answers as the leader.
    pub(super) async fn serve(self: &Arc<Self>, leading: &Arc<Leading>, request: Request<Body>) -> Response {
        let accepted = Accepted::by(request.headers());
        let conditional =
            request.headers().contains_key(IF_NONE_MATCH) && matches!(*request.method(), Method::GET | Method::HEAD);
        let known = conditional.then(|| request.headers().clone());
        let mut response = match route(request.method(), request.uri().path()) {
            Ok(route) => self.admit(leading, route, request).await,
            Err(none) => no_route(&none, request.method()),
        };
        if let Some(known) = known {
            response = answer::unless_known(&known, response);
        }
        if self.compresses {
            response = compressed(response, accepted).await;
        }
        answer::name_leader(response.headers_mut(), self.scheme, &self.address);
        response
    }

    /// Finds out who asks, and answers if he may.
    async fn admit(self: &Arc<Self>, leading: &Arc<Leading>, route: Route, mut request: Request<Body>) -> Response {
        let address = guard::address(&request, &self.trusted_proxies);
        let proven = match guard::rule(&route) {
            Rule::Anyone => Proven::default(),
            Rule::SignedIn
            | Rule::Viewing
            | Rule::Changing
            | Rule::On(_)
            | Rule::OnRoot(_)
            | Rule::OnParameter(_)
            | Rule::Oneself => match self.sign_in.caller(&leading.model, request.headers(), address).await {
                Ok(proven) => proven,
                Err(refused) => return refused,
            },
        };
        let caller = proven.caller.clone();
        if proven.session().is_some() && !guard::is_json(&request) {
            let text = "A document that a browser sends must have the content type application/json";
            return answer::message(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        }
        if guard::is_encoded(&request) {
            let text = "The body has a content encoding, which is not read: send it as it is, without Content-Encoding";
            return answer::message(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        }
        guard::mark(&mut request, proven, &self.trusted_proxies);
        let asked = Asked::of(&request);
        match guard::admit(&route, &caller, &request) {
            Ok(()) => {}
            Err(denied) => {
                let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                if let (Denied::Lacking(lacking), false) = (&denied, reads) {
                    let verdict = Verdict::Forbidden(lacking.to_string());
                    self.note(leading, asked, verdict, lacking.path.clone()).await;
                }
                return denied.answer();
            }
        }
        if let Err(faults) = guard::judge_dry_run(&route, &request) {
            return refusal::invalid(faults);
        }
        let noted = guard::noted(&route);
        let response = self.answer(leading, route, &caller, request).await;
        if let (Some(path), true) = (noted, response.status().is_success()) {
            self.note(leading, asked, Verdict::Done, path).await;
        }
        response
    }

    /// Writes down what the engine does not do, or does not get to see.
    async fn note(&self, leading: &Leading, asked: Asked, verdict: Verdict, path: String) {
        if asked.origin.caller.name().is_some()
            && let Err(response) = self.write(leading, Write::Note { verdict, path }, asked).await
        {
            tracing::warn!(status = %response.status(), "a write is not in the audit log");
        }
    }

    async fn answer(
        self: &Arc<Self>,
        leading: &Arc<Leading>,
        route: Route,
        caller: &Caller,
        request: Request<Body>,
    ) -> Response {
        let model = &leading.model.seen_by(caller.sight());
        match route {
            Route::Ping => info::ping(request.headers()),
            Route::Metrics => info::metrics(self, leading),
            Route::Config => answer::document(StatusCode::OK, &self.configuration),
            Route::Help => answer::elsewhere("/v2/openapi.json"),
            Route::Loggers => logging::list(&self.loggers),
            Route::ChangeLogger => logging::change(&self.loggers, request).await,
            Route::Plugins => answer::document(StatusCode::OK, &PluginList::default()),
            Route::PrometheusMetrics => info::prometheus_metrics(self, leading),
            Route::Description => answer::rendered(StatusCode::OK, DESCRIPTION.as_str()),
            Route::Info => info::info(self, leading),
            Route::Leader => info::leader(self),
            Route::Abdicate => backup::abdicate(self, leading, Asked::of(&request)).await,
            Route::Backup => backup::make(leading).await,
            Route::Restore => backup::restore(self, leading, request).await,
            Route::Events => events::stream(self, leading, request).await,
            Route::AcknowledgeEvents => events::acknowledge(self, leading, request).await,
            Route::Callbacks => callbacks::list(leading),
            Route::AddCallback => callbacks::add(self, leading, request).await,
            Route::RemoveCallback => callbacks::remove(self, leading, Asked::of(&request)).await,
            Route::Apps => reads::apps(self, model, &request),
            Route::App(id) => reads::app(self, model, &id, &request),
            Route::GroupApps(group) => reads::apps_of_group(self, model, &group, &request),
            Route::AppTasks(id) => reads::read(model.tasks_of_app(&id)),
            Route::GroupTasks(group) => reads::read(model.tasks_of_group(&group)),
            Route::Versions(id) => reads::read(model.versions(&id)),
            Route::Version { app, version } => reads::version(model, &app, &version),
            Route::Group(group) => reads::group(self, model, &group, &request),
            Route::GroupVersions(group) => reads::read(model.group_versions(&group)),
            Route::GroupVersion { group, version } => reads::group_version(model, &group, &version),
            Route::CreateGroup(group) => groups::create(self, leading, request, &group).await,
            Route::PutGroup(group) => groups::put(self, leading, request, &group).await,
            Route::PatchGroup(group) => groups::patch(self, leading, request, group).await,
            Route::DeleteGroup(group) => groups::delete(self, leading, Asked::of(&request), group).await,
            Route::GroupAppList(group) => reads::app_list_of_group(self, model, &group, &request),
            Route::Tasks => reads::tasks(model, &request),
            Route::Deployments => reads::deployments(model, &request),
            Route::TaskLog(task) => logs::read(self, leading, model, &task, Query::of(request.uri())).await,
            Route::Exec(task) => sessions::exec(self, leading, &task, request).await,
            Route::SessionInput { task, session } => sessions::input(self, task, session, request).await,
            Route::Attach(task) => sessions::attach(self, leading, caller.sight(), &task).await,
            Route::AttachInput(task) => sessions::attach_input(self, leading, &task, request).await,
            Route::Agents => agents::list(&self.agents).await,
            Route::Traffic => traffic::read(leading, &request),
            Route::ReportTraffic => traffic::report(leading, request).await,
            Route::Queue => reads::queue(model, &request),
            Route::CreateApp => writes::create(self, leading, request).await,
            Route::PutApps => writes::put_all(self, leading, request, writes::Existing::OrNew).await,
            Route::PatchApps => writes::put_all(self, leading, request, writes::Existing::Only).await,
            Route::PutApp(id) => writes::put(self, leading, request, id, writes::Existing::OrNew).await,
            Route::PatchApp(id) => writes::put(self, leading, request, id, writes::Existing::Only).await,
            Route::DeleteApp(id) => writes::delete(self, leading, Asked::of(&request), id).await,
            Route::Restart(id) => writes::restart(self, leading, Asked::of(&request), id).await,
            Route::KillAppTasks(id) => writes::kill_of_app(self, leading, Asked::of(&request), id).await,
            Route::KillAppTask { app, task } => writes::kill_one(self, leading, Asked::of(&request), app, &task).await,
            Route::KillTasks => writes::kill_these(self, leading, request).await,
            Route::EndedDeployments => reads::read(model.ended_deployments()),
            Route::HoldDeployment { written, id, paused } => {
                writes::hold(self, leading, Asked::of(&request), &written, id, paused).await
            }
            Route::CancelDeployment { written, id } => {
                writes::cancel(self, leading, Asked::of(&request), &written, id).await
            }
            Route::Secrets => secrets::list(self, model),
            Route::Secret(path) => secrets::show(self, model, &path),
            Route::PutSecret(path) => secrets::put(self, leading, request, path).await,
            Route::DeleteSecret(path) => secrets::delete(self, leading, Asked::of(&request), path).await,
            Route::Pods => reads::read(model.pods()),
            Route::PodStatuses => reads::read(model.pod_statuses()),
            Route::Pod(id) => reads::read(model.pod(&id)),
            Route::PodStatus(id) => reads::read(model.pod_status(&id)),
            Route::PodVersions(id) => reads::read(model.pod_versions(&id)),
            Route::PodVersion { pod, version } => {
                reads::read(model.pod_version(&pod, Version::parse(&version), &version))
            }
            Route::CreatePod => pods::create(self, leading, request).await,
            Route::PutPod(id) => pods::put(self, leading, request, id).await,
            Route::DeletePod(id) => pods::delete(self, leading, Asked::of(&request), id).await,
            Route::KillPodInstances(id) => pods::kill(self, leading, request, id).await,
            Route::KillPodInstance { pod, instance } => {
                pods::kill_one(self, leading, Asked::of(&request), pod, &instance).await
            }
            Route::Session => users::who(self, caller),
            Route::SignIn => users::sign_in(self, leading, request).await,
            Route::SignOut => {
                let session = guard::proven(&request).session();
                users::sign_out(self, leading, Asked::of(&request), session).await
            }
            Route::Users => users::list(leading),
            Route::User(user) => users::read(leading, &user),
            Route::PutUser(user) => users::put(self, leading, request, &user).await,
            Route::RemoveUser(user) => users::remove(self, leading, Asked::of(&request), &user).await,
            Route::Grant(user) => users::grant(self, leading, request, &user).await,
            Route::Revoke(user) => users::revoke(self, leading, Asked::of(&request), &user).await,
            Route::AddToken(user) => users::add_token(self, leading, request, &user).await,
            Route::RemoveToken { user, token } => {
                users::remove_token(self, leading, Asked::of(&request), &user, &token).await
            }
            Route::Audit => audit::read(leading, &Query::of(request.uri())).await,
            Route::ResetDelay(id) => writes::reset_delay(self, leading, Asked::of(&request), id).await,
        }
    }

    /// Hands a write to the engine and waits until what became of it is durable.
    ///
    /// # Errors
    /// The answer, when there is no outcome to tell.
    pub(super) async fn write(
        &self,
        leading: &Leading,
        write: Write,
        Asked { origin, mut terms, query: _ }: Asked,
    ) -> Result<WriteOutcome, Response> {
        if terms.dry_run {
            // Without a master the rest is still worth telling.
            terms.room = self.agents.room().await.ok();
        }
        match *leading.writer.borrow() {
            WriterState::Healthy => {}
            WriterState::Stalled { .. } | WriterState::Ended => {
                return Err(answer::unavailable("The database does not take writes now: nothing was changed"));
            }
        }
        let (reply, outcome) = oneshot::channel();
        let queued = leading.writes.try_send(Pending { write, terms, origin, reply });
        queued.map_err(|refused| match refused {
            TrySendError::Full(_) => answer::unavailable("Too many writes are waiting: nothing was changed"),
            TrySendError::Closed(_) => answer::unavailable("The leader is stopping: nothing was changed"),
        })?;
        match tokio::time::timeout(WRITE_TIMEOUT, outcome).await {
            Ok(Ok(outcome)) => {
                match &outcome {
                    Ok(Reply::Deployed { .. }) => self.metrics.count_deployment(),
                    Err(Refusal::TooManyDeployments { .. }) => self.metrics.count_dismissed_deployment(),
                    Ok(_) | Err(_) => {}
                }
                Ok(outcome)
            }
            Ok(Err(_dropped)) => Err(answer::unavailable(
                "Leadership ended before the change was durable: look whether it was made before you repeat it",
            )),
            Err(_elapsed) => {
                Err(answer::unavailable("The change is not durable yet: look whether it was made before you repeat it"))
            }
        }
    }
}

fn no_route(none: &NoRoute, method: &Method) -> Response {
    match none {
        NoRoute::Unknown => answer::message(StatusCode::NOT_FOUND, "URI not found"),
        NoRoute::Console(address) => answer::elsewhere(address),
        NoRoute::Raml => {
            answer::message(StatusCode::NOT_FOUND, "There is no RAML here: /v2/openapi.json describes the API")
        }
        NoRoute::Method(allowed) if *method == Method::OPTIONS => answer::allows(allowed),
        NoRoute::Method(allowed) => {
            let mut response =
                answer::message(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not allowed here: {allowed} are"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
        NoRoute::Id { written, source } => match *method {
            Method::PUT => refusal::invalid(crate::validate::Faults::one("/id", source.to_string())),
            _ => answer::message(StatusCode::NOT_FOUND, format!("App '{written}' does not exist")),
        },
        NoRoute::Pod { written, source } => match *method {
            Method::PUT => refusal::invalid(crate::validate::Faults::one("/id", source.to_string())),
            _ => answer::message(StatusCode::NOT_FOUND, format!("Pod '{written}' does not exist")),
        },
        NoRoute::Secret { written, source } => match *method {
            Method::PUT => refusal::invalid(crate::validate::Faults::one("/path", source.to_string())),
            _ => answer::message(StatusCode::NOT_FOUND, format!("Secret '{written}' does not exist")),
        },
        NoRoute::Group { written, source } => match *method {
            Method::PUT | Method::POST => refusal::invalid(crate::validate::Faults::one("/id", source.to_string())),
            _ => answer::message(StatusCode::NOT_FOUND, format!("Group '{written}' does not exist")),
        },
    }
}
