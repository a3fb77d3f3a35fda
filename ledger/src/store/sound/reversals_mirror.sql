-- A reversal posts what its original posted, turned round.
select count(*) as "seen!",
    min(format('reversal %s of %s', r.transfer, r.book)) filter (where mine is distinct from theirs) as
        culprit
from ledger.reversal r
left join ledger.transfer t on t.book = r.book and t.id = r.transfer
left join ledger.transfer o on o.book = r.book and o.id = r.reverses
cross join lateral (
    select array_agg(row(debit, credit, amount)::text order by debit, credit, amount) as mine
    from ledger.posting
    where book = r.book and no >= t.first_posting and no < t.first_posting + t.postings
) m
cross join lateral (
    select array_agg(row(credit, debit, amount)::text order by credit, debit, amount) as theirs
    from ledger.posting
    where book = r.book and no >= o.first_posting and no < o.first_posting + o.postings
        and phase in ('post', 'settle')
) x
