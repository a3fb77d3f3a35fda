//! What a limit counts, out of totals alone. [`crate::limit`] says what and why.

use super::Totals;
use crate::chart::Side;
use crate::limit::{Limit, Measure, Velocity};

/// What was posted to an account before an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) debits: i64,
    pub(crate) credits: i64,
}

/// A limit in force, with what it counts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) limit: Limit,
    /// What was posted before the present day, week and month, in this order; those no velocity names may be
    /// left at zero.
    pub(crate) before: [Before; 3],
}

/// A limit that would be passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) limit: Velocity,
    pub(crate) used: i64,
    pub(crate) asked: i64,
}

impl InForce {
    /// The first velocity that would be passed by going from some totals to others.
    pub(crate) fn passed(&self, now: &Totals, after: &Totals) -> Option<Passed> {
        self.limit.velocity.iter().find_map(|velocity| {
            let before = self.before[velocity.period as usize];
            let (used, then) = (used(velocity, now, before), used(velocity, after, before));
            let most = i128::from(velocity.amount.minor());
            (then > most && then > used).then(|| Passed {
                limit: *velocity,
                used: clamp(used),
                asked: clamp(then - used),
            })
        })
    }
}

fn clamp(minor: i128) -> i64 {
    i64::try_from(minor).unwrap_or(if minor < 0 { i64::MIN } else { i64::MAX })
}

/// What the period used, in 128 bits: four totals of 63 bits are added up.
fn used(velocity: &Velocity, totals: &Totals, before: Before) -> i128 {
    let wide = i128::from;
    let debits = wide(totals.debits_posted) - wide(before.debits);
    let credits = wide(totals.credits_posted) - wide(before.credits);
    let (gone, held, come) = match velocity.side {
        Side::Debit => (debits, wide(totals.debits_pending), credits),
        Side::Credit => (credits, wide(totals.credits_pending), debits),
    };
    match velocity.measure {
        Measure::Gross => gone + held,
        Measure::Net => gone + held - come,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::limit::Period;
    use crate::money::Amount;

    fn in_force(measure: Measure, side: Side) -> InForce {
        let amount = Amount::new(100).unwrap();
        let velocity = vec![Velocity { measure, side, period: Period::Week, amount }];
        let before = [Before::default(), Before { debits: 1_000, credits: 2_000 }, Before::default()];
        InForce { limit: Limit { floor: None, velocity }, before }
    }

    fn totals(debits_posted: i64, credits_posted: i64, debits_pending: i64, credits_pending: i64) -> Totals {
        Totals { debits_posted, credits_posted, debits_pending, credits_pending }
    }

    #[test]
    fn held_money_counts_and_comes_back() {
        let gross = in_force(Measure::Gross, Side::Debit);
        let now = totals(1_060, 2_500, 0, 0);
        let held = totals(1_060, 2_500, 40, 0);
        assert_eq!(gross.passed(&now, &held), None);
        let passed = gross.passed(&held, &totals(1_061, 2_500, 40, 0)).unwrap();
        assert_eq!((passed.used, passed.asked), (100, 1));
        assert_eq!(passed.limit.to_string(), "100 gross debit a week");
        // Settled it counts as before; voided, there is room again.
        assert_eq!(gross.passed(&held, &totals(1_100, 2_500, 0, 0)), None);
        assert_eq!(gross.passed(&now, &totals(1_100, 2_500, 0, 0)), None);
    }

    #[test]
    fn net_takes_off_what_came_and_not_what_is_held_for_it() {
        let net = in_force(Measure::Net, Side::Debit);
        assert_eq!(net.passed(&totals(1_100, 2_000, 0, 0), &totals(1_150, 2_050, 0, 0)), None);
        assert!(net.passed(&totals(1_100, 2_000, 0, 0), &totals(1_150, 2_000, 0, 50)).is_some());
        let other = in_force(Measure::Net, Side::Credit);
        assert!(other.passed(&totals(1_000, 2_100, 0, 0), &totals(1_000, 2_101, 0, 0)).is_some());
    }

    #[test]
    fn beyond_a_limit_only_the_way_back_is_open() {
        let gross = in_force(Measure::Gross, Side::Debit);
        let beyond = totals(1_500, 2_000, 100, 0);
        assert_eq!(gross.passed(&beyond, &totals(1_500, 2_000, 0, 0)), None);
        assert_eq!(gross.passed(&beyond, &totals(1_600, 2_000, 0, 0)), None);
        assert!(gross.passed(&beyond, &totals(1_601, 2_000, 0, 0)).is_some());
    }

    #[test]
    fn nothing_wraps() {
        let net = in_force(Measure::Net, Side::Debit);
        let most = totals(i64::MAX, 0, 0, 0);
        assert_eq!(net.passed(&totals(0, i64::MAX, 0, 0), &most).unwrap().asked, i64::MAX);
    }
}
