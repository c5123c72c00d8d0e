//! Everything durable, read back at the start of a leadership.

use std::collections::{BTreeMap, VecDeque};

use attica_allocator::{InvalidRole, Role};
use attica_core_api::message::Message;
use attica_core_api::operator::{QuotaConfig, StartMaintenance};
use attica_core_api::v1::{AgentId, ExecutorId, FrameworkId, ResourceList, TaskId, TaskState, TaskStatus};
use attica_core_api::{DecodeError, Timestamp, decode_proto};
use futures_util::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::snapshot::{
    AgentRecord, ExecutorRecord, FrameworkPresence, FrameworkRecord, KillRequest, Maintenance, OperationRecord, Reach,
    Snapshot, TaskRecord,
};

/// Why the tables could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Postgres did not answer, or refused.
    #[error("cannot read the tables of the kernel")]
    Query(#[from] sqlx::Error),
    /// A message that this program did not write.
    #[error("the table {table} holds a message that is not one, at {row}")]
    Message {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// An agent whose service this program did not write.
    #[error("the table agent holds a service that is not one, at {row}")]
    Service {
        /// Which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A task in a role that is none.
    #[error("the table {table} holds a role that is not one, at {row}")]
    Role {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong with it.
        #[source]
        source: InvalidRole,
    },
    /// A task in a state that there is not.
    #[error("the table task holds the state {state}, which there is not, at {row}")]
    State {
        /// Which row.
        row: String,
        /// What it holds.
        state: i32,
    },
    /// An operation whose id is no uuid.
    #[error("the table operation holds the id {row}, which is not a uuid")]
    OperationId {
        /// The id.
        row: String,
        /// What is wrong with it.
        #[source]
        source: uuid::Error,
    },
    /// A row that belongs to one that is not there.
    #[error("the table {table} holds a row without an owner, at {row}")]
    Orphan {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: String,
    },
}

/// Reads everything durable. Only a leader that nobody else can overtake reads a state that stays true; anybody else reads one of
/// some moment, in a transaction of repeatable reads.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(connection: &mut PgConnection) -> Result<Snapshot, LoadError> {
    let mut snapshot = Snapshot {
        frameworks: frameworks(&mut *connection).await?,
        agents: agents(&mut *connection).await?,
        quotas: quotas(&mut *connection).await?,
        weights: weights(&mut *connection).await?,
        maintenance: maintenance(&mut *connection).await?,
        operations: operations(&mut *connection).await?,
    };
    executors(&mut *connection, &mut snapshot).await?;
    tasks(&mut *connection, &mut snapshot).await?;
    outboxes(&mut *connection, &mut snapshot).await?;
    Ok(snapshot)
}

async fn frameworks(connection: &mut PgConnection) -> Result<BTreeMap<FrameworkId, FrameworkRecord>, LoadError> {
    let mut frameworks = BTreeMap::new();
    for row in sqlx::query!("select * from framework").fetch_all(connection).await? {
        let presence = match (row.disconnected_at, row.deadline, row.removed_at) {
            (_, _, Some(at)) => FrameworkPresence::Removed { at: Timestamp(at) },
            (Some(at), Some(deadline), None) => {
                FrameworkPresence::Disconnected { at: Timestamp(at), deadline: Timestamp(deadline) }
            }
            (_, _, None) => FrameworkPresence::Subscribed,
        };
        let record = FrameworkRecord {
            info: message("framework", &row.framework_id, &row.info)?,
            registered_at: Timestamp(row.registered_at),
            reregistered_at: Timestamp(row.reregistered_at),
            presence,
            tasks: BTreeMap::new(),
        };
        frameworks.insert(FrameworkId::new(row.framework_id), record);
    }
    Ok(frameworks)
}

async fn agents(connection: &mut PgConnection) -> Result<BTreeMap<AgentId, AgentRecord>, LoadError> {
    let mut agents = BTreeMap::new();
    for row in sqlx::query!("select * from agent").fetch_all(connection).await? {
        let service = row.service.as_deref().map(serde_json::from_str).transpose();
        let service = service.map_err(|source| LoadError::Service { row: row.agent_id.clone(), source })?;
        let record = AgentRecord {
            info: message("agent", &row.agent_id, &row.info)?,
            version: row.version,
            boot_id: row.boot_id,
            registered_at: Timestamp(row.registered_at),
            reregistered_at: Timestamp(row.reregistered_at),
            unreachable_at: row.unreachable_at.map(Timestamp),
            service: service.unwrap_or_default(),
            shaped: match row.shaped {
                Some(shaped) => message::<ResourceList>("agent", &row.agent_id, &shaped)?.resources,
                None => Vec::new(),
            },
            executors: BTreeMap::new(),
        };
        agents.insert(AgentId::new(row.agent_id), record);
    }
    Ok(agents)
}

async fn maintenance(connection: &mut PgConnection) -> Result<Maintenance, LoadError> {
    let Some(row) = sqlx::query!("select schedule, down from maintenance").fetch_optional(connection).await? else {
        return Ok(Maintenance::default());
    };
    let down: StartMaintenance = message("maintenance", "down", &row.down)?;
    Ok(Maintenance { schedule: message("maintenance", "schedule", &row.schedule)?, down: down.machines })
}

async fn executors(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    for row in sqlx::query!("select * from executor").fetch_all(connection).await? {
        let name = format!("{} of {} on {}", row.executor_id, row.framework_id, row.agent_id);
        let record = ExecutorRecord {
            role: Role::new(&row.role).map_err(|source| LoadError::Role {
                table: "executor",
                row: name.clone(),
                source,
            })?,
            info: message("executor", &name, &row.info)?,
            launched_at: Timestamp(row.launched_at),
        };
        let agent = snapshot.agents.get_mut(row.agent_id.as_str());
        let agent = agent.ok_or(LoadError::Orphan { table: "executor", row: name })?;
        agent.executors.insert((FrameworkId::new(row.framework_id), ExecutorId::new(row.executor_id)), record);
    }
    Ok(())
}

async fn operations(connection: &mut PgConnection) -> Result<BTreeMap<Uuid, OperationRecord>, LoadError> {
    let mut operations = BTreeMap::new();
    for row in sqlx::query!("select * from operation").fetch_all(connection).await? {
        let id = row.operation_id;
        let record = OperationRecord {
            framework: row.framework_id.map(FrameworkId::new),
            agent: AgentId::new(row.agent_id),
            info: message("operation", &id, &row.info)?,
            status: row.status.map(|status| message("operation", &id, &status)).transpose()?,
            started_at: Timestamp(row.started_at),
        };
        operations.insert(id.parse().map_err(|source| LoadError::OperationId { row: id, source })?, record);
    }
    Ok(operations)
}

async fn tasks(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let mut rows = sqlx::query!("select * from task").fetch(connection);
    // The longest table by far: each row goes before the next one is there.
    while let Some(row) = rows.try_next().await? {
        let name = format!("{} of {}", row.task_id, row.framework_id);
        let Some(state) = TaskState::from_number(row.state) else {
            return Err(LoadError::State { row: name, state: row.state });
        };
        let kill_policy = |policy: Vec<u8>| match policy.is_empty() {
            true => Ok(None),
            false => message("task", &name, &policy).map(Some),
        };
        let kill = row.kill.map(kill_policy).transpose()?.map(|kill_policy| KillRequest { kill_policy });
        let record = TaskRecord {
            role: Role::new(&row.role).map_err(|source| LoadError::Role {
                table: "task",
                row: name.clone(),
                source,
            })?,
            info: message("task", &name, &row.info)?,
            group: row.task_group,
            state,
            status: row.status.map(|status| message("task", &name, &status)).transpose()?,
            reach: if row.unreachable { Reach::Unreachable } else { Reach::Reachable },
            sequence: u64::try_from(row.sequence).unwrap_or_default(),
            outbox: VecDeque::new(),
            kill,
            launched_at: Timestamp(row.launched_at),
            completed_at: row.completed_at.map(Timestamp),
        };
        let framework = snapshot.frameworks.get_mut(row.framework_id.as_str());
        let framework = framework.ok_or(LoadError::Orphan { table: "task", row: name })?;
        framework.tasks.insert(TaskId::new(row.task_id), record);
    }
    Ok(())
}

async fn outboxes(connection: &mut PgConnection, snapshot: &mut Snapshot) -> Result<(), LoadError> {
    let query =
        sqlx::query!("select framework_id, task_id, status from task_update order by framework_id, task_id, seq");
    for row in query.fetch_all(connection).await? {
        let name = format!("{} of {}", row.task_id, row.framework_id);
        let status: TaskStatus = message("task_update", &name, &row.status)?;
        let framework = snapshot.frameworks.get_mut(row.framework_id.as_str());
        let task = framework.and_then(|framework| framework.tasks.get_mut(row.task_id.as_str()));
        task.ok_or(LoadError::Orphan { table: "task_update", row: name })?.outbox.push_back(status);
    }
    Ok(())
}

async fn quotas(connection: &mut PgConnection) -> Result<BTreeMap<String, QuotaConfig>, LoadError> {
    let rows = sqlx::query!("select role, config from quota").fetch_all(connection).await?;
    rows.into_iter().map(|row| Ok((row.role.clone(), message("quota", &row.role, &row.config)?))).collect()
}

async fn weights(connection: &mut PgConnection) -> Result<BTreeMap<String, f64>, LoadError> {
    let rows = sqlx::query!("select role, weight from weight").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.role, row.weight)).collect())
}

fn message<M: Message>(table: &'static str, row: &str, bytes: &[u8]) -> Result<M, LoadError> {
    decode_proto(bytes).map_err(|source| LoadError::Message { table, row: row.to_owned(), source })
}
