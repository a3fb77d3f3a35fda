-- A wish to the chain is about an escrow or, when it is to write down a checkpoint, about a book. One such
-- wish of a book is open at a time: a newer checkpoint covers the older ones. `no` orders the wishes about
-- one escrow; those about a book need no order.
alter table chain.intent alter column escrow drop not null;
alter table chain.intent add column book text;
alter table chain.intent add constraint intent_about check ((escrow is null) <> (book is null));
create unique index intent_one_anchor on chain.intent (book) where status = 'open';
create index intent_book on chain.intent (book, created_at) where book is not null;

-- The signed envelope that wrote a checkpoint down: with it a stranger sees offline that we said it.
set local role amana_owner;
alter table ledger.anchor add column envelope text;
reset role;
