-- The newest chunk of every account is the fold of all its postings.
select count(*) as "seen!", min(
    format('account %s of book %s', coalesce(account, touched), coalesce(c.book, f.book))
) filter (
    where c.account is null or f.touched is null
        or (c.debits_posted, c.credits_posted, c.debits_pending, c.credits_pending)
            is distinct from (f.debits, f.credits, f.debits_held, f.credits_held)
) as culprit
from (select distinct on (book, account) * from ledger.chunk order by book, account, batch desc) c
full join (
    select book, touched,
        sum(case when side = 'debit' then posted else 0 end)::bigint as debits,
        sum(case when side = 'credit' then posted else 0 end)::bigint as credits,
        sum(case when side = 'debit' then held else 0 end)::bigint as debits_held,
        sum(case when side = 'credit' then held else 0 end)::bigint as credits_held
    from (
        select p.book, s.touched, s.side,
            case when p.phase in ('p', 's') then p.amount else 0 end as posted,
            case p.phase when 'p' then 0 when 'h' then p.amount else -p.amount end as held
        from ledger.posting p
        cross join lateral (values (p.debit, 'debit'), (p.credit, 'credit')) as s (touched, side)
    ) legs
    group by book, touched
) f on f.book = c.book and f.touched = c.account
