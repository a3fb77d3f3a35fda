//! The ledger with everything on: checked, numbered, sealed, balances and idempotency kept. Through the door
//! for traffic, which batches what queued; or through the one that takes the caller's own transaction.
//!
//! Between random accounts money moves from one of as many escrows to one of as many employees (`released`);
//! on a hot account, from one float to one of the employers (`collection_booked`). Both are one posting.

use std::sync::Arc;

use amana_ledger::chart::{Account, BookId, Shortcode};
use amana_ledger::id::{EscrowRef, IdempotencyKey, PartyId, TransferId};
use amana_ledger::money::Money;
use amana_ledger::poster::{Nothing, Poster};
use amana_ledger::transfer::Rejection;
pub(crate) use amana_ledger::transfer::Transfer;
use amana_ledger::{balance, journal, rules};
use chrono::Duration;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgPool};
use tokio::task::JoinHandle;

use super::Wire;
use crate::figure::Scene;
use crate::ground::{Fault, Ground};

/// What an escrow is given beforehand, minor units: enough for 10,000 million transfers, and half a million
/// times this is still a sixteenth of what a balance holds.
const FUNDS: i64 = 1_000_000_000_000;
/// What a transfer moves.
const MOVED: i64 = 100;
/// How many pairs of accounts are opened at a time.
const PAIRS: usize = 4_096;
/// One in so many transfers of a sustained run happened before the book heard of it.
const LATE_ONE_IN: usize = 1_000;

/// The book, its accounts and its connections.
pub(crate) struct Stand {
    pub(crate) pool: PgPool,
    pub(crate) town: Arc<Town>,
    /// The door for traffic, and the task behind it; none where callers bring transactions.
    poster: Option<(Poster, JoinHandle<()>)>,
}

/// The accounts.
pub(crate) struct Town {
    pub(crate) ground: Ground,
    pub(crate) book: BookId,
    till: Shortcode,
    escrows: Vec<EscrowRef>,
    people: Vec<PartyId>,
    late: bool,
}

impl Town {
    fn intent(&self) -> rules::Intent {
        let id = TransferId(self.ground.id());
        rules::Intent::new(id, &self.book, IdempotencyKey::of(id))
    }

    fn money(&self, minor: i64) -> Result<Money, Fault> {
        Ok(Money::new(self.book.asset(), minor)?)
    }

    fn pairs(&self) -> impl Iterator<Item = (&EscrowRef, PartyId)> {
        self.escrows.iter().zip(self.people.iter().copied())
    }

    /// Money for an escrow, and a little of it for an employee.
    fn opening(&self, (escrow, person): &(&EscrowRef, PartyId)) -> Result<[Transfer; 2], Fault> {
        let escrow = *escrow;
        let part = Some((escrow.clone(), self.money(FUNDS)?));
        Ok([
            rules::collection_booked(self.intent(), &self.till, part, None),
            rules::released(self.intent(), escrow.clone(), *person, self.money(MOVED)?, None),
        ])
    }

    /// A transfer between random accounts.
    pub(crate) fn random(&self) -> Result<Transfer, Fault> {
        let mut intent = self.intent();
        if self.late && self.ground.below(LATE_ONE_IN) == 0 {
            let days = i64::try_from(10 + self.ground.below(30))?;
            intent = intent.effective_at(self.ground.clock.now() - Duration::days(days));
        }
        let escrow = self.escrows[self.ground.below(self.escrows.len())].clone();
        let person = self.people[self.ground.below(self.people.len())];
        Ok(rules::released(intent, escrow, person, self.money(MOVED)?, None))
    }

    /// A transfer from the one float to a random account.
    fn hot(&self) -> Result<Transfer, Fault> {
        let person = self.people[self.ground.below(self.people.len())];
        let owner = Some((person, self.money(MOVED)?));
        Ok(rules::collection_booked(self.intent(), &self.till, None, owner))
    }

    /// Any of the accounts that random transfers touch.
    pub(crate) fn account(&self) -> Account {
        let at = self.ground.below(self.people.len());
        if self.ground.below(2) == 0 {
            Account::Escrow(self.escrows[at].clone())
        } else {
            Account::Employee(self.people[at])
        }
    }
}

impl Stand {
    /// A book with `accounts` accounts, half of them with money to give. All are touched once, as an owner of
    /// some days' standing has touched them. Whoever brings time of their own (`Ground::spread`) brings late
    /// news too.
    pub(super) async fn raise(
        pool: PgPool,
        accounts: usize,
        ground: &Ground,
        options: Option<PgConnectOptions>,
    ) -> Result<Self, Fault> {
        let book = BookId::parse("bench:KES")?;
        let mut conn = pool.acquire().await?;
        journal::open(&mut conn, ground.clock.as_ref(), &book).await?;
        let escrows = (0..accounts / 2).map(|_| EscrowRef::mint(ground.rng.as_ref())).collect();
        let people = (0..accounts / 2).map(|_| PartyId(ground.id())).collect();
        let till = Shortcode::parse("600111")?;
        let town = Town { ground: ground.clone(), book, till, escrows, people, late: ground.late };
        let open = |options| Poster::open(&options, ground.clock.clone(), &town.book, Nothing);
        let poster = options.map(open);
        for pairs in town.pairs().collect::<Vec<_>>().chunks(PAIRS) {
            let opening: Vec<_> = pairs.iter().map(|pair| town.opening(pair)).collect::<Result<_, _>>()?;
            let batch = opening.into_iter().flatten().collect();
            match &poster {
                Some((poster, _)) => landed(poster.post_all(batch).await?)?,
                None => post(&mut conn, &town, &batch).await?,
            }
        }
        drop(conn);
        Ok(Self { pool, town: Arc::new(town), poster })
    }

    pub(super) async fn client(&self, scene: &Scene) -> Result<Client, Fault> {
        let door = match &self.poster {
            Some((poster, _)) => Door::Traffic(poster.clone()),
            None => Door::Own(Wire::of(&self.pool, scene).await?),
        };
        Ok(Client { town: self.town.clone(), hot: scene.hot, door })
    }

    /// Leaves, if the book is sound as far as a moment can tell.
    pub(super) async fn leave(self) -> Result<(), Fault> {
        if let Some((poster, owner)) = self.poster {
            drop(poster);
            owner.await?;
        }
        let mut conn = self.pool.acquire().await?;
        let trial = balance::trial_balance(&mut conn, &self.town.book).await?;
        drop(conn);
        self.pool.close().await;
        if trial.debits == trial.credits { Ok(()) } else { Err("the book does not sum to zero".into()) }
    }
}

/// A client of the ledger.
pub(crate) struct Client {
    town: Arc<Town>,
    hot: bool,
    door: Door,
}

enum Door {
    Traffic(Poster),
    Own(Wire),
}

impl Client {
    pub(super) fn load(&mut self, transfers: usize) -> Result<Vec<Transfer>, Fault> {
        (0..transfers).map(|_| if self.hot { self.town.hot() } else { self.town.random() }).collect()
    }

    pub(super) async fn post(&mut self, transfers: Vec<Transfer>) -> Result<(), Fault> {
        match &mut self.door {
            Door::Traffic(poster) => landed(poster.post_all(transfers).await?),
            Door::Own(wire) => post(&mut *wire.get().await?, &self.town, &transfers).await,
        }
    }
}

/// Nothing of a run is refused, or it would be quicker than it is.
fn landed<T>(answers: Vec<Result<T, Rejection>>) -> Result<(), Fault> {
    let refused = answers.into_iter().find_map(Result::err);
    refused.map_or(Ok(()), |refused| Err(format!("a transfer of the run was refused: {refused}").into()))
}

/// A batch through the door that takes the caller's transaction.
async fn post(conn: &mut sqlx::PgConnection, town: &Town, batch: &[Transfer]) -> Result<(), Fault> {
    let mut tx = conn.begin().await?;
    let answers = journal::post(&mut tx, town.ground.clock.as_ref(), &town.book, batch).await?;
    landed(answers)?;
    Ok(tx.commit().await?)
}
