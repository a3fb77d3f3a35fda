-- A batch, in one statement: the checks of the schema look at the rows of one statement together.
with batch as (
    insert into ledger.batch
        (book, no, first_posting, postings, transfers, accounts, root, prev, recorded_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
), account as (
    insert into ledger.account (book, account, path, kind, batch)
    select $1, account, path, kind, $2
    from unnest($10::bigint[], $11::text[], $12::text[]) as a (account, path, kind)
), transfer as (
    insert into ledger.transfer
        (book, id, batch, event, key, fingerprint, effective_at, first_posting, postings)
    select $1, id, $2, event, key, fingerprint, effective_at, first_posting, postings
    from unnest(
        $13::uuid[], $14::text[], $15::text[], $16::bytea[], $17::timestamptz[],
        $18::bigint[], $19::bigint[]
    ) as t (id, event, key, fingerprint, effective_at, first_posting, postings)
), posting as (
    insert into ledger.posting (book, no, batch, transfer, debit, credit, amount, phase)
    select $1, no, $2, transfer, debit, credit, amount, phase
    from unnest(
        $20::bigint[], $21::uuid[], $22::bigint[], $23::bigint[], $24::bigint[], $25::text[]
    ) as p (no, transfer, debit, credit, amount, phase)
)
insert into ledger.chunk
    (book, account, batch, debits_posted, credits_posted, debits_pending, credits_pending,
     lowest, floor, side, posting_nos)
select $1, account, $2, debits_posted, credits_posted, debits_pending, credits_pending,
    lowest, floor, side, ($36::bigint[])[low:high]
from unnest(
    $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[],
    $32::bigint[], $33::text[], $34::int[], $35::int[]
) as c (account, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, side,
    low, high)
