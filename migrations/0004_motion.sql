-- Money in motion: what we heard (inbox), what we must say (outbox), what is under way (flow), what the chain
-- did (chain), and what happened in words (event). None of these tables holds a balance: balances live in the
-- ledger.

----------------------------------------------------------------------------------------------- inbox
-- Hear once. A callback is stored raw before anybody judges it, so nothing a rail sends is ever lost.
create schema inbox;
grant usage on schema inbox to amana_app, amana_reader;

create table inbox.callback (
    id        uuid primary key,
    source    text not null,               -- 'mpesa:c2b' | 'intersend:payout'
    heard_at  timestamptz not null,
    peer      text not null,               -- the address it came from, as our configuration trusts it
    headers   jsonb not null,              -- only the headers a signature needs
    body      privacy.sealed not null,
    verdict   text,                        -- null: not judged yet
    reason    text,                        -- why, in words that carry no personal data
    subject   text,                        -- what it turned out to be about: an escrow, a payout, a receipt
    judged_at timestamptz,
    due_at    timestamptz not null,        -- when to judge it; later after a pass that failed
    tries     integer not null default 0,  -- how many passes failed
    constraint callback_judged check ((verdict is null) = (judged_at is null))
);
create index callback_unjudged on inbox.callback (due_at) where verdict is null;
create index callback_judged on inbox.callback (judged_at) where verdict is not null;
grant select, insert, update on inbox.callback to amana_app;

-- The answers we gave to callers who brought an idempotency key.
create table inbox.idempotency (
    principal   uuid not null,
    key         text not null,
    fingerprint bytea not null,
    started_at  timestamptz not null,
    answered_at timestamptz,
    status      smallint,
    answer      jsonb,
    primary key (principal, key)
);
grant select, insert, update, delete on inbox.idempotency to amana_app;

---------------------------------------------------------------------------------------------- outbox
-- Say at least once. A row is written in the transaction that decided it; a worker says it and writes the
-- answer.
create schema outbox;
grant usage on schema outbox to amana_app, amana_reader;

create table outbox.message (
    id          uuid primary key,
    kind        text not null,             -- 'sms' | 'payout_send' | 'payout_ask'
    subject     text not null,
    body        privacy.sealed,            -- what personal data it carries; the rest is looked up by subject
    created_at  timestamptz not null,
    due_at      timestamptz not null,
    lease_until timestamptz,
    attempts    integer not null default 0,
    done_at     timestamptz,
    outcome     text,                      -- 'done' | 'refused' | 'dead'
    reason      text,
    constraint message_done check ((done_at is null) = (outcome is null))
);
create index message_due on outbox.message (due_at) where done_at is null;
create index message_subject on outbox.message (subject);
grant select, insert, update on outbox.message to amana_app;

------------------------------------------------------------------------------------------------ flow
create schema flow;
grant usage on schema flow to amana_app, amana_reader;

create table flow.escrow (
    reference  text primary key,
    key        bytea not null unique,      -- SHA-256 of the reference: its name on chain
    book       text not null,
    job        bigint unique,              -- one escrow a job
    employer   uuid not null,
    employee   uuid,
    amount     bigint not null,
    fee        bigint not null,            -- what we keep of it when it is released, as it was told then
    state      jsonb not null,             -- the flow's state, an enum with its data
    status     text not null,              -- the product's word for it, derived from the state
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint escrow_amount_positive check (amount > 0),
    constraint escrow_fee check (fee >= 0 and fee < amount),
    constraint escrow_status check (status in ('pending_deposit', 'partially_funded', 'funded', 'in_progress',
        'completed', 'released', 'refunded', 'cancelled'))
);
create index escrow_employer on flow.escrow (employer);

create table flow.collection (
    id         uuid primary key,
    provider   text not null,
    shortcode  text not null,
    receipt    text not null,
    book       text not null,
    escrow     text references flow.escrow (reference),   -- null while in suspense
    callback   uuid not null,
    amount     bigint not null,
    to_escrow  bigint not null default 0,
    typed_ref  privacy.sealed,             -- what the payer typed; a payer may type a name or a phone there
    payer      privacy.sealed,             -- clear, masked or hashed, as it came
    deposit_id bytea not null unique,
    status     text not null,
    booked_at  timestamptz not null,
    constraint collection_receipt unique (provider, shortcode, receipt),
    constraint collection_amount_positive check (amount > 0),
    constraint collection_split check (to_escrow between 0 and amount),
    constraint collection_status check (status in ('pending', 'completed', 'failed', 'suspense', 'reversed'))
);
create index collection_escrow on flow.collection (escrow);
create index collection_suspense on flow.collection (booked_at) where status = 'suspense';

create table flow.payout (
    id          uuid primary key,
    reference   text not null unique,      -- ours, the same on every attempt
    book        text not null,
    escrow      text not null references flow.escrow (reference),
    beneficiary uuid not null,
    -- The chain event that put the money into the vault: no row without it.
    surrender   text not null unique,
    claim       bigint not null,           -- what the person earned
    amount      bigint not null,           -- what the rail is asked to pay: whole units of the currency
    rail        text not null,
    state       jsonb not null,
    status      text not null,
    provider_id text,
    fee         bigint,
    -- How often the money was set aside: part of the key of each hold.
    holds       integer not null default 0,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    constraint payout_once unique (escrow, beneficiary),
    constraint payout_amount check (amount > 0 and amount <= claim),
    constraint payout_status check (status in ('pending', 'processing', 'completed', 'failed', 'unknown'))
);
create index payout_beneficiary on flow.payout (beneficiary, created_at);

-- Every conversation with the rail about a payout: what was asked, what came back.
create table flow.payout_attempt (
    payout uuid not null references flow.payout (id),
    no     integer not null,
    kind   text not null,                  -- 'send' | 'ask' | 'news'
    at     timestamptz not null,
    answer text not null,
    detail text,
    primary key (payout, no)
);

-- What happened to an escrow, step by step: the trace an auditor follows.
create table flow.step (
    escrow   text not null references flow.escrow (reference),
    no       integer not null,
    at       timestamptz not null,
    step     text not null,
    transfer uuid,
    tx_hash  text,
    receipt  text,
    detail   text,
    primary key (escrow, no)
);
grant select, insert, update on flow.escrow, flow.collection, flow.payout to amana_app;
grant select, insert on flow.payout_attempt, flow.step to amana_app;

----------------------------------------------------------------------------------------------- chain
create schema chain;
grant usage on schema chain to amana_app, amana_reader;

-- Accounts that only pay fees and carry sequence numbers. One open attempt each.
create table chain.channel (
    address text primary key
);

-- What we want the chain to do: one row a wish, unique by its business key.
create table chain.intent (
    id          uuid primary key,
    key         text not null unique,
    escrow      text not null references flow.escrow (reference),
    no          integer not null,          -- wishes about one escrow are carried out in this order
    op          jsonb not null,
    status      text not null default 'open',
    reason      text,
    created_at  timestamptz not null,
    due_at      timestamptz not null,
    tries       integer not null default 0,
    lease_until timestamptz,
    done_at     timestamptz,
    constraint intent_order unique (escrow, no),
    constraint intent_status check (status in ('open', 'done', 'refused'))
);
create index intent_open on chain.intent (due_at) where status = 'open';

-- What we sent: the signed bytes are stored before the first send, so that sending again sends the same
-- bytes.
create table chain.attempt (
    intent       uuid not null references chain.intent (id),
    no           integer not null,
    channel      text not null references chain.channel (address),
    sequence     bigint not null,
    hash         text not null unique,
    envelope     text not null,
    max_time     bigint not null,
    first_ledger bigint not null,
    sent         integer not null default 0,
    status       text not null default 'open',
    reason       text,
    created_at   timestamptz not null,
    closed_at    timestamptz,
    ledger       bigint,
    primary key (intent, no),
    constraint attempt_status check (status in ('open', 'success', 'failed', 'dead'))
);
create unique index attempt_one_open on chain.attempt (intent) where status = 'open';
create unique index attempt_one_channel on chain.attempt (channel) where status = 'open';

-- What the chain says happened. Chain postings are made from these rows and from nothing else, once each.
create table chain.event (
    tx_hash   text not null,
    no        integer not null,
    ledger    bigint not null,
    closed_at timestamptz not null,
    kind      text not null,
    escrow    text,
    amount    bigint not null default 0,   -- minor units
    effect    jsonb not null,
    transfer  uuid,                        -- the ledger transfer it caused, if any
    refused   text,                        -- why nothing could follow from it, which a person has to see
    primary key (tx_hash, no)
);
create index event_escrow on chain.event (escrow);
create index event_kind on chain.event (kind);
create index event_refused on chain.event (closed_at) where refused is not null;

create table chain.cursor (
    contract   text primary key,
    position   jsonb not null,             -- from where to read on
    checked_at timestamptz not null
);
grant select, insert, update on chain.intent, chain.attempt, chain.cursor, chain.channel, chain.event
    to amana_app;

----------------------------------------------------------------------------------------------- event
-- One event and one audit row a transition.
create schema event;
grant usage on schema event to amana_app, amana_reader;

create table event.event (
    no      bigint generated always as identity primary key,
    subject text not null,                 -- 'job/12', 'escrow/ESCROW_…', 'payout/PAYOUT_…'
    name    text not null,                 -- 'escrow.funded'
    at      timestamptz not null,
    body    jsonb not null                 -- ids and amounts, never personal data
);
create index event_subject on event.event (subject, no);

create table event.audit (
    no      bigint generated always as identity primary key,
    at      timestamptz not null,
    actor   text not null,                 -- 'party/…', 'worker', 'rail/mpesa'
    action  text not null,
    subject text not null,
    detail  jsonb not null
);
create index audit_subject on event.audit (subject, no);
grant select, insert on event.event, event.audit to amana_app;
grant select on all tables in schema event, flow, chain to amana_reader;
