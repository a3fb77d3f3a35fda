-- An account's postings in the order in which they happened. Those that happened when the book heard of them
-- are in the account's chunks of that time, in order of their numbers as in order of time; the others are in
-- `ledger.restated`, of which an account has few. So a page reads as many of each as it may show.
with own as (
    select a.book, a.account from ledger.book k
    join ledger.account a on a.book = k.book and a.path = $2
    where k.name = $1
),
prompt as (
    select b.recorded_at as at, p.no
    from own
    cross join lateral (
        select batch, posting_nos from ledger.chunk
        where book = own.book and account = own.account
            and batch > coalesce((
                select no from ledger.batch
                where book = own.book and recorded_at < greatest($3::timestamptz, $6::timestamptz)
                order by recorded_at desc, no desc limit 1
            ), 0)
            and batch <= (
                select no from ledger.batch where book = own.book and recorded_at < $4 and recorded_at <= $5
                order by recorded_at desc, no desc limit 1
            )
        order by batch
    ) c
    cross join lateral unnest(c.posting_nos) as n (place)
    cross join lateral (select * from ledger.batch where book = own.book and no = c.batch limit 1) b
    cross join lateral (
        select no, effective_at, phase from ledger.posting
        where book = own.book and no = b.first_posting + n.place limit 1
    ) p
    where p.effective_at is null and p.phase in ('p', 's') and (b.recorded_at, p.no) > ($6, $7::bigint)
    order by c.batch, n.place
    limit $8
),
late as (
    select r.effective_at as at, r.posting as no
    from own join ledger.restated r on r.book = own.book and r.account = own.account
    where r.effective_at >= $3 and r.effective_at < $4 and r.recorded_at <= $5
        and (r.effective_at, r.posting) > ($6, $7)
    order by r.effective_at, r.posting
    limit $8
)
select p.no as "no!", p.transfer as "transfer!", p.event as "event!", d.path as "debit!: Account",
    c.path as "credit!: Account", p.amount as "amount!",
    n.at as "effective_at!", b.recorded_at as "recorded_at!"
from (
    select * from (select * from prompt union select * from late) both_kinds order by at, no limit $8
) n
join ledger.posting p on p.book = (select book from own) and p.no = n.no
join ledger.batch b on b.book = p.book and b.no = p.batch
join ledger.account d on d.book = p.book and d.account = p.debit
join ledger.account c on c.book = p.book and c.account = p.credit
order by n.at, n.no
