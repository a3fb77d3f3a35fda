//! A walk over all escrows of our book, a page at a time, each beside the ledger that last changed its entry.

use amana_adapters::stellar::{Entry, MOST_KEYS, Observer};

use super::outside;
use crate::app::App;
use crate::error::Result;
use crate::flows::store::entries::{self, Heard};

/// Where the walk is.
pub struct Walk<'a> {
    app: &'a App,
    observer: &'a Observer,
    after: String,
}

impl<'a> Walk<'a> {
    /// From the first escrow on.
    pub fn new(app: &'a App, observer: &'a Observer) -> Self {
        Self { app, observer, after: String::new() }
    }

    /// The next page: what was heard of each escrow, and its entry, unless the server left it out. Empty
    /// after the last.
    ///
    /// # Errors
    /// A fault; the same page comes again.
    pub async fn next(&mut self) -> Result<Vec<(Heard, Option<Entry>)>> {
        let mut tx = self.app.db.begin().await?;
        let page = entries::page(&mut tx, &self.app.config.book, &self.after, MOST_KEYS as i64).await?;
        drop(tx);
        let Some(last) = page.last() else { return Ok(Vec::new()) };
        let after = last.reference.to_string();
        let keys: Vec<_> = page.iter().map(|heard| heard.reference.key()).collect();
        let (_, found) = self.observer.escrows(&keys).await.map_err(outside)?;
        self.after = after;
        Ok(page.into_iter().zip(found).collect())
    }
}
