-- No account with limits over time stood beyond one of them after any batch.
select count(*) as "seen!",
    min(format('account %s in batch %s of book %s', c.account, c.batch, c.book)) filter (
    where not ledger.within_limits(c)
) as culprit
from ledger.chunk c
where c.limits > 0
