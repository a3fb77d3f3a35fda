//! `amana bench`: transfers posted a second through the write door, beside a plain `INSERT` of as many rows.
//!
//! Absolute figures move twofold with whatever else the machine does; so both run in turns, round by round,
//! the medians are shown, and the ratio is the figure that means something. One connection, one commit a
//! batch.
//!
//! Absent: floats. Rates are whole numbers, ratios are per cent.

use std::fmt;
use std::time::{Duration, Instant};

use amana_ledger::chart::{BookId, Shortcode};
use amana_ledger::id::{Clock, IdempotencyKey, PartyId, Rng, TransferId, uuid_v7};
use amana_ledger::money::{Amount, Money};
use amana_ledger::rules::{self, Intent};
use amana_ledger::transfer::Transfer;
use amana_ledger::{Fault, journal};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

/// Batch sizes that are measured.
const SIZES: [usize; 3] = [1, 64, 1024];
/// Rounds of each size; an odd number, so that the median is one of them.
const ROUNDS: usize = 5;
/// How long one side runs in one round.
const TURN: Duration = Duration::from_millis(700);
/// Employers the transfers are spread over; all of them credit against one float, the hottest account there
/// is.
const EMPLOYERS: usize = 1_000;

/// One size's medians.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Transfers in a batch.
    pub batch: usize,
    /// Transfers a second through the write door.
    pub posted: u64,
    /// Rows a second by a plain `INSERT`.
    pub inserted: u64,
    /// Microseconds from `begin` to the end of `commit`, half of the batches and 99 of 100, through the door.
    pub posted_us: [u64; 2],
    /// The same for the plain `INSERT`.
    pub inserted_us: [u64; 2],
}

/// What was measured; `Display` is the table.
#[derive(Clone, Debug)]
pub struct Figures(pub Vec<Figure>);

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "one connection, one commit a batch, medians of {ROUNDS} interleaved rounds of {TURN:?}"
        )?;
        let employers = format!("{EMPLOYERS} accounts and one hot one");
        writeln!(f, "a transfer: checked, numbered, sealed, balances kept ({employers})")?;
        writeln!(f, "a plain row: insert into a table with a primary key and an index on each account\n")?;
        writeln!(f, "  batch   transfers/s   plain rows/s   ratio   p50/p99 ms   plain p50/p99 ms")?;
        for figure in &self.0 {
            let Figure { batch, posted, inserted, posted_us, inserted_us } = figure;
            let ratio = posted * 100 / (*inserted).max(1);
            let (own, plain) = (millis(posted_us), millis(inserted_us));
            writeln!(f, "{batch:>7} {posted:>13} {inserted:>14} {ratio:>6}% {own:>12} {plain:>18}")?;
        }
        Ok(())
    }
}

fn millis(us: &[u64; 2]) -> String {
    let [p50, p99] = us.map(|us| format!("{}.{}", us / 1_000, us % 1_000 / 100));
    format!("{p50}/{p99}")
}

/// Time and chance, from where the process has them.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub rng: &'a dyn Rng,
}

/// Measures, in a book of its own that stays (`bench:KES`) and a table that does not (`bench.plain`). The
/// pool is one that may make a schema: the owner's or a superuser's, of a migrated database nobody else
/// uses. Takes about half a minute; the answer's `Display` is the table to print.
///
/// # Errors
/// [`Fault`] when the database fails, or a transfer of the run does not land.
pub async fn run(pool: &PgPool, ground: Ground<'_>) -> Result<Figures, Fault> {
    let mut conn = pool.acquire().await?;
    let conn: &mut PgConnection = &mut conn;
    let book = BookId::parse("bench:KES").map_err(|_| Fault::Unreadable("the book's name is none"))?;
    journal::open(conn, ground.clock, &book).await?;
    sqlx::raw_sql(
        "create schema if not exists bench;
         create table if not exists bench.plain (
             id uuid primary key, debit uuid not null, credit uuid not null, amount bigint not null,
             at timestamptz not null
         );
         create index if not exists plain_debit on bench.plain (debit, at);
         create index if not exists plain_credit on bench.plain (credit, at);",
    )
    .execute(&mut *conn)
    .await?;
    let employers: Vec<PartyId> = (0..EMPLOYERS).map(|_| PartyId::mint(ground.clock, ground.rng)).collect();
    let load = Load { ground, book, employers };
    // The first round of each warms caches and plans and is not counted.
    for size in SIZES {
        load.turn(conn, size, Side::Ledger).await?;
        load.turn(conn, size, Side::Plain).await?;
    }
    let mut figures = Vec::new();
    for size in SIZES {
        let (mut own, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            own.push(load.turn(conn, size, Side::Ledger).await?);
            plain.push(load.turn(conn, size, Side::Plain).await?);
        }
        let ((posted, posted_us), (inserted, inserted_us)) = (median(own), median(plain));
        figures.push(Figure { batch: size, posted, inserted, posted_us, inserted_us });
    }
    sqlx::raw_sql("drop schema bench cascade").execute(conn).await?;
    Ok(Figures(figures))
}

#[derive(Clone, Copy)]
enum Side {
    Ledger,
    Plain,
}

struct Load<'a> {
    ground: Ground<'a>,
    book: BookId,
    employers: Vec<PartyId>,
}

/// One turn: its rate, and how long each batch took, microseconds.
struct Turn {
    rate: u64,
    took: Vec<u64>,
}

impl Load<'_> {
    async fn turn(&self, conn: &mut PgConnection, size: usize, side: Side) -> Result<Turn, Fault> {
        let (start, mut took) = (Instant::now(), Vec::new());
        while start.elapsed() < TURN {
            let began = Instant::now();
            match side {
                Side::Ledger => self.post(conn, size).await?,
                Side::Plain => self.insert(conn, size).await?,
            }
            took.push(micros(began.elapsed()));
        }
        let rate = (size * took.len()) as u64 * 1_000_000 / micros(start.elapsed()).max(1);
        Ok(Turn { rate, took })
    }

    async fn post(&self, conn: &mut PgConnection, size: usize) -> Result<(), Fault> {
        let batch = (0..size).map(|_| self.transfer()).collect::<Option<Vec<_>>>();
        let batch = batch.ok_or(Fault::Unreadable("a transfer of the run cannot be made"))?;
        let mut tx = conn.begin().await?;
        let answers = journal::post(&mut tx, self.ground.clock, &self.book, &batch).await?;
        if !answers.iter().all(Result::is_ok) {
            return Err(Fault::Unreadable("a transfer of the run was refused"));
        }
        tx.commit().await?;
        Ok(())
    }

    fn transfer(&self) -> Option<Transfer> {
        let id = TransferId::mint(self.ground.clock, self.ground.rng);
        let intent = Intent::new(id, &self.book, IdempotencyKey::of(id));
        let money = Money { asset: self.book.asset(), amount: Amount::new(100).ok()? };
        let owner = Some((self.employer(), money));
        Some(rules::collection_booked(intent, &Shortcode::parse("600111").ok()?, None, owner))
    }

    fn employer(&self) -> PartyId {
        let mut chance = [0u8; 2];
        self.ground.rng.fill(&mut chance);
        self.employers[usize::from(u16::from_be_bytes(chance)) % EMPLOYERS]
    }

    async fn insert(&self, conn: &mut PgConnection, size: usize) -> Result<(), Fault> {
        let ids: Vec<Uuid> = (0..size).map(|_| uuid_v7(self.ground.clock, self.ground.rng)).collect();
        let credits: Vec<Uuid> = (0..size).map(|_| self.employer().0).collect();
        let mut tx = conn.begin().await?;
        sqlx::query(
            "insert into bench.plain
             select id, '00000000-0000-7000-8000-000000000000', credit, 100, $3
             from unnest($1::uuid[], $2::uuid[]) as p (id, credit)",
        )
        .bind(ids)
        .bind(credits)
        .bind(self.ground.clock.now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The median rate, and p50 and p99 over the batches of all turns.
fn median(mut turns: Vec<Turn>) -> (u64, [u64; 2]) {
    turns.sort_by_key(|turn| turn.rate);
    let rate = turns.get(turns.len() / 2).map_or(0, |turn| turn.rate);
    let mut took: Vec<u64> = turns.into_iter().flat_map(|turn| turn.took).collect();
    took.sort_unstable();
    let at = |per_cent: usize| took.get(took.len() * per_cent / 100).copied().unwrap_or(0);
    (rate, [at(50), at(99)])
}
