//! `amana rebuild --compare`: all balances made anew from the journal, beside those that are stored.

use amana_ledger::audit::rebuild::{self, Rebuild};
use amana_ledger::chart::BookId;
use clap::Args;

use crate::db::Db;
use crate::error::{Code, Refusal, Result};

/// What is to be compared.
#[derive(Args, Debug)]
pub struct Order {
    /// Compares, which is all there is: balances are appended with their postings and never rewritten.
    #[arg(long, required = true)]
    compare: bool,
    /// Which book: kenya:KES; all of them if absent.
    #[arg(long)]
    book: Option<BookId>,
}

/// Replays the journal, tells each difference and how many there are; `true` if there is none.
///
/// # Errors
/// There is no such book, or the database fails.
pub async fn compare(db: &Db, order: &Order, mut say: impl FnMut(&str)) -> Result<bool> {
    let books = match &order.book {
        Some(book) => vec![book.clone()],
        None => rebuild::books(&mut *db.begin().await?).await?,
    };
    let mut differences = 0;
    for book in &books {
        let mut tx = db.begin().await?;
        let unknown =
            || Refusal::new(Code::NotFound, format!("book {book} was never opened in this database"));
        let mut rebuild = Rebuild::begin(&mut tx, book).await?.ok_or_else(unknown)?;
        while let Some(found) = rebuild.next(&mut tx).await? {
            differences += found.len();
            found.iter().for_each(|difference| say(&difference.to_string()));
        }
        let (postings, chunks) = rebuild.seen();
        say(&format!("{book}: {postings} postings replayed, {chunks} balances compared"));
    }
    say(&format!("{differences} differences"));
    Ok(differences == 0)
}
