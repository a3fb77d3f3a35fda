//! The floor and the ceiling: rows of the journal's shape in a bare table, one by one or by binary `COPY`.
//!
//! The table is made `like ledger.posting including indexes`: its columns, its indexes, nothing that checks
//! or refuses. So it follows the migrations without being told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _};

use super::{Line, Wire};
use crate::figure::Scene;
use crate::ground::{Fault, Ground};

/// Postgres counts microseconds from 2000-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// What opens a binary COPY: signature, flags, length of the extension (Postgres manual, COPY).
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How a column is filled, by its name and its type's.
#[derive(Clone, Copy)]
enum Column {
    Empty,
    No,
    One(Width),
    Debit(Width),
    Credit(Width),
    Amount,
    Id,
    Random,
    Now,
    Letter,
    Word(&'static str),
}

#[derive(Clone, Copy)]
enum Width {
    Two,
    Four,
    Eight,
}

impl Column {
    /// A column that the table has. Whatever may stay empty and is not known here stays empty.
    fn of(name: &str, kind: &str, may_be_null: bool) -> Result<Self, Fault> {
        let width = match kind {
            "int2" => Some(Width::Two),
            "int4" => Some(Width::Four),
            "int8" => Some(Width::Eight),
            _ => None,
        };
        Ok(match (name, kind, width) {
            ("no", "int8", _) => Self::No,
            ("amount", "int8", _) => Self::Amount,
            ("debit", _, Some(width)) => Self::Debit(width),
            ("credit", _, Some(width)) => Self::Credit(width),
            ("transfer", "uuid", _) => Self::Id,
            ("fingerprint", "uuid", _) => Self::Random,
            ("key", ..) | ("effective_at", ..) if may_be_null => Self::Empty,
            (_, "char", _) => Self::Letter,
            ("book", "text", _) => Self::Word("bench:KES"),
            ("phase", "text", _) => Self::Word("post"),
            (_, _, Some(width)) => Self::One(width),
            (_, "timestamptz", _) if !may_be_null => Self::Now,
            _ if may_be_null => Self::Empty,
            _ => return Err(format!("do not know how to fill the column {name} ({kind})").into()),
        })
    }
}

/// The table, how it is written to, and its connections.
pub(crate) struct Stand {
    pool: PgPool,
    accounts: usize,
    table: Arc<Table>,
}

struct Table {
    ground: Ground,
    columns: Vec<Column>,
    copy: String,
    insert: String,
    next: AtomicI64,
}

impl Stand {
    pub(super) async fn raise(pool: PgPool, accounts: usize, ground: &Ground) -> Result<Self, Fault> {
        let sql = "create schema bench;
            create table bench.posting (like ledger.posting including indexes including storage);";
        sqlx::raw_sql(sql).execute(&pool).await?;
        let found = sqlx::query(
            "select attname::text, typname::text, not attnotnull
             from pg_attribute join pg_type on pg_type.oid = atttypid
             where attrelid = 'bench.posting'::regclass and attnum > 0 and not attisdropped
             order by attnum",
        );
        let (mut names, mut places, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for row in found.fetch_all(&pool).await? {
            let (name, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            columns.push(Column::of(&name, &kind, row.try_get(2)?)?);
            let cast = if kind == "char" { "\"char\"".to_owned() } else { kind };
            places.push(format!("${}::{cast}", columns.len()));
            names.push(name);
        }
        let copy = format!("copy bench.posting ({}) from stdin (format binary)", names.join(", "));
        let insert =
            format!("insert into bench.posting ({}) values ({})", names.join(", "), places.join(", "));
        let table = Table { ground: ground.clone(), columns, copy, insert, next: AtomicI64::new(1) };
        Ok(Self { pool, accounts, table: Arc::new(table) })
    }

    pub(super) async fn client(&self, scene: &Scene, by_copy: bool) -> Result<Client, Fault> {
        let wire = Wire::of(&self.pool, scene).await?;
        Ok(Client { wire, table: self.table.clone(), accounts: self.accounts, hot: scene.hot, by_copy })
    }

    pub(super) async fn leave(self) {
        self.pool.close().await;
    }
}

/// A client that writes rows.
pub(crate) struct Client {
    wire: Wire,
    table: Arc<Table>,
    accounts: usize,
    hot: bool,
    by_copy: bool,
}

impl Client {
    pub(super) fn load(&mut self, transfers: usize) -> Vec<Line> {
        (0..transfers).map(|_| Line::draw(&self.table.ground, self.accounts, self.hot)).collect()
    }

    pub(super) async fn post(&mut self, lines: Vec<Line>) -> Result<(), Fault> {
        let mut conn = self.wire.get().await?;
        let first = self.table.next.fetch_add(i64::try_from(lines.len())?, Ordering::Relaxed);
        if self.by_copy {
            let bytes = self.table.encode(&lines, first);
            let mut copy = conn.copy_in_raw(&self.table.copy).await?;
            copy.send(bytes).await?;
            copy.finish().await?;
        } else {
            for (no, line) in (first..).zip(&lines) {
                self.table.bind(line, no).execute(&mut *conn).await?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn encode(&self, lines: &[Line], first: i64) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + lines.len() * 128);
        out.extend_from_slice(SIGNATURE);
        let now = self.ground.clock.now();
        for (no, line) in (first..).zip(lines) {
            out.extend_from_slice(&u16::try_from(self.columns.len()).unwrap_or(0).to_be_bytes());
            for column in &self.columns {
                self.encode_column(&mut out, *column, (no, line, now));
            }
        }
        out.extend_from_slice(&(-1i16).to_be_bytes());
        out
    }

    fn encode_column(&self, out: &mut Vec<u8>, column: Column, (no, line, now): (i64, &Line, DateTime<Utc>)) {
        match column {
            Column::Empty => out.extend_from_slice(&(-1i32).to_be_bytes()),
            Column::No => field(out, &no.to_be_bytes()),
            Column::One(width) => number(out, 1, width),
            Column::Debit(width) => number(out, line.debit, width),
            Column::Credit(width) => number(out, line.credit, width),
            Column::Amount => field(out, &100i64.to_be_bytes()),
            Column::Id => field(out, line.id.as_bytes()),
            Column::Random => field(out, self.random().as_bytes()),
            Column::Now => field(out, &(now.timestamp_micros() - POSTGRES_EPOCH_US).to_be_bytes()),
            Column::Letter => field(out, b"p"),
            Column::Word(word) => field(out, word.as_bytes()),
        }
    }

    fn bind<'q>(&'q self, line: &Line, no: i64) -> Query<'q, Postgres, PgArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.insert.clone()));
        for column in &self.columns {
            query = match *column {
                Column::Empty => query.bind(None::<String>),
                Column::No => query.bind(no),
                Column::One(width) => bind_number(query, 1, width),
                Column::Debit(width) => bind_number(query, line.debit, width),
                Column::Credit(width) => bind_number(query, line.credit, width),
                Column::Amount => query.bind(100i64),
                Column::Id => query.bind(line.id),
                Column::Random => query.bind(self.random()),
                Column::Now => query.bind(self.ground.clock.now()),
                Column::Letter => query.bind(b'p'.cast_signed()),
                Column::Word(word) => query.bind(word),
            };
        }
        query
    }

    fn random(&self) -> uuid::Uuid {
        let mut bytes = [0u8; 16];
        self.ground.rng.fill(&mut bytes);
        uuid::Uuid::from_bytes(bytes)
    }
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, n: i32, width: Width) {
    match width {
        Width::Two => field(out, &i16::try_from(n).unwrap_or(i16::MAX).to_be_bytes()),
        Width::Four => field(out, &n.to_be_bytes()),
        Width::Eight => field(out, &i64::from(n).to_be_bytes()),
    }
}

fn bind_number(
    query: Query<'_, Postgres, PgArguments>,
    n: i32,
    width: Width,
) -> Query<'_, Postgres, PgArguments> {
    match width {
        Width::Two => query.bind(i16::try_from(n).unwrap_or(i16::MAX)),
        Width::Four => query.bind(n),
        Width::Eight => query.bind(i64::from(n)),
    }
}
