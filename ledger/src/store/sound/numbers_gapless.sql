-- Batches, postings and accounts of a book are numbered from 1 without a gap, and time does not go back.
select count(*) as "seen!", coalesce(
    min(format('batch %s of book %s', no, book)) filter (
        where no <> place or first_posting <> next_posting or recorded_at < heard or found <> postings
    ),
    (
        select min(format('accounts of book %s', a.book))
        from (
            select book, count(*) as n, min(account) as low, max(account) as high
            from ledger.account group by book
        ) a
        full join (select book, max(accounts) as n from ledger.batch group by book) b on b.book = a.book
        where a.low <> 1 or a.high <> a.n or coalesce(a.n, 0) is distinct from b.n
    ),
    (
        select min(format('postings of book %s', p.book))
        from (select book, count(*) as n from ledger.posting group by book) p
        full join (select book, sum(postings) as n from ledger.batch group by book) b on b.book = p.book
        where coalesce(p.n, 0) is distinct from b.n
    )
) as culprit
from (
    select b.book, b.no, b.first_posting, b.postings, b.recorded_at,
        row_number() over chain as place,
        lag(b.first_posting + b.postings, 1, 1::bigint) over chain as next_posting,
        lag(b.recorded_at, 1, '-infinity'::timestamptz) over chain as heard,
        (
            select count(*) from ledger.posting p
            where p.book = b.book and p.no >= b.first_posting and p.no < b.first_posting + b.postings
                and p.batch = b.no
        ) as found
    from ledger.batch b
    window chain as (partition by b.book order by b.no)
) batches
