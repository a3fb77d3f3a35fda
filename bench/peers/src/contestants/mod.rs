//! Who posts: the ledger, its baselines and a peer, each behind the same two words, `load` and `post`.
//!
//! Invariant: whatever a client sends is drawn and built before the clock starts; encoding and waiting are
//! what is measured. A refusal or an error ends a turn: nothing is counted that did not land.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use cala_ledger::posting::PostingInput;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Postgres};
use uuid::Uuid;

use crate::cluster::{Cluster, Mould};
use crate::figure::{Contestant, Scene};
use crate::ground::{Fault, Ground};

pub(crate) mod amana;
mod bare;
mod cala;
mod rows;

/// Connections of a contestant at most; more clients than these wait for one. Two cores serve 64 connections
/// better than 1,024, so this is kind to whoever needs a connection a client.
pub(crate) const CONNECTIONS: u32 = 64;

/// A transfer for those who know accounts by number.
pub(crate) struct Line {
    pub(crate) id: Uuid,
    pub(crate) debit: i32,
    pub(crate) credit: i32,
}

impl Line {
    /// Two different accounts of `accounts`, counted from 1; the first is the hot one.
    fn draw(ground: &Ground, accounts: usize, hot: bool) -> Self {
        let debit = if hot { 0 } else { ground.below(accounts) };
        let credit = (debit + 1 + ground.below(accounts.saturating_sub(1))) % accounts.max(1);
        let number = |at: usize| i32::try_from(at + 1).unwrap_or(i32::MAX);
        Self { id: ground.id(), debit: number(debit), credit: number(credit) }
    }
}

/// What is about to be posted.
pub(crate) enum Load {
    Amana(Vec<amana::Transfer>),
    Lines(Vec<Line>),
    Cala(Vec<PostingInput>),
}

/// A contestant with its database, accounts and connections.
pub(crate) struct Stand {
    pub(crate) contestant: Contestant,
    url: String,
    kind: Kind,
}

enum Kind {
    Amana(amana::Stand),
    Bare(bare::Stand),
    Rows(rows::Stand),
    Cala(Box<cala::Stand>),
}

impl Stand {
    /// A contestant in a fresh database, with its accounts.
    pub(crate) async fn raise(
        cluster: &mut Cluster,
        contestant: Contestant,
        accounts: u64,
        ground: &Ground,
    ) -> Result<Self, Fault> {
        let mould = if contestant == Contestant::Cala { Mould::Empty } else { Mould::Migrated };
        let url = cluster.make(mould).await?;
        let accounts = usize::try_from(accounts)?;
        let kind = match contestant {
            Contestant::Amana | Contestant::Door => {
                let options = (contestant == Contestant::Amana).then(|| url.parse()).transpose()?;
                Kind::Amana(amana::Stand::raise(pool(&url).await?, accounts, ground, options).await?)
            }
            Contestant::Insert | Contestant::Copy => {
                Kind::Bare(bare::Stand::raise(pool(&url).await?, accounts, ground).await?)
            }
            Contestant::Rows => Kind::Rows(rows::Stand::raise(pool(&url).await?, accounts, ground).await?),
            Contestant::Cala => Kind::Cala(Box::new(cala::Stand::raise(&url, accounts, ground).await?)),
        };
        Ok(Self { contestant, url, kind })
    }

    /// One of the clients of a scene.
    pub(crate) async fn client(&self, contestant: Contestant, scene: &Scene) -> Result<Client, Fault> {
        Ok(match &self.kind {
            Kind::Amana(stand) => Client::Amana(stand.client(scene).await?),
            Kind::Bare(stand) => Client::Bare(stand.client(scene, contestant == Contestant::Copy).await?),
            Kind::Rows(stand) => Client::Rows(stand.client(scene).await?),
            Kind::Cala(stand) => Client::Cala(stand.client(scene)),
        })
    }

    /// The ledger, where that is who stands here.
    pub(crate) fn amana(&self) -> Option<&amana::Stand> {
        match &self.kind {
            Kind::Amana(stand) => Some(stand),
            _ => None,
        }
    }

    /// Where its database is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Leaves the database and drops it.
    pub(crate) async fn fell(self, cluster: &mut Cluster) -> Result<(), Fault> {
        match self.kind {
            Kind::Amana(stand) => stand.leave().await?,
            Kind::Bare(stand) => stand.leave().await,
            Kind::Rows(stand) => stand.leave().await,
            Kind::Cala(stand) => stand.leave().await,
        }
        cluster.unmake(&self.url).await
    }
}

/// A client of a contestant: it sends one call at a time.
pub(crate) enum Client {
    Amana(amana::Client),
    Bare(bare::Client),
    Rows(rows::Client),
    Cala(cala::Client),
}

impl Client {
    /// Draws what is posted next.
    pub(crate) fn load(&mut self, transfers: usize) -> Result<Load, Fault> {
        Ok(match self {
            Self::Amana(client) => Load::Amana(client.load(transfers)?),
            Self::Bare(client) => Load::Lines(client.load(transfers)),
            Self::Rows(client) => Load::Lines(client.load(transfers)),
            Self::Cala(client) => Load::Cala(client.load(transfers)),
        })
    }

    /// Posts it in one call, and returns when it is committed.
    pub(crate) async fn post(&mut self, load: Load) -> Result<(), Fault> {
        match (self, load) {
            (Self::Amana(client), Load::Amana(transfers)) => client.post(transfers).await,
            (Self::Bare(client), Load::Lines(lines)) => client.post(lines).await,
            (Self::Rows(client), Load::Lines(lines)) => client.post(lines).await,
            (Self::Cala(client), Load::Cala(batch)) => client.post(batch).await,
            _ => Err("a load for somebody else".into()),
        }
    }
}

async fn pool(url: &str) -> Result<PgPool, Fault> {
    // Nobody breaks connections here, and asking each time whether one still works costs a round trip.
    let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    Ok(options.acquire_timeout(Duration::from_secs(120)).connect(url).await?)
}

/// A client's way to the database: a connection of its own while there are enough.
struct Wire {
    pool: PgPool,
    own: Option<PoolConnection<Postgres>>,
}

impl Wire {
    async fn of(pool: &PgPool, scene: &Scene) -> Result<Self, Fault> {
        let own = if scene.clients <= u64::from(CONNECTIONS) { Some(pool.acquire().await?) } else { None };
        Ok(Self { pool: pool.clone(), own })
    }

    async fn get(&mut self) -> Result<Held<'_>, Fault> {
        Ok(match &mut self.own {
            Some(own) => Held::Own(own),
            None => Held::Lent(self.pool.acquire().await?),
        })
    }
}

enum Held<'a> {
    Own(&'a mut PgConnection),
    Lent(PoolConnection<Postgres>),
}

impl Deref for Held<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Own(own) => own,
            Self::Lent(lent) => lent,
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(own) => own,
            Self::Lent(lent) => lent,
        }
    }
}
