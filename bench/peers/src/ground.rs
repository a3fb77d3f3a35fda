//! What a measurement stands on: time, chance, and one word for whatever goes wrong.
//!
//! Invariant: chance comes from a seed, so that every run draws the same accounts in the same order.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use amana_ledger::id::{Clock, Rng, uuid_v7};
use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Whatever ends a run.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// Time and chance, as the ledger takes them.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    /// Whether some of what happens is heard of days later.
    pub(crate) late: bool,
}

impl Ground {
    /// The machine's time, and chance from a seed.
    pub(crate) fn of_machine() -> Self {
        Self { clock: Arc::new(Machine), rng: Arc::new(Seeded(AtomicU64::new(1))), late: false }
    }

    /// Time that moves on by `step_us` whenever it is looked at, from `from` on.
    pub(crate) fn spread(from: DateTime<Utc>, step_us: i64) -> Self {
        let next = AtomicI64::new(from.timestamp_micros());
        Self {
            clock: Arc::new(Spread { next, step_us }),
            rng: Arc::new(Seeded(AtomicU64::new(2))),
            late: true,
        }
    }

    /// A new, time-ordered id.
    pub(crate) fn id(&self) -> Uuid {
        uuid_v7(self.clock.as_ref(), self.rng.as_ref())
    }

    /// A number below `bound`. The tiny favour of a remainder does no harm here.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let mut bytes = [0u8; 8];
        self.rng.fill(&mut bytes);
        let drawn = u64::from_le_bytes(bytes) % (bound.max(1) as u64);
        usize::try_from(drawn).unwrap_or(0)
    }
}

struct Machine;

impl Clock for Machine {
    #[expect(clippy::disallowed_methods, reason = "the one place of this program where time is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// Months of a journal's life pass in the minutes of a run, or "as of last month" would have nothing to tell.
struct Spread {
    next: AtomicI64,
    step_us: i64,
}

impl Clock for Spread {
    fn now(&self) -> DateTime<Utc> {
        let micros = self.next.fetch_add(self.step_us, Ordering::Relaxed);
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014) over a counter: quick, and any thread may draw.
struct Seeded(AtomicU64);

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// `1234567` → `1,234,567`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A thousandth part with two digits behind the point: microseconds as milliseconds, nanoseconds as micro-.
pub(crate) fn thousandths(n: u64) -> String {
    if n < 100_000 { format!("{}.{:02}", n / 1_000, n % 1_000 / 10) } else { grouped(n / 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!((grouped(999), grouped(1_000)), ("999".to_owned(), "1,000".to_owned()));
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!((thousandths(90), thousandths(12_345)), ("0.09".to_owned(), "12.34".to_owned()));
        assert_eq!(thousandths(1_234_567), "1,234");
    }

    #[test]
    fn chance_repeats_and_spreads() {
        let (one, two) = (Ground::of_machine(), Ground::of_machine());
        let drawn: Vec<usize> = (0..1_000).map(|_| one.below(10)).collect();
        assert!(drawn.iter().all(|n| *n == two.below(10)));
        assert!((0..10).all(|n| drawn.iter().filter(|drawn| **drawn == n).count() > 50));
    }
}
