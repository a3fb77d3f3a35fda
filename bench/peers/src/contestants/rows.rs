//! Rows of balances, locked in order of their ids and updated by a SQL function (`rows.sql`).

use std::sync::Arc;

use sqlx::PgPool;

use super::{Line, Wire};
use crate::figure::Scene;
use crate::ground::{Fault, Ground};

/// The tables, the function, and connections.
pub(crate) struct Stand {
    pool: PgPool,
    accounts: Arc<Vec<String>>,
    ground: Ground,
}

impl Stand {
    pub(super) async fn raise(pool: PgPool, accounts: usize, ground: &Ground) -> Result<Self, Fault> {
        sqlx::raw_sql(include_str!("rows.sql")).execute(&pool).await?;
        let accounts: Vec<String> = sqlx::query_scalar(
            "insert into bench.account (currency, balance, may_be_negative, may_be_positive)
             select 'KES', 10000000000, false, true from generate_series(1, $1) returning id",
        )
        .bind(i64::try_from(accounts)?)
        .fetch_all(&pool)
        .await?;
        sqlx::raw_sql("vacuum analyze bench.account").execute(&pool).await?;
        Ok(Self { pool, accounts: Arc::new(accounts), ground: ground.clone() })
    }

    pub(super) async fn client(&self, scene: &Scene) -> Result<Client, Fault> {
        let wire = Wire::of(&self.pool, scene).await?;
        Ok(Client { wire, accounts: self.accounts.clone(), hot: scene.hot, ground: self.ground.clone() })
    }

    pub(super) async fn leave(self) {
        self.pool.close().await;
    }
}

/// A client that calls the function.
pub(crate) struct Client {
    wire: Wire,
    accounts: Arc<Vec<String>>,
    hot: bool,
    ground: Ground,
}

impl Client {
    pub(super) fn load(&mut self, transfers: usize) -> Vec<Line> {
        (0..transfers).map(|_| Line::draw(&self.ground, self.accounts.len(), self.hot)).collect()
    }

    pub(super) async fn post(&mut self, lines: Vec<Line>) -> Result<(), Fault> {
        let mut conn = self.wire.get().await?;
        // Lines number accounts from 1.
        let name = |number: i32| self.accounts[number as usize - 1].as_str();
        let call = match lines.as_slice() {
            [line] => sqlx::query("select * from bench.post_one($1, $2, 1.00)")
                .bind(name(line.debit))
                .bind(name(line.credit)),
            lines => sqlx::query(
                "select * from bench.post((
                    select array_agg(row(debit, credit, 1.00)::bench.wish)
                    from unnest($1::text[], $2::text[]) as u (debit, credit)), null, null)",
            )
            .bind(lines.iter().map(|line| name(line.debit)).collect::<Vec<&str>>())
            .bind(lines.iter().map(|line| name(line.credit)).collect::<Vec<&str>>()),
        };
        call.execute(&mut *conn).await?;
        Ok(())
    }
}
