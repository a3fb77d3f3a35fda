-- Restated is exactly what posted on another day than it was effective, once for each account.
select count(*) as "seen!", min(format('posting %s of %s', coalesce(r.posting, e.no), coalesce(r.book,
    e.book))) filter (
    where r.posting is null or e.no is null or r.side <> e.side or r.amount <> e.amount or r.batch <> e.batch
        or r.effective_at <> e.effective_at or r.recorded_at <> e.recorded_at
) as culprit
from ledger.restated r
full join (
    select p.book, s.account, p.no, p.batch, s.side, p.amount, t.effective_at, b.recorded_at
    from ledger.posting p
    join ledger.transfer t on t.book = p.book and t.id = p.transfer
    join ledger.batch b on b.book = p.book and b.no = p.batch
    cross join lateral (values (p.debit, 'debit'), (p.credit, 'credit')) as s (account, side)
    where p.phase in ('post', 'settle')
        and (t.effective_at at time zone 'UTC')::date <> (b.recorded_at at time zone 'UTC')::date
) e on e.book = r.book and e.account = r.account and e.no = r.posting
