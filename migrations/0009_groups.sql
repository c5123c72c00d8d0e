-- What is said of groups themselves, and their history. What lies in a group is told by the paths of run specs.

-- Versions are milliseconds since 1970. Without a definition: the group was removed then.
create table paas_group_version (
    group_path text not null,
    version bigint not null,
    definition json,
    primary key (group_path, version)
);

-- Without a definition: the run spec was removed then.
alter table paas_run_spec_version alter column definition drop not null;

-- What groups were is known from this version on; without a row, from the beginning.
create table paas_history (
    only_row boolean primary key default true check (only_row),
    known_from bigint not null
);
