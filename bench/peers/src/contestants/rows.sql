-- The usual way, in the manner of pgledger: balances in rows, locked and updated by a function, with the
-- history of each account beside. Kinder than its model where that is cheap: numbers and uuids instead of
-- texts, no metadata, and all locks of a call taken by one statement.
create schema bench;

create table bench.account (
    id bigint primary key,
    balance bigint not null default 0,
    version bigint not null default 0,
    may_be_negative boolean not null,
    updated_at timestamptz not null default now()
);

create table bench.transfer (
    id uuid primary key,
    debit bigint not null references bench.account,
    credit bigint not null references bench.account,
    amount bigint not null,
    created_at timestamptz not null,
    check (amount > 0 and debit <> credit)
);
create index on bench.transfer (debit);
create index on bench.transfer (credit);

create table bench.line (
    id bigint generated always as identity primary key,
    account bigint not null references bench.account,
    transfer uuid not null references bench.transfer,
    amount bigint not null,
    balance_before bigint not null,
    balance_after bigint not null,
    version bigint not null,
    created_at timestamptz not null
);
create index on bench.line (account);
create index on bench.line (transfer);

-- One transfer whose two accounts are locked already.
create function bench.move(id uuid, debited bigint, credited bigint, moved bigint) returns void
language plpgsql as $$
declare
    giving bench.account;
    taking bench.account;
begin
    update bench.account a set balance = balance - moved, version = version + 1, updated_at = now()
        where a.id = debited returning * into giving;
    if giving.balance < 0 and not giving.may_be_negative then
        raise exception 'account % may not be negative', debited;
    end if;
    update bench.account a set balance = balance + moved, version = version + 1, updated_at = now()
        where a.id = credited returning * into taking;
    insert into bench.transfer values (id, debited, credited, moved, now());
    insert into bench.line (account, transfer, amount, balance_before, balance_after, version, created_at)
        values (debited, id, -moved, giving.balance + moved, giving.balance, giving.version, now()),
               (credited, id, moved, taking.balance - moved, taking.balance, taking.version, now());
end
$$;

create function bench.post_one(id uuid, debited bigint, credited bigint, moved bigint) returns void
language plpgsql as $$
begin
    perform from bench.account a where a.id in (debited, credited) order by a.id for update;
    perform bench.move(id, debited, credited, moved);
end
$$;

create function bench.post_many(ids uuid[], debited bigint[], credited bigint[], moved bigint) returns void
language plpgsql as $$
begin
    perform from bench.account a where a.id = any (debited || credited) order by a.id for update;
    for at in 1 .. cardinality(ids) loop
        perform bench.move(ids[at], debited[at], credited[at], moved);
    end loop;
end
$$;
