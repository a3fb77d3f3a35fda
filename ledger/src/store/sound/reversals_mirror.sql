-- A reversal posts what its original posted, turned round.
select count(*) as "seen!",
    min(format('reversal %s of book %s', r.transfer, r.book)) filter (where mine is distinct from theirs) as
        culprit
from ledger.reversal r
cross join lateral (
    select array_agg(row(debit, credit, amount)::text order by debit, credit, amount) as mine
    from ledger.posting where book = r.book and transfer = r.transfer
) m
cross join lateral (
    select array_agg(row(credit, debit, amount)::text order by credit, debit, amount) as theirs
    from ledger.posting where book = r.book and transfer = r.reverses and phase in ('p', 's')
) x
