-- Whether an operator lets an agent take part: deactivated, draining, drained or gone, as JSON; null: it takes part.
alter table agent add column service text;

-- What is planned for machines, and which are down: one row at most, replaced as a whole.
create table maintenance (
    whole boolean primary key default true check (whole),
    schedule bytea not null,
    down bytea not null
);
