-- A dispute freezes an escrow, and what is decided parts what is left: two more words for where an escrow
-- stands, and a business event of its own.
alter table flow.escrow drop constraint escrow_status;
alter table flow.escrow add constraint escrow_status check (status in ('pending_deposit', 'partially_funded',
    'funded', 'in_progress', 'completed', 'released', 'disputed', 'resolved', 'refunded', 'cancelled'));

set local role amana_owner;
insert into ledger.event values (18, 'resolved');
reset role;
