-- The tables of the kernel: the fold of its facts. A new leader loads them whole. Messages are kept as protobuf, as they came over the
-- wire; times are milliseconds since 1970.

-- Frameworks, removed ones as well until they are forgotten. Neither disconnected nor removed: subscribed.
create table framework (
    framework_id text primary key,
    info bytea not null,
    registered_at bigint not null,
    reregistered_at bigint not null,
    disconnected_at bigint,
    deadline bigint,
    removed_at bigint
);

create table agent (
    agent_id text primary key,
    info bytea not null,
    version text not null,
    boot_id text not null,
    registered_at bigint not null,
    reregistered_at bigint not null,
    unreachable_at bigint
);

-- Tasks, finished ones as well until they are forgotten. `state` is the number of the TaskState that the agent reported last; `kill` is
-- set when a kill was asked for, and holds the KillPolicy or nothing. No index covers a column that changes, and pages keep room, so
-- that an update touches no index.
create table task (
    framework_id text not null,
    task_id text not null,
    role text not null,
    info bytea not null,
    state integer not null,
    status bytea,
    unreachable boolean not null,
    sequence bigint not null,
    kill bytea,
    launched_at bigint not null,
    completed_at bigint,
    primary key (framework_id, task_id)
) with (fillfactor = 60);

-- The outbox: statuses that their scheduler has not acknowledged, in the order of the facts that brought them.
create table task_update (
    framework_id text not null,
    task_id text not null,
    seq bigint not null,
    uuid bytea not null,
    status bytea not null,
    primary key (framework_id, task_id, seq)
);
