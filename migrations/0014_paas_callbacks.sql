-- Where events are posted to. Of the events up to `position`, the id of one, none is posted again.
create table paas_callback (
    url text primary key,
    secret text,
    position bigint not null
);
