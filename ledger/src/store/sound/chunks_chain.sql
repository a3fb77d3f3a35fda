-- Every chunk is its predecessor and its own postings, all of its batch; no posting is in two chunks of an
-- account, and none is in no chunk (the counts agree).
select count(*) as "seen!", coalesce(
    min(format('account %s in batch %s of book %s', account, batch, book)) filter (
        where n <> cardinality(posting_nos) or prev <> was
            or debits_posted - was_debits <> debits or credits_posted - was_credits <> credits
            or debits_pending - was_debits_pending <> debits_held
            or credits_pending - was_credits_pending <> credits_held
    ),
    case when coalesce(sum(n), 0) <> 2 * (select count(*) from ledger.posting) then
        'postings outside of chunks' end
) as culprit
from (
    select book, account, batch, prev, posting_nos, debits_posted, credits_posted, debits_pending,
        credits_pending, lag(batch, 1, 0::bigint) over newest as was,
        lag(debits_posted, 1, 0::bigint) over newest as was_debits,
        lag(credits_posted, 1, 0::bigint) over newest as was_credits,
        lag(debits_pending, 1, 0::bigint) over newest as was_debits_pending,
        lag(credits_pending, 1, 0::bigint) over newest as was_credits_pending
    from ledger.chunk
    window newest as (partition by book, account order by batch)
) c
left join lateral (
    select first_posting from ledger.batch where book = c.book and no = c.batch limit 1
) b on true
cross join lateral (
    select count(distinct p.no) as n,
        coalesce(sum(amount) filter (where debit = c.account and phase in ('p', 's')), 0) as debits,
        coalesce(sum(amount) filter (where credit = c.account and phase in ('p', 's')), 0) as credits,
        coalesce(sum(h.held) filter (where debit = c.account), 0) as debits_held,
        coalesce(sum(h.held) filter (where credit = c.account), 0) as credits_held
    from unnest(c.posting_nos) as u (place)
    join ledger.posting p on p.book = c.book and p.no = b.first_posting + u.place and p.batch = c.batch
        and (p.debit = c.account or p.credit = c.account)
    cross join lateral (
        values (case p.phase when 'p' then 0 when 'h' then p.amount else -p.amount end)
    ) as h (held)
) s
