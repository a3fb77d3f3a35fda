//! The PIN of the phone menu: made by us, sent once, three tries.
//!
//! Invariant: a PIN is stored as a hash only and told once, in the message that brings it. A try is counted
//! before it is judged; the third wrong one locks for a day.
//! Absent: changing a PIN, and telling an existing one again.

use amana_ledger::id::{PartyId, Rng};
use chrono::TimeDelta;

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;
use crate::people::{password, store};

/// How long three wrong tries lock the menu's money actions.
pub const LOCK: TimeDelta = TimeDelta::hours(24);

/// A PIN in clear, on its way into one message.
pub struct Pin(String);

impl Pin {
    /// Six digits, every one of the million equally likely.
    pub fn make(rng: &dyn Rng) -> Pin {
        loop {
            let mut bytes = [0; 4];
            rng.fill(&mut bytes);
            let number = u32::from_be_bytes(bytes);
            // The top of the range is thrown away, or the low numbers would be likelier than the others.
            if number < u32::MAX - u32::MAX % 1_000_000 {
                return Pin(format!("{:06}", number % 1_000_000));
            }
        }
    }

    /// In clear, for the message.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the PIN.
    Right,
    /// It is not; so many tries are left.
    Wrong(i16),
    /// It is not, and this was the last try: locked from now.
    JustLocked,
    /// Locked already; the try was not looked at.
    Locked,
    /// The person has no PIN.
    NoPin,
}

/// Gives the person a PIN if they have none. Answers whether it became theirs.
///
/// # Errors
/// The database's.
pub async fn give(tx: &mut Tx, party: PartyId, hash: password::Hash) -> Result<bool, Fault> {
    store::set_pin(tx, party, &hash.into_text()).await
}

/// Judges a try, in transactions of its own.
///
/// # Errors
/// The database's.
pub async fn check(app: &App, party: PartyId, digits: &str) -> Result<Verdict, Fault> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let counted = store::count_pin_try(&mut tx, party, now, now + LOCK).await?;
    tx.commit().await?;
    let Some(counted) = counted else { return Ok(Verdict::Locked) };
    let known = counted.pin_hash.is_some();
    if password::verify(counted.pin_hash, digits).await? || !known {
        let mut tx = app.db.begin().await?;
        store::clear_pin_tries(&mut tx, party).await?;
        tx.commit().await?;
        return Ok(if known { Verdict::Right } else { Verdict::NoPin });
    }
    Ok(if counted.tries >= 3 { Verdict::JustLocked } else { Verdict::Wrong(3 - counted.tries) })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU32);
    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            bytes.copy_from_slice(&next.to_be_bytes());
        }
    }

    #[test]
    fn pins_are_six_digits() {
        let rng = Counting(7.into());
        assert_eq!(Pin::make(&rng).digits(), "000007");
        assert_eq!(Pin::make(&rng).digits(), "000008");
        let top = Counting((u32::MAX - 1).into());
        assert_eq!(Pin::make(&top).digits().len(), 6, "the unfair top of the range is drawn again");
    }
}
