-- The service ports that were given out from the pool, each to one current definition. The engine sees to it; the key makes sure. Ports
-- that users choose are not in here: several apps may name the same one.
create table paas_service_port (
    port integer primary key,
    run_spec text not null
);

create index paas_service_port_run_spec on paas_service_port (run_spec);
