//! Rows in the binary format of `COPY`: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary
//! Format".
//!
//! Invariant: a row has as many fields as it says. Absent: anything about tables; who fills rows knows them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::Fault;

/// Microseconds from 1970 to 2000, where Postgres begins to count.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The type of an element of `int[]`.
const INT4_OID: i32 = 23;
/// Bytes that are handed over at once.
const PART: usize = 1 << 17;

/// Rows on their way into one table.
pub(crate) struct Rows(Vec<u8>);

impl Rows {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + 32);
        // The signature, no flags, no extension.
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        Self(bytes)
    }

    /// The rows so far, leaving none.
    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    /// Begins a row of so many fields.
    pub(crate) fn row(&mut self, fields: i16) -> &mut Self {
        self.0.extend_from_slice(&fields.to_be_bytes());
        self
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        // No field of ours comes near 2 GiB.
        self.0.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.0.extend_from_slice(&(-1i32).to_be_bytes());
        self
    }

    pub(crate) fn int8(&mut self, number: i64) -> &mut Self {
        self.field(&number.to_be_bytes())
    }

    pub(crate) fn int4(&mut self, number: i32) -> &mut Self {
        self.field(&number.to_be_bytes())
    }

    pub(crate) fn int2(&mut self, number: i16) -> &mut Self {
        self.field(&number.to_be_bytes())
    }

    pub(crate) fn char(&mut self, letter: u8) -> &mut Self {
        self.field(&[letter])
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.field(text.as_bytes())
    }

    pub(crate) fn uuid(&mut self, uuid: Uuid) -> &mut Self {
        self.field(uuid.as_bytes())
    }

    pub(crate) fn time(&mut self, time: DateTime<Utc>) -> &mut Self {
        self.int8(time.timestamp_micros() - EPOCH_MICROS)
    }

    /// A field that may be null.
    pub(crate) fn option<T>(&mut self, value: Option<T>, put: fn(&mut Self, T) -> &mut Self) -> &mut Self {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }

    /// An `int[]` of one dimension.
    pub(crate) fn int4s(&mut self, numbers: &[i32]) -> &mut Self {
        let dimensions = u32::from(!numbers.is_empty());
        let length = 12 + dimensions * 8 + 8 * numbers.len() as u32;
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(&dimensions.to_be_bytes());
        self.0.extend_from_slice(&0i32.to_be_bytes());
        self.0.extend_from_slice(&INT4_OID.to_be_bytes());
        if !numbers.is_empty() {
            self.0.extend_from_slice(&(numbers.len() as u32).to_be_bytes());
            self.0.extend_from_slice(&1i32.to_be_bytes());
            numbers.iter().for_each(|number| {
                self.int4(*number);
            });
        }
        self
    }

    /// Sends all of them; `statement` is a `copy … from stdin (format binary)` of constant text.
    pub(crate) async fn send(mut self, conn: &mut PgConnection, statement: &str) -> Result<(), Fault> {
        self.0.extend_from_slice(&(-1i16).to_be_bytes());
        let mut copy = conn.copy_in_raw(statement).await?;
        for part in self.0.chunks(PART) {
            copy.send(part).await?;
        }
        copy.finish().await?;
        Ok(())
    }
}
