-- A batch of few postings, in one statement: the checks of the schema look at the rows of one statement
-- together. The arrays stand behind a `select`, so that the planner cannot look into them and make a new plan
-- for every batch.
--
-- It takes the book's lock for a caller who does not have it yet; who waits for it and then finds the number
-- taken is refused by the key. The last insert runs first, so it is the one to wait.
with lock as materialized (
    select pg_advisory_xact_lock(1634558318, $1)
), batch as (
    insert into ledger.batch (book, no, first_posting, postings, transfers, chunks, holds, accounts, sketch,
        recorded_at, block, prev, root)
    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 from lock
), account as (
    insert into ledger.account (book, account, path, kind, batch)
    select $1, account, path, kind, $2
    from unnest((select $14::int[]), (select $15::text[]), (select $16::text[])) as a (account, path, kind)
), posting as (
    insert into ledger.posting (no, batch, amount, effective_at, transfer, book, debit, credit, event, leg,
        phase, fingerprint, key)
    select no, $2, amount, effective_at, transfer, $1, debit, credit, event, leg, phase, fingerprint, key
    from unnest(
        (select $17::bigint[]), (select $18::bigint[]), (select $19::timestamptz[]), (select $20::uuid[]),
        (select $21::int[]), (select $22::int[]), (select $23::smallint[]), (select $24::smallint[]),
        (select $25::"char"[]), (select $26::uuid[]), (select $27::text[])
    ) as p (no, amount, effective_at, transfer, debit, credit, event, leg, phase, fingerprint, key)
)
insert into ledger.chunk (batch, debits_posted, credits_posted, debits_pending, credits_pending, lowest,
    floor, book, account, limits, side, posting_nos)
select $2, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor,
    $1, account, limits, side, (select $39::int[])[low:high]
from lock cross join unnest(
    (select $28::int[]), (select $29::bigint[]), (select $30::bigint[]), (select $31::bigint[]),
    (select $32::bigint[]), (select $33::bigint[]), (select $34::bigint[]), (select $35::smallint[]),
    (select $36::"char"[]), (select $37::int[]), (select $38::int[])
) as c (account, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, limits, side,
    low, high)
