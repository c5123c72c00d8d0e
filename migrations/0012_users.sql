-- Who may do what in the service layer, and who did what.

-- Hashes of passwords and digests of tokens are in the account; never what they are of.
create table paas_user (
    name text primary key,
    account json not null
);

-- Browsers in which somebody has signed in, by the digest of their cookie.
create table paas_session (
    digest text primary key,
    session json not null
);

-- Writes of users, done or refused for want of a permission. Times are milliseconds since 1970.
create table paas_audit (
    id bigint generated always as identity primary key,
    at bigint not null,
    who text not null,
    touched text[] not null,
    entry json not null
);
create index paas_audit_at on paas_audit (at);
create index paas_audit_who on paas_audit (who, id);
