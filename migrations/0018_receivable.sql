-- What a rail took back after it was credited is owed to us by whom it was credited to: a kind of account,
-- and the business event that posts it.
set local role amana_owner;
insert into ledger.kind values ('receivable', 'asset', 'd', 0);
insert into ledger.event values (21, 'collection_reversed');
reset role;
