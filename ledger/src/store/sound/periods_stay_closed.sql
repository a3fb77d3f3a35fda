-- Nothing was posted into a period after it was closed.
select count(*) as "seen!",
    min(format('posting %s of book %s', late.no, c.book)) filter (where late.no is not null) as culprit
from ledger.close c
left join lateral (
    select p.no from ledger.posting p
    where p.book = c.book and p.batch > c.batch and p.effective_at < c.closed_before
    limit 1
) late on true
