-- Every transfer is a run of postings of one batch, its legs in order, alike in what is the transfer's; what
-- touches a hold has its row, and a batch has as many transfers and holds as it says.
select count(*) as "seen!", coalesce(
    min(format('transfer %s of book %s', t.transfer, t.book)) filter (
        where t.high <> t.low + t.n - 1 or t.last <> t.n - 1 or not t.in_order or t.batches <> 1
            or t.events <> 1
            or t.times > 1
    ),
    (
        select min(format('posting %s of book %s', g.no, g.book)) from ledger.posting g
        where g.phase <> 'p'
            and not exists (select from ledger.hold h where h.book = g.book and h.transfer = g.transfer)
    ),
    (
        select min(format('batch %s of book %s', b.no, b.book)) from ledger.batch b
        left join (
            select book, batch, count(*) as n from ledger.posting where leg = 0 group by book, batch
        ) p on p.book = b.book and p.batch = b.no
        left join (select book, batch, count(*) as n from ledger.hold group by book, batch) h
            on h.book = b.book and h.batch = b.no
        where b.transfers <> coalesce(p.n, 0) or b.holds <> coalesce(h.n, 0)
    )
) as culprit
from (
    select book, transfer, min(no) as low, max(no) as high, max(leg) as last, count(*) as n,
        bool_and(leg = place) as in_order, count(distinct batch) as batches, count(distinct event) as events,
        count(distinct coalesce(effective_at, '-infinity')) as times
    from (
        select *, row_number() over (partition by book, transfer order by no) - 1 as place from ledger.posting
    ) p
    group by book, transfer
) t
