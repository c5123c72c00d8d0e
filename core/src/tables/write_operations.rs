//! The statements for executors, operations, and what operations have made of agents' resources.

use attica_core_api::encode_proto;
use attica_core_api::v1::ResourceList;
use attica_core_store::Transaction;
use tokio_postgres::{Client, Error, Statement};

use super::rows::{ExecutorName, Rows};
use super::write::texts;

const END_EXECUTORS: &str = "delete from executor where (framework_id, agent_id, executor_id) in
    (select * from unnest($1::text[], $2::text[], $3::text[]))";
const LAUNCH_EXECUTORS: &str = "insert into executor (framework_id, agent_id, executor_id, role, info, launched_at)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[])";
const SHAPE_AGENTS: &str = "update agent set shaped = r.shaped
    from unnest($1::text[], $2::bytea[]) as r (agent_id, shaped) where agent.agent_id = r.agent_id";
const END_OPERATIONS: &str = "delete from operation where operation_id = any($1::text[])";
const START_OPERATIONS: &str = "insert into operation (operation_id, framework_id, agent_id, info, status, started_at)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[])";
const UPDATE_OPERATIONS: &str = "update operation set status = r.status
    from unnest($1::text[], $2::bytea[]) as r (operation_id, status) where operation.operation_id = r.operation_id";

/// The prepared statements of one connection.
pub(super) struct Statements {
    end_executors: Statement,
    launch_executors: Statement,
    shape_agents: Statement,
    end_operations: Statement,
    start_operations: Statement,
    update_operations: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            end_executors: client.prepare(END_EXECUTORS).await?,
            launch_executors: client.prepare(LAUNCH_EXECUTORS).await?,
            shape_agents: client.prepare(SHAPE_AGENTS).await?,
            end_operations: client.prepare(END_OPERATIONS).await?,
            start_operations: client.prepare(START_OPERATIONS).await?,
            update_operations: client.prepare(UPDATE_OPERATIONS).await?,
        })
    }
}

pub(super) fn write<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    write_executors(transaction, statements, rows);
    if !rows.shaped.is_empty() {
        let list = |resources: &&[_]| encode_proto(&ResourceList { resources: resources.to_vec() });
        let shaped: Vec<Vec<u8>> = rows.shaped.values().map(list).collect();
        transaction.execute(&statements.shape_agents, [Box::new(texts(rows.shaped.keys())), Box::new(shaped)]);
    }
    write_operations(transaction, statements, rows);
}

fn write_executors<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.ended_executors.is_empty() {
        let [frameworks, agents, executors] = columns(rows.ended_executors.iter());
        transaction.execute(&statements.end_executors, [Box::new(frameworks), Box::new(agents), Box::new(executors)]);
    }
    if !rows.executors.is_empty() {
        let [frameworks, agents, executors] = columns(rows.executors.keys());
        let launches = || rows.executors.values();
        transaction.execute(
            &statements.launch_executors,
            [
                Box::new(frameworks),
                Box::new(agents),
                Box::new(executors),
                Box::new(launches().map(|launch| launch.role.as_str().to_owned()).collect::<Vec<_>>()),
                Box::new(launches().map(|launch| encode_proto(launch.info)).collect::<Vec<_>>()),
                Box::new(launches().map(|launch| launch.at.0).collect::<Vec<_>>()),
            ],
        );
    }
}

/// New operations go in as what they have become by the end of the transaction.
fn write_operations<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows<'_>) {
    if !rows.ended_operations.is_empty() {
        transaction.execute(&statements.end_operations, [Box::new(texts(&rows.ended_operations))]);
    }
    if !rows.started.is_empty() {
        let starts = || rows.started.values();
        let status = |id| rows.outcomes.get(id).map(|status| encode_proto(*status));
        transaction.execute(
            &statements.start_operations,
            [
                Box::new(texts(rows.started.keys())),
                Box::new(starts().map(|start| start.framework.map(ToString::to_string)).collect::<Vec<_>>()),
                Box::new(starts().map(|start| start.agent.to_string()).collect::<Vec<_>>()),
                Box::new(starts().map(|start| encode_proto(start.info)).collect::<Vec<_>>()),
                Box::new(rows.started.keys().map(status).collect::<Vec<_>>()),
                Box::new(starts().map(|start| start.at.0).collect::<Vec<_>>()),
            ],
        );
    }
    let later: Vec<_> = rows.outcomes.iter().filter(|(id, _)| !rows.started.contains_key(id)).collect();
    if !later.is_empty() {
        let statuses: Vec<Vec<u8>> = later.iter().map(|(_, status)| encode_proto(**status)).collect();
        let ids = texts(later.iter().map(|(id, _)| *id));
        transaction.execute(&statements.update_operations, [Box::new(ids), Box::new(statuses)]);
    }
}

fn columns<'n>(names: impl Iterator<Item = &'n ExecutorName>) -> [Vec<String>; 3] {
    let mut columns: [Vec<String>; 3] = Default::default();
    for (framework, agent, executor) in names {
        columns[0].push(framework.to_string());
        columns[1].push(agent.to_string());
        columns[2].push(executor.to_string());
    }
    columns
}
