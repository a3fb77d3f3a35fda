-- Every transfer is a run of postings, and every posting is in its transfer's run; what touches a hold has
-- its row.
select count(*) as "seen!", coalesce(
    min(format('transfer %s of %s', t.id, t.book)) filter (
        where p.low is distinct from t.first_posting or p.n is distinct from t.postings
            or p.high is distinct from t.first_posting + t.postings - 1 or p.batch is distinct from t.batch
    ),
    (
        select min(format('posting %s of %s', g.no, g.book)) from ledger.posting g
        where not exists (select from ledger.transfer t where t.book = g.book and t.id = g.transfer)
            or g.phase <> 'post'
            and not exists (select from ledger.hold h where h.book = g.book and h.transfer = g.transfer)
    )
) as culprit
from ledger.transfer t
left join (
    select book, transfer, min(no) as low, max(no) as high, count(*) as n, min(batch) as batch
    from ledger.posting group by book, transfer
) p on p.book = t.book and p.transfer = t.id
