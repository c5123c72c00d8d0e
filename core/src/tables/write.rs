//! The statements that bring the tables up to date.

use attica_core_api::operator::StartMaintenance;
use attica_core_api::{Timestamp, encode_proto};
use attica_core_store::{Position, Tables, Transaction};
use tokio_postgres::{Client, Error, Statement};

use super::rows::{Rows, TaskName};
use crate::fact::Fact;

const FORGET_FRAMEWORKS: &str = "delete from framework where framework_id = any($1::text[])";
const FORGET_THEIR_TASKS: &str = "delete from task where framework_id = any($1::text[])";
const FORGET_AGENTS: &str = "delete from agent where agent_id = any($1::text[])";
const FORGET_TASKS: &str =
    "delete from task where (framework_id, task_id) in (select * from unnest($1::text[], $2::text[]))";
const SUBSCRIBE: &str = "insert into framework (framework_id, info, registered_at, reregistered_at)
    select * from unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[])
    on conflict (framework_id) do update set info = excluded.info, reregistered_at = excluded.reregistered_at,
        disconnected_at = null, deadline = null, removed_at = null";
const MOVE_FRAMEWORKS: &str = "update framework
    set disconnected_at = r.disconnected_at, deadline = r.deadline, removed_at = r.removed_at
    from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
        as r (framework_id, disconnected_at, deadline, removed_at)
    where framework.framework_id = r.framework_id";
const DESCRIBE: &str = "update framework set info = r.info
    from unnest($1::text[], $2::bytea[]) as r (framework_id, info) where framework.framework_id = r.framework_id";
const REGISTER: &str = "insert into agent (agent_id, info, version, boot_id, registered_at, reregistered_at)
    select * from unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    on conflict (agent_id) do update set info = excluded.info, version = excluded.version, boot_id = excluded.boot_id,
        reregistered_at = excluded.reregistered_at, unreachable_at = null";
const LOSE_AGENTS: &str = "update agent set unreachable_at = r.at
    from unnest($1::text[], $2::bigint[]) as r (agent_id, at) where agent.agent_id = r.agent_id";
const SERVE_AGENTS: &str = "update agent set service = r.service
    from unnest($1::text[], $2::text[]) as r (agent_id, service) where agent.agent_id = r.agent_id";
const MAINTAIN: &str = "insert into maintenance (schedule, down) values ($1, $2)
    on conflict (whole) do update set schedule = excluded.schedule, down = excluded.down";
const LAUNCH: &str = "insert into task
        (framework_id, task_id, role, info, state, status, unreachable, sequence, kill, launched_at, completed_at,
         task_group)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::integer[], $6::bytea[], $7::boolean[],
        $8::bigint[], $9::bytea[], $10::bigint[], $11::bigint[], $12::text[])";
const CHANGE_TASKS: &str = "update task set state = coalesce(r.state, task.state), status = coalesce(r.status, task.status),
        unreachable = coalesce(r.unreachable, task.unreachable), sequence = coalesce(r.sequence, task.sequence),
        kill = coalesce(r.kill, task.kill), completed_at = coalesce(r.completed_at, task.completed_at)
    from unnest($1::text[], $2::text[], $3::integer[], $4::bytea[], $5::boolean[], $6::bigint[], $7::bytea[], $8::bigint[])
        as r (framework_id, task_id, state, status, unreachable, sequence, kill, completed_at)
    where task.framework_id = r.framework_id and task.task_id = r.task_id";
const QUEUE: &str = "insert into task_update (framework_id, task_id, seq, uuid, status)
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[])";
const ACKNOWLEDGE: &str =
    "delete from task_update using unnest($1::text[], $2::text[], $3::bytea[]) as r (framework_id, task_id, uuid)
    where task_update.framework_id = r.framework_id and task_update.task_id = r.task_id and task_update.uuid = r.uuid";
const EMPTY_OUTBOXES: &str = "delete from task_update where framework_id = any($1::text[])";
const REMOVE_QUOTAS: &str = "delete from quota where role = any($1::text[])";
const SET_QUOTAS: &str = "insert into quota (role, config) select * from unnest($1::text[], $2::bytea[])
    on conflict (role) do update set config = excluded.config";
const SET_WEIGHTS: &str = "insert into weight (role, weight) select * from unnest($1::text[], $2::double precision[])
    on conflict (role) do update set weight = excluded.weight";

/// Writes the kernel's facts as rows.
#[derive(Clone, Copy, Debug)]
pub struct KernelTables;

/// The prepared statements of one connection.
pub struct Statements {
    forget_frameworks: Statement,
    forget_their_tasks: Statement,
    forget_tasks: Statement,
    forget_agents: Statement,
    subscribe: Statement,
    describe: Statement,
    move_frameworks: Statement,
    register: Statement,
    lose_agents: Statement,
    serve_agents: Statement,
    maintain: Statement,
    launch: Statement,
    change_tasks: Statement,
    queue: Statement,
    acknowledge: Statement,
    empty_outboxes: Statement,
    remove_quotas: Statement,
    set_quotas: Statement,
    set_weights: Statement,
    operations: super::write_operations::Statements,
}

impl Tables<Fact> for KernelTables {
    type Statements = Statements;

    async fn prepare(&self, client: &Client) -> Result<Statements, Error> {
        Ok(Statements {
            forget_frameworks: client.prepare(FORGET_FRAMEWORKS).await?,
            forget_their_tasks: client.prepare(FORGET_THEIR_TASKS).await?,
            forget_tasks: client.prepare(FORGET_TASKS).await?,
            forget_agents: client.prepare(FORGET_AGENTS).await?,
            subscribe: client.prepare(SUBSCRIBE).await?,
            describe: client.prepare(DESCRIBE).await?,
            move_frameworks: client.prepare(MOVE_FRAMEWORKS).await?,
            register: client.prepare(REGISTER).await?,
            lose_agents: client.prepare(LOSE_AGENTS).await?,
            serve_agents: client.prepare(SERVE_AGENTS).await?,
            maintain: client.prepare(MAINTAIN).await?,
            launch: client.prepare(LAUNCH).await?,
            change_tasks: client.prepare(CHANGE_TASKS).await?,
            queue: client.prepare(QUEUE).await?,
            acknowledge: client.prepare(ACKNOWLEDGE).await?,
            empty_outboxes: client.prepare(EMPTY_OUTBOXES).await?,
            remove_quotas: client.prepare(REMOVE_QUOTAS).await?,
            set_quotas: client.prepare(SET_QUOTAS).await?,
            set_weights: client.prepare(SET_WEIGHTS).await?,
            operations: super::write_operations::Statements::prepare(client).await?,
        })
    }

    fn write<'a>(
        &'a self,
        transaction: &mut Transaction<'a>,
        statements: &'a Statements,
        first: Position,
        facts: &'a [Fact],
    ) {
        let mut rows = Rows::of(first, facts);
        forget(transaction, statements, &rows);
        write_frameworks(transaction, statements, &rows);
        write_agents(transaction, statements, &rows);
        launch(transaction, statements, &mut rows);
        change_tasks(transaction, statements, &rows);
        write_outboxes(transaction, statements, &rows);
        write_roles(transaction, statements, &rows);
        super::write_operations::write(transaction, &statements.operations, &rows);
    }
}

fn forget<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.forgotten_frameworks.is_empty() {
        let ids = texts(&rows.forgotten_frameworks);
        transaction.execute(&statements.forget_frameworks, [Box::new(ids.clone())]);
        transaction.execute(&statements.forget_their_tasks, [Box::new(ids)]);
    }
    if !rows.forgotten_agents.is_empty() {
        transaction.execute(&statements.forget_agents, [Box::new(texts(&rows.forgotten_agents))]);
    }
    if !rows.forgotten_tasks.is_empty() {
        let (frameworks, tasks) = names(rows.forgotten_tasks.iter());
        transaction.execute(&statements.forget_tasks, [Box::new(frameworks), Box::new(tasks)]);
    }
}

fn write_frameworks<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.subscribed.is_empty() {
        let subscriptions = || rows.subscribed.values();
        transaction.execute(
            &statements.subscribe,
            [
                Box::new(texts(rows.subscribed.keys())),
                Box::new(subscriptions().map(|subscription| encode_proto(subscription.info)).collect::<Vec<_>>()),
                Box::new(subscriptions().map(|subscription| subscription.first_at.0).collect::<Vec<_>>()),
                Box::new(subscriptions().map(|subscription| subscription.at.0).collect::<Vec<_>>()),
            ],
        );
    }
    if !rows.described.is_empty() {
        let infos: Vec<Vec<u8>> = rows.described.values().map(|info| encode_proto(*info)).collect();
        transaction.execute(&statements.describe, [Box::new(texts(rows.described.keys())), Box::new(infos)]);
    }
    if !rows.presence.is_empty() {
        let column = |of: fn(&super::rows::Presence) -> Option<Timestamp>| -> Vec<Option<i64>> {
            rows.presence.values().map(|presence| of(presence).map(|time| time.0)).collect()
        };
        transaction.execute(
            &statements.move_frameworks,
            [
                Box::new(texts(rows.presence.keys())),
                Box::new(column(|presence| presence.disconnected_at)),
                Box::new(column(|presence| presence.deadline)),
                Box::new(column(|presence| presence.removed_at)),
            ],
        );
    }
}

fn write_agents<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.registered.is_empty() {
        let agents = || rows.registered.values();
        transaction.execute(
            &statements.register,
            [
                Box::new(texts(rows.registered.keys())),
                Box::new(agents().map(|agent| encode_proto(agent.info)).collect::<Vec<_>>()),
                Box::new(agents().map(|agent| agent.version.to_owned()).collect::<Vec<_>>()),
                Box::new(agents().map(|agent| agent.boot_id.to_owned()).collect::<Vec<_>>()),
                Box::new(agents().map(|agent| agent.first_at.0).collect::<Vec<_>>()),
                Box::new(agents().map(|agent| agent.at.0).collect::<Vec<_>>()),
            ],
        );
    }
    if !rows.unreachable.is_empty() {
        let at: Vec<i64> = rows.unreachable.values().map(|at| at.0).collect();
        transaction.execute(&statements.lose_agents, [Box::new(texts(rows.unreachable.keys())), Box::new(at)]);
    }
    if !rows.services.is_empty() {
        let services: Vec<Option<String>> = rows.services.values().cloned().collect();
        transaction.execute(&statements.serve_agents, [Box::new(texts(rows.services.keys())), Box::new(services)]);
    }
    if let Some((schedule, down)) = rows.maintenance {
        let down = StartMaintenance { machines: down.to_vec() };
        transaction.execute(&statements.maintain, [Box::new(encode_proto(schedule)), Box::new(encode_proto(&down))]);
    }
}

/// New tasks go in as what they have become by the end of the transaction.
fn launch<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &mut Rows<'_>) {
    if rows.launched.is_empty() {
        return;
    }
    let changes: Vec<_> = rows.launched.keys().map(|name| rows.changed.remove(name).unwrap_or_default()).collect();
    let launches = || rows.launched.values();
    let (frameworks, tasks) = names(rows.launched.keys());
    let staging = attica_core_api::v1::TaskState::Staging.number();
    transaction.execute(
        &statements.launch,
        [
            Box::new(frameworks),
            Box::new(tasks),
            Box::new(launches().map(|launch| launch.role.as_str().to_owned()).collect::<Vec<_>>()),
            Box::new(launches().map(|launch| encode_proto(launch.info)).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.state.unwrap_or(staging)).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.status.as_deref().map(encode_proto)).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.unreachable.unwrap_or(false)).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.sequence.unwrap_or(0)).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.kill.clone()).collect::<Vec<_>>()),
            Box::new(launches().map(|launch| launch.at.0).collect::<Vec<_>>()),
            Box::new(changes.iter().map(|change| change.completed_at).collect::<Vec<_>>()),
            Box::new(launches().map(|launch| launch.group.map(str::to_owned)).collect::<Vec<_>>()),
        ],
    );
}

fn change_tasks<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if rows.changed.is_empty() {
        return;
    }
    let changes = || rows.changed.values();
    let (frameworks, tasks) = names(rows.changed.keys());
    transaction.execute(
        &statements.change_tasks,
        [
            Box::new(frameworks),
            Box::new(tasks),
            Box::new(changes().map(|change| change.state).collect::<Vec<_>>()),
            Box::new(changes().map(|change| change.status.as_deref().map(encode_proto)).collect::<Vec<_>>()),
            Box::new(changes().map(|change| change.unreachable).collect::<Vec<_>>()),
            Box::new(changes().map(|change| change.sequence).collect::<Vec<_>>()),
            Box::new(changes().map(|change| change.kill.clone()).collect::<Vec<_>>()),
            Box::new(changes().map(|change| change.completed_at).collect::<Vec<_>>()),
        ],
    );
}

fn write_outboxes<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.emptied.is_empty() {
        transaction.execute(&statements.empty_outboxes, [Box::new(texts(&rows.emptied))]);
    }
    if !rows.acknowledged.is_empty() {
        let (frameworks, tasks) = names(rows.acknowledged.iter().map(|(name, _)| name));
        let uuids: Vec<Vec<u8>> = rows.acknowledged.iter().map(|(_, uuid)| uuid.to_vec()).collect();
        transaction.execute(&statements.acknowledge, [Box::new(frameworks), Box::new(tasks), Box::new(uuids)]);
    }
    if !rows.queued.is_empty() {
        let (frameworks, tasks) = names(rows.queued.keys().map(|(name, _)| name));
        let seqs: Vec<i64> = rows.queued.values().map(|(position, _)| position.0).collect();
        let uuids: Vec<Vec<u8>> = rows.queued.keys().map(|(_, uuid)| uuid.to_vec()).collect();
        let statuses: Vec<Vec<u8>> = rows.queued.values().map(|(_, status)| encode_proto(*status)).collect();
        transaction.execute(
            &statements.queue,
            [Box::new(frameworks), Box::new(tasks), Box::new(seqs), Box::new(uuids), Box::new(statuses)],
        );
    }
}

fn write_roles<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    let removed = rows.quotas.iter().filter(|(_, config)| config.is_none());
    let removed: Vec<String> = removed.map(|(role, _)| (*role).to_owned()).collect();
    if !removed.is_empty() {
        transaction.execute(&statements.remove_quotas, [Box::new(removed)]);
    }
    let set = rows.quotas.iter().filter_map(|(role, config)| Some(((*role).to_owned(), encode_proto((*config)?))));
    let (roles, configs): (Vec<String>, Vec<Vec<u8>>) = set.unzip();
    if !roles.is_empty() {
        transaction.execute(&statements.set_quotas, [Box::new(roles), Box::new(configs)]);
    }
    if !rows.weights.is_empty() {
        let roles: Vec<String> = rows.weights.keys().map(|role| (*role).to_owned()).collect();
        let weights: Vec<f64> = rows.weights.values().copied().collect();
        transaction.execute(&statements.set_weights, [Box::new(roles), Box::new(weights)]);
    }
}

pub(super) fn texts<'i, I: ToString + 'i>(ids: impl IntoIterator<Item = &'i I>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

fn names<'n>(names: impl Iterator<Item = &'n TaskName>) -> (Vec<String>, Vec<String>) {
    names.map(|(framework, task)| (framework.to_string(), task.to_string())).unzip()
}
