//! Names of things: typed ids, escrow references, idempotency keys, external references; and the two
//! impurities they are minted from, [`Clock`] and [`Rng`].
//!
//! Invariant: an [`EscrowRef`] in memory has a right check character. One id type cannot be passed for
//! another. Absent: a system clock and a random source. `main.rs` has them and hands them down.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The instant now, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// Where chance comes from.
pub trait Rng: Send + Sync {
    /// Fills the bytes with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// A time-ordered 128-bit id (version 7): 48 bits of milliseconds, 12 bits of the fraction of a millisecond
/// (RFC 9562, method 3), 62 random bits. Ids minted by one clock are ordered to a quarter of a microsecond;
/// time-ordered ids keep the newest leaf of an index hot, which is worth a sixth of the posting speed.
#[must_use]
pub fn uuid_v7(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    let now = clock.now();
    let millis = now.timestamp_millis().unsigned_abs() & 0xffff_ffff_ffff;
    let fraction = u64::from(now.timestamp_subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let mut random = [0u8; 8];
    rng.fill(&mut random);
    let low = u64::from_be_bytes(random) & 0x3fff_ffff_ffff_ffff;
    Uuid::from_u64_pair(millis << 16 | 0x7000 | fraction, 0x8000_0000_0000_0000 | low)
}

/// Why a text is not the name it should be. The text itself is left out: it may be anything a stranger typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct BadName(pub &'static str);

macro_rules! uuid_names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new, time-ordered one.
            #[must_use]
            pub fn mint(clock: &dyn Clock, rng: &dyn Rng) -> Self {
                Self(uuid_v7(clock, rng))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Uuid::try_parse(text).map(Self).map_err(|_| BadName("a uuid"))
            }
        }
    )*};
}

uuid_names! {
    /// A person or firm that has accounts here: an employer, an employee.
    PartyId;
    /// A transfer; also the name of the hold that a transfer opened.
    TransferId;
}

/// Text columns: a newtype over `String` is stored as text and read back through its own parser.
macro_rules! text_column {
    ($($name:ident),*) => {$(
        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <String as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(ty: &sqlx::postgres::PgTypeInfo) -> bool {
                <String as sqlx::Type<sqlx::Postgres>>::compatible(ty)
            }
        }

        impl<'q> sqlx::Encode<'q, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buf: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <String as sqlx::Encode<'q, sqlx::Postgres>>::encode(self.to_string(), buf)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<'r, sqlx::Postgres>>::decode(value)?.parse()?)
            }
        }
    )*};
}
pub(crate) use text_column;

text_column!(EscrowRef, IdempotencyKey);

/// Our name of an intention: unique within a book, 1 ..= 200 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The longest key.
    pub const MAX_LEN: usize = 200;

    /// Takes the text as a key.
    ///
    /// # Errors
    /// [`BadName`] when it is empty, too long, or has blanks, control or non-ASCII characters.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if visible && fits { Ok(Self(text.into())) } else { Err(BadName("an idempotency key")) }
    }

    /// The key of a transfer that is named by its id alone.
    #[must_use]
    pub fn of(id: TransferId) -> Self {
        Self((&*id.0.hyphenated().encode_lower(&mut Uuid::encode_buffer())).into())
    }

    /// The id it is [`Self::of`], if it reads like one.
    pub(crate) fn id(&self) -> Option<TransferId> {
        let id = TransferId(Uuid::try_parse(&self.0).ok()?);
        self.is_of(id).then_some(id)
    }

    /// Whether it is [`Self::of`] this id.
    pub(crate) fn is_of(&self, id: TransferId) -> bool {
        self.0.len() == 36 && *self.0 == *id.0.hyphenated().encode_lower(&mut Uuid::encode_buffer())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Their name of a fact: who says so, in which account of theirs, and what they call it there. Unique
/// within a book, whichever door the fact came through: one receipt is counted once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExternalRef {
    /// Who says so: "mpesa", "intersend", "stellar".
    pub provider: String,
    /// Their account it happened in: a shortcode, a contract address.
    pub account: String,
    /// Their id of it: a receipt, a transaction hash with the event's index.
    pub id: String,
}

impl ExternalRef {
    /// Names a fact of a provider.
    #[must_use]
    pub fn new(provider: impl Into<String>, account: impl Into<String>, id: impl Into<String>) -> Self {
        Self { provider: provider.into(), account: account.into(), id: id.into() }
    }
}

impl fmt::Display for ExternalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.provider, self.account, self.id)
    }
}

/// Crockford's base 32: no I, L, O, U, so nothing read aloud or typed into a paybill is mistaken for another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a reference after the prefix: 8 of chance (40 bits) and one check character.
const TAIL: usize = 9;
const PREFIX: &str = "ESCROW_";

/// The reference an employer types into a paybill: `ESCROW_`, 8 characters of Crockford base 32, and one
/// check character by Luhn mod 32 (Crockford's own check symbols cannot be typed there).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EscrowRef(Arc<str>);

impl EscrowRef {
    /// A new reference out of 40 random bits.
    #[must_use]
    pub fn mint(rng: &dyn Rng) -> Self {
        let mut random = [0u8; TAIL - 1];
        rng.fill(&mut random);
        let digits: Vec<u8> = random.iter().map(|byte| byte & 31).collect();
        Self::of_digits(&digits)
    }

    fn of_digits(digits: &[u8]) -> Self {
        let tail = digits.iter().copied().chain([check_digit(digits)]);
        let text: String =
            PREFIX.chars().chain(tail.map(|digit| char::from(ALPHABET[usize::from(digit)]))).collect();
        Self(text.into())
    }

    /// Reads a reference exactly as we write it.
    ///
    /// # Errors
    /// [`BadName`] for anything else, a wrong check character included.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let tail = text.strip_prefix(PREFIX).ok_or(BadName("an escrow reference"))?;
        Self::of_tail(tail).ok_or(BadName("an escrow reference"))
    }

    /// Reads what a person typed: any case, blanks, `_` and `-` anywhere, the prefix or its underscore left
    /// out, O for 0, I and L for 1. The check character must hold; a near miss is never repaired.
    #[must_use]
    pub fn fold(text: &str) -> Option<Self> {
        let kept = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-');
        let fold = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let folded: String = text.chars().filter(kept).map(fold).collect();
        let tail = match folded.strip_prefix("ESCR0W") {
            Some(tail) if folded.len() == "ESCR0W".len() + TAIL => tail,
            _ => &folded,
        };
        Self::of_tail(tail)
    }

    fn of_tail(tail: &str) -> Option<Self> {
        if tail.len() != TAIL {
            return None;
        }
        let digit =
            |byte| ALPHABET.iter().position(|&known| known == byte).and_then(|at| u8::try_from(at).ok());
        let digits: Vec<u8> = tail.bytes().map(digit).collect::<Option<_>>()?;
        let (body, check) = digits.split_at(TAIL - 1);
        (check == [check_digit(body)]).then(|| Self::of_digits(body))
    }

    /// The whole reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nine characters after the prefix.
    #[must_use]
    pub fn tail(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// The escrow's key on chain: SHA-256 of the reference's ASCII bytes.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        sha256(&[self.0.as_bytes()])
    }
}

impl fmt::Debug for EscrowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Luhn mod N: from the right every second digit is doubled and its base-N digits added. It catches every
/// single substitution and every adjacent transposition but one pair (first and last character of the
/// alphabet).
fn check_digit(digits: &[u8]) -> u8 {
    let n = ALPHABET.len() as u32;
    let addend = |(at, &digit): (usize, &u8)| {
        let weighted = u32::from(digit) * if at % 2 == 0 { 2 } else { 1 };
        weighted / n + weighted % n
    };
    let sum: u32 = digits.iter().rev().enumerate().map(addend).sum();
    ((n - sum % n) % n).to_le_bytes()[0]
}

macro_rules! text_names {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }
    )*};
}
pub(crate) use text_names;

text_names!(EscrowRef, IdempotencyKey);

/// The contract accepts a deposit once for ever, by this id:
/// SHA-256 of `"amana:deposit:v1\0" rail "\0" shortcode "\0" receipt`.
#[must_use]
pub fn deposit_id(rail: &str, shortcode: &str, receipt: &str) -> [u8; 32] {
    let parts = [rail.as_bytes(), b"\0", shortcode.as_bytes(), b"\0", receipt.as_bytes()];
    let mut bytes = b"amana:deposit:v1\0".to_vec();
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    sha256(&[&bytes])
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0u8; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Chance that repeats: SHA-256 in counter mode over a seed.
    struct Seeded(AtomicU64);

    impl Rng for Seeded {
        fn fill(&self, bytes: &mut [u8]) {
            for chunk in bytes.chunks_mut(32) {
                let block = sha256(&[&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes()]);
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
        }
    }

    struct Stepping(AtomicU64);

    impl Clock for Stepping {
        fn now(&self) -> DateTime<Utc> {
            let micros = self.0.fetch_add(1, Ordering::Relaxed);
            DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros.cast_signed()).unwrap()
        }
    }

    fn rng() -> Seeded {
        Seeded(AtomicU64::new(1))
    }

    #[test]
    fn a_hundred_thousand_references_without_a_duplicate() {
        let rng = rng();
        let minted: HashSet<EscrowRef> = (0..100_000).map(|_| EscrowRef::mint(&rng)).collect();
        // 100,000² / 2⁴¹ ≈ 0.005 duplicates are expected; this seed has none, and the unique key in the
        // gateway's table catches the one in two hundred runs of this size that has.
        assert_eq!(minted.len(), 100_000);
        assert!(minted.iter().all(|minted| EscrowRef::parse(minted.as_str()).as_ref() == Ok(minted)));
    }

    #[test]
    fn every_substitution_is_caught() {
        let rng = rng();
        for _ in 0..200 {
            let minted = EscrowRef::mint(&rng);
            for at in 0..TAIL {
                for &other in ALPHABET.iter().filter(|&&other| other != minted.tail().as_bytes()[at]) {
                    let mut typed = minted.tail().as_bytes().to_vec();
                    typed[at] = other;
                    assert_eq!(EscrowRef::fold(std::str::from_utf8(&typed).unwrap()), None);
                }
            }
        }
    }

    #[test]
    fn nearly_every_adjacent_transposition_is_caught() {
        let (rng, mut tried, mut missed) = (rng(), 0u32, 0u32);
        for _ in 0..5_000 {
            let minted = EscrowRef::mint(&rng);
            for at in 0..TAIL - 1 {
                let mut typed = minted.tail().as_bytes().to_vec();
                typed.swap(at, at + 1);
                if typed != minted.tail().as_bytes() {
                    tried += 1;
                    let typed = std::str::from_utf8(&typed).unwrap();
                    if EscrowRef::fold(typed).is_some() {
                        missed += 1;
                        assert!(typed.contains("0Z") || typed.contains("Z0"), "{typed}");
                    }
                }
            }
        }
        assert!(missed * 200 < tried, "{missed} of {tried}");
    }

    #[test]
    fn folds_what_people_type() {
        let minted = EscrowRef::of_digits(&[0, 1, 10, 11, 12, 0, 1, 31]);
        let tail = minted.tail().to_owned();
        let typed = [
            minted.as_str().to_owned(),
            minted.as_str().to_lowercase(),
            tail.clone(),
            tail.replace('0', "o").replace('1', "l"),
            tail.replace('0', "O").replace('1', "I"),
            format!("escrow {tail}"),
            format!("ESCROW-{tail}"),
            format!(" Escrow{} ", tail.to_lowercase()),
            format!("{}-{} {}", &tail[..3], &tail[3..6], &tail[6..]),
        ];
        for text in typed {
            assert_eq!(EscrowRef::fold(&text).as_ref(), Some(&minted), "{text:?}");
        }
        for text in
            ["", "ESCROW_", "ESCROW_NOSUCH99", &tail[..8], &format!("{tail}0"), "ESCROW_UUUUUUUUU", "ѐ"]
        {
            assert_eq!(EscrowRef::fold(text), None, "{text:?}");
        }
        assert!(
            EscrowRef::parse(&tail).is_err() && EscrowRef::parse(&minted.as_str().to_lowercase()).is_err()
        );
    }

    #[test]
    fn ids_are_ordered_by_time_and_of_version_seven() {
        let (clock, rng) = (Stepping(AtomicU64::new(0)), rng());
        let minted: Vec<Uuid> = (0..5_000).map(|_| uuid_v7(&clock, &rng)).collect();
        assert!(minted.is_sorted_by(|a, b| a < b));
        assert!(minted.iter().all(|id| id.get_version_num() == 7));
        assert!(minted.iter().all(|id| id.get_variant() == uuid::Variant::RFC4122));
    }

    #[test]
    fn deposit_ids_keep_their_parts_apart() {
        assert_ne!(deposit_id("mpesa", "600111", "R1"), deposit_id("mpesa", "60011", "1R1"));
        let mut literal = b"amana:deposit:v1\0mpesa\x00600111\0RKTQDM7W6S".to_vec();
        assert_eq!(deposit_id("mpesa", "600111", "RKTQDM7W6S"), sha256(&[&literal]));
        literal.push(0);
        assert_ne!(deposit_id("mpesa", "600111", "RKTQDM7W6S"), sha256(&[&literal]));
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!(IdempotencyKey::parse("mpesa:600111:RKTQDM7W6S").is_ok());
        for text in ["", "two words", "tab\t", "é", &"x".repeat(201)] {
            assert!(IdempotencyKey::parse(text).is_err(), "{text:?}");
        }
    }
}
