-- Watching: what an event did to the supply, what was read from entries instead of events, and what ledger
-- and chain disagree about.

-- What an escrow's event did to the tokens there are, minor units: the chain's side of its posting. The
-- token's own events say the same in the same transaction and are counted beside it.
alter table chain.event
    add column supply    bigint not null default 0,
    -- Said of a time whose effects were read from the escrow's entry: kept, and never posted again.
    add column contained boolean not null default false;
update chain.event set supply = case kind
    when 'funded' then amount
    when 'released' then -(effect ->> 'fee')::bigint
    when 'cancelled' then -amount
    when 'burned' then -amount
    else 0 end
 where escrow is not null;
create index event_token on chain.event (ledger) where kind in ('token_mint', 'token_burn');

-- Escrows whose missed effects were read from their entries, as of a ledger: whatever is heard later of that
-- ledger or an earlier one is in those effects already.
create table chain.rebuilt (
    escrow text primary key references flow.escrow (reference),
    ledger bigint not null,
    at     timestamptz not null
);
grant select, insert, update on chain.rebuilt to amana_app;
grant select on chain.rebuilt to amana_reader;

-- What reconciliation found: breaks, opened and closed by its passes and by nobody else.
create schema recon;
grant usage on schema recon to amana_app, amana_reader;

create table recon.break (
    id          uuid primary key,
    book        text not null,
    kind        text not null,             -- 'mint_without_posting', 'escrow_state_differs', …
    subject     text not null,             -- an escrow, a transaction, an account
    ledger_side text not null,             -- what our books say
    chain_side  text not null,             -- what the chain says
    found_at    timestamptz not null,
    seen_at     timestamptz not null,      -- by the last pass that saw it
    healed_at   timestamptz                -- null while it is open
);
create unique index break_once on recon.break (book, kind, subject) where healed_at is null;
create index break_found on recon.break (book, id);

-- The last pass over each book, so that several processes take turns.
create table recon.pass (
    book       text primary key,
    began_at   timestamptz not null,
    ended_at   timestamptz,                -- null while it runs, or if it broke off
    escrows    bigint not null default 0,
    breaks     bigint not null default 0
);
grant select, insert, update on recon.break, recon.pass to amana_app;
grant select on recon.break, recon.pass to amana_reader;
