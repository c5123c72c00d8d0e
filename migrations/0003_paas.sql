-- The tables of the service layer: the fold of its facts. A new leader loads them whole; people may read them. Documents are `json`,
-- not `jsonb`: they are only ever read as a whole, and `jsonb` refuses the null characters that a task's message may hold.

-- The framework's id, once the master has given one.
create table paas_framework (
    only_row boolean primary key default true check (only_row),
    framework_id text not null
);

-- Run specs, also removed ones (current_version is null) whose instances are not yet gone. Versions are milliseconds since 1970.
create table paas_run_spec (
    id text primary key,
    current_version bigint
);

create table paas_run_spec_version (
    run_spec text not null,
    version bigint not null,
    definition json not null,
    primary key (run_spec, version)
);

-- How failures slow a run spec down.
create table paas_delay (
    run_spec text primary key,
    delay json not null
);

-- The latest failure of each run spec.
create table paas_last_failure (
    run_spec text primary key,
    failure json not null
);

create table paas_instance (
    id text primary key,
    run_spec text not null,
    instance json not null
);

create table paas_deployment (
    id text primary key,
    plan json not null,
    current_step integer not null
);
