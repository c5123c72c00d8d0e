//! Everything durable, read back at the start of a leadership.

use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_api::secrets::Sealed;
use attica_core_api::v1::FrameworkId;
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, PgPool};

use crate::access::User;
use crate::engine::Snapshot;
use crate::model::{
    Callback, CallbackSecret, CallbackUrl, ConsumerName, Deployment, EndedDeployment, GroupId, Instance, InvalidId,
    InvalidName, InvalidSecretPath, KeptSecret, RunSpecId, SecretPath, Version,
};

/// Why the tables could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Postgres did not answer, or refused.
    #[error("cannot read the tables of the service layer")]
    Query(#[from] sqlx::Error),
    /// A row that this program did not write.
    #[error("the table {table} holds a document that is not one")]
    Document {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A run spec or a group whose id is not one.
    #[error("a table of run specs or groups holds '{id}', which is not an id")]
    Id {
        /// What it holds.
        id: String,
        /// What is wrong with it.
        #[source]
        source: InvalidId,
    },
    /// A consumer whose name is not one.
    #[error("the table paas_consumer holds '{name}', which is not a name")]
    Consumer {
        /// What it holds.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidName,
    },
    /// A callback that could not have been added.
    #[error("the table paas_callback holds '{url}', which cannot be posted to")]
    Callback {
        /// What it holds.
        url: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A secret whose path is not one.
    #[error("the table paas_secret holds '{path}', which is not a path")]
    Secret {
        /// What it holds.
        path: String,
        /// What is wrong with it.
        #[source]
        source: InvalidSecretPath,
    },
}

/// Reads everything durable. Only a leader that nobody else can overtake reads a state that stays true.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(pool: &PgPool) -> Result<Snapshot, LoadError> {
    let mut snapshot = load_definitions(&mut *pool.acquire().await?).await?;
    let framework_id = sqlx::query_scalar!("select framework_id from paas_framework").fetch_optional(pool).await?;
    snapshot.framework_id = framework_id.map(FrameworkId::from);
    load_instances(pool, &mut snapshot).await?;
    let deployments =
        sqlx::query!(r#"select plan::text as "plan!", current_step from paas_deployment"#).fetch_all(pool).await?;
    for row in deployments {
        let mut deployment: Deployment = document("paas_deployment", &row.plan)?;
        deployment.current_step = usize::try_from(row.current_step).unwrap_or_default();
        snapshot.deployments.insert(deployment.id, deployment);
    }
    let ended =
        sqlx::query_scalar!(r#"select ended::text as "ended!" from paas_ended_deployment"#).fetch_all(pool).await?;
    for text in ended {
        let ended: EndedDeployment = document("paas_ended_deployment", &text)?;
        snapshot.ended.insert(ended.id, ended);
    }
    for name in sqlx::query_scalar!("select name from paas_consumer").fetch_all(pool).await? {
        snapshot.consumers.insert(ConsumerName::parse(&name).map_err(|source| LoadError::Consumer { name, source })?);
    }
    let sessions = sqlx::query_scalar!(r#"select session::text as "session!" from paas_session"#);
    for text in sessions.fetch_all(pool).await? {
        snapshot.accounts.begin(document("paas_session", &text)?);
    }
    Ok(snapshot)
}

/// Reads what people have defined.
///
/// # Errors
/// See [`LoadError`].
pub async fn load_definitions(connection: &mut PgConnection) -> Result<Snapshot, LoadError> {
    let mut snapshot = Snapshot::default();
    load_run_specs(connection, &mut snapshot).await?;
    load_groups(connection, &mut snapshot).await?;
    load_secrets(connection, &mut snapshot).await?;
    load_users(connection, &mut snapshot).await?;
    load_callbacks(connection, &mut snapshot).await?;
    Ok(snapshot)
}

async fn load_secrets(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    for row in sqlx::query!("select path, version, sealed from paas_secret").fetch_all(connection).await? {
        let path = SecretPath::parse(&row.path).map_err(|source| LoadError::Secret { path: row.path, source })?;
        let secret = KeptSecret { version: version(row.version), sealed: Sealed::from_bytes(row.sealed) };
        snapshot.secrets.insert(path, secret);
    }
    Ok(())
}

async fn load_users(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let users = sqlx::query_scalar!(r#"select account::text as "account!" from paas_user"#);
    for text in users.fetch_all(connection).await? {
        let user: User = document("paas_user", &text)?;
        snapshot.accounts.put(Arc::new(user));
    }
    Ok(())
}

async fn load_callbacks(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    for row in sqlx::query!("select url, secret, position from paas_callback").fetch_all(connection).await? {
        let unusable =
            |source: Box<dyn std::error::Error + Send + Sync>| LoadError::Callback { url: row.url.clone(), source };
        let url = CallbackUrl::parse(&row.url).map_err(|error| unusable(error.into()))?;
        let secret = row.secret.as_deref().map(CallbackSecret::parse).transpose();
        let secret = secret.map_err(|error| unusable(error.into()))?;
        snapshot.callbacks.insert(url, Callback { secret, position: row.position });
    }
    Ok(())
}

async fn load_run_specs(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let run_specs = sqlx::query!(
        r#"select id, current_version, delay::text as "delay?", failure::text as "failure?"
           from paas_run_spec
           left join paas_delay on paas_delay.run_spec = id
           left join paas_last_failure on paas_last_failure.run_spec = id"#
    );
    for row in run_specs.fetch_all(&mut *connection).await? {
        let state = snapshot.run_specs.entry(run_spec_id(row.id)?).or_default();
        state.current = row.current_version.map(version);
        state.delay = row.delay.map(|delay| document("paas_delay", delay.as_str())).transpose()?;
        state.last_failure = row.failure.map(|failure| document("paas_last_failure", failure.as_str())).transpose()?;
    }
    let versions =
        sqlx::query!(r#"select run_spec, version, definition::text as "definition?" from paas_run_spec_version"#);
    for row in versions.fetch_all(&mut *connection).await? {
        let state = snapshot.run_specs.entry(run_spec_id(row.run_spec)?).or_default();
        match row.definition {
            Some(definition) => {
                state.versions.insert(version(row.version), document("paas_run_spec_version", &definition)?);
            }
            None => {
                state.removals.insert(version(row.version));
            }
        }
    }
    Ok(())
}

async fn load_groups(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let versions =
        sqlx::query!(r#"select group_path, version, definition::text as "definition?" from paas_group_version"#);
    for row in versions.fetch_all(&mut *connection).await? {
        let id = GroupId::parse(&row.group_path).map_err(|source| LoadError::Id { id: row.group_path, source })?;
        let group = row.definition.map(|definition| document("paas_group_version", &definition)).transpose()?;
        snapshot.groups.entry(id).or_default().versions.insert(version(row.version), group);
    }
    let known_from =
        sqlx::query_scalar!("select known_from from paas_history").fetch_optional(&mut *connection).await?;
    snapshot.history_from = known_from.map(version);
    Ok(())
}

async fn load_instances(pool: &PgPool, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let instances =
        sqlx::query_scalar!(r#"select instance::text as "instance!" from paas_instance"#).fetch_all(pool).await?;
    for text in instances {
        let instance: Instance = document("paas_instance", &text)?;
        let state = snapshot.run_specs.entry(instance.id.run_spec.clone()).or_default();
        state.instances.insert(instance.id.clone(), instance);
    }
    Ok(())
}

fn version(milliseconds: i64) -> Version {
    Version(Timestamp(milliseconds))
}

fn run_spec_id(id: String) -> Result<RunSpecId, LoadError> {
    RunSpecId::parse(&id).map_err(|source| LoadError::Id { id, source })
}

pub(super) fn document<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, LoadError> {
    serde_json::from_str(text).map_err(|source| LoadError::Document { table, source })
}
