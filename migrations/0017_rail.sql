-- Daraja is asked, not only heard: the one token of an app, questions whose answers are posted to us, prompts
-- on phones. And what a collection is worth: by which door its receipt was first seen, and whether the rail
-- itself has confirmed it.

-- One token an app, since each new one kills the one before. Fetched under an advisory lock of the app's
-- name.
create table flow.token (
    app        text primary key,           -- a name of the app that tells no secret
    token      privacy.sealed not null,
    fetched_at timestamptz not null,
    expires_at timestamptz not null
);

-- What was asked of a rail. The id stands in the address to which the answer is posted.
create table flow.question (
    id       uuid primary key,
    kind     text not null,
    subject  text not null,                -- a receipt
    asked_at timestamptz not null,
    ended_at timestamptz,
    answer   text,
    constraint question_kind check (kind in ('status'))
);
create index question_subject on flow.question (subject);

-- A request on a customer's phone to pay for an escrow. The id stands in the address of its callback.
create table flow.prompt (
    id         uuid primary key,
    escrow     text not null references flow.escrow (reference),
    amount     bigint not null,
    phone      privacy.sealed not null,
    checkout   text unique,                -- the rail's name for it, once it was taken
    status     text not null,
    reason     text,
    receipt    text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint prompt_amount_positive check (amount > 0),
    -- 'unknown': sent, and no answer came. A late payment is taken in whatever state this is.
    constraint prompt_status check (status in ('wished', 'underway', 'unknown', 'paid', 'not_paid'))
);
create index prompt_escrow on flow.prompt (escrow);

-- 'trusted': the rail itself told us, or nobody asks. 'waiting': told by a post anybody could have made, its
-- money is in suspense until the rail confirms it. 'disputed': the rail says otherwise.
alter table flow.collection
    add column door     text not null default 'confirmation',
    add column trust    text not null default 'trusted',
    add column asked    integer not null default 0,
    add column said     text,              -- what the rail said that differs
    add column taken_back text,            -- the receipt under which the rail took it back
    add constraint collection_door check (door in ('confirmation', 'prompt', 'pull', 'statement')),
    add constraint collection_trust check (trust in ('trusted', 'waiting', 'disputed'));
create index collection_odd on flow.collection (booked_at) where trust = 'disputed' or taken_back is not null;

grant select, insert, update on flow.token, flow.question, flow.prompt to amana_app;
grant select on flow.token, flow.question, flow.prompt to amana_reader;

-- Lists of payments, pulled from the rail or exported by its portal: each row once, judged once. A row that
-- no confirmation brought is collected from here.
create table recon.listed (
    id         uuid primary key,
    source     text not null,
    callback   uuid not null,              -- the raw list in which it first stood
    line       bigint not null,
    shortcode  text not null,
    account    text not null,              -- which of the paybill's accounts; empty for a pulled list
    receipt    text not null,
    kind       text not null,
    reason     text not null,
    paid_in    bigint not null,
    withdrawn  bigint not null,
    balance    bigint,
    at         timestamptz,
    linked     text,                       -- the payment that was taken back
    person     privacy.sealed,             -- payer and what was typed; gone once judged
    seen_at    timestamptz not null,
    verdict    text,
    judged_at  timestamptz,
    due_at     timestamptz not null,
    tries      integer not null default 0,
    constraint listed_source check (source in ('pull', 'statement')),
    constraint listed_amounts check (paid_in >= 0 and withdrawn >= 0),
    constraint listed_judged check ((verdict is null) = (judged_at is null)),
    -- A charge may carry its payment's receipt, so the receipt alone does not tell rows apart.
    constraint listed_once unique (source, shortcode, account, receipt, reason, paid_in, withdrawn)
);
create index listed_unjudged on recon.listed (due_at) where verdict is null;
create index listed_receipt on recon.listed (receipt);

-- A statement that was taken: which file, by whom, how many of its rows were new.
create table recon.statement (
    callback  uuid primary key,
    shortcode text not null,
    account   text not null,
    rows      integer not null,
    new_rows  integer not null,
    taken_at  timestamptz not null
);

-- When lists were last pulled, so that several processes take turns.
create table recon.sweep (
    kind      text not null,
    shortcode text not null,
    began_at  timestamptz not null,
    primary key (kind, shortcode)
);
grant select, insert, update on recon.listed, recon.statement, recon.sweep to amana_app;
grant select on recon.listed, recon.statement, recon.sweep to amana_reader;
