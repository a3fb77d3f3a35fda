-- No account ever stood below the floor of its kind, not within a batch either.
select count(*) as "seen!", min(format('account %s in batch %s of %s', c.account, c.batch, c.book)) filter (
    where k.kind is null or c.side <> k.side or c.floor is distinct from k.floor or c.lowest < k.floor
        or case k.side
            when 'debit' then c.debits_posted - c.credits_posted - c.credits_pending
            else c.credits_posted - c.debits_posted - c.debits_pending
        end < k.floor
) as culprit
from ledger.chunk c
left join ledger.account a on a.book = c.book and a.account = c.account
left join ledger.kind k on k.kind = a.kind
