-- Transfers by id, one row a posting.
select p.transfer as "id!", p.event as "event!", p.key as "key?: IdempotencyKey",
    p.fingerprint as "fingerprint?",
    p.batch as "batch!", p.effective_at, b.recorded_at as "recorded_at!",
    h.hold as "hold?", h.verb as "verb?", h.expires_at as "expires_at?",
    r.reverses as "reverses?", y.transfer as "reversed_by?",
    e.provider as "provider?", e.account as "external_account?", e.id as "external?", l.first as "link?",
    coalesce(m.names, '{}') as "names!", coalesce(m.given, '{}') as "values!",
    p.no as "no!", p.phase as "phase!", p.amount as "amount!",
    d.path as "debit!: Account", c.path as "credit!: Account"
from ledger.book k
cross join unnest((select $2::uuid[])) as u (id)
join ledger.posting p on p.book = k.book and p.transfer = u.id
cross join lateral (select * from ledger.batch where book = k.book and no = p.batch limit 1) b
cross join lateral (select path from ledger.account where book = k.book and account = p.debit limit 1) d
cross join lateral (select path from ledger.account where book = k.book and account = p.credit limit 1) c
left join lateral (select * from ledger.hold where book = k.book and transfer = p.transfer limit 1) h on true
left join lateral (
    select * from ledger.reversal where book = k.book and transfer = p.transfer limit 1
) r on true
left join lateral (
    select * from ledger.reversal where book = k.book and reverses = p.transfer limit 1
) y on true
left join lateral (
    select * from ledger.external where book = k.book and transfer = p.transfer limit 1
) e on true
left join lateral (select * from ledger.link where book = k.book and transfer = p.transfer limit 1) l on true
left join lateral (
    select array_agg(name order by name collate "C") as names,
        array_agg(value order by name collate "C") as given
    from ledger.metadata where book = k.book and transfer = p.transfer
) m on true
where k.name = $1
order by p.no
