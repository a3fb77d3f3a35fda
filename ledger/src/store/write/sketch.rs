//! The sketch of a batch: one number that its postings and its chunks must both come to (`ledger.weight` in
//! the migrations says why).
//!
//! Invariant: the same arithmetic as the database's, bit by bit. Absent: any meaning of the number alone.

use crate::batch::{Batch, Phase};

/// The prime the sums are taken by: 2³¹ − 1.
const PRIME: i128 = 2_147_483_647;

/// The weight of one of an account's totals: 0 debits posted, 1 credits posted, 2 and 3 the same pending. It
/// is the lower 29 bits of Postgres's `hashint4extended`, which is Bob Jenkins's lookup3 of one word.
fn weight(account: i64, place: u32) -> i128 {
    // His golden ratio, the length of the key, and a number of Postgres's own.
    let begin = 0x9e37_79b9_u32.wrapping_add(4).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (begin, begin, begin);
    if place != 0 {
        b = b.wrapping_add(place);
        for turn in [4, 6, 8, 16, 19, 4] {
            a = a.wrapping_sub(c) ^ c.rotate_left(turn);
            c = c.wrapping_add(b);
            (a, b, c) = (b, c, a);
        }
    }
    // An account's number is below 2³¹.
    a = a.wrapping_add(account as u32);
    for turn in [14, 11, 25, 16, 4, 14, 24] {
        c = (c ^ b).wrapping_sub(b.rotate_left(turn));
        (a, b, c) = (b, c, a);
    }
    // After seven turns what was last is in the middle.
    i128::from(b & 0x1fff_ffff)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_database() {
        // select hashint4extended(account, place) & 536870911
        let known = [
            (1, [242_423_622, 506_026_785, 234_934_240, 148_992_821]),
            (12_345, [458_773_085, 498_904_655, 273_300_546, 110_325_687]),
            (2_147_483_647, [440_112_659, 15_103_546, 438_382_958, 206_370_203]),
        ];
        for (account, weights) in known {
            assert_eq!([0, 1, 2, 3].map(|place| weight(account, place)), weights);
        }
    }
}
