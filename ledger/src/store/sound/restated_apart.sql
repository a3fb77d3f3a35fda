-- Restated is exactly what posted at another instant than it was recorded, once for each account.
select count(*) as "seen!", min(format('posting %s of book %s', coalesce(r.posting, e.no), coalesce(r.book,
    e.book))) filter (
    where r.posting is null or e.no is null or r.side <> e.side or r.amount <> e.amount or r.batch <> e.batch
        or r.effective_at <> e.effective_at or r.recorded_at <> e.recorded_at
) as culprit
from ledger.restated r
full join (
    select p.book, s.account, p.no, p.batch, s.side, p.amount, p.effective_at, b.recorded_at
    from ledger.posting p
    join ledger.batch b on b.book = p.book and b.no = p.batch
    cross join lateral (values (p.debit, 'd'::"char"), (p.credit, 'c'::"char")) as s (account, side)
    where p.phase in ('p', 's') and p.effective_at is not null
) e on e.book = r.book and e.account = r.account and e.no = r.posting
