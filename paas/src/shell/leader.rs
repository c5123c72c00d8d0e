//! What the role is made of while it leads.
//!
//! ```text
//!  requests ──writes──┐                                                       ┌─► read model, event bus, answers
//!                     ├─► engine's thread ──batches──► writer ──► delivery ───┤
//!  master ───events───┘                                                       └─► calls to the master
//! ```
//!
//! Nothing flows back from the read model, and nothing reaches it that is not durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_core_api::Entropy;
use attica_core_api::http::{Client, Protocol};
use attica_core_api::secrets::SealError;
use attica_core_store::election::Leadership;
use attica_core_store::journal::{Journal, Retention};
use attica_core_store::writer::{WriterError, WriterLimits};
use attica_core_store::{LeaderRole, Writer};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::args::Args;
use super::delivery::Delivery;
use super::driver::{self, Clock};
use super::link::{MasterLink, Masters};
use super::sealing::Sealing;
use crate::callbacks::{self, Callbacks};
use crate::engine::{Border, Config, Engine};
use crate::events::{Bus, History, Memory};
use crate::http::{Leading, Service, Traffic};
use crate::model::SecretPath;
use crate::read_model::{Fold, ReadModel};
use crate::tables::{self, AuditLog, PaasTables};
use crate::{normalise, validate};

/// Writes that wait for the engine; further ones are refused.
const WAITING_WRITES_MAX: usize = 1024;
/// Events of the master that wait for the engine; further ones wait on the stream.
const WAITING_EVENTS_MAX: usize = 1024;
/// Connections that read the past of the event stream.
const READING_CONNECTIONS: u32 = 4;
/// How much of the past is kept.
const RETENTION: Retention = Retention { entries: 2_000_000, age: Duration::from_secs(7 * 24 * 3600) };

/// Why a leader could not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// What the predecessors left cannot be read.
    #[error("cannot read the state of the service layer from Postgres")]
    Load(#[source] tables::LoadError),
    /// What is kept was sealed with another key.
    #[error(
        "the key of --secrets-key-file does not open the secret '{path}': it was kept with another key, or was changed"
    )]
    SecretsKey {
        /// The first that it does not open.
        path: SecretPath,
        /// Why not.
        #[source]
        source: SealError,
    },
    /// The engine's thread could not be started.
    #[error("cannot start the engine's thread")]
    Thread(#[source] std::io::Error),
    /// The writer ended: deposed, or its facts were refused.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The lease was lost.
    #[error("deposed: another process leads now")]
    Deposed,
    /// The engine found itself in a state that must not be, and stopped. The next leader starts from the tables.
    #[error("the engine stopped unexpectedly; its last words are in the log")]
    EngineEnded,
    /// Delivery broke.
    #[error("the delivery of committed batches stopped unexpectedly; its last words are in the log")]
    DeliveryEnded,
    /// The master does not take this framework (any more).
    #[error("the master refuses the framework: {text}")]
    Refused {
        /// What the master says.
        text: String,
    },
}

/// A leader with everything that runs for it. Dropping it stops the engine.
pub(super) struct Reign {
    pub(super) leading: Arc<Leading>,
    leadership: Leadership,
    engine: oneshot::Receiver<()>,
    delivery: JoinHandle<Result<(), WriterError>>,
    refused: oneshot::Receiver<String>,
    forgetting: [JoinHandle<std::convert::Infallible>; 2],
    callbacks: JoinHandle<std::convert::Infallible>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Reign {
    /// Reads what the predecessors left, and starts everything.
    pub(super) async fn begin(args: &Args, service: &Service, leadership: Leadership) -> Result<Self, LeaderError> {
        let lead = leadership.lead();
        let pool = args.postgres_url.pool("attica paas reads", READING_CONNECTIONS);
        let snapshot = tables::load(&pool).await.map_err(LeaderError::Load)?;
        let sealing = Sealing::new(service.secrets_key.clone());
        sealing.check(&snapshot.secrets).map_err(|(path, source)| LeaderError::SecretsKey { path, source })?;
        let framework_id = snapshot.framework_id.clone();
        let model = Arc::new(ReadModel::new(Uuid::new_v4(), lead.seq));
        let callbacks = Callbacks::of(&snapshot);
        let fold = Fold::new(snapshot.clone(), &model);
        if service.sign_in.is_required() && !service.sign_in.has_admin(&snapshot.accounts) {
            tracing::warn!("nobody can make users: name an admin with --admin-file");
        }
        let bus = Arc::new(Bus::new(lead.seq, Memory::default()));
        let clock = Clock::start();
        let engine =
            Engine::recover(config(args, service), snapshot, Entropy::new(Uuid::new_v4().as_u128()), clock.now());

        let roles = engine.roles().into_iter().collect();
        let framework = args.framework(framework_id, roles, service.scheme, &service.address);
        let limits = WriterLimits::default();
        let (writer, committed) =
            Writer::spawn(args.postgres_url.clone(), lead, leadership.lease(), PaasTables, limits);
        let writer_state = writer.watch();
        let (writes, pending) = mpsc::channel(WAITING_WRITES_MAX);
        let (inputs, scheduler_inputs) = mpsc::channel(WAITING_EVENTS_MAX);
        let masters = Masters { detection: args.master.clone(), security: service.security.clone() };
        let (link, refused) = MasterLink::start(masters, framework, inputs, Arc::clone(&service.metrics));
        let stop = CancellationToken::new();
        let sources = driver::Sources { writes: pending, scheduler: scheduler_inputs };
        let engine = driver::spawn(engine, sources, writer, clock, Arc::clone(&service.metrics), stop.clone())
            .map_err(LeaderError::Thread)?;
        let audit = AuditLog::new(pool.clone());
        let journal = Journal::new(pool.clone(), LeaderRole::Paas);
        let forgetting = [
            tokio::spawn({
                let journal = journal.clone();
                async move { journal.keep_short(lead.epoch, RETENTION).await }
            }),
            tokio::spawn(audit.clone().keep_short(Duration::from_secs(u64::from(args.audit_days) * 24 * 3600))),
        ];
        let leading = Arc::new(Leading {
            model,
            bus,
            callbacks,
            history: History { journal },
            pool,
            writes,
            writer: writer_state,
            traffic: Traffic::default(),
            audit,
            began_at: lead.seq,
            since: Instant::now(),
        });
        let delivery = tokio::spawn(Delivery { fold, leading: Arc::clone(&leading), link, sealing }.run(committed));
        let callback_client =
            Client::secured(Protocol::Http1, callbacks::ANSWER_TIMEOUT, service.callback_security.clone());
        let callbacks =
            tokio::spawn(callbacks::deliver(Arc::clone(&leading), callback_client, Arc::clone(&service.metrics)));
        Ok(Self {
            leading,
            callbacks,
            leadership,
            engine,
            delivery,
            refused,
            forgetting,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Returns when the leader must end, with the reason.
    pub(super) async fn ended(&mut self) -> LeaderError {
        let lease = self.leadership.lease();
        tokio::select! {
            biased;
            delivered = &mut self.delivery => match delivered {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => LeaderError::DeliveryEnded,
            },
            () = lease.lost() => LeaderError::Deposed,
            Ok(text) = &mut self.refused => LeaderError::Refused { text },
            _ = &mut self.engine => LeaderError::EngineEnded,
        }
    }

    /// Ends in order: no more inputs, what was decided is written and delivered, the lead is handed over.
    pub(super) async fn resign(self) {
        self.stop.cancel();
        let _ = self.engine.await; // the thread has ended, one way or the other
        match self.delivery.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not write everything before the end");
            }
            Err(error) => tracing::error!(%error, "delivery failed"),
        }
        self.forgetting.iter().for_each(JoinHandle::abort);
        self.callbacks.abort();
        self.leading.bus.close();
        self.leadership.resign().await;
    }

    /// Ends at once: what is not written is worth nothing.
    pub(super) fn abandon(self) {
        self.forgetting.iter().for_each(JoinHandle::abort);
        self.callbacks.abort();
        self.delivery.abort();
        self.leading.bus.close();
    }
}

fn config(args: &Args, service: &Service) -> Config {
    let principal = args.mesos_authentication_principal.clone();
    Config {
        role: args.mesos_role.clone(),
        accepted_by_default: args.accepted_by_default(),
        gpu_scheduling: args.gpu_scheduling_behavior,
        enforced_by_default: args.new_group_enforce_role,
        variable_prefix: args.env_vars_prefix.clone(),
        principal: principal.or_else(|| service.security.principal().map(str::to_owned)),
        reservation_timeout_ms: args.task_reservation_timeout,
        service_port_first: args.local_port_min,
        service_port_last: args.local_port_max,
        running_deployments_max: args.max_running_deployments,
        apps_max: args.max_apps,
        instances_per_offer_max: args.max_instances_per_offer as usize,
        decline_ms: args.decline_offer_duration,
        revive_interval_ms: args.min_revive_offers_interval,
        launch_timeout_ms: args.task_launch_timeout,
        kills_in_flight_max: args.kill_chunk_size as usize,
        kill_retry_ms: args.kill_retry_timeout,
        reconcile_interval_ms: args.reconciliation_interval,
        draining_ms: u64::from(args.draining_seconds) * 1_000,
        versions_max: args.max_versions as usize,
        secrets_key: service.secrets_key.as_ref().map(|key| key.id().clone()),
        ..Config::new(Border {
            validate: validate::whole,
            validate_change: validate::change,
            render_run_spec: normalise::definition,
            render_health_check: |check| normalise::json(&normalise::health_check(check)),
            render_changes: normalise::changes,
        })
    }
}
