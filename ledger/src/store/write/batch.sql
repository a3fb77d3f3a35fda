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
), posting as (
    insert into ledger.posting (no, batch, amount, effective_at, transfer, book, debit, credit, event, leg,
        phase, fingerprint, key)
    select no, $2, amount, effective_at, transfer, $1, debit, credit, event, leg, phase, fingerprint, key
    from unnest(
        (select $14::bigint[]), (select $15::bigint[]), (select $16::timestamptz[]), (select $17::uuid[]),
        (select $18::int[]), (select $19::int[]), (select $20::smallint[]), (select $21::smallint[]),
        (select $22::"char"[]), (select $23::uuid[]), (select $24::text[])
    ) as p (no, amount, effective_at, transfer, debit, credit, event, leg, phase, fingerprint, key)
)
insert into ledger.chunk (batch, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest,
    floor, book, account, limits, side, posting_nos)
select $2, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor,
    $1, account, limits, side, (select $37::int[])[low:high]
from lock cross join unnest(
    (select $25::int[]), (select $26::bigint[]), (select $27::bigint[]), (select $28::bigint[]),
    (select $29::bigint[]), (select $30::bigint[]), (select $31::bigint[]), (select $32::bigint[]),
    (select $33::smallint[]), (select $34::"char"[]), (select $35::int[]), (select $36::int[])
) as c (account, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, limits,
    side, low, high)
