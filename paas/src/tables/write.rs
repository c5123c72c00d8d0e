//! The statements that bring the tables up to date.

use std::collections::BTreeMap;

use attica_core_store::{Position, Tables, Transaction};
use tokio_postgres::{Client, Error, Statement};

use super::rows::{Row, Rows};
use crate::engine::{Fact, Recorded};
use crate::model::Version;
use crate::normalise::json;

const PUT_FRAMEWORK: &str = "insert into paas_framework (framework_id) values ($1)
    on conflict (only_row) do update set framework_id = excluded.framework_id";
const DELETE_FRAMEWORK: &str = "delete from paas_framework";
const FORGET_VERSIONS: &str = "delete from paas_run_spec_version where run_spec = any($1::text[])";
const FORGET_DELAYS: &str = "delete from paas_delay where run_spec = any($1::text[])";
const FORGET_FAILURES: &str = "delete from paas_last_failure where run_spec = any($1::text[])";
const FORGET_RUN_SPECS: &str = "delete from paas_run_spec where id = any($1::text[])";
const PUT_RUN_SPECS: &str = "insert into paas_run_spec (id, current_version)
    select * from unnest($1::text[], $2::bigint[])
    on conflict (id) do update set current_version = excluded.current_version";
const DELETE_SERVICE_PORTS: &str = "delete from paas_service_port where run_spec = any($1::text[])";
const PUT_SERVICE_PORTS: &str =
    "insert into paas_service_port (port, run_spec) select * from unnest($1::integer[], $2::text[])";
const PUT_VERSIONS: &str = "insert into paas_run_spec_version (run_spec, version, definition)
    select run_spec, version, definition::json from unnest($1::text[], $2::bigint[], $3::text[]) as r (run_spec, version, definition)
    on conflict (run_spec, version) do update set definition = excluded.definition";
const DELETE_VERSIONS: &str = "delete from paas_run_spec_version where (run_spec, version) in
    (select * from unnest($1::text[], $2::bigint[]))";
const FORGET_GROUPS: &str = "delete from paas_group_version where group_path = any($1::text[])";
const PUT_GROUPS: &str = "insert into paas_group_version (group_path, version, definition)
    select group_path, version, definition::json from unnest($1::text[], $2::bigint[], $3::text[]) as r (group_path, version, definition)
    on conflict (group_path, version) do update set definition = excluded.definition";
const DELETE_GROUPS: &str = "delete from paas_group_version where (group_path, version) in
    (select * from unnest($1::text[], $2::bigint[]))";
const PUT_HISTORY: &str = "insert into paas_history (known_from) values ($1)
    on conflict (only_row) do update set known_from = excluded.known_from";
const PUT_DELAYS: &str = "insert into paas_delay (run_spec, delay)
    select run_spec, delay::json from unnest($1::text[], $2::text[]) as r (run_spec, delay)
    on conflict (run_spec) do update set delay = excluded.delay";
const PUT_FAILURES: &str = "insert into paas_last_failure (run_spec, failure)
    select run_spec, failure::json from unnest($1::text[], $2::text[]) as r (run_spec, failure)
    on conflict (run_spec) do update set failure = excluded.failure";
const PUT_INSTANCES: &str = "insert into paas_instance (id, run_spec, instance)
    select id, run_spec, instance::json from unnest($1::text[], $2::text[], $3::text[]) as r (id, run_spec, instance)
    on conflict (id) do update set instance = excluded.instance";
const DELETE_INSTANCES: &str = "delete from paas_instance where id = any($1::text[])";
const PUT_DEPLOYMENTS: &str = "insert into paas_deployment (id, plan, current_step)
    select id, plan::json, current_step from unnest($1::text[], $2::text[], $3::integer[]) as r (id, plan, current_step)
    on conflict (id) do update set plan = excluded.plan, current_step = excluded.current_step";
const MOVE_DEPLOYMENTS: &str = "update paas_deployment set current_step = r.current_step
    from unnest($1::text[], $2::integer[]) as r (id, current_step) where paas_deployment.id = r.id";
const DELETE_DEPLOYMENTS: &str = "delete from paas_deployment where id = any($1::text[])";
const PUT_ENDED: &str = "insert into paas_ended_deployment (id, ended)
    select id, ended::json from unnest($1::text[], $2::text[]) as r (id, ended)
    on conflict (id) do update set ended = excluded.ended";
const DELETE_ENDED: &str = "delete from paas_ended_deployment where id = any($1::text[])";

const PUT_USERS: &str = "insert into paas_user (name, account)
    select name, account::json from unnest($1::text[], $2::text[]) as r (name, account)
    on conflict (name) do update set account = excluded.account";
const DELETE_USERS: &str = "delete from paas_user where name = any($1::text[])";
const PUT_SESSIONS: &str = "insert into paas_session (digest, session)
    select digest, session::json from unnest($1::text[], $2::text[]) as r (digest, session)
    on conflict (digest) do update set session = excluded.session";
const DELETE_SESSIONS: &str = "delete from paas_session where digest = any($1::text[])";
const PUT_AUDIT: &str = "insert into paas_audit (at, who, touched, entry)
    select at, who, array(select json_array_elements_text(touched::json)), entry::json
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) with ordinality as r (at, who, touched, entry, place)
    order by place";
const PUT_CONSUMERS: &str = "insert into paas_consumer (name) select unnest($1::text[]) on conflict (name) do nothing";
const PUT_CALLBACKS: &str = "insert into paas_callback (url, secret, position)
    select * from unnest($1::text[], $2::text[], $3::bigint[])
    on conflict (url) do update set secret = excluded.secret, position = excluded.position";
const MOVE_CALLBACKS: &str = "update paas_callback set position = r.position
    from unnest($1::text[], $2::bigint[]) as r (url, position) where paas_callback.url = r.url";
const DELETE_CALLBACKS: &str = "delete from paas_callback where url = any($1::text[])";
const DELETE_CONSUMERS: &str = "delete from paas_consumer where name = any($1::text[])";
const PUT_SECRETS: &str = "insert into paas_secret (path, version, sealed)
    select * from unnest($1::text[], $2::bigint[], $3::bytea[])
    on conflict (path) do update set version = excluded.version, sealed = excluded.sealed";
const DELETE_SECRETS: &str = "delete from paas_secret where path = any($1::text[])";

/// Writes facts as rows.
#[derive(Clone, Copy, Debug)]
pub struct PaasTables;

/// The prepared statements of one connection.
pub struct Statements {
    put_framework: Statement,
    delete_framework: Statement,
    forget: [Statement; 4],
    put_run_specs: Statement,
    delete_service_ports: Statement,
    put_service_ports: Statement,
    put_versions: Statement,
    delete_versions: Statement,
    forget_groups: Statement,
    put_groups: Statement,
    delete_groups: Statement,
    put_history: Statement,
    put_delays: Statement,
    delete_delays: Statement,
    put_failures: Statement,
    put_instances: Statement,
    delete_instances: Statement,
    put_deployments: Statement,
    move_deployments: Statement,
    delete_deployments: Statement,
    put_ended: Statement,
    delete_ended: Statement,
    put_consumers: Statement,
    delete_consumers: Statement,
    put_users: Statement,
    delete_users: Statement,
    put_sessions: Statement,
    delete_sessions: Statement,
    put_audit: Statement,
    put_callbacks: Statement,
    move_callbacks: Statement,
    delete_callbacks: Statement,
    put_secrets: Statement,
    delete_secrets: Statement,
}

impl Tables<Recorded> for PaasTables {
    type Statements = Statements;

    async fn prepare(&self, client: &Client) -> Result<Statements, Error> {
        Ok(Statements {
            put_framework: client.prepare(PUT_FRAMEWORK).await?,
            delete_framework: client.prepare(DELETE_FRAMEWORK).await?,
            forget: [
                client.prepare(FORGET_VERSIONS).await?,
                client.prepare(FORGET_DELAYS).await?,
                client.prepare(FORGET_FAILURES).await?,
                client.prepare(FORGET_RUN_SPECS).await?,
            ],
            put_run_specs: client.prepare(PUT_RUN_SPECS).await?,
            delete_service_ports: client.prepare(DELETE_SERVICE_PORTS).await?,
            put_service_ports: client.prepare(PUT_SERVICE_PORTS).await?,
            put_versions: client.prepare(PUT_VERSIONS).await?,
            delete_versions: client.prepare(DELETE_VERSIONS).await?,
            forget_groups: client.prepare(FORGET_GROUPS).await?,
            put_groups: client.prepare(PUT_GROUPS).await?,
            delete_groups: client.prepare(DELETE_GROUPS).await?,
            put_history: client.prepare(PUT_HISTORY).await?,
            put_delays: client.prepare(PUT_DELAYS).await?,
            delete_delays: client.prepare(FORGET_DELAYS).await?,
            put_failures: client.prepare(PUT_FAILURES).await?,
            put_instances: client.prepare(PUT_INSTANCES).await?,
            delete_instances: client.prepare(DELETE_INSTANCES).await?,
            put_deployments: client.prepare(PUT_DEPLOYMENTS).await?,
            move_deployments: client.prepare(MOVE_DEPLOYMENTS).await?,
            delete_deployments: client.prepare(DELETE_DEPLOYMENTS).await?,
            put_ended: client.prepare(PUT_ENDED).await?,
            delete_ended: client.prepare(DELETE_ENDED).await?,
            put_consumers: client.prepare(PUT_CONSUMERS).await?,
            delete_consumers: client.prepare(DELETE_CONSUMERS).await?,
            put_users: client.prepare(PUT_USERS).await?,
            delete_users: client.prepare(DELETE_USERS).await?,
            put_sessions: client.prepare(PUT_SESSIONS).await?,
            delete_sessions: client.prepare(DELETE_SESSIONS).await?,
            put_audit: client.prepare(PUT_AUDIT).await?,
            put_callbacks: client.prepare(PUT_CALLBACKS).await?,
            move_callbacks: client.prepare(MOVE_CALLBACKS).await?,
            delete_callbacks: client.prepare(DELETE_CALLBACKS).await?,
            put_secrets: client.prepare(PUT_SECRETS).await?,
            delete_secrets: client.prepare(DELETE_SECRETS).await?,
        })
    }

    fn write<'a>(
        &'a self,
        transaction: &mut Transaction<'a>,
        statements: &'a Statements,
        _first: Position,
        facts: &'a [Recorded],
    ) {
        let rows = Rows::of(facts.iter().map(|recorded| &recorded.fact));
        match &rows.framework {
            None => {}
            Some(Row::Put(id)) => transaction.execute(&statements.put_framework, [Box::new(id.to_string())]),
            Some(Row::Deleted) => transaction.execute(&statements.delete_framework, []),
        }
        write_run_specs(transaction, statements, &rows);
        write_service_ports(transaction, statements, &rows);
        write_versions(transaction, &statements.put_versions, &statements.delete_versions, &rows.versions);
        write_groups(transaction, statements, &rows);
        write_delays_and_failures(transaction, statements, &rows);
        write_instances(transaction, statements, &rows);
        write_consumers(transaction, statements, &rows);
        write_users(transaction, statements, &rows);
        write_audit(transaction, statements, facts);
        write_callbacks(transaction, statements, &rows);
        write_secrets(transaction, statements, &rows);
        write_deployments(transaction, statements, rows);
    }
}

fn write_run_specs<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    if !rows.forgotten.is_empty() {
        let ids: Vec<String> = rows.forgotten.iter().map(ToString::to_string).collect();
        for statement in &statements.forget {
            transaction.execute(statement, [Box::new(ids.clone())]);
        }
    }
    if !rows.run_specs.is_empty() {
        let ids: Vec<String> = rows.run_specs.keys().map(ToString::to_string).collect();
        let current: Vec<Option<i64>> =
            rows.run_specs.values().map(|version| version.map(|version| version.0.0)).collect();
        transaction.execute(&statements.put_run_specs, [Box::new(ids), Box::new(current)]);
    }
}

/// A run spec's ports are given anew as a whole; first all old ones go, so that a port may change hands in one batch.
fn write_service_ports<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    if rows.service_ports.is_empty() {
        return;
    }
    let changed: Vec<String> = rows.service_ports.keys().map(ToString::to_string).collect();
    transaction.execute(&statements.delete_service_ports, [Box::new(changed)]);
    let given = rows.service_ports.iter().flat_map(|(id, ports)| ports.iter().map(move |port| (*port, id)));
    let (ports, ids): (Vec<i32>, Vec<String>) = given.map(|(port, id)| (i32::from(port), id.to_string())).unzip();
    if !ports.is_empty() {
        transaction.execute(&statements.put_service_ports, [Box::new(ports), Box::new(ids)]);
    }
}

fn write_groups<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    if !rows.forgotten_groups.is_empty() {
        let ids: Vec<String> = rows.forgotten_groups.iter().map(ToString::to_string).collect();
        transaction.execute(&statements.forget_groups, [Box::new(ids)]);
    }
    write_versions(transaction, &statements.put_groups, &statements.delete_groups, &rows.groups);
    if let Some(from) = rows.history_from {
        transaction.execute(&statements.put_history, [Box::new(from.0.0)]);
    }
}

/// The versions of run specs, or of groups.
fn write_versions<'a, K: ToString>(
    transaction: &mut Transaction<'a>,
    put: &'a Statement,
    delete: &'a Statement,
    rows: &BTreeMap<(K, Version), Row<Option<String>>>,
) {
    let (mut ids, mut versions, mut definitions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut deleted_ids, mut deleted_versions) = (Vec::new(), Vec::new());
    for ((id, version), row) in rows {
        match row {
            Row::Put(definition) => {
                ids.push(id.to_string());
                versions.push(version.0.0);
                definitions.push(definition.clone());
            }
            Row::Deleted => {
                deleted_ids.push(id.to_string());
                deleted_versions.push(version.0.0);
            }
        }
    }
    if !deleted_ids.is_empty() {
        transaction.execute(delete, [Box::new(deleted_ids), Box::new(deleted_versions)]);
    }
    if !ids.is_empty() {
        transaction.execute(put, [Box::new(ids), Box::new(versions), Box::new(definitions)]);
    }
}

fn write_delays_and_failures<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let (deleted, put) = divide(&rows.delays);
    if !deleted.is_empty() {
        transaction.execute(&statements.delete_delays, [Box::new(deleted)]);
    }
    if !put.is_empty() {
        let (ids, delays): (Vec<String>, Vec<String>) = put.into_iter().unzip();
        transaction.execute(&statements.put_delays, [Box::new(ids), Box::new(delays)]);
    }
    if !rows.failures.is_empty() {
        let ids: Vec<String> = rows.failures.keys().map(ToString::to_string).collect();
        let failures: Vec<String> = rows.failures.values().cloned().collect();
        transaction.execute(&statements.put_failures, [Box::new(ids), Box::new(failures)]);
    }
}

fn write_instances<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let (deleted, put) = divide(&rows.instances);
    if !deleted.is_empty() {
        transaction.execute(&statements.delete_instances, [Box::new(deleted)]);
    }
    if !put.is_empty() {
        let there = rows.instances.iter().filter(|(_, row)| **row != Row::Deleted);
        let run_specs: Vec<String> = there.map(|(id, _)| id.run_spec.to_string()).collect();
        let (ids, instances): (Vec<String>, Vec<String>) = put.into_iter().unzip();
        transaction.execute(&statements.put_instances, [Box::new(ids), Box::new(run_specs), Box::new(instances)]);
    }
}

fn write_deployments<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: Rows) {
    let (forgotten, ended) = divide(&rows.ended);
    if !forgotten.is_empty() {
        transaction.execute(&statements.delete_ended, [Box::new(forgotten)]);
    }
    if !ended.is_empty() {
        let (ids, documents): (Vec<String>, Vec<String>) = ended.into_iter().unzip();
        transaction.execute(&statements.put_ended, [Box::new(ids), Box::new(documents)]);
    }
    let (mut ids, mut plans, mut steps, mut deleted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (id, row) in rows.deployments {
        match row {
            Row::Put(deployment) => {
                ids.push(id.to_string());
                plans.push(json(&deployment));
                steps.push(step_column(deployment.current_step));
            }
            Row::Deleted => deleted.push(id.to_string()),
        }
    }
    if !deleted.is_empty() {
        transaction.execute(&statements.delete_deployments, [Box::new(deleted)]);
    }
    if !ids.is_empty() {
        transaction.execute(&statements.put_deployments, [Box::new(ids), Box::new(plans), Box::new(steps)]);
    }
    if !rows.steps.is_empty() {
        let ids: Vec<String> = rows.steps.keys().map(ToString::to_string).collect();
        let steps: Vec<i32> = rows.steps.values().map(|step| step_column(*step)).collect();
        transaction.execute(&statements.move_deployments, [Box::new(ids), Box::new(steps)]);
    }
}

fn write_secrets<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let (mut paths, mut versions, mut sealed, mut deleted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (path, row) in &rows.secrets {
        match row {
            Row::Put(secret) => {
                paths.push(path.to_string());
                versions.push(secret.version.0.0);
                sealed.push(secret.sealed.as_bytes().to_vec());
            }
            Row::Deleted => deleted.push(path.to_string()),
        }
    }
    if !deleted.is_empty() {
        transaction.execute(&statements.delete_secrets, [Box::new(deleted)]);
    }
    if !paths.is_empty() {
        transaction.execute(&statements.put_secrets, [Box::new(paths), Box::new(versions), Box::new(sealed)]);
    }
}

fn write_consumers<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let names = |wanted: Row<()>| -> Vec<String> {
        let matching = rows.consumers.iter().filter(|(_, row)| **row == wanted);
        matching.map(|(name, _)| name.to_string()).collect()
    };
    for (statement, names) in
        [(&statements.delete_consumers, names(Row::Deleted)), (&statements.put_consumers, names(Row::Put(())))]
    {
        if !names.is_empty() {
            transaction.execute(statement, [Box::new(names)]);
        }
    }
}

fn write_users<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let (deleted, put) = divide(&rows.users);
    write_documents(transaction, &statements.put_users, &statements.delete_users, deleted, put);
    let sessions = rows.sessions.iter();
    let (mut deleted, mut put) = (Vec::new(), Vec::new());
    for (digest, row) in sessions {
        match row {
            Row::Put(session) => put.push((digest.text(), session.clone())),
            Row::Deleted => deleted.push(digest.text()),
        }
    }
    write_documents(transaction, &statements.put_sessions, &statements.delete_sessions, deleted, put);
}

fn write_documents<'a>(
    transaction: &mut Transaction<'a>,
    put_statement: &'a Statement,
    delete_statement: &'a Statement,
    deleted: Vec<String>,
    put: Vec<(String, String)>,
) {
    if !deleted.is_empty() {
        transaction.execute(delete_statement, [Box::new(deleted)]);
    }
    if !put.is_empty() {
        let (keys, documents): (Vec<String>, Vec<String>) = put.into_iter().unzip();
        transaction.execute(put_statement, [Box::new(keys), Box::new(documents)]);
    }
}

fn write_audit<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, facts: &[Recorded]) {
    let (mut at, mut who, mut touched, mut entries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for recorded in facts {
        if let Fact::Audited { entry } = &recorded.fact {
            at.push(recorded.at.0);
            who.push(entry.user.to_string());
            touched.push(json(&entry.touched));
            entries.push(json(entry));
        }
    }
    if !at.is_empty() {
        transaction.execute(&statements.put_audit, [Box::new(at), Box::new(who), Box::new(touched), Box::new(entries)]);
    }
}

fn write_callbacks<'a>(transaction: &mut Transaction<'a>, statements: &'a Statements, rows: &Rows) {
    let (mut urls, mut secrets, mut positions, mut deleted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (url, row) in &rows.callbacks {
        match row {
            Row::Put(callback) => {
                urls.push(url.to_string());
                secrets.push(callback.secret.as_ref().map(|secret| secret.reveal().to_owned()));
                positions.push(callback.position);
            }
            Row::Deleted => deleted.push(url.to_string()),
        }
    }
    if !deleted.is_empty() {
        transaction.execute(&statements.delete_callbacks, [Box::new(deleted)]);
    }
    if !urls.is_empty() {
        transaction.execute(&statements.put_callbacks, [Box::new(urls), Box::new(secrets), Box::new(positions)]);
    }
    if !rows.callback_positions.is_empty() {
        let urls: Vec<String> = rows.callback_positions.keys().map(ToString::to_string).collect();
        let positions: Vec<i64> = rows.callback_positions.values().copied().collect();
        transaction.execute(&statements.move_callbacks, [Box::new(urls), Box::new(positions)]);
    }
}

/// A plan has far fewer steps than the column can count.
fn step_column(step: usize) -> i32 {
    i32::try_from(step).unwrap_or(i32::MAX)
}

/// The keys of rows that go, and the rows that stay.
fn divide<K: ToString>(rows: &BTreeMap<K, Row<String>>) -> (Vec<String>, Vec<(String, String)>) {
    let (mut deleted, mut put) = (Vec::new(), Vec::new());
    for (key, row) in rows {
        match row {
            Row::Put(content) => put.push((key.to_string(), content.clone())),
            Row::Deleted => deleted.push(key.to_string()),
        }
    }
    (deleted, put)
}
