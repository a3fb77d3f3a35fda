//! What every test of the ledger stands on: a book, a clock that is told the time, chance that repeats.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use amana_ledger::chart::{Account, BookId, Rail, Shortcode};
use amana_ledger::id::{Clock, EscrowRef, IdempotencyKey, PartyId, Rng, TransferId};
use amana_ledger::journal::{self, Posted, Receipt};
use amana_ledger::money::{Asset, Money};
use amana_ledger::rules::Intent;
use amana_ledger::transfer::{Rejection, Transfer};
use amana_ledger::{Constraint, Fault, audit};
use amana_tests::pg::Database;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The noon the tests begin at.
pub(crate) const NOON: i64 = 1_790_000_000_000_000;

/// A clock that stands until it is moved.
pub(crate) struct Told(AtomicI64);

impl Told {
    pub(crate) fn noon() -> Self {
        Self(AtomicI64::new(NOON))
    }

    pub(crate) fn forward(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Told {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Chance that repeats (splitmix64).
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn of(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        bytes
            .chunks_mut(8)
            .for_each(|chunk| chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]));
    }
}

/// A database with one open book.
pub(crate) struct Ground {
    pub(crate) db: Database,
    pub(crate) clock: Told,
    pub(crate) rng: Seeded,
    pub(crate) book: BookId,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let (db, clock) = (Database::fresh().await, Told::noon());
        let ground = Self { db, clock, rng: Seeded::of(7), book: book("kenya:KES") };
        ground.open("kenya:KES").await;
        ground
    }

    pub(crate) async fn open(&self, name: &str) -> BookId {
        let mut conn = self.db.app.acquire().await.unwrap();
        journal::open(&mut conn, &self.clock, &book(name)).await.unwrap();
        book(name)
    }

    pub(crate) fn intent(&self) -> Intent {
        self.intent_in(&self.book)
    }

    pub(crate) fn intent_in(&self, book: &BookId) -> Intent {
        let id = TransferId::mint(&self.clock, &self.rng);
        Intent::new(id, book, IdempotencyKey::of(id))
    }

    pub(crate) fn keyed(&self, key: &str) -> Intent {
        Intent::new(TransferId::mint(&self.clock, &self.rng), &self.book, IdempotencyKey::parse(key).unwrap())
    }

    /// Posts in a transaction of its own and commits.
    pub(crate) async fn post(&self, batch: &[Transfer]) -> Vec<Result<Posted, Rejection>> {
        self.try_post(batch).await.unwrap()
    }

    pub(crate) async fn try_post(&self, batch: &[Transfer]) -> Result<Vec<Result<Posted, Rejection>>, Fault> {
        let book = batch[0].book().clone();
        let mut tx = self.db.app.begin().await?;
        let answers = journal::post(&mut tx, &self.clock, &book, batch).await?;
        tx.commit().await?;
        Ok(answers)
    }

    /// Posts one and expects it to land.
    pub(crate) async fn land(&self, transfer: Transfer) -> Receipt {
        self.one(transfer).await.unwrap().receipt().clone()
    }

    pub(crate) async fn one(&self, transfer: Transfer) -> Result<Posted, Rejection> {
        self.post(&[transfer]).await.remove(0)
    }

    /// Every test ends here.
    pub(crate) async fn audited(&self) {
        let mut conn = self.db.app.acquire().await.unwrap();
        let report = audit::audit(&mut conn).await.unwrap();
        assert!(report.ok(), "{report}");
    }

    pub(crate) fn employee(&self) -> PartyId {
        PartyId::mint(&self.clock, &self.rng)
    }

    pub(crate) fn escrow(&self) -> EscrowRef {
        EscrowRef::mint(&self.rng)
    }
}

pub(crate) fn book(name: &str) -> BookId {
    BookId::parse(name).unwrap()
}

pub(crate) fn kes(minor: i64) -> Money {
    Money::new(Asset::Kes, minor).unwrap()
}

pub(crate) fn paybill() -> Shortcode {
    Shortcode::parse("600111").unwrap()
}

pub(crate) fn rail() -> Rail {
    Rail::parse("intersend").unwrap()
}

pub(crate) fn float() -> Account {
    Account::FloatRail(rail())
}

pub(crate) fn party(number: u128) -> PartyId {
    PartyId(Uuid::from_u128(number))
}

/// Runs statements as whoever the pool is, in one transaction, to see which rule refuses them.
pub(crate) async fn refused(pool: &PgPool, statements: &[&str]) -> Option<Constraint> {
    let mut tx = pool.begin().await.unwrap();
    let run = async |conn: &mut PgConnection| {
        for statement in statements {
            sqlx::raw_sql(sqlx::AssertSqlSafe((*statement).to_owned())).execute(&mut *conn).await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    let outcome = match run(&mut tx).await {
        Ok(()) => tx.commit().await,
        Err(error) => Err(error),
    };
    match outcome.map_err(Fault::from) {
        Ok(()) => None,
        Err(Fault::Refused(constraint)) => Some(constraint),
        Err(fault) => panic!("{fault:?}"),
    }
}
