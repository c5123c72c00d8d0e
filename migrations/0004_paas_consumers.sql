-- Consumers of the paas's event stream that are waited for before a task is killed. How far each has come is not kept: a new leader
-- waits until it hears from them.
create table paas_consumer (
    name text primary key
);
