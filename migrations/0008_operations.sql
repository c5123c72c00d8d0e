-- Executors, operations, and what operations have made of agents' resources.

-- Dynamic reservations and persistent volumes, a ResourceList; null: none.
alter table agent add column shaped bytea;

-- What tasks have in common that are started together; null: started alone.
alter table task add column task_group text;

-- Executors that run, or are going to.
create table executor (
    framework_id text not null,
    agent_id text not null,
    executor_id text not null,
    role text not null,
    info bytea not null,
    launched_at bigint not null,
    primary key (framework_id, agent_id, executor_id)
);

-- Operations that are under way (no status), or whose framework has not acknowledged how they ended. An operator's has no framework.
create table operation (
    operation_id text primary key,
    framework_id text,
    agent_id text not null,
    info bytea not null,
    status bytea,
    started_at bigint not null
);
