-- In every book what is debited is credited, posted and held alike.
select count(*) as "seen!", min(format('book %s', book)) filter (where posted <> 0 or pending <> 0) as culprit
from (
    select a.book, sum(c.debits_posted - c.credits_posted) as posted,
        sum(c.debits_pending - c.credits_pending) as pending
    from ledger.account a
    cross join lateral (
        select * from ledger.chunk where book = a.book and account = a.account order by batch desc limit 1
    ) c
    group by a.book
) books
