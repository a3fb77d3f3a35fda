-- What is pending on an account is what its holds have left, side by side.
select count(*) as "seen!", min(format('account %s of book %s', account, book)) filter (
    where debits_pending <> debits_held or credits_pending <> credits_held
) as culprit
from (
    select c.book, c.account, c.debits_pending, c.credits_pending,
        coalesce(sum(h.remaining) filter (where h.debit = c.account), 0) as debits_held,
        coalesce(sum(h.remaining) filter (where h.credit = c.account), 0) as credits_held
    from (select distinct on (book, account) * from ledger.chunk order by book, account, batch desc) c
    left join (select distinct on (book, hold) * from ledger.hold order by book, hold, remaining) h
        on h.book = c.book and c.account in (h.debit, h.credit)
    group by c.book, c.account, c.debits_pending, c.credits_pending
) accounts
