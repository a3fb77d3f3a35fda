//! What the ledger alone can tell: trial balance, journal, statement, balance sheet, income statement,
//! floats, and how old what stands somewhere is.
//!
//! Invariant: every figure is a balance as of an instant, or the difference of two, so all reports of the
//! same instants tie.

use std::collections::BTreeMap;

use amana_ledger::balance::{self, Learned, Since, Standing};
use amana_ledger::chart::{Account, Class, Kind, Side};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Ask, Cell, Column, Name, Place, Report, When};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Refusal, Result};

const TRIAL: &[Column] = &[
    ("account", "Account"),
    ("class", "Class"),
    ("debits", "Debits"),
    ("credits", "Credits"),
    ("debit_balance", "Debit balance"),
    ("credit_balance", "Credit balance"),
];

/// Every account with what was posted to it.
pub(super) async fn trial_balance(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::TrialBalance, app, ask, TRIAL);
    let mut sums = [0i128; 4];
    for standing in standings(tx, app, ask.when.as_of, ask.when.known_at).await? {
        let net = i128::from(standing.debits) - i128::from(standing.credits);
        let figures = [standing.debits.into(), standing.credits.into(), net.max(0), (-net).max(0)];
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        let account = &standing.account;
        let mut row = vec![Cell::text(account.path()), Cell::text(account.kind().class().word())];
        row.extend(figures.map(Cell::Money));
        report.rows.push(row);
    }
    report.totals = TRIAL[2..].iter().zip(sums).map(|((key, heading), sum)| (*key, *heading, sum)).collect();
    report.agrees = Some(sums[0] == sums[1] && sums[2] == sums[3]);
    Ok(report)
}

const JOURNAL: &[Column] = &[
    ("no", "No."),
    ("transfer", "Transfer"),
    ("event", "Event"),
    ("effective_at", "Happened"),
    ("recorded_at", "Heard"),
    ("debit", "Debit"),
    ("credit", "Credit"),
    ("amount", "Amount"),
];

/// What the book heard after `from` of the time before `as_of`: after a close, what came late. All of it.
pub(super) async fn changes(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::Changes, app, ask, JOURNAL);
    let When { from, as_of, known_at } = ask.when;
    if from > known_at {
        return Err(Refusal::field("from", "is after known_at").into());
    }
    let differences = balance::difference(tx, &app.config.book, as_of, [from, known_at]).await?;
    // A posting is among the differences of both of its accounts.
    let postings = differences.into_iter().flat_map(|one| one.learned).map(|posting| (posting.no, posting));
    let postings: BTreeMap<i64, Learned> = postings.collect();
    report.rows = postings.values().map(|one| posting_row(one, Cell::Count(one.no))).collect();
    let sum = postings.values().map(|posting| i128::from(posting.amount.minor())).sum();
    report.totals = vec![("amount", "Amount", sum)];
    Ok(report)
}

/// The postings of a time, a page of them.
pub(super) async fn journal(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::Journal, app, ask, JOURNAL);
    let after = ask.after.as_ref().map_or(Ok(0), |place| place.part(0))?;
    let When { from, as_of, known_at } = ask.when;
    let book = &app.config.book;
    let postings = balance::journal(tx, book, [from, as_of], known_at, (after, ask.limit + 1)).await?;
    report.rows = postings.iter().map(|posting| posting_row(posting, Cell::Count(posting.no))).collect();
    report.cut(ask.limit, |row| match row.first() {
        Some(Cell::Count(no)) => vec![no.to_string()],
        _ => Vec::new(),
    });
    let shown = &postings[..report.rows.len()];
    let sum = shown.iter().map(|posting| i128::from(posting.amount.minor())).sum();
    report.totals = vec![("amount", "Amount on this page", sum)];
    Ok(report)
}

fn posting_row(posting: &Learned, first: Cell) -> Vec<Cell> {
    vec![
        first,
        Cell::text(posting.transfer.to_string()),
        Cell::text(posting.event.word()),
        Cell::At(posting.effective_at),
        Cell::At(posting.recorded_at),
        Cell::text(posting.debit.path()),
        Cell::text(posting.credit.path()),
        Cell::money(posting.amount.minor()),
    ]
}

const STATEMENT: &[Column] = &[
    ("no", "No."),
    ("transfer", "Transfer"),
    ("event", "Event"),
    ("effective_at", "Happened"),
    ("recorded_at", "Heard"),
    ("other", "Other account"),
    ("debit", "Debit"),
    ("credit", "Credit"),
    ("balance", "Balance"),
];

/// An account's lines, a page of them, in the order in which they happened.
pub(super) async fn statement(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let account = ask.account.as_ref().ok_or_else(|| Refusal::field("account", "which account?"))?;
    let mut report = Report::new(Name::Statement, app, ask, STATEMENT);
    let When { from, as_of, known_at } = ask.when;
    let book = &app.config.book;
    let since = ask.after.as_ref().map(since).transpose()?;
    let opening = balance::as_of(tx, book, account, from, known_at).await?.posted();
    let closing = balance::as_of(tx, book, account, as_of, known_at).await?.posted();
    let span = ([from, as_of], known_at);
    let mut lines = balance::happened(tx, book, account, span, (since, ask.limit + 1)).await?;
    let more = lines.len() > usize::from(ask.limit);
    lines.truncate(usize::from(ask.limit));
    if more && let Some(last) = lines.last() {
        let at = last.posting.effective_at.timestamp_micros();
        report.next = Some(Place([at, last.posting.no, last.balance].map(|part| part.to_string()).into()));
    }
    for line in &lines {
        let posting = &line.posting;
        let debited = posting.debit == *account;
        let mut row = posting_row(posting, Cell::Count(posting.no));
        let amount = row.pop().unwrap_or(Cell::Nothing);
        row.truncate(5);
        row.push(Cell::text(if debited { posting.credit.path() } else { posting.debit.path() }));
        row.extend(if debited { [amount, Cell::Nothing] } else { [Cell::Nothing, amount] });
        row.push(Cell::money(line.balance));
        report.rows.push(row);
    }
    report.totals = vec![("opening", "Opening", opening.into()), ("closing", "Closing", closing.into())];
    // The last page ends where the account stands.
    let ends = lines.last().map(|line| line.balance).or(since.map(|since| since.balance)).unwrap_or(opening);
    report.agrees = Some(more || ends == closing);
    Ok(report)
}

fn since(place: &Place) -> Result<Since> {
    let at = DateTime::from_timestamp_micros(place.part(0)?);
    let at = at.ok_or_else(|| Refusal::field("cursor", "is not a cursor of this report"))?;
    Ok(Since { effective_at: at, no: place.part(1)?, balance: place.part(2)? })
}

const SHEET: &[Column] = &[("section", "Section"), ("account", "Account"), ("amount", "Amount")];

/// What we have, what we owe, and what is ours. Many accounts of one kind are one line.
pub(super) async fn balance_sheet(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::BalanceSheet, app, ask, SHEET);
    let standings = standings(tx, app, ask.when.as_of, ask.when.known_at).await?;
    let mut sums = [0i128; 3];
    for (at, class) in [Class::Asset, Class::Liability, Class::Equity].into_iter().enumerate() {
        for (name, amount) in kinds(&standings, class) {
            sums[at] += amount;
            report.rows.push(vec![Cell::text(class.word()), Cell::text(name), Cell::Money(amount)]);
        }
    }
    let all = |class| kinds(&standings, class).into_values().sum::<i128>();
    let earned = all(Class::Income) - all(Class::Expense);
    sums[2] += earned;
    report.rows.push(vec![
        Cell::text(Class::Equity.word()),
        Cell::text("earned so far, less what was spent"),
        Cell::Money(earned),
    ]);
    let [assets, liabilities, equity] = sums;
    report.totals = vec![
        ("assets", "Assets", assets),
        ("liabilities", "Liabilities", liabilities),
        ("equity", "Equity", equity),
    ];
    report.agrees = Some(assets == liabilities + equity);
    Ok(report)
}

/// What was earned and spent.
pub(super) async fn income_statement(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::IncomeStatement, app, ask, SHEET);
    let When { from, as_of, known_at } = ask.when;
    let (before, after) =
        (standings(tx, app, from, known_at).await?, standings(tx, app, as_of, known_at).await?);
    let mut sums = [0i128; 2];
    for (at, class) in [Class::Income, Class::Expense].into_iter().enumerate() {
        let before = kinds(&before, class);
        for (name, amount) in kinds(&after, class) {
            let moved = amount - before.get(name).copied().unwrap_or(0);
            sums[at] += moved;
            report.rows.push(vec![Cell::text(class.word()), Cell::text(name), Cell::Money(moved)]);
        }
    }
    let [income, expense] = sums;
    report.totals = vec![
        ("income", "Income", income),
        ("expense", "Expense", expense),
        ("result", "Result", income - expense),
    ];
    Ok(report)
}

/// What stands on the normal side of each kind of account of a class.
fn kinds(standings: &[Standing], class: Class) -> BTreeMap<&'static str, i128> {
    let mut of = BTreeMap::new();
    for standing in standings.iter().filter(|standing| standing.account.kind().class() == class) {
        *of.entry(standing.account.kind().word()).or_default() += i128::from(standing.posted());
    }
    of
}

const FLOAT: &[Column] = &[
    ("account", "Account"),
    ("opening", "Opening"),
    ("came", "Came"),
    ("went", "Went"),
    ("closing", "Closing"),
];

/// Each float over a time.
pub(super) async fn float(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::Float, app, ask, FLOAT);
    let When { from, as_of, known_at } = ask.when;
    let before = by_account(standings(tx, app, from, known_at).await?);
    let mut sums = [0i128; 4];
    for standing in standings(tx, app, as_of, known_at).await? {
        if !matches!(standing.account.kind(), Kind::FloatMpesa | Kind::FloatRail | Kind::ClearingFloat) {
            continue;
        }
        let [debits, credits] = before.get(&standing.account).copied().unwrap_or_default();
        let [came, went] = [standing.debits - debits, standing.credits - credits];
        let figures = [debits - credits, came, went, standing.posted()].map(i128::from);
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        let mut row = vec![Cell::text(standing.account.path())];
        row.extend(figures.map(Cell::Money));
        report.rows.push(row);
    }
    report.totals = FLOAT[1..].iter().zip(sums).map(|((key, heading), sum)| (*key, *heading, sum)).collect();
    report.agrees = Some(sums[0] + sums[1] - sums[2] == sums[3]);
    Ok(report)
}

/// Up to how many days old, for each column but the last.
const AGES: [i64; 4] = [1, 7, 30, 90];

const AGEING: &[Column] = &[
    ("account", "Account"),
    ("balance", "Balance"),
    ("to_1_day", "Up to 1 day"),
    ("to_7_days", "Up to 7 days"),
    ("to_30_days", "Up to 30 days"),
    ("to_90_days", "Up to 90 days"),
    ("older", "Older"),
];

/// How old what stands on accounts is, if what came first went first: the youngest money is what came last.
pub(super) async fn ageing(tx: &mut Tx, app: &App, (name, kind): (Name, Kind), ask: &Ask) -> Result<Report> {
    let mut report = Report::new(name, app, ask, AGEING);
    let When { as_of, known_at, .. } = ask.when;
    let now = standings(tx, app, as_of, known_at).await?;
    let mut edges = Vec::with_capacity(AGES.len());
    for days in AGES {
        let edge = as_of.checked_sub_signed(TimeDelta::days(days)).unwrap_or(DateTime::UNIX_EPOCH);
        edges.push(by_account(standings(tx, app, edge, known_at).await?));
    }
    let mut sums = vec![0i128; AGEING.len() - 1];
    for standing in now.iter().filter(|standing| standing.account.kind() == kind && standing.posted() != 0) {
        // What ever came, by each edge; money comes on the account's normal side.
        let came = |[debits, credits]: [i64; 2]| if kind.side() == Side::Debit { debits } else { credits };
        let by = edges.iter().map(|edge| came(edge.get(&standing.account).copied().unwrap_or_default()));
        let ever = came([standing.debits, standing.credits]);
        let mut figures = vec![i128::from(standing.posted())];
        figures.extend(ages(ever, standing.posted(), &by.collect::<Vec<_>>()).into_iter().map(i128::from));
        sums.iter_mut().zip(&figures).for_each(|(sum, figure)| *sum += figure);
        let mut row = vec![Cell::text(standing.account.path())];
        row.extend(figures.into_iter().map(Cell::Money));
        report.rows.push(row);
    }
    report.agrees = Some(sums[0] == sums[1..].iter().sum::<i128>());
    report.totals = AGEING[1..].iter().zip(sums).map(|((key, heading), sum)| (*key, *heading, sum)).collect();
    Ok(report)
}

/// Parts a balance by age. `ever`: all that came by now; `by`: all that had come by each edge, the youngest
/// edge first.
fn ages(ever: i64, balance: i64, by: &[i64]) -> Vec<i64> {
    let (mut rest, mut above) = (balance, ever);
    let mut parts: Vec<i64> = Vec::with_capacity(by.len() + 1);
    for edge in by {
        let part = rest.min(above - edge).max(0);
        parts.push(part);
        rest -= part;
        above = *edge;
    }
    parts.push(rest);
    parts
}

async fn standings(
    tx: &mut Tx,
    app: &App,
    at: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<Vec<Standing>> {
    Ok(balance::trial_as_of(tx, &app.config.book, at, known_at).await?)
}

fn by_account(standings: Vec<Standing>) -> BTreeMap<Account, [i64; 2]> {
    standings.into_iter().map(|standing| (standing.account, [standing.debits, standing.credits])).collect()
}

#[cfg(test)]
mod tests {
    use super::ages;

    #[test]
    fn what_came_first_went_first() {
        // 100 came long ago, 50 within the month, 30 this week, 20 today; 120 went.
        assert_eq!(ages(200, 80, &[180, 150, 100, 100]), [20, 30, 30, 0, 0]);
        assert_eq!(ages(200, 200, &[180, 150, 100, 100]), [20, 30, 50, 0, 100]);
        assert_eq!(ages(200, 0, &[180, 150, 100, 100]), [0, 0, 0, 0, 0]);
        assert_eq!(ages(20, 5, &[0, 0, 0, 0]), [5, 0, 0, 0, 0]);
    }
}
