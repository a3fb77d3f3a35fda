-- A batch of one posting, in one statement without arrays: what most batches of a quiet book are. As in
-- batch.sql, the last insert runs first, so it is the one to wait for the book's lock.
with lock as materialized (
    select pg_advisory_xact_lock(1634558318, $1)
), batch as (
    insert into ledger.batch (book, no, first_posting, postings, transfers, chunks, holds, accounts, sketch,
        recorded_at, block, prev, root)
    values ($1, $2, $3, 1, 1, 2, $4, $5, $6, $7, $8, $9, $10)
), posting as (
    insert into ledger.posting (no, batch, amount, effective_at, transfer, book, debit, credit, event, leg,
        phase, fingerprint, key)
    values ($3, $2, $11, $12, $13, $1, $14, $15, $16, 0, $17, $18, $19)
)
insert into ledger.chunk (batch, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest,
    floor, book, account, limits, side, posting_nos)
select $2, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, $1, account,
    limits, side, '{0}'
from lock cross join (values
    ($14::int, $20::bigint, $21::bigint, $22::bigint, $23::bigint, $24::bigint, $25::bigint, $26::bigint,
        $27::smallint, $28::"char"),
    ($15, $29, $30, $31, $32, $33, $34, $35, $36, $37)
) as c (account, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, limits,
    side)
