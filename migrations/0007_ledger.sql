-- The ledger at full strength: what moved, between which accounts, and what stands there since.
--
-- This is the schema `ledger` that stands; 0002 was its ground floor. A journal cannot be poured into
-- another shape without writing new seals over old history, so this file does not try: it goes ahead where
-- the journal is empty, which it is wherever no release ran, and refuses where it is not.
--
-- A *posting* is one amount, debited to one account and credited to another: a row holds both accounts and
-- one positive amount, so nothing unbalanced can be written down. A *transfer* is the postings that land
-- together; what is true of the whole transfer stands on its first posting. A *book* is the accounts of one
-- legal entity in one asset. Transfers are written in *batches*, numbered without gaps within a book; the
-- number is the fence: of two writers that both believe to be next, the primary key lets one through.
--
-- Balances are not kept in rows that are updated. Each batch appends one *chunk* for each account it
-- touched, with the account's totals after it and the numbers of the postings that led there. A balance is
-- the account's newest chunk; the balance after any batch is the chunk of that batch.
--
-- The tables of the journal are append-only for every role, their owner included. Nothing here decides
-- business: Rust executes (crate amana-ledger), and the checks below refuse what does not add up, whoever
-- tries to write it. The names of constraints are the vocabulary between this file and `ledger/src/store`.
--
-- Every key begins with the book, and no foreign key crosses books, so that books can be spread over
-- machines. In rows a book is a number and an event is a number: both stand in every row and every key of
-- the journal, and four bytes are read and compared sooner than a name. The view `ledger.journal` shows
-- names.

do $$
begin
    if exists (select from ledger.posting) then
        raise exception 'the journal was written in the shape of 0002 and cannot be sealed again in another: '
            'keep this database with the release that wrote it, and begin a new one';
    end if;
end
$$;
drop schema ledger cascade;

create schema ledger authorization amana_owner;
set local role amana_owner;

-- What can be counted, the kinds of account there may be, and the words of events. Small reference tables;
-- the enums `Asset`, `Kind` and `Event` of the crate hold the same words, which a test compares.

create table ledger.asset (
    asset text constraint asset_pkey primary key,
    exponent smallint not null
);

insert into ledger.asset values ('KES', 2), ('EGP', 2), ('NPR', 2);

-- `floor` is the least that may stand on the normal side of an account, money held counted as gone; null is
-- no floor.
create table ledger.kind (
    kind text constraint kind_pkey primary key,
    class text not null constraint kind_class
        check (class in ('asset', 'liability', 'equity', 'income', 'expense')),
    side "char" not null constraint kind_side
        check (side = case when class in ('asset', 'expense') then 'd' else 'c' end),
    floor bigint
);

insert into ledger.kind values
    ('float:mpesa',    'asset',     'd', 0),
    ('float',          'asset',     'd', 0),
    ('clearing:float', 'asset',     'd', 0),
    ('clearing:mint',  'asset',     'd', 0),
    ('clearing:burn',  'liability', 'c', 0),
    ('onchain:issued', 'liability', 'c', 0),
    ('onchain:supply', 'asset',     'd', 0),
    ('suspense:mpesa', 'liability', 'c', 0),
    ('employer',       'liability', 'c', 0),
    ('escrow',         'liability', 'c', 0),
    ('employee',       'liability', 'c', 0),
    ('equity:capital', 'equity',    'c', null),
    ('income:fee',     'income',    'c', null),
    ('expense:tariff', 'expense',   'd', null);

create table ledger.event (
    event smallint constraint event_pkey primary key,
    word text not null constraint event_word unique
);

insert into ledger.event values
    (1, 'capital_in'), (2, 'float_move_out'), (3, 'float_move_in'), (4, 'collection_booked'),
    (5, 'collection_suspended'), (6, 'suspense_booked'), (7, 'employer_funded'), (8, 'mint_final'),
    (9, 'released'), (10, 'refunded'), (11, 'cancelled'), (12, 'payout_hold'), (13, 'payout_paid'),
    (14, 'payout_failed'), (15, 'payout_expired'), (16, 'burn_final'), (17, 'reversal');

-- A book says its asset in its name too, so that no statement can be about the wrong one by looking at the
-- wrong row.
create table ledger.book (
    book int generated always as identity constraint book_pkey primary key,
    name text not null constraint book_once unique,
    asset text not null constraint book_asset references ledger.asset,
    opened_at timestamptz not null,
    constraint book_name check (name ~ '^[a-z0-9_]{1,32}:[A-Z]{3}$' and split_part(name, ':', 2) = asset)
);

-- A batch. `first_posting` and `postings` say which numbers are its own; `transfers`, `chunks` and `holds`
-- how many rows of each it has; `accounts` how many accounts the book has after it. A batch without
-- postings sets one account's limits or closes a period.
--
-- `sketch` is what ties postings and chunks together without comparing them one by one (see
-- `ledger.weight`).
--
-- `block` is the Merkle root of the batch's entries and `root` the hash of the batch with `prev`, its
-- predecessor's root: the batches are a chain, and their roots the leaves of the book's log. `xact` is the
-- transaction that wrote it, stamped by the database (nobody has the right to give it): what belongs to a
-- batch can be written only there.
create table ledger.batch (
    no bigint not null,
    first_posting bigint not null,
    accounts bigint not null,
    sketch bigint not null,
    recorded_at timestamptz not null,
    xact xid8 not null default pg_current_xact_id(),
    book int not null,
    postings int not null,
    transfers int not null,
    chunks int not null,
    holds int not null,
    block bytea not null,
    prev bytea not null,
    root bytea not null,
    constraint batch_pkey primary key (book, no),
    constraint batch_shape check (
        no > 0 and first_posting > 0 and postings >= 0 and chunks >= 0 and holds between 0 and transfers
        and transfers <= postings and (transfers > 0) = (postings > 0) and accounts >= 0
        and length(block) = 32 and length(root) = 32 and length(prev) = 32
    )
);

-- Batches in order of time, for questions as of a time. `recorded_at` never goes back within a book. It is
-- not for questions that do not speak of time, hence its condition: in a young book the planner finds it as
-- good as the primary key for a look-up by number, and it is a walk over the whole book.
create index batch_recorded_at on ledger.batch (book, recorded_at, no) where recorded_at is not null;

-- An account of a book. It is opened by the first batch that touches it, and numbered without gaps. Its path
-- is its kind, and whatever tells it from others of the kind behind a colon.
create table ledger.account (
    batch bigint not null,
    book int not null,
    account int not null,
    path text not null,
    kind text not null,
    constraint account_pkey primary key (book, account),
    constraint account_path unique (book, path),
    constraint account_path_of_kind check (path = kind or starts_with(path, kind || ':'))
);

-- A posting. `phase` says which of an account's totals it moves:
--   p  post    posted += amount
--   h  hold    pending += amount
--   s  settle  pending -= amount, posted += amount
--   v  void    pending -= amount
-- `leg` is its place in its transfer, from 0. `effective_at` is when it happened in the world, null where
-- that is when the book heard of it (the batch's `recorded_at`). On the first leg stand `fingerprint`, the
-- hash of what was asked, and `key`, the caller's idempotency key; it is null where the id is the key.
--
-- Transfers have no table of their own: a row and two index entries for each would cost as much again as
-- its posting. There is no foreign key to account or batch: the checks at the end of this file prove once a
-- batch what foreign keys would prove at every row, at almost half the speed. Ids are ordered by time,
-- which keeps their index's newest leaf hot.
create table ledger.posting (
    no bigint not null,
    batch bigint not null,
    amount bigint not null,
    effective_at timestamptz,
    transfer uuid not null,
    book int not null,
    debit int not null,
    credit int not null,
    event smallint not null,
    leg smallint not null,
    phase "char" not null,
    fingerprint uuid,
    key text,
    constraint posting_pkey primary key (book, no),
    constraint transfer_pkey unique (book, transfer, leg),
    constraint posting_amount check (amount > 0),
    constraint posting_two_accounts check (debit <> credit),
    constraint posting_phase check (phase in ('p', 'h', 's', 'v')),
    constraint posting_leg check (leg between 0 and 999 and (leg = 0) = (fingerprint is not null)),
    constraint posting_key check (key is null or leg = 0 and length(key) between 1 and 200)
);

create unique index transfer_key on ledger.posting (book, key) where key is not null;

-- The totals of an account after a batch that touched it, `lowest` what was available at the lowest moment
-- within the batch, and where its postings in the batch are, counted from the batch's first. `prev` is the
-- batch of the account's chunk before, 0 if there is none: a look-up that knows both ends reads one entry of
-- the index, where one that asks for the newest reads a page of them. `floor` is the kind's, or what a limit
-- of the account says instead, and `limits` how many limits over time it has; both are repeated here so that
-- the floor is a plain check on the row: what is posted, less what is held against it, may not be below the
-- floor. Money held *for* an account does not count before it is settled.
create table ledger.chunk (
    batch bigint not null,
    prev bigint not null,
    debits_posted bigint not null,
    credits_posted bigint not null,
    debits_pending bigint not null,
    credits_pending bigint not null,
    lowest bigint not null,
    floor bigint,
    book int not null,
    account int not null,
    limits smallint not null,
    side "char" not null,
    posting_nos int[] not null,
    constraint chunk_pkey primary key (book, account, batch),
    constraint chunk_totals check (
        debits_posted >= 0 and credits_posted >= 0 and debits_pending >= 0 and credits_pending >= 0
    ),
    constraint chunk_floor check (floor is null or lowest >= floor),
    constraint chunk_lowest check (
        lowest <= case side
            when 'd' then debits_posted - credits_posted - credits_pending
            else credits_posted - debits_posted - debits_pending
        end
    )
);

-- The numbers of a hot account's chunk do not compress; trying costs more than writing them.
alter table ledger.chunk alter column posting_nos set storage external;

-- A hold is a chain of rows that only shrinks. The first has `was` null and `remaining` all that is held;
-- it bears the id of the transfer that opened it. Each later one takes its predecessor's `remaining` as its
-- `was`, posts some (`settled`), frees some (`voided`), and leaves the rest. Because what remains shrinks,
-- it names the state: `hold_once` lets a state be continued once, `hold_continues` lets only a state that
-- exists be continued, and `hold_open` lets none continue that has nothing left. So settling twice, or
-- settling what was voided, cannot be written down.
create table ledger.hold (
    batch bigint not null,
    was bigint,
    settled bigint not null,
    voided bigint not null,
    remaining bigint not null,
    expires_at timestamptz,
    hold uuid not null,
    transfer uuid not null,
    book int not null,
    debit int not null,
    credit int not null,
    verb text not null,
    constraint hold_pkey primary key (book, hold, remaining),
    constraint hold_once unique nulls not distinct (book, hold, was),
    constraint hold_one_a_transfer unique (book, transfer),
    constraint hold_continues foreign key (book, hold, was) references ledger.hold (book, hold, remaining),
    constraint hold_open check (was > 0),
    constraint hold_parts check (
        settled >= 0 and voided >= 0 and remaining >= 0 and debit <> credit
        and case
            when was is null then
                hold = transfer and verb = 'held' and settled = 0 and voided = 0 and remaining > 0
            else hold <> transfer and remaining = was - settled - voided and remaining < was
        end
    ),
    constraint hold_verb check (case verb
        when 'held' then was is null
        when 'settled' then settled > 0
        when 'voided' then settled = 0 and remaining = 0
        when 'expired' then settled = 0 and remaining = 0 and expires_at is not null
        else false
    end)
);

-- A reversal and what it reverses, to be asked from either end. A transfer is reversed once.
create table ledger.reversal (
    batch bigint not null,
    transfer uuid not null,
    reverses uuid not null,
    book int not null,
    constraint reversal_once primary key (book, reverses),
    constraint reversal_one_a_transfer unique (book, transfer),
    constraint reversal_of_another check (transfer <> reverses)
);

-- A fact outside, under the name its provider gave it, and the transfer that counted it: one receipt is
-- counted once, whichever door it came through.
create table ledger.external (
    batch bigint not null,
    transfer uuid not null,
    book int not null,
    provider text not null,
    account text not null,
    id text not null,
    constraint external_once primary key (book, provider, account, id),
    constraint external_one_a_transfer unique (book, transfer)
);

-- Transfers that landed as one, all or none: each of them, under the id of the first.
create table ledger.link (
    batch bigint not null,
    first uuid not null,
    transfer uuid not null,
    book int not null,
    constraint link_pkey primary key (book, first, transfer),
    constraint link_one_a_transfer unique (book, transfer)
);

-- What a caller wants to find a transfer by. The primary key is the index such a question reads, so a pair
-- costs one row and one index entry, and a transfer without pairs costs nothing.
create table ledger.metadata (
    batch bigint not null,
    transfer uuid not null,
    book int not null,
    name text not null,
    value text not null,
    constraint metadata_pkey primary key (book, name, value, transfer),
    constraint metadata_once unique (book, transfer, name),
    constraint metadata_words check (name ~ '^[a-z0-9_.]{1,64}$' and octet_length(value) <= 256)
);

-- Postings that happened at another instant than they were recorded, once for each of their accounts. A
-- balance as of an instant is the newest chunk recorded before it, more or less the postings whose two
-- instants lie on different sides of it. `reach` is the number of bits of the distance between them in
-- seconds, negative where the world is ahead of the book: so what can lie across an instant is found in at
-- most 64 ranges of this key, each no longer than twice what it looks for.
create table ledger.restated (
    posting bigint not null,
    batch bigint not null,
    amount bigint not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    book int not null,
    account int not null,
    reach smallint not null,
    side "char" not null,
    constraint restated_pkey primary key (book, account, reach, effective_at, posting),
    constraint restated_side check (side in ('d', 'c')),
    constraint restated_amount check (amount > 0),
    constraint restated_apart check (
        effective_at <> recorded_at and reach <> 0 and (reach > 0) = (effective_at < recorded_at)
        and abs(extract(epoch from recorded_at - effective_at)) < power(2::numeric, abs(reach))
    )
);

-- What an account may do beyond what its kind says, all of it, as of a batch that says nothing else: `floor`
-- instead of the kind's (a credit limit is a floor below zero), and `limits`, how many rows of `velocity`
-- come with it. The newest row is in force.
create table ledger.account_limit (
    batch bigint not null,
    floor bigint,
    book int not null,
    account int not null,
    limits smallint not null,
    constraint account_limit_pkey primary key (book, batch),
    constraint account_limit_newest unique (book, account, batch),
    constraint account_limit_shape check (limits >= 0)
);

-- A limit over time: what may be debited or credited in a calendar period (UTC), gross, or net of what went
-- the other way. What is held counts as moved from the moment it is held until it is freed.
create table ledger.velocity (
    batch bigint not null,
    amount bigint not null,
    book int not null,
    account int not null,
    place smallint not null,
    side "char" not null,
    measure text not null,
    period text not null,
    constraint velocity_pkey primary key (book, account, batch, place),
    constraint velocity_words check (
        side in ('d', 'c') and measure in ('gross', 'net') and period in ('day', 'week', 'month')
        and amount >= 0 and place > 0
    )
);

-- A closed period: nothing that happened before `closed_before` is posted after this batch.
create table ledger.close (
    batch bigint not null,
    closed_before timestamptz not null,
    book int not null,
    constraint close_pkey primary key (book, batch),
    constraint close_grows unique (book, closed_before)
);

-- What the database refuses by itself.
--
-- A refusal bears the name of the rule it enforces in the field in which Postgres puts the names of
-- constraints, so that a caller reads all refusals alike.

create function ledger.refuse(rule text, culprit text) returns void language plpgsql as $$
begin
    raise exception using
        errcode = 'check_violation', schema = 'ledger', constraint = rule,
        message = format('%s: %s', rule, culprit);
end
$$;

-- 1. The past does not change. One trigger a statement, so that it costs nothing where nothing is tried, and
-- `always`, so that no setting of a session switches it off.

create function ledger.append_only() returns trigger language plpgsql as $$
begin
    perform ledger.refuse('append_only', format('%s on ledger.%s', lower(tg_op), tg_table_name));
    return null;
end
$$;

do $$
declare
    journal text;
begin
    foreach journal in array array[
        'asset', 'event', 'book', 'batch', 'account', 'posting', 'chunk', 'hold', 'reversal', 'external',
        'link', 'metadata', 'restated', 'account_limit', 'velocity', 'close'
    ] loop
        execute format('create trigger append_only before update or delete or truncate on ledger.%I
                        for each statement execute function ledger.append_only()', journal);
        execute format('alter table ledger.%I enable always trigger append_only', journal);
        execute format('revoke delete, truncate on ledger.%I from amana_owner', journal);
    end loop;
end
$$;

-- What is rarely asked stands in an `if` of its own, inside another: a condition that holds a query is
-- prepared as one even where its first half is false, which takes as long as asking. And what is looked up is
-- looked up by all columns of its key, given as values: a join would let the planner, for whom a young table
-- is as good as empty, walk a whole index instead.

-- 2. What belongs to a batch is written by the transaction that writes the batch: the batch first, then all
-- its postings in one statement and all its chunks in one. The rows of one statement are seen together
-- (`fresh`), so each of these runs once a batch and not once a row.
--
-- To compare each account's postings with its chunk one would sort all of them by account: half as much work
-- again as posting them. Instead every account's four totals have *weights*, numbers without a pattern; the
-- batch declares the weighted sum of all it moves (`sketch`, modulo the prime 2^31 - 1), and postings and
-- chunks must both come to it. Totals that are wrong anywhere come to another sum, but for one chance in five
-- hundred million; the audit adds up each account without chance.
--
-- The weight is the hash by which Postgres spreads rows over partitions, which it therefore never changes; 29
-- bits of it, so that four products fit into 63.

create function ledger.weight(account int, place int) returns bigint language sql immutable parallel safe
    return hashint4extended(account, place) & 536870911;

-- The batch of this transaction that rows say they belong to.
create function ledger.in_batch() returns trigger language plpgsql as $$
declare
    stray text;
begin
    select format('ledger.%s of batch %s of book %s', tg_table_name, s.batch, s.book) into stray
    from (select distinct book, batch from fresh) s
    left join lateral (
        select no from ledger.batch
        where book = s.book and no = s.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    where b.no is null
    limit 1;
    if stray is not null then
        perform ledger.refuse('in_batch', stray);
    end if;
    return null;
end
$$;

-- The postings of a batch have exactly its numbers, make up its transfers, and come to its sketch; none of
-- them happened in a closed period.
create function ledger.postings_number() returns trigger language plpgsql as $$
declare
    s record;
    b record;
begin
    select count(*) as n, min(no) as low, max(no) as high, min(book) as book, max(book) as last_book,
        min(batch) as batch, max(batch) as last_batch, min(effective_at) as oldest,
        count(*) filter (where leg = 0) as transfers,
        count(*) filter (where phase <> 'p' and leg = 0) as holds,
        sum(amount % 2147483647 * case phase
            when 'p' then ledger.weight(debit, 0) + ledger.weight(credit, 1)
            when 'h' then ledger.weight(debit, 2) + ledger.weight(credit, 3)
            when 's' then ledger.weight(debit, 0) + ledger.weight(credit, 1)
                - ledger.weight(debit, 2) - ledger.weight(credit, 3)
            else - ledger.weight(debit, 2) - ledger.weight(credit, 3)
        end) as sketch
    into s
    from fresh;
    if s.n = 0 then
        return null;
    end if;
    select first_posting, postings, transfers, holds, sketch into b
    from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
    if not found or s.book <> s.last_book or s.batch <> s.last_batch or s.n <> b.postings
        or s.low <> b.first_posting or s.high <> b.first_posting + b.postings - 1
        or s.transfers <> b.transfers or s.holds <> b.holds
    then
        perform ledger.refuse('postings_number', format('postings of batch %s of book %s', s.batch, s.book));
    elsif (s.sketch % 2147483647 + 2147483647) % 2147483647 <> b.sketch then
        perform ledger.refuse('postings_sketch', format('postings of batch %s of book %s', s.batch, s.book));
    elsif s.oldest is not null then
        if exists (select from ledger.close where book = s.book and closed_before > s.oldest) then
            perform ledger.refuse('period_closed', format('batch %s of book %s', s.batch, s.book));
        end if;
    end if;
    return null;
end
$$;

-- What a chunk's account moved on a side since it stood at some totals, what is pending included; net of what
-- came the other way, or gross.
create function ledger.moved(c ledger.chunk, side "char", measure text, debits bigint, credits bigint)
    returns numeric language sql immutable parallel safe
    return case side
        when 'd' then c.debits_posted::numeric + c.debits_pending - debits
            - case measure when 'net' then c.credits_posted - credits else 0 end
        else c.credits_posted::numeric + c.credits_pending - credits
            - case measure when 'net' then c.debits_posted - debits else 0 end
    end;

-- Whether an account keeps its limits over time in a batch: what it moved in a period, counted from what was
-- posted when the period began, is within the limit, or at least no more than it was before the batch. (What
-- was held in the last period counts in this one too, so that an account may begin one beyond its limit.)
create function ledger.within_limits(c ledger.chunk) returns boolean language plpgsql stable as $$
declare
    v record;
    before ledger.chunk;
    begun record;
    debits bigint;
    credits bigint;
begin
    select * into before from ledger.chunk o
    where o.book = c.book and o.account = c.account and o.batch < c.batch order by o.batch desc limit 1;
    for v in
        select w.side, w.measure, w.amount,
            date_trunc(w.period, b.recorded_at at time zone 'UTC') at time zone 'UTC' as start
        from ledger.velocity w
        join ledger.batch b on b.book = c.book and b.no = c.batch
        where w.book = c.book and w.account = c.account and w.batch = (
            select max(batch) from ledger.account_limit
            where book = c.book and account = c.account and batch <= c.batch
        )
    loop
        select o.debits_posted as debits, o.credits_posted as credits into begun
        from ledger.chunk o
        where o.book = c.book and o.account = c.account and o.batch <= (
            select no from ledger.batch where book = c.book and recorded_at < v.start
            order by recorded_at desc, no desc limit 1
        )
        order by o.batch desc limit 1;
        debits := coalesce(begun.debits, 0);
        credits := coalesce(begun.credits, 0);
        if ledger.moved(c, v.side, v.measure, debits, credits)
            > greatest(v.amount, coalesce(ledger.moved(before, v.side, v.measure, debits, credits), 0))
        then
            return false;
        end if;
    end loop;
    return true;
end
$$;

-- The chunks of a batch are its accounts' totals before it and what its postings add to them (the sketch),
-- each on its account's side, under the floor and limits in force, and within them.
create function ledger.chunks_add_up() returns trigger language plpgsql as $$
declare
    s record;
    b record;
begin
    select count(*) as n, min(c.book) as book, max(c.book) as last_book, min(c.batch) as batch,
        max(c.batch) as last_batch, sum(cardinality(c.posting_nos)) as legs, max(c.limits) as limits,
        bool_or(c.prev <> coalesce(o.batch, 0)) as torn,
        bool_or(o.batch is null or c.limits <> o.limits or c.side <> o.side
            or c.floor is distinct from o.floor) as fresh,
        sum((c.debits_posted - coalesce(o.debits_posted, 0)) % 2147483647 * ledger.weight(c.account, 0)
            + (c.credits_posted - coalesce(o.credits_posted, 0)) % 2147483647 * ledger.weight(c.account, 1)
            + (c.debits_pending - coalesce(o.debits_pending, 0)) % 2147483647 * ledger.weight(c.account, 2)
            + (c.credits_pending - coalesce(o.credits_pending, 0)) % 2147483647
                * ledger.weight(c.account, 3)) as sketch
    into s
    from fresh c
    left join lateral (
        select batch, debits_posted, credits_posted, debits_pending, credits_pending, floor, limits, side
        from ledger.chunk
        where book = c.book and account = c.account and batch >= c.prev and batch < c.batch
        order by batch desc limit 1
    ) o on true;
    if s.n = 0 then
        return null;
    end if;
    select chunks, postings, sketch into b
    from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
    if not found then
        perform ledger.refuse('in_batch', format('chunks of batch %s of book %s', s.batch, s.book));
    elsif s.torn or s.book <> s.last_book or s.batch <> s.last_batch or s.n <> b.chunks
        or s.legs <> b.postings * 2
        or (s.sketch % 2147483647 + 2147483647) % 2147483647 <> b.sketch
    then
        perform ledger.refuse('chunks_add_up', format('chunks of batch %s of book %s', s.batch, s.book));
    elsif s.limits > 0 then
        if exists (select from fresh c where c.limits > 0 and not ledger.within_limits(c)) then
            perform ledger.refuse('limit_exceeded', format('batch %s of book %s', s.batch, s.book));
        end if;
    end if;

    -- An account's first chunk, and one whose limits change, stand as its kind and its limit say.
    if s.fresh then
        if exists (
            select from fresh c
            left join lateral (
                select account, floor, limits, side from ledger.chunk
                where book = c.book and account = c.account and batch = c.prev limit 1
            ) o on true
            where (o.account is null or c.limits <> o.limits or c.side <> o.side
                or c.floor is distinct from o.floor)
                and not exists (
                    select from ledger.account a
                    join ledger.kind k on k.kind = a.kind
                    left join ledger.account_limit l on l.book = c.book and l.batch = c.batch
                        and l.account = c.account
                    where a.book = c.book and a.account = c.account and c.side = k.side
                        and (o.account is null or l.account is not null)
                        and c.limits = coalesce(l.limits, 0)
                        and c.floor is not distinct from coalesce(l.floor, k.floor)
                )
        ) then
            perform ledger.refuse('chunks_add_up', format('chunks of batch %s of book %s', s.batch, s.book));
        end if;
    end if;
    return null;
end
$$;

-- The accounts a batch opens follow those that exist without a gap, each of the narrowest kind that fits its
-- path.
create function ledger.accounts_number() returns trigger language plpgsql as $$
declare
    s record;
begin
    select f.book, f.batch, b.no is null as stray, f.strange or b.accounts <> f.high
            or f.low <> f.high - f.n + 1 or f.low <> coalesce(p.accounts, 0) + 1 as strange
    into s
    from (
        select a.book, a.batch, count(*) as n, min(a.account) as low, max(a.account) as high,
            bool_or(a.kind is distinct from (
                select k.kind from ledger.kind k
                where a.path = k.kind or starts_with(a.path, k.kind || ':')
                order by length(k.kind) desc limit 1
            )) as strange
        from fresh a
        group by a.book, a.batch
    ) f
    left join lateral (
        select * from ledger.batch
        where book = f.book and no = f.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    left join lateral (
        select accounts from ledger.batch where book = f.book and no = f.batch - 1 limit 1
    ) p on true
    order by stray desc, strange desc
    limit 1;
    if s.stray then
        perform ledger.refuse('in_batch', format('accounts of batch %s of book %s', s.batch, s.book));
    elsif s.strange then
        perform ledger.refuse('accounts_number', format('accounts of batch %s of book %s', s.batch, s.book));
    end if;
    return null;
end
$$;

-- A step of a hold is what its transfer's postings say, between the two accounts of the hold and under its
-- expiry.
create function ledger.holds_agree() returns trigger language plpgsql as $$
declare
    stray text;
begin
    select format('hold %s of book %s', h.hold, h.book) into stray
    from fresh h
    left join lateral (
        select no from ledger.batch
        where book = h.book and no = h.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    left join lateral (
        select * from ledger.hold where book = h.book and hold = h.hold and remaining = h.was limit 1
    ) o on true
    left join lateral (
        select coalesce(sum(amount) filter (where phase = 'h'), 0) as held,
            coalesce(sum(amount) filter (where phase = 's'), 0) as settled,
            coalesce(sum(amount) filter (where phase = 'v'), 0) as voided,
            bool_and(debit = h.debit and credit = h.credit and batch = h.batch)
                filter (where phase <> 'p') as same
        from ledger.posting where book = h.book and transfer = h.transfer
    ) p on true
    where b.no is null or not coalesce(p.same, false)
        or p.held <> case when h.was is null then h.remaining else 0 end
        or p.settled <> h.settled or p.voided <> h.voided
        or h.was is not null and (
            o.hold is null or o.debit <> h.debit or o.credit <> h.credit
            or o.expires_at is distinct from h.expires_at
        )
    limit 1;
    if stray is not null then
        perform ledger.refuse('holds_agree', stray);
    end if;
    return null;
end
$$;

-- A reversal posts what its original posted, turned round; the original exists, and no reversal is reversed.
create function ledger.reversals_mirror() returns trigger language plpgsql as $$
declare
    stray text;
begin
    select format('reversal %s of book %s', r.transfer, r.book) into stray
    from fresh r
    left join lateral (
        select no from ledger.batch
        where book = r.book and no = r.batch and xact = pg_current_xact_id() limit 1
    ) b on true
    cross join lateral (
        select array_agg(row(debit, credit, amount) order by debit, credit, amount)
            filter (where phase = 'p') as posted,
            bool_and(batch = r.batch) as same
        from ledger.posting where book = r.book and transfer = r.transfer
    ) mine
    cross join lateral (
        select array_agg(row(credit, debit, amount) order by credit, debit, amount)
            filter (where phase in ('p', 's')) as posted
        from ledger.posting where book = r.book and transfer = r.reverses
    ) theirs
    where b.no is null or not coalesce(mine.same, false)
        or theirs.posted is null or mine.posted is distinct from theirs.posted
        or exists (select from ledger.reversal x where x.book = r.book and x.transfer = r.reverses)
    limit 1;
    if stray is not null then
        perform ledger.refuse('reversals_mirror', stray);
    end if;
    return null;
end
$$;

do $$
declare
    pair text[];
begin
    foreach pair slice 1 in array array[
        ['posting', 'postings_number'], ['chunk', 'chunks_add_up'],
        ['hold', 'holds_agree'], ['reversal', 'reversals_mirror'],
        ['account', 'accounts_number'], ['external', 'in_batch'], ['restated', 'in_batch'],
        ['link', 'in_batch'], ['metadata', 'in_batch'], ['account_limit', 'in_batch'],
        ['velocity', 'in_batch'],
        ['close', 'in_batch']
    ] loop
        execute format('create trigger %2$I after insert on ledger.%1$I referencing new table as fresh
                        for each statement execute function ledger.%2$I()', pair[1], pair[2]);
        execute format('alter table ledger.%1$I enable always trigger %2$I', pair[1], pair[2]);
    end loop;
end
$$;

-- 3. At commit, once for each batch: it continues its predecessor without a gap, and it is whole. A batch
-- alone, or one whose chunks or holds never came, ends here.

create function ledger.batch_is_whole() returns trigger language plpgsql as $$
declare
    p record;
    limited int;
begin
    -- One question for all that most batches have to be asked. One posting and one chunk there mean that all
    -- are there: each came in one statement, and was counted.
    select o.no, o.first_posting + o.postings as next_posting, o.accounts, o.root, o.recorded_at, (
        select account from ledger.chunk where book = new.book and batch = new.no and account = (
            select debit from ledger.posting where book = new.book and no = new.first_posting
        )
    ) as touched into p
    from (select) as one left join ledger.batch o on o.book = new.book and o.no = new.no - 1;
    if p.no is null then
        if new.no <> 1 then
            perform ledger.refuse('batch_continues',
                format('batch %s of book %s has no predecessor', new.no, new.book));
        end if;
        p.next_posting := 1;
        p.accounts := 0;
        p.root := decode(repeat('00', 32), 'hex');
        p.recorded_at := '-infinity';
        if not exists (select from ledger.book where book = new.book) then
            perform ledger.refuse('batch_book', format('book %s does not exist', new.book));
        end if;
    end if;
    if new.first_posting <> p.next_posting or new.prev <> p.root or new.recorded_at < p.recorded_at then
        perform ledger.refuse('batch_continues', format('batch %s of book %s', new.no, new.book));
    end if;

    if new.postings = 0 then
        -- It sets one account's limits, or closes a period that is over and reaches further than the last.
        select account into limited from ledger.account_limit l
        where book = new.book and batch = new.no and limits = (
            select count(*) from ledger.velocity
            where book = l.book and account = l.account and batch = l.batch
        );
        if limited is null and not exists (
            select from ledger.close c where book = new.book and batch = new.no
                and closed_before <= new.recorded_at and not exists (
                    select from ledger.close where book = new.book and closed_before > c.closed_before
                )
        ) or new.chunks <> (limited is not null)::int then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
        if limited is not null and not exists (
            select from ledger.chunk where book = new.book and account = limited and batch = new.no
        ) then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
    elsif p.touched is null then
        perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
    elsif new.holds > 0 then
        if new.holds <> (
            select count(h.hold) from generate_series(0, new.postings - 1) as at
            cross join lateral (
                select transfer from ledger.posting
                where book = new.book and no = new.first_posting + at and leg = 0 and phase <> 'p' limit 1
            ) g
            cross join lateral (
                select hold from ledger.hold where book = new.book and transfer = g.transfer limit 1
            ) h
        ) then
            perform ledger.refuse('batch_is_whole', format('batch %s of book %s', new.no, new.book));
        end if;
    end if;

    if new.accounts <> p.accounts then
        if new.accounts < p.accounts or not exists (
            select from ledger.account where book = new.book and account = new.accounts and batch = new.no
        ) then
            perform ledger.refuse('accounts_number',
                format('accounts of batch %s of book %s', new.no, new.book));
        end if;
    end if;
    return null;
end
$$;

create constraint trigger batch_is_whole after insert on ledger.batch
    deferrable initially deferred for each row execute function ledger.batch_is_whole();
alter table ledger.batch enable always trigger batch_is_whole;

-- How these checks are planned: never by reading a whole table, whatever the statistics of a young or a
-- quickly growing book say; and those with parameters once a session, not once a batch.
--
-- They name every table by its schema and call nothing that is not Postgres's own or the owner's; nobody but
-- the owner may make functions or operators here, so no search path leads them astray.

do $$
declare
    rule text;
begin
    foreach rule in array array[
        'in_batch()', 'accounts_number()', 'postings_number()', 'chunks_add_up()',
        'within_limits(ledger.chunk)', 'holds_agree()', 'reversals_mirror()', 'batch_is_whole()'
    ] loop
        execute format('alter function ledger.%s set enable_seqscan = off', rule);
    end loop;
    foreach rule in array array[
        'postings_number()', 'chunks_add_up()', 'within_limits(ledger.chunk)', 'batch_is_whole()'
    ] loop
        execute format('alter function ledger.%s set plan_cache_mode = force_generic_plan', rule);
    end loop;
end
$$;

-- What an auditor reads: every posting with its names.
create view ledger.journal as
select k.name as book, p.no, p.batch, p.transfer, p.leg, e.word as event, d.path as debit, c.path as credit,
    p.amount, k.asset,
    case p.phase when 'p' then 'post' when 'h' then 'hold' when 's' then 'settle' else 'void' end as phase,
    coalesce(p.effective_at, b.recorded_at) as effective_at, b.recorded_at,
    case when p.leg = 0 then coalesce(p.key, p.transfer::text) end as key
from ledger.posting p
join ledger.book k on k.book = p.book
join ledger.batch b on b.book = p.book and b.no = p.batch
join ledger.event e on e.event = p.event
join ledger.account d on d.book = p.book and d.account = p.debit
join ledger.account c on c.book = p.book and c.account = p.credit;

-- Who may touch it. Nobody may update, delete or truncate; the gateway alone may append. Vendors and
-- retailers have no way in.

revoke all on function ledger.refuse(text, text) from public;
grant execute on function ledger.refuse(text, text) to amana_app;
grant usage on schema ledger to amana_app, amana_reader;
grant select on all tables in schema ledger to amana_app, amana_reader;
grant insert (no, first_posting, accounts, sketch, recorded_at, book, postings, transfers, chunks, holds,
    block, prev, root) on ledger.batch to amana_app;
grant insert (name, asset, opened_at) on ledger.book to amana_app;
grant insert on ledger.account, ledger.posting, ledger.chunk, ledger.hold, ledger.reversal, ledger.external,
    ledger.link, ledger.metadata, ledger.restated, ledger.account_limit, ledger.velocity, ledger.close
    to amana_app;

reset role;
