with own as (select book from ledger.book where name = $1),
late as (
    select distinct posting as no from ledger.restated
    where book = (select book from own) and effective_at < $2
        and ($7::timestamptz is null or effective_at >= $7)
        and recorded_at > $3 and recorded_at <= $4 and posting > $5
),
prompt as (
    select p.no
    from ledger.batch b
    join ledger.posting p on p.book = b.book and p.no > $5
        and p.no >= b.first_posting and p.no < b.first_posting + b.postings
        and p.effective_at is null and p.phase in ('p', 's')
    where b.book = (select book from own)
        and b.no >= coalesce((select batch from ledger.posting where book = b.book and no = $5), 0)
        and b.recorded_at > $3 and b.recorded_at <= $4 and b.recorded_at < $2
        and ($7 is null or b.recorded_at >= $7)
    order by p.no
    limit $6
)
select p.no as "no!", p.transfer as "transfer!", p.event as "event!", d.path as "debit!: Account",
    c.path as "credit!: Account", p.amount as "amount!",
    coalesce(p.effective_at, b.recorded_at) as "effective_at!", b.recorded_at as "recorded_at!"
from (select no from late union select no from prompt) n
join ledger.posting p on p.book = (select book from own) and p.no = n.no
join ledger.batch b on b.book = p.book and b.no = p.batch
join ledger.account d on d.book = p.book and d.account = p.debit
join ledger.account c on c.book = p.book and c.account = p.credit
order by p.no
limit $6
