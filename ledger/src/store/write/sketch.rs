//! The sketch of a batch: one number that its postings and its chunks must both come to (`ledger.weight` in
//! the migrations says why).
//!
//! Invariant: the same arithmetic as the database's, bit by bit. Absent: any meaning of the number alone.

use crate::batch::{Batch, Phase};

/// The prime the sums are taken by: 2³¹ − 1.
const PRIME: i128 = 2_147_483_647;

/// The weight of one of an account's totals: 0 debits posted, 1 credits posted, 2 and 3 the same pending.
/// An account's number is below 2³¹, so nothing passes 2⁶³.
fn weight(account: i64, place: i64) -> i128 {
    let at = account * 4 + place;
    i128::from(((at * 374_761_393) ^ ((at * 668_265_263) >> 15)) & 1_073_741_823)
}

/// The weighted sum of all that a batch moves.
pub(crate) fn sketch(batch: &Batch) -> i64 {
    let mut sum: i128 = 0;
    for leg in &batch.legs {
        let number = |slot: usize| batch.slots[slot].number.unwrap_or_default();
        let (debit, credit) = (number(leg.debit), number(leg.credit));
        let posted = || weight(debit, 0) + weight(credit, 1);
        let pending = || weight(debit, 2) + weight(credit, 3);
        let weights = match leg.phase {
            Phase::Post => posted(),
            Phase::Hold => pending(),
            Phase::Settle => posted() - pending(),
            Phase::Void => -pending(),
        };
        sum += i128::from(leg.amount.minor()) % PRIME * weights;
    }
    // Below 2³¹, so it fits.
    sum.rem_euclid(PRIME) as i64
}
