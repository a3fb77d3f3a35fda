-- No account ever stood below its floor, not within a batch either; the floor is the kind's until a limit of
-- the account says otherwise.
select count(*) as "seen!",
    min(format('account %s in batch %s of book %s', c.account, c.batch, c.book)) filter (
    where k.kind is null or c.side <> k.side
        or c.floor is distinct from coalesce(l.floor, k.floor)
        or c.limits <> coalesce(l.limits, 0) or c.lowest < c.floor
        or case k.side
            when 'd' then c.debits_posted - c.credits_posted - c.credits_pending
            else c.credits_posted - c.debits_posted - c.debits_pending
        end < c.floor
) as culprit
from ledger.chunk c
left join ledger.account a on a.book = c.book and a.account = c.account
left join ledger.kind k on k.kind = a.kind
left join lateral (
    select * from ledger.account_limit
    where book = c.book and account = c.account and batch <= c.batch
    order by batch desc limit 1
) l on true
