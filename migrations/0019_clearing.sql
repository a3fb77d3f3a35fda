-- Money in suspense is cleared by two people: one says whose it is and why, another one agrees or does not.
create table flow.clearing (
    id         uuid primary key,
    collection uuid not null references flow.collection (id),
    escrow     text not null references flow.escrow (reference),
    reason     privacy.sealed not null,    -- people write names into such a field
    maker      uuid not null,
    made_at    timestamptz not null,
    checker    uuid,
    decided_at timestamptz,
    verdict    text,                       -- null: not decided yet
    constraint clearing_four_eyes check (checker <> maker),
    constraint clearing_decided check ((verdict is null) = (checker is null)
        and (verdict is null) = (decided_at is null)),
    constraint clearing_verdict check (verdict in ('approved', 'rejected'))
);
-- One proposal at a time.
create unique index clearing_open on flow.clearing (collection) where verdict is null;
grant select, insert, update on flow.clearing to amana_app;
