//! Reports for finance ops and auditors: each one a table, made from the ledger's read door and, where it
//! names escrows or payouts, from the rows of the flows.
//!
//! Invariant: a report says as of when, as known when, and what its columns add up to; one of the books' is
//! the same for ever once its instants are past. Absent: how it is shown (`http`), who may ask, any writing.

mod books;
mod registers;
mod tie_out;

use std::fmt;
use std::str::FromStr;

use amana_ledger::chart::{Account, BookId, Kind};
use amana_ledger::money::Asset;
use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::{Refusal, Result};
use crate::recon;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in its title")]
pub enum Name {
    TrialBalance,
    Journal,
    Statement,
    BalanceSheet,
    IncomeStatement,
    Changes,
    Float,
    SuspenseAgeing,
    EmployersAgeing,
    ReceivablesAgeing,
    Escrows,
    Payouts,
    TieOut,
}

impl Name {
    /// Every report.
    pub const ALL: [Name; 13] = [
        Name::TrialBalance,
        Name::Journal,
        Name::Statement,
        Name::BalanceSheet,
        Name::IncomeStatement,
        Name::Changes,
        Name::Float,
        Name::SuspenseAgeing,
        Name::EmployersAgeing,
        Name::ReceivablesAgeing,
        Name::Escrows,
        Name::Payouts,
        Name::TieOut,
    ];

    /// The word in a path.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Name::TrialBalance => "trial-balance",
            Name::Journal => "journal",
            Name::Statement => "statement",
            Name::BalanceSheet => "balance-sheet",
            Name::IncomeStatement => "income-statement",
            Name::Changes => "changes",
            Name::Float => "float",
            Name::SuspenseAgeing => "suspense-ageing",
            Name::EmployersAgeing => "employers-ageing",
            Name::ReceivablesAgeing => "receivables-ageing",
            Name::Escrows => "escrows",
            Name::Payouts => "payouts",
            Name::TieOut => "tie-out",
        }
    }

    /// What it shows, in a line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Name::TrialBalance => "Every account, and that debits equal credits",
            Name::Journal => "Every posting of a time, in the order in which the book heard of it",
            Name::Statement => {
                "One account's lines in the order in which they happened, with what stood before"
            }
            Name::BalanceSheet => "What we have, what we owe, and what is ours",
            Name::IncomeStatement => "What was earned and spent in a time",
            Name::Changes => "What the book heard from one instant to another of the time before a third",
            Name::Float => "Each float: what stood there, came, went, and stands there",
            Name::SuspenseAgeing => "How long money has been in suspense, the oldest counted as gone first",
            Name::EmployersAgeing => {
                "How long employers' own money has waited, the oldest counted as gone first"
            }
            Name::ReceivablesAgeing => "How long we have been owed money, the oldest counted as paid first",
            Name::Escrows => "Every escrow, and what the ledger holds for it",
            Name::Payouts => "Every payout, and what became of it",
            Name::TieOut => {
                "Each sum of the ledger beside the rows it stands for: now, difference by difference"
            }
        }
    }

    /// Whether it is about a stretch of time, and not an instant alone.
    #[must_use]
    pub const fn spans(self) -> bool {
        matches!(self, Name::Journal | Name::Statement | Name::IncomeStatement | Name::Changes | Name::Float)
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(word: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|name| name.word() == word).ok_or(())
    }
}

/// Of which time, and as far as it was known when.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// What happened from here on, for reports of a stretch of time.
    pub from: DateTime<Utc>,
    /// Up to, not including, here.
    pub as_of: DateTime<Utc>,
    /// As far as the book had heard by then.
    pub known_at: DateTime<Utc>,
}

/// What is asked of a report, beside its name.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of which time.
    pub when: When,
    /// Of which account, where one is asked for.
    pub account: Option<Account>,
    /// Behind which row, as an earlier page said.
    pub after: Option<Place>,
    /// How many rows at most, where there may be very many.
    pub limit: u16,
}

/// Where a page ended: a row's time, number or name, and what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<String>);

impl Place {
    fn part<T: FromStr>(&self, at: usize) -> Result<T> {
        let part = self.0.get(at).and_then(|part| part.parse().ok());
        part.ok_or_else(|| Refusal::field("cursor", "is not a cursor of this report").into())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        Ok(Self(text.split('|').map(str::to_owned).collect()))
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// An amount in minor units of the book's asset.
    Money(i128),
    /// A number.
    Count(i64),
    /// An instant.
    At(DateTime<Utc>),
    /// Yes or no.
    Is(bool),
    /// Nothing is known, or nothing applies.
    Nothing,
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Cell::Text(text.into())
    }

    fn money(minor: impl Into<i128>) -> Self {
        Cell::Money(minor.into())
    }
}

/// A column: its key for programs, its heading for people.
pub type Column = (&'static str, &'static str);

/// A report as it was made.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which.
    pub name: Name,
    /// Of which book.
    pub book: BookId,
    /// Of which time.
    pub when: When,
    /// The columns.
    pub columns: &'static [Column],
    /// The rows, each with a cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// What it adds up to, by key and heading, minor units.
    pub totals: Vec<(&'static str, &'static str, i128)>,
    /// Whether it is as it has to be, where that can be said.
    pub agrees: Option<bool>,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
}

impl Report {
    fn new(name: Name, app: &App, ask: &Ask, columns: &'static [Column]) -> Self {
        Self {
            name,
            book: app.config.book.clone(),
            when: ask.when,
            columns,
            rows: Vec::new(),
            totals: Vec::new(),
            agrees: None,
            next: None,
        }
    }

    /// The book's asset.
    #[must_use]
    pub fn asset(&self) -> Asset {
        self.book.asset()
    }

    /// Ends a list after so many rows, of which one more was read, at the place the last one names.
    fn cut(&mut self, limit: u16, place: impl Fn(&[Cell]) -> Vec<String>) {
        if self.rows.len() > usize::from(limit) {
            self.rows.truncate(usize::from(limit));
            self.next = self.rows.last().map(|row| Place(place(row)));
        }
    }
}

/// Makes a report, of one moment of the database.
///
/// # Errors
/// A refusal if something it needs is not said; a fault if the database, or the chain, cannot be read.
pub async fn make(app: &App, name: Name, ask: &Ask) -> Result<Report> {
    // The chain is asked before the transaction, which waits for nothing but the database.
    let chain = if name == Name::TieOut { recon::proof(app).await?.checks } else { Vec::new() };
    let tx = &mut app.db.snapshot().await?;
    match name {
        Name::TrialBalance => books::trial_balance(tx, app, ask).await,
        Name::Journal => books::journal(tx, app, ask).await,
        Name::Statement => books::statement(tx, app, ask).await,
        Name::BalanceSheet => books::balance_sheet(tx, app, ask).await,
        Name::IncomeStatement => books::income_statement(tx, app, ask).await,
        Name::Changes => books::changes(tx, app, ask).await,
        Name::Float => books::float(tx, app, ask).await,
        Name::SuspenseAgeing => books::ageing(tx, app, (name, Kind::SuspenseMpesa), ask).await,
        Name::EmployersAgeing => books::ageing(tx, app, (name, Kind::Employer), ask).await,
        Name::ReceivablesAgeing => books::ageing(tx, app, (name, Kind::Receivable), ask).await,
        Name::Escrows => registers::escrows(tx, app, ask).await,
        Name::Payouts => registers::payouts(tx, app, ask).await,
        Name::TieOut => tie_out::tie_out(tx, app, ask, chain).await,
    }
}
