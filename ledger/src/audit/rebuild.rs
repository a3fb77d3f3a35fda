//! All balances made anew from the postings alone, and compared with every chunk that is stored.
//!
//! Balances are never rewritten: chunks are appended once and closed for ever. So a rebuild is a comparison,
//! and what it finds is a break for people.
//!
//! Invariant: what a chunk must say comes from postings and nothing else. In memory are one page, one batch,
//! and four totals an account. The journal up to the batch at which it began never changes, so posting may go
//! on, and each step may come over another connection.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use sqlx::PgConnection;

use crate::batch::Totals;
use crate::chart::{BookId, Side};
use crate::store::Fault;
use crate::store::page::{self, Stretch};
use crate::store::walk::replay::{self, Expected, Moved, Stored};

/// Postings, or accounts, of a page.
const PAGE: i64 = 10_000;

/// Something that is stored otherwise than the journal gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: an account after a batch.
    pub place: String,
    /// What the postings give.
    pub ought: String,
    /// What is stored.
    pub stands: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the postings give {}, stored is {}", self.place, self.ought, self.stands)
    }
}

/// Every book of the database, in order of name.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn books(conn: &mut PgConnection) -> Result<Vec<BookId>, Fault> {
    replay::books(conn).await
}

/// A journal being replayed.
pub struct Rebuild {
    book: BookId,
    stretch: Stretch,
    step: Step,
    accounts: HashMap<i32, Totals>,
    open: Open,
    /// The last batch whose limits were looked at.
    limited: i64,
    chunks: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// After this posting.
    Postings(i64),
    /// After this account.
    Accounts(i64),
    End,
}

/// The batch whose postings are being read.
#[derive(Default)]
struct Open {
    batch: i64,
    first: i64,
    touched: BTreeMap<i32, Expected>,
    /// The accounts of the transfer whose postings are being read. What is available on them counts when all
    /// of it has landed.
    landing: Vec<i32>,
}

impl Open {
    fn landed(&mut self) {
        for account in std::mem::take(&mut self.landing) {
            if let Some(chunk) = self.touched.get_mut(&account) {
                let available = available(&chunk.totals);
                chunk.lowest = [chunk.lowest[0].min(available[0]), chunk.lowest[1].min(available[1])];
            }
        }
    }
}

impl Rebuild {
    /// Fixes up to which batch: all that is there now. `None` for a book that was never opened.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub async fn begin(conn: &mut PgConnection, book: &BookId) -> Result<Option<Self>, Fault> {
        let Some(stretch) = page::stretch(conn, book, [None; 2]).await? else { return Ok(None) };
        Ok(Some(Self {
            book: book.clone(),
            stretch,
            step: Step::Postings(0),
            accounts: HashMap::new(),
            open: Open::default(),
            limited: 0,
            chunks: 0,
        }))
    }

    /// How many postings were replayed, and how many chunks they gave.
    #[must_use]
    pub fn seen(&self) -> (i64, i64) {
        let postings = if let Step::Postings(at) = self.step { at } else { self.stretch.last_no };
        (postings, self.chunks)
    }

    /// Replays a page and gives what differs in it; `None` after the last.
    ///
    /// # Errors
    /// [`Fault`] when the database fails or a row cannot be read.
    pub async fn next(&mut self, conn: &mut PgConnection) -> Result<Option<Vec<Difference>>, Fault> {
        match self.step {
            Step::Postings(after) if after < self.stretch.last_no => {
                self.postings(conn, after).await.map(Some)
            }
            Step::Postings(_) => self.last_chunks(conn).await.map(Some),
            Step::Accounts(after) => self.newest(conn, after).await.map(Some),
            Step::End => Ok(None),
        }
    }

    async fn postings(&mut self, conn: &mut PgConnection, after: i64) -> Result<Vec<Difference>, Fault> {
        let limit = PAGE.min(self.stretch.last_no - after);
        let page = replay::postings(conn, &self.book, after, limit).await?;
        let Some(last) = page.last() else { return Err(Fault::Unreadable("postings are missing")) };
        let (no, until) = (last.no, last.batch - 1);
        let limits = replay::limited(conn, &self.book, [self.limited, until]).await?;
        let mut limits = limits.into_iter().peekable();
        let (mut expected, mut differences) = (Vec::new(), Vec::new());
        for moved in &page {
            while let Some((batch, account)) = limits.next_if(|(batch, _)| *batch < moved.batch) {
                self.end_batch(&mut expected);
                expected.push(self.untouched(batch, account));
            }
            if moved.batch != self.open.batch {
                self.end_batch(&mut expected);
                self.open = Open { batch: moved.batch, first: moved.no, ..Open::default() };
            }
            differences.extend(self.replay(moved));
        }
        self.limited = until.max(self.limited);
        self.step = Step::Postings(no);
        differences.extend(self.compare(conn, expected).await?);
        Ok(differences)
    }

    /// What is left after the last posting, and whether there are chunks beside those.
    async fn last_chunks(&mut self, conn: &mut PgConnection) -> Result<Vec<Difference>, Fault> {
        let mut expected = Vec::new();
        self.end_batch(&mut expected);
        for (batch, account) in replay::limited(conn, &self.book, [self.limited, self.stretch.last]).await? {
            expected.push(self.untouched(batch, account));
        }
        let mut differences = self.compare(conn, expected).await?;
        let stands = replay::count(conn, &self.book, self.stretch.last).await?;
        if stands != self.chunks {
            let place = format!("chunks of {}", self.book);
            differences.push(Difference {
                place,
                ought: self.chunks.to_string(),
                stands: stands.to_string(),
            });
        }
        self.step = Step::Accounts(0);
        Ok(differences)
    }

    /// Accounts as the read door shows them: by their newest chunk.
    async fn newest(&mut self, conn: &mut PgConnection, after: i64) -> Result<Vec<Difference>, Fault> {
        let last = self.stretch.last;
        let page = page::accounts(conn, &self.book, [last; 2], after, PAGE).await?;
        let differs = page.iter().filter_map(|stood| {
            let number = i32::try_from(stood.number).unwrap_or_default();
            let ought = self.accounts.get(&number).copied().unwrap_or_default();
            (ought != stood.totals).then(|| Difference {
                place: format!("balance of {} in {}", stood.account, self.book),
                ought: told(&ought),
                stands: told(&stood.totals),
            })
        });
        let differences = differs.collect();
        self.step = page.last().map_or(Step::End, |last| Step::Accounts(last.number));
        Ok(differences)
    }

    /// One posting on both its accounts.
    fn replay(&mut self, moved: &Moved) -> Vec<Difference> {
        if moved.begins {
            self.open.landed();
        }
        let mut differences = Vec::new();
        for (account, side) in [(moved.debit, Side::Debit), (moved.credit, Side::Credit)] {
            let totals = self.accounts.entry(account).or_default();
            match totals.moved(side, moved.phase, moved.amount) {
                Some(after) => *totals = after,
                None => differences.push(Difference {
                    place: format!("posting {} of {}", moved.no, self.book),
                    ought: "totals that are zero or more".to_owned(),
                    stands: format!("{} {} on {}", moved.phase.word(), moved.amount, told(totals)),
                }),
            }
            let chunk = self.open.touched.entry(account).or_insert_with(|| Expected {
                account,
                batch: moved.batch,
                totals: *totals,
                lowest: [i64::MAX; 2],
                places: Vec::new(),
            });
            chunk.totals = *totals;
            self.open.landing.push(account);
            // A batch has fewer postings than an i32 counts; one that had more would differ and be told.
            chunk.places.push(i32::try_from(moved.no - self.open.first).unwrap_or(i32::MAX));
        }
        differences
    }

    fn end_batch(&mut self, expected: &mut Vec<Expected>) {
        self.open.landed();
        expected.extend(std::mem::take(&mut self.open.touched).into_values());
    }

    /// The chunk of a batch that only put the account under a limit.
    fn untouched(&self, batch: i64, account: i32) -> Expected {
        let totals = self.accounts.get(&account).copied().unwrap_or_default();
        Expected { account, batch, totals, lowest: available(&totals), places: Vec::new() }
    }

    async fn compare(
        &mut self,
        conn: &mut PgConnection,
        expected: Vec<Expected>,
    ) -> Result<Vec<Difference>, Fault> {
        self.chunks += expected.len() as i64;
        let stored = replay::chunks(conn, &self.book, &expected).await?;
        let pairs = expected.iter().zip(&stored);
        Ok(pairs.filter_map(|(ought, stands)| differs(&self.book, ought, stands.as_ref())).collect())
    }
}

fn differs(book: &BookId, ought: &Expected, stands: Option<&Stored>) -> Option<Difference> {
    let Some(stands) = stands else {
        return Some(Difference {
            place: format!("account {} after batch {} of {book}", ought.account, ought.batch),
            ought: told(&ought.totals),
            stands: "nothing".to_owned(),
        });
    };
    let lowest = match stands.side {
        Some(Side::Debit) => ought.lowest[0],
        Some(Side::Credit) => ought.lowest[1],
        // A path outside the chart has no side to be low on; the audit names it.
        None => stands.lowest,
    };
    let place = || format!("{} after batch {} of {book}", stands.path, ought.batch);
    let difference = |ought, stands| Some(Difference { place: place(), ought, stands });
    if ought.totals != stands.totals {
        difference(told(&ought.totals), told(&stands.totals))
    } else if ought.places != stands.places {
        difference(format!("postings at {:?}", ought.places), format!("{:?}", stands.places))
    } else if lowest != stands.lowest {
        difference(format!("{lowest} at the lowest"), stands.lowest.to_string())
    } else {
        None
    }
}

fn available(totals: &Totals) -> [i64; 2] {
    [Side::Debit, Side::Credit].map(|side| totals.available(side))
}

fn told(totals: &Totals) -> String {
    let Totals { debits_posted, credits_posted, debits_pending, credits_pending } = totals;
    format!(
        "debits {debits_posted} (held {debits_pending}), credits {credits_posted} (held {credits_pending})"
    )
}
