-- The deployments that ended lately, for people to look at.
create table paas_ended_deployment (
    id text primary key,
    ended json not null
);
