-- What operators decided about roles. A role without a row has the weight 1 and no quota.

-- `config` is a QuotaConfig in protobuf.
create table quota (
    role text primary key,
    config bytea not null
);

create table weight (
    role text primary key,
    weight double precision not null
);
