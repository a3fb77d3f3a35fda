-- The next lines of an account after a place in a batch, the oldest first. The places are taken from the
-- chunks, one after the other, until there are enough; only then are postings read.
select p.no as "no!", p.transfer as "transfer!", p.event as "event!", o.path as "other!: Account",
    p.debit = $2 as "debited!", p.amount as "amount!", p.phase as "phase!",
    coalesce(p.effective_at, b.recorded_at) as "effective_at!", b.recorded_at as "recorded_at!"
from (
    select c.batch, n.place
    from ledger.chunk c
    cross join lateral unnest(c.posting_nos) as n (place)
    where c.book = $1 and c.account = $2 and c.batch >= $3 and c.batch <= $5
        and (c.batch > $3 or n.place > $4)
    order by c.batch, n.place
    limit $6
) x
cross join lateral (select * from ledger.batch where book = $1 and no = x.batch limit 1) b
cross join lateral (select * from ledger.posting where book = $1 and no = b.first_posting + x.place limit 1) p
cross join lateral (
    select path from ledger.account
    where book = $1 and account = case when p.debit = $2 then p.credit else p.debit end
    limit 1
) o
order by p.no
