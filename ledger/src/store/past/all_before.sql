with own as (select book from ledger.book where name = $1),
newest as (
    select no from ledger.batch
    where book = (select book from own) and recorded_at < $2 and recorded_at <= $3
    order by recorded_at desc, no desc limit 1
),
-- Those that lie across the instant, once for each of their accounts. A whole book is asked for, so its rows
-- are read through, not looked up by their reach.
across as (
    select r.account,
        sum(moved) filter (where side = 'd') as debits,
        sum(moved) filter (where side = 'c') as credits
    from (
        select account, side, case when recorded_at < $2 then -amount else amount end as moved
        from ledger.restated
        where book = (select book from own) and recorded_at <= $3
            and (recorded_at < $2) <> (effective_at < $2)
    ) r
    group by r.account
)
select a.path as "account!: Account",
    (coalesce(c.debits_posted, 0) + coalesce(x.debits, 0))::bigint as "debits!",
    (coalesce(c.credits_posted, 0) + coalesce(x.credits, 0))::bigint as "credits!"
from ledger.account a
left join lateral (
    select debits_posted, credits_posted from ledger.chunk
    where book = a.book and account = a.account and batch <= (select no from newest)
    order by batch desc limit 1
) c on true
left join across x on x.account = a.account
where a.book = (select book from own)
    and (coalesce(c.debits_posted, 0) + coalesce(x.debits, 0) > 0
        or coalesce(c.credits_posted, 0) + coalesce(x.credits, 0) > 0)
order by a.path collate "C"
