//! Rows of balances, locked in order of their ids and updated by a SQL function (`rows.sql`).

use sqlx::PgPool;
use uuid::Uuid;

use super::{Line, Wire};
use crate::figure::Scene;
use crate::ground::{Fault, Ground};

/// The tables, the function, and connections.
pub(crate) struct Stand {
    pool: PgPool,
    accounts: usize,
    ground: Ground,
}

impl Stand {
    pub(super) async fn raise(pool: PgPool, accounts: usize, ground: &Ground) -> Result<Self, Fault> {
        sqlx::raw_sql(include_str!("rows.sql")).execute(&pool).await?;
        sqlx::query(
            "insert into bench.account (id, balance, may_be_negative)
             select n, 1000000000000, false from generate_series(1, $1) n",
        )
        .bind(i64::try_from(accounts)?)
        .execute(&pool)
        .await?;
        sqlx::raw_sql("vacuum analyze bench.account").execute(&pool).await?;
        Ok(Self { pool, accounts, ground: ground.clone() })
    }

    pub(super) async fn client(&self, scene: &Scene) -> Result<Client, Fault> {
        let wire = Wire::of(&self.pool, scene).await?;
        Ok(Client { wire, accounts: self.accounts, hot: scene.hot, ground: self.ground.clone() })
    }

    pub(super) async fn leave(self) {
        self.pool.close().await;
    }
}

/// A client that calls the function.
pub(crate) struct Client {
    wire: Wire,
    accounts: usize,
    hot: bool,
    ground: Ground,
}

impl Client {
    pub(super) fn load(&mut self, transfers: usize) -> Vec<Line> {
        (0..transfers).map(|_| Line::draw(&self.ground, self.accounts, self.hot)).collect()
    }

    pub(super) async fn post(&mut self, lines: Vec<Line>) -> Result<(), Fault> {
        let mut conn = self.wire.get().await?;
        let call = match lines.as_slice() {
            [line] => sqlx::query("select bench.post_one($1, $2, $3, $4)")
                .bind(line.id)
                .bind(i64::from(line.debit))
                .bind(i64::from(line.credit)),
            lines => sqlx::query("select bench.post_many($1, $2, $3, $4)")
                .bind(lines.iter().map(|line| line.id).collect::<Vec<Uuid>>())
                .bind(lines.iter().map(|line| i64::from(line.debit)).collect::<Vec<i64>>())
                .bind(lines.iter().map(|line| i64::from(line.credit)).collect::<Vec<i64>>()),
        };
        call.bind(100i64).execute(&mut *conn).await?;
        Ok(())
    }
}
