//! Our own money on the rails: the opening capital, and moving float from one rail to another.
//!
//! Invariant: a move takes two steps through clearing, so that money that left one float and has not arrived
//! in the other is seen, not missing.

use amana_ledger::chart::{Account, BookId, Rail};
use amana_ledger::id::{ExternalRef, IdempotencyKey, TransferId};
use amana_ledger::journal;
use amana_ledger::money::Money;
use amana_ledger::rules::{self, Intent};
use amana_ledger::transfer::Transfer;
use serde_json::json;

use super::post;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Refusal, Result};
use crate::events::{Actor, emit};

/// Who wants to post, under which key, in which book.
pub(crate) fn intent(app: &App, book: &BookId, key: &str) -> std::result::Result<Intent, Fault> {
    let key = IdempotencyKey::parse(key).map_err(|_| Fault::Stored(format!("idempotency key {key}")))?;
    Ok(Intent::new(TransferId::mint(&*app.clock, &*app.rng), book, key))
}

/// An intent whose key is the other side's fact: one receipt, one posting.
pub(crate) fn external_intent(
    app: &App,
    what: &str,
    external: &ExternalRef,
) -> std::result::Result<Intent, Fault> {
    let key = format!("{what}:{}:{}:{}", external.provider, external.account, external.id);
    Ok(intent(app, &app.config.book, &key)?.external(external.clone()))
}

/// Opens the book this process keeps, if it is not open.
///
/// # Errors
/// The database's.
pub async fn open_book(tx: &mut Tx, app: &App) -> std::result::Result<(), Fault> {
    Ok(journal::open(tx, &*app.clock, &app.config.book).await?)
}

/// A payout rail by its name.
pub(crate) fn rail(name: &str) -> std::result::Result<Rail, Fault> {
    Rail::parse(name).map_err(|_| Fault::Stored(format!("rail {name}")))
}

/// A float named as its account: `mpesa:600111` or `intersend`.
///
/// # Errors
/// No such float.
pub fn named(app: &App, name: &str) -> Result<Account> {
    let shortcode = &app.config.mpesa.shortcode;
    if name == format!("mpesa:{shortcode}") {
        return Ok(Account::FloatMpesa(shortcode.clone()));
    }
    if name == super::payout::RAIL {
        return Ok(Account::FloatRail(rail(name)?));
    }
    let why = format!("no such float: there are mpesa:{shortcode} and {}", super::payout::RAIL);
    Err(Refusal::field("float", why).into())
}

/// Books capital that the owners put into a float.
///
/// # Errors
/// The ledger's refusal.
pub async fn capital_in(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    (float, amount): (Account, Money),
    key: &str,
) -> Result<TransferId> {
    let name = float.path();
    let transfer =
        rules::capital_in(intent(app, &app.config.book, &format!("capital:{key}"))?, float, amount);
    booked(tx, app, actor, (&name, "float.capital_in"), transfer).await
}

/// Moves float: out of one into clearing, out of clearing into the other.
///
/// # Errors
/// The ledger's refusal: the first float is short.
pub async fn float_move(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    (from, to, amount): (Account, Account, Money),
    key: &str,
) -> Result<[TransferId; 2]> {
    if from == to {
        return Err(Refusal::field("to", "the same float as `from`").into());
    }
    let book = &app.config.book;
    let (left, arrived) = (from.path(), to.path());
    let out = rules::float_move_out(intent(app, book, &format!("float_out:{key}"))?, from, amount);
    let out = booked(tx, app, actor, (&left, "float.left"), out).await?;
    let into = rules::float_move_in(intent(app, book, &format!("float_in:{key}"))?, to, amount);
    let into = booked(tx, app, actor, (&arrived, "float.arrived"), into).await?;
    Ok([out, into])
}

async fn booked(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    (float, name): (&str, &str),
    transfer: Transfer,
) -> Result<TransferId> {
    let id = post(tx, app, transfer).await?;
    emit(tx, app, actor, (float, name), json!({ "transfer": id.to_string() })).await?;
    Ok(id)
}
