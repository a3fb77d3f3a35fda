-- The ledger: what moved, between which accounts, and what stands there since.
--
-- A *posting* is one amount, debited to one account and credited to another: a row holds both accounts and
-- one positive amount, so nothing unbalanced can be written down. A *transfer* is the postings that land
-- together. A *book* is the accounts of one legal entity in one asset. Transfers are written in *batches*,
-- numbered without gaps within a book; the number is the fence: of two writers that both believe to be next,
-- the primary key lets one through.
--
-- Balances are not kept in rows that are updated. Each batch appends one *chunk* for each account it touched,
-- with the account's totals after it and the numbers of the postings that led there. A balance is the
-- account's newest chunk; the balance after any batch is the chunk of that batch. Appending is cheaper than
-- updating, and nothing is ever overwritten.
--
-- The tables of the journal are append-only for every role, their owner included. Nothing here decides
-- business: Rust executes (crate amana-ledger), and the checks below refuse what does not add up, whoever
-- tries to write it. The names of constraints are the vocabulary between this file and `ledger/src/store`.
--
-- Every key begins with the book, and no foreign key crosses books, so that books can be spread over
-- machines.

create schema ledger authorization amana_owner;
set local role amana_owner;

-- What can be counted, and the kinds of account there may be. Small reference tables; the enums `Asset` and
-- `Kind` of the crate hold the same words, which a test compares.

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
    side text not null constraint kind_side
        check (side = case when class in ('asset', 'expense') then 'debit' else 'credit' end),
    floor bigint
);

insert into ledger.kind values
    ('float:mpesa',    'asset',     'debit',  0),
    ('float',          'asset',     'debit',  0),
    ('clearing:float', 'asset',     'debit',  0),
    ('clearing:mint',  'asset',     'debit',  0),
    ('clearing:burn',  'liability', 'credit', 0),
    ('onchain:issued', 'liability', 'credit', 0),
    ('onchain:supply', 'asset',     'debit',  0),
    ('suspense:mpesa', 'liability', 'credit', 0),
    ('employer',       'liability', 'credit', 0),
    ('escrow',         'liability', 'credit', 0),
    ('employee',       'liability', 'credit', 0),
    ('equity:capital', 'equity',    'credit', null),
    ('income:fee',     'income',    'credit', null),
    ('expense:tariff', 'expense',   'debit',  null);

-- A book says its asset in its name too, so that no statement can be about the wrong one by looking at the
-- wrong row.
create table ledger.book (
    book text constraint book_pkey primary key,
    asset text not null constraint book_asset references ledger.asset,
    opened_at timestamptz not null,
    constraint book_name check (book ~ '^[a-z0-9_]{1,32}:[A-Z]{3}$' and split_part(book, ':', 2) = asset)
);

-- A batch: `first_posting` and `postings` say which numbers are its own, `accounts` how many accounts the
-- book has after it. `root` is the hash of its contents and of `prev`, its predecessor's root: the chain of
-- batches is sealed. `xact` is the transaction that wrote it, stamped by the database; what belongs to a
-- batch can be written only there.
create table ledger.batch (
    book text not null,
    no bigint not null,
    first_posting bigint not null,
    postings bigint not null,
    transfers bigint not null,
    accounts bigint not null,
    root bytea not null,
    prev bytea not null,
    recorded_at timestamptz not null,
    xact xid8 not null,
    constraint batch_pkey primary key (book, no),
    constraint batch_shape check (
        no > 0 and first_posting > 0 and postings > 0 and transfers > 0 and transfers <= postings
        and accounts > 1 and length(root) = 32 and length(prev) = 32
    )
);

-- Batches in order of time, for questions as of a time. `recorded_at` never goes back within a book.
create index batch_recorded_at on ledger.batch (book, recorded_at, no);

-- An account of a book. It is opened by the first batch that touches it, and numbered without gaps. Its path
-- is its kind, and whatever tells it from others of the kind behind a colon.
create table ledger.account (
    book text not null,
    account bigint not null,
    path text not null,
    kind text not null,
    batch bigint not null,
    constraint account_pkey primary key (book, account),
    constraint account_path unique (book, path),
    constraint account_path_of_kind check (path = kind or starts_with(path, kind || ':'))
);

-- A transfer: its postings are `first_posting` and the `postings - 1` after it. `key` is the caller's
-- idempotency key and `fingerprint` the hash of what was asked under it. `effective_at` is when it happened
-- in the world; when the book heard of it is the batch's `recorded_at`. Ids are ordered by time, which keeps
-- their index's newest leaf hot.
create table ledger.transfer (
    book text not null,
    id uuid not null,
    batch bigint not null,
    event text not null,
    key text not null,
    fingerprint bytea not null,
    effective_at timestamptz not null,
    first_posting bigint not null,
    postings bigint not null,
    constraint transfer_pkey primary key (book, id),
    constraint transfer_key unique (book, key),
    constraint transfer_shape check (
        length(fingerprint) = 32 and length(key) between 1 and 200 and postings > 0
    )
);

-- A posting. `phase` says which of an account's totals it moves:
--   post    posted += amount
--   hold    pending += amount
--   settle  pending -= amount, posted += amount
--   void    pending -= amount
-- There is no foreign key to account, batch or transfer: the checks at the end of this file prove once a
-- batch what foreign keys would prove at every row, at almost half the speed.
create table ledger.posting (
    book text not null,
    no bigint not null,
    batch bigint not null,
    transfer uuid not null,
    debit bigint not null,
    credit bigint not null,
    amount bigint not null,
    phase text not null,
    constraint posting_pkey primary key (book, no),
    constraint posting_amount check (amount > 0),
    constraint posting_two_accounts check (debit <> credit),
    constraint posting_phase check (phase in ('post', 'hold', 'settle', 'void'))
);

-- The totals of an account after a batch that touched it, `lowest` what was available at the lowest moment
-- within the batch, and the numbers of its postings in the batch. Side and floor are the kind's (checked
-- below), repeated here so that the floor is a plain check on the row: what is posted, less what is held
-- against it, may not be below the floor. Money held *for* an account does not count before it is settled.
create table ledger.chunk (
    book text not null,
    account bigint not null,
    batch bigint not null,
    debits_posted bigint not null,
    credits_posted bigint not null,
    debits_pending bigint not null,
    credits_pending bigint not null,
    lowest bigint not null,
    floor bigint,
    side text not null,
    posting_nos bigint[] not null,
    constraint chunk_pkey primary key (book, account, batch),
    constraint chunk_totals check (
        debits_posted >= 0 and credits_posted >= 0 and debits_pending >= 0 and credits_pending >= 0
    ),
    constraint chunk_floor check (
        floor is null
        or lowest >= floor
        and case side
            when 'debit' then debits_posted - credits_posted - credits_pending
            else credits_posted - debits_posted - debits_pending
        end >= floor
    ),
    constraint chunk_lowest check (
        lowest <= case side
            when 'debit' then debits_posted - credits_posted - credits_pending
            else credits_posted - debits_posted - debits_pending
        end
    )
);

-- A hold is a chain of rows that only shrinks. The first has `was` null and `remaining` all that is held; it
-- bears the id of the transfer that opened it. Each later one takes its predecessor's `remaining` as its
-- `was`, posts some (`settled`), frees some (`voided`), and leaves the rest. Because what remains shrinks, it
-- names the state: `hold_once` lets a state be continued once, `hold_continues` lets only a state that exists
-- be continued, and `hold_open` lets none continue that has nothing left. So settling twice, or settling what
-- was voided, cannot be written down.
create table ledger.hold (
    book text not null,
    hold uuid not null,
    transfer uuid not null,
    batch bigint not null,
    debit bigint not null,
    credit bigint not null,
    was bigint,
    settled bigint not null,
    voided bigint not null,
    remaining bigint not null,
    verb text not null,
    expires_at timestamptz,
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
    book text not null,
    transfer uuid not null,
    reverses uuid not null,
    batch bigint not null,
    constraint reversal_once primary key (book, reverses),
    constraint reversal_one_a_transfer unique (book, transfer),
    constraint reversal_of_another check (transfer <> reverses),
    constraint reversal_exists foreign key (book, reverses) references ledger.transfer (book, id)
);

-- A fact outside, under the name its provider gave it, and the transfer that counted it: one receipt is
-- counted once, whichever door it came through.
create table ledger.external (
    book text not null,
    provider text not null,
    account text not null,
    id text not null,
    transfer uuid not null,
    batch bigint not null,
    constraint external_once primary key (book, provider, account, id),
    constraint external_one_a_transfer unique (book, transfer)
);

-- Postings whose effective day is not the day they were recorded, once for each of their accounts. A balance
-- as of a day is the newest chunk recorded by its end, more or less these.
create table ledger.restated (
    book text not null,
    account bigint not null,
    posting bigint not null,
    batch bigint not null,
    side text not null,
    amount bigint not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint restated_pkey primary key (book, account, posting),
    constraint restated_side check (side in ('debit', 'credit')),
    constraint restated_amount check (amount > 0)
);

-- What the database refuses by itself.
--
-- A refusal bears the name of the rule it enforces in the field in which Postgres puts the names of
-- constraints, so that a caller reads all refusals alike.

create function ledger.refuse(rule text, culprit text) returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    raise exception using
        errcode = 'check_violation', schema = 'ledger', constraint = rule,
        message = format('%s: %s', rule, culprit);
end
$$;

-- 1. The past does not change. One trigger a statement, so that it costs nothing where nothing is tried, and
-- `always`, so that no setting of a session switches it off.

create function ledger.append_only() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
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
        'asset', 'book', 'batch', 'account', 'transfer', 'posting', 'chunk', 'hold', 'reversal', 'external',
        'restated'
    ] loop
        execute format('create trigger append_only before update or delete or truncate on ledger.%I
                        for each statement execute function ledger.append_only()', journal);
        execute format('alter table ledger.%I enable always trigger append_only', journal);
        execute format('revoke delete, truncate on ledger.%I from amana_owner', journal);
    end loop;
end
$$;

-- 2. What belongs to a batch is written by the transaction that writes the batch, all postings of it in one
-- statement, all chunks in one, all transfers in one. So once the first is there, all are, and what comes
-- later is refused: nothing can be slipped in. The rows of one statement are seen together (`fresh`), so each
-- of these runs once a batch and not once a row.

create function ledger.stamp_batch() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    new.xact := pg_current_xact_id();
    return new;
end
$$;

create trigger batch_stamp before insert on ledger.batch for each row execute function ledger.stamp_batch();

create function ledger.in_batch() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    s record;
begin
    for s in select distinct book, batch from fresh loop
        perform from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found then
            perform ledger.refuse('in_batch',
                format('ledger.%s of batch %s of %s', tg_table_name, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$$;

-- The postings of a batch have exactly its numbers.
create function ledger.postings_number() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    s record;
begin
    for s in
        select book, batch, count(*) as n, min(no) as low, max(no) as high from fresh group by book, batch
    loop
        perform from ledger.batch
        where book = s.book and no = s.batch and xact = pg_current_xact_id()
            and postings = s.n and first_posting = s.low and first_posting + postings - 1 = s.high;
        if not found then
            perform ledger.refuse('postings_number', format('postings of batch %s of %s', s.batch, s.book));
        end if;
    end loop;
    return null;
end
$$;

-- The transfers of a batch share its postings out among them, each a run of numbers.
create function ledger.transfers_share() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    s record;
    b record;
    stray uuid;
begin
    for s in select book, batch, count(*) as n from fresh group by book, batch loop
        select first_posting as low, first_posting + postings - 1 as high, transfers into b
        from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found or b.transfers <> s.n then
            perform ledger.refuse('transfers_share', format('transfers of batch %s of %s', s.batch, s.book));
        end if;
        select coalesce(t.id, p.transfer) into stray
        from (
            select transfer, count(*) as n, min(no) as low, max(no) as high
            from ledger.posting where book = s.book and no between b.low and b.high
            group by transfer
        ) p
        full join (select * from fresh where book = s.book and batch = s.batch) t on t.id = p.transfer
        where t.id is null or p.transfer is null
            or t.first_posting <> p.low or t.postings <> p.n or p.high <> p.low + p.n - 1
        limit 1;
        if found then
            perform ledger.refuse('transfers_share',
                format('transfer %s of batch %s of %s', stray, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$$;

-- The chunks of a batch are its accounts' totals before it, and what its postings add to them: one chunk for
-- each account touched and none for any other, side and floor as the account's kind has them.
create function ledger.chunks_add_up() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    s record;
    b record;
    stray bigint;
begin
    for s in select distinct book, batch from fresh loop
        select first_posting as low, first_posting + postings - 1 as high into b
        from ledger.batch where book = s.book and no = s.batch and xact = pg_current_xact_id();
        if not found then
            perform ledger.refuse('in_batch', format('ledger.chunk of batch %s of %s', s.batch, s.book));
        end if;
        select coalesce(c.account, m.account) into stray
        from (
            select account, array_agg(no order by no) as nos,
                sum(debits)::bigint as debits, sum(credits)::bigint as credits,
                sum(debits_held)::bigint as debits_held, sum(credits_held)::bigint as credits_held
            from (
                select debit as account, no,
                    case when phase in ('post', 'settle') then amount else 0 end as debits, 0 as credits,
                    case phase when 'post' then 0 when 'hold' then amount else -amount end as debits_held,
                    0 as credits_held
                from ledger.posting where book = s.book and no between b.low and b.high
                union all
                select credit, no, 0, case when phase in ('post', 'settle') then amount else 0 end,
                    0, case phase when 'post' then 0 when 'hold' then amount else -amount end
                from ledger.posting where book = s.book and no between b.low and b.high
            ) leg
            group by account
        ) m
        full join (select * from fresh where book = s.book and batch = s.batch) c on c.account = m.account
        left join lateral (
            select kind from ledger.account where book = s.book and account = c.account limit 1
        ) a on true
        left join ledger.kind k on k.kind = a.kind
        left join lateral (
            select * from ledger.chunk
            where book = s.book and account = c.account and batch < s.batch
            order by batch desc limit 1
        ) o on true
        where c.account is null or m.account is null or k.kind is null
            or c.posting_nos <> m.nos or c.side <> k.side or c.floor is distinct from k.floor
            or c.debits_posted <> coalesce(o.debits_posted, 0) + m.debits
            or c.credits_posted <> coalesce(o.credits_posted, 0) + m.credits
            or c.debits_pending <> coalesce(o.debits_pending, 0) + m.debits_held
            or c.credits_pending <> coalesce(o.credits_pending, 0) + m.credits_held
        limit 1;
        if found then
            perform ledger.refuse('chunks_add_up',
                format('account %s in batch %s of %s', stray, s.batch, s.book));
        end if;
    end loop;
    return null;
end
$$;

-- A step of a hold is what its transfer's postings say, between the two accounts of the hold and under its
-- expiry.
create function ledger.holds_agree() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    stray text;
begin
    select format('hold %s of %s', h.hold, h.book) into stray
    from fresh h
    left join ledger.batch b on b.book = h.book and b.no = h.batch and b.xact = pg_current_xact_id()
    left join ledger.transfer t on t.book = h.book and t.id = h.transfer and t.batch = h.batch
    left join ledger.hold o on o.book = h.book and o.hold = h.hold and o.remaining = h.was
    left join lateral (
        select coalesce(sum(amount) filter (where phase = 'hold'), 0) as held,
            coalesce(sum(amount) filter (where phase = 'settle'), 0) as settled,
            coalesce(sum(amount) filter (where phase = 'void'), 0) as voided,
            bool_and(debit = h.debit and credit = h.credit) filter (where phase <> 'post') as same
        from ledger.posting
        where book = h.book and no >= t.first_posting and no < t.first_posting + t.postings
    ) p on true
    where b.no is null or t.id is null or not coalesce(p.same, false)
        or p.held <> case when h.was is null then h.remaining else 0 end
        or p.settled <> h.settled or p.voided <> h.voided
        or h.was is not null and (
            o.hold is null or o.debit <> h.debit or o.credit <> h.credit
            or o.expires_at is distinct from h.expires_at
        )
    limit 1;
    if found then
        perform ledger.refuse('holds_agree', stray);
    end if;
    return null;
end
$$;

-- A reversal posts what its original posted, turned round, and no reversal is reversed.
create function ledger.reversals_mirror() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    stray text;
begin
    select format('reversal %s of %s', r.transfer, r.book) into stray
    from fresh r
    left join ledger.batch b on b.book = r.book and b.no = r.batch and b.xact = pg_current_xact_id()
    left join ledger.transfer t on t.book = r.book and t.id = r.transfer and t.batch = r.batch
    left join ledger.transfer o on o.book = r.book and o.id = r.reverses
    where b.no is null or t.id is null
        or exists (select from ledger.reversal x where x.book = r.book and x.transfer = r.reverses)
        or (
            select array_agg(row(debit, credit, amount) order by debit, credit, amount) from ledger.posting
            where book = r.book and no >= t.first_posting and no < t.first_posting + t.postings
                and phase = 'post'
        ) is distinct from (
            select array_agg(row(credit, debit, amount) order by credit, debit, amount) from ledger.posting
            where book = r.book and no >= o.first_posting and no < o.first_posting + o.postings
                and phase in ('post', 'settle')
        )
    limit 1;
    if found then
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
        ['posting', 'postings_number'], ['transfer', 'transfers_share'], ['chunk', 'chunks_add_up'],
        ['hold', 'holds_agree'], ['reversal', 'reversals_mirror'],
        ['account', 'in_batch'], ['external', 'in_batch'], ['restated', 'in_batch']
    ] loop
        execute format('create trigger %2$I after insert on ledger.%1$I referencing new table as fresh
                        for each statement execute function ledger.%2$I()', pair[1], pair[2]);
        execute format('alter table ledger.%1$I enable always trigger %2$I', pair[1], pair[2]);
    end loop;
end
$$;

-- 3. At commit, once for each batch: it continues its predecessor without a gap, and it is whole. A batch
-- alone, or one whose chunks or transfers never came, ends here.

create function ledger.batch_is_whole() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    p record;
    first record;
begin
    select no, first_posting + postings as next_posting, accounts, root, recorded_at into p
    from ledger.batch where book = new.book and no = new.no - 1;
    if not found then
        if new.no <> 1 then
            perform ledger.refuse('batch_continues',
                format('batch %s of %s has no predecessor', new.no, new.book));
        end if;
        select 0::bigint as no, 1::bigint as next_posting, 0::bigint as accounts,
            decode(repeat('00', 32), 'hex') as root, '-infinity'::timestamptz as recorded_at into p;
        if not exists (select from ledger.book where book = new.book) then
            perform ledger.refuse('batch_book', format('book %s does not exist', new.book));
        end if;
    end if;
    if new.first_posting <> p.next_posting or new.prev <> p.root or new.recorded_at < p.recorded_at then
        perform ledger.refuse('batch_continues', format('batch %s of %s', new.no, new.book));
    end if;

    select debit, transfer into first from ledger.posting where book = new.book and no = new.first_posting;
    if not found
        or not exists (
            select from ledger.chunk where book = new.book and account = first.debit and batch = new.no
        )
        or not exists (
            select from ledger.transfer where book = new.book and id = first.transfer and batch = new.no
        )
        or exists (
            select from ledger.posting g
            where g.book = new.book and g.no >= new.first_posting and g.no < new.first_posting + new.postings
                and g.phase <> 'post'
                and not exists (select from ledger.hold h where h.book = g.book and h.transfer = g.transfer)
        )
    then
        perform ledger.refuse('batch_is_whole', format('batch %s of %s', new.no, new.book));
    end if;

    -- The accounts opened here: numbered without a gap, each of the narrowest kind that fits its path.
    if new.accounts <> p.accounts + (
        select count(*) from ledger.account a join ledger.kind k on k.kind = a.kind
        where a.book = new.book and a.account > p.accounts and a.batch = new.no and a.account <= new.accounts
            and not exists (
                select from ledger.kind n
                where length(n.kind) > length(k.kind)
                    and (a.path = n.kind or starts_with(a.path, n.kind || ':'))
            )
    ) then
        perform ledger.refuse('accounts_number', format('accounts of batch %s of %s', new.no, new.book));
    end if;
    return null;
end
$$;

create constraint trigger batch_is_whole after insert on ledger.batch
    deferrable initially deferred for each row execute function ledger.batch_is_whole();
alter table ledger.batch enable always trigger batch_is_whole;
alter table ledger.batch enable always trigger batch_stamp;

-- How these checks are planned: once a session, not once a batch, and never by reading a whole table,
-- whatever the statistics of a young or a quickly growing book say. On a book of a million postings this is
-- the difference between one millisecond and a third of one for a batch of one. Each is too short to compile.

do $$
declare
    rule text;
begin
    foreach rule in array array[
        'in_batch', 'postings_number', 'transfers_share', 'chunks_add_up', 'holds_agree', 'reversals_mirror',
        'batch_is_whole'
    ] loop
        execute format('alter function ledger.%I() set plan_cache_mode = force_generic_plan', rule);
        execute format('alter function ledger.%I() set enable_seqscan = off', rule);
        execute format('alter function ledger.%I() set jit = off', rule);
    end loop;
end
$$;

-- Who may touch it. Nobody may update, delete or truncate; the gateway alone may append. Vendors and
-- retailers have no way in.

revoke all on function ledger.refuse(text, text) from public;
grant execute on function ledger.refuse(text, text) to amana_app;
grant usage on schema ledger to amana_app, amana_reader;
grant select on all tables in schema ledger to amana_app, amana_reader;
grant insert on ledger.book, ledger.batch, ledger.account, ledger.transfer, ledger.posting, ledger.chunk,
    ledger.hold, ledger.reversal, ledger.external, ledger.restated to amana_app;

reset role;
