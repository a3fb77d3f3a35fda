-- Submission at full strength: channels leased by row lock, envelopes with a raised fee, what was heard last.

-- A channel is leased to the wish it carries: for a while until the envelope is stored, then until that
-- envelope's end. Whoever looks for a free one locks its row and skips those that are locked.
alter table chain.channel
    add column intent      uuid,           -- the wish it carries
    add column lease_until timestamptz,    -- null: free; 'infinity' while its attempt is open
    add column leased_at   timestamptz;    -- whose turn is next: the one that rested longest
update chain.channel c set lease_until = 'infinity', intent = a.intent
    from chain.attempt a where a.channel = c.address and a.status = 'open';

alter table chain.attempt
    add column answer  jsonb,              -- what the network said when it was last handed the envelope
    add column applied text;               -- the hash under which it is in a ledger, if not its own
create index attempt_channel on chain.attempt (channel, created_at);

-- The same transaction under a higher fee: other bytes, another hash, the same sequence number. Stored before
-- it is sent, as the attempt itself is; either hash may be found in a ledger.
create table chain.alias (
    hash       text primary key,
    attempt    text not null references chain.attempt (hash),
    no         integer not null,
    envelope   text not null,
    fee        bigint not null,            -- stroops, at most
    created_at timestamptz not null,
    constraint alias_order unique (attempt, no),
    constraint alias_fee_positive check (fee > 0)
);
grant select, insert on chain.alias to amana_app;
grant select on chain.alias to amana_reader;

-- No repetition helps before a person has put something right; tried again now and then all the same.
alter table chain.intent add column stopped_at timestamptz;
