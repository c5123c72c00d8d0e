-- The secrets that the service layer keeps for its tasks. A version is milliseconds since 1970; the value is sealed for its path and version
-- under a key that is not here.
create table paas_secret (
    path text primary key,
    version bigint not null,
    sealed bytea not null
);
