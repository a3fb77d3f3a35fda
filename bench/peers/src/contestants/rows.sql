-- The usual way, in the manner of pgledger: balances in rows, locked and updated by a function, with the
-- history of each account beside. The shape is its model's: texts for ids, minted by the database, `numeric`
-- for money, a time of the event with an index, metadata, accounts locked one after the other in order.
create schema bench;

-- Ordered by time as far as microseconds go, and told apart by chance.
create function bench.mint(prefix text) returns text language sql volatile
    return prefix || '_' || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000000)::bigint), 14, '0')
        || right(gen_random_uuid()::text, 12);

create table bench.account (
    id text primary key default bench.mint('account'),
    currency text not null,
    balance numeric not null default 0,
    version bigint not null default 0,
    may_be_negative boolean not null,
    may_be_positive boolean not null,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table bench.transfer (
    id text primary key default bench.mint('transfer'),
    debit text not null references bench.account,
    credit text not null references bench.account,
    amount numeric not null,
    created_at timestamptz not null,
    event_at timestamptz not null,
    metadata jsonb,
    check (amount > 0 and debit <> credit)
);
create index on bench.transfer (debit);
create index on bench.transfer (credit);
create index on bench.transfer (event_at);

create table bench.line (
    id text primary key default bench.mint('line'),
    account text not null references bench.account,
    transfer text not null references bench.transfer,
    amount numeric not null,
    balance_before numeric not null,
    balance_after numeric not null,
    version bigint not null,
    created_at timestamptz not null
);
create index on bench.line (account);
create index on bench.line (transfer);

create type bench.wish as (debit text, credit text, amount numeric);

create function bench.bears(a bench.account) returns void language plpgsql as $$
begin
    if not a.may_be_negative and a.balance < 0 or not a.may_be_positive and a.balance > 0 then
        raise exception 'account % may not stand at %', a.id, a.balance;
    end if;
end
$$;

create function bench.post(wishes bench.wish[], event_at timestamptz, metadata jsonb)
    returns setof bench.transfer language plpgsql as $$
declare
    wish bench.wish;
    giving bench.account;
    taking bench.account;
    made bench.transfer;
    touched text;
begin
    for touched in
        select distinct a from unnest(wishes) w cross join lateral (values (w.debit), (w.credit)) as s (a)
        order by a
    loop
        perform from bench.account where id = touched for update;
    end loop;
    foreach wish in array wishes loop
        if wish.amount <= 0 or wish.debit = wish.credit then
            raise exception 'nothing moves from % to %', wish.debit, wish.credit;
        end if;
        update bench.account set balance = balance - wish.amount, version = version + 1, updated_at = now()
            where id = wish.debit returning * into giving;
        perform bench.bears(giving);
        update bench.account set balance = balance + wish.amount, version = version + 1, updated_at = now()
            where id = wish.credit returning * into taking;
        perform bench.bears(taking);
        if giving.currency <> taking.currency then
            raise exception 'accounts % and % differ in currency', wish.debit, wish.credit;
        end if;
        insert into bench.transfer (debit, credit, amount, created_at, event_at, metadata)
            values (wish.debit, wish.credit, wish.amount, now(), coalesce(post.event_at, now()),
                post.metadata)
            returning * into made;
        insert into bench.line (account, transfer, amount, balance_before, balance_after, version, created_at)
            values (wish.debit, made.id, -wish.amount, giving.balance + wish.amount, giving.balance,
                giving.version, now());
        insert into bench.line (account, transfer, amount, balance_before, balance_after, version, created_at)
            values (wish.credit, made.id, wish.amount, taking.balance - wish.amount, taking.balance,
                taking.version, now());
        return next made;
    end loop;
end
$$;

-- One transfer.
create function bench.post_one(debit text, credit text, amount numeric) returns setof bench.transfer
language sql
begin atomic
    select * from bench.post(array[row(debit, credit, amount)::bench.wish], null, null);
end;
