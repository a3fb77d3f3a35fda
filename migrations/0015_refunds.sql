-- An employer's money goes out again: what an escrow gave back, and what was paid beyond its amount. It
-- travels as a payout does, so a refund is a payout with another purpose.
alter table flow.payout add column purpose text not null default 'wage';
-- The deposit whose payer gets it; null where none is known, and then it goes to the employer's own phone.
alter table flow.payout add column source uuid references flow.collection (id);
alter table flow.payout add constraint payout_purpose check (purpose in ('wage', 'refund'));
alter table flow.payout add constraint payout_source check (source is null or purpose = 'refund');

-- One wage an escrow and person, as before; refunds are as many as there were deposits. What makes each of
-- them unique is its surrender: for a wage the chain's event, for a refund that event and the deposit, or the
-- deposit alone for what was paid beyond the amount.
alter table flow.payout drop constraint payout_once;
create unique index payout_once on flow.payout (escrow, beneficiary) where purpose = 'wage';

set local role amana_owner;
insert into ledger.event values (19, 'refund_hold'), (20, 'refund_paid');
reset role;
