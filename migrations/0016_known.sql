-- A wish that is done is known to be done as of a ledger. Whoever asks about the same escrow afterwards, in
-- whichever process, believes no server that is behind that one.
alter table chain.intent add column as_of bigint;
update chain.intent i set as_of = (select max(a.ledger) from chain.attempt a where a.intent = i.id)
where status = 'done';
