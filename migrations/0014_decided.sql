-- A dispute is decided by a person and signed by a key that no serving process has; and what the chain
-- refuses is heard by the flow that wished it.

-- Whether the flow of a refused wish has heard of it. Those that were refused before this stood were shown to
-- ops, and their flows have moved on.
alter table chain.intent add column heeded boolean not null default false;
update chain.intent set heeded = true where status = 'refused';
create index intent_unheeded on chain.intent (done_at) where status = 'refused' and not heeded;

-- Who decided a dispute, how, and why. Mostly one an escrow: another if the chain refused the first.
create table flow.decision (
    escrow     text not null references flow.escrow (reference),
    no         integer not null,
    decided_by uuid not null,
    at         timestamptz not null,
    to_payee   bigint not null,
    to_payer   bigint not null,
    reason     privacy.sealed not null,    -- people write names into such a field
    primary key (escrow, no),
    constraint decision_parts check (to_payee >= 0 and to_payer >= 0 and to_payee + to_payer > 0)
);
grant select, insert on flow.decision to amana_app;
grant select on flow.decision to amana_reader;
