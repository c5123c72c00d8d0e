-- Who leads, and how far each leader has written. One row per role of leadership; it is updated in every transaction of
-- a leader, so that its page keeps room for the new version of the row (no index is touched: a HOT update).
create table lead (
    role text primary key check (role in ('master', 'paas')),
    epoch bigint not null,
    seq bigint not null,
    holder uuid,
    address text,
    expires_at timestamptz not null
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

insert into lead (role, epoch, seq, expires_at) values ('master', 0, 0, '-infinity'), ('paas', 0, 0, '-infinity');

-- The facts of each leader in order. `payload` is the fact as its core encodes it in `version`; `frames` is what event
-- subscribers are sent for it, rendered once.
create table journal (
    role text not null,
    seq bigint not null,
    kind text not null,
    version smallint not null,
    payload bytea not null,
    frames bytea,
    at timestamptz not null default now(),
    primary key (role, seq)
);

-- The first statement of every transaction of a leader: raises AT001 unless `lead` is exactly where the leader left it,
-- else moves it to the last position of the transaction and keeps the row locked until the transaction ends.
create function fence(fence_role text, fence_epoch bigint, old_seq bigint, new_seq bigint) returns void language plpgsql as $$
begin
    update lead set seq = new_seq where role = fence_role and epoch = fence_epoch and seq = old_seq;
    if not found then
        raise exception 'the lead of % is not at epoch % and position %', fence_role, fence_epoch, old_seq using errcode = 'AT001';
    end if;
end
$$;
