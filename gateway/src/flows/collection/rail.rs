//! Daraja under its one token: fetched by one process at a time, kept for all, and the address to which
//! answers are posted.
//!
//! Invariant: a new token kills the one before, so it is fetched only under the app's advisory lock, after
//! reading again what another process may have fetched meanwhile. A token that is refused is read again
//! before it is fetched anew. Tokens are sealed where they are kept.

use std::pin::Pin;

use amana_adapters::mpesa::daraja::{Called, Daraja, Doors};
use amana_adapters::port::{Outcome, Secret};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Fault, Result};
use crate::flows::store::rail as rows;

/// A token this near its end is not begun with, seconds: longer than any call.
const SPARE_S: i64 = 60;

/// A call under a token, on its way.
pub(crate) type Calling<'a, T> = Pin<Box<dyn Future<Output = Called<T>> + Send + 'a>>;

/// Makes a call under the app's token; once more if the token turns out not to be the current one.
pub(crate) async fn under_token<'a, T>(
    app: &App,
    daraja: &Daraja,
    call: impl Fn(Secret) -> Calling<'a, T>,
) -> Result<Outcome<T>> {
    let mut refused = None;
    for _ in 0..2 {
        let token = match current(app, daraja, refused.as_ref()).await? {
            Outcome::Done(token) => token,
            // Whatever kept us from a token, the call itself was never made.
            Outcome::Refused { code, reason } => {
                return Ok(Outcome::NotSent { why: format!("no token: {code} {reason}") });
            }
            Outcome::NotSent { why } | Outcome::Unknown { why } => {
                return Ok(Outcome::NotSent { why: format!("no token: {why}") });
            }
        };
        match call(token.clone()).await {
            Called::Ended(outcome) => return Ok(outcome),
            Called::Stale => refused = Some(token),
        }
    }
    Ok(Outcome::NotSent { why: "the token was refused twice".into() })
}

/// The app's token, another one than `refused`.
async fn current(app: &App, daraja: &Daraja, refused: Option<&Secret>) -> Result<Outcome<Secret>> {
    let name = daraja.app();
    let mut tx = app.db.begin().await?;
    if let Some(token) = kept(&mut tx, app, &name, refused).await? {
        return Ok(Outcome::Done(token));
    }
    rows::lock_token(&mut tx, &name).await?;
    // Whoever held the lock before us may have fetched it.
    if let Some(token) = kept(&mut tx, app, &name, refused).await? {
        return Ok(Outcome::Done(token));
    }
    let fetched = daraja.token().await;
    if let Outcome::Done(token) = &fetched {
        let sealed = app.privacy.seal_new(&mut tx, None, token.secret.expose().as_bytes()).await?;
        let now = app.clock.now();
        let until = now + TimeDelta::seconds(i64::from(token.expires_in_s));
        rows::keep_token(&mut tx, &name, sealed, (now, until)).await?;
        tx.commit().await?;
    }
    Ok(fetched.map(|token| token.secret))
}

async fn kept(tx: &mut Tx, app: &App, name: &str, refused: Option<&Secret>) -> Result<Option<Secret>> {
    let Some(row) = rows::token(tx, name).await? else { return Ok(None) };
    if row.expires_at <= app.clock.now() + TimeDelta::seconds(SPARE_S) {
        return Ok(None);
    }
    let plain = match app.privacy.open(tx, &row.token).await {
        Ok(plain) => plain,
        // Sealed under a master key we no longer have: fetch one of our own.
        Err(Fault::Sealed(_)) => return Ok(None),
        Err(fault) => return Err(Error::Fault(fault)),
    };
    let token = Secret::new(String::from_utf8_lossy(&plain).into_owned());
    Ok(Some(token).filter(|token| refused != Some(token)))
}

/// Where the answer to a question is posted, or the end of an instruction.
pub(crate) fn doors(app: &App, id: Uuid) -> Doors {
    Doors { done: door(app, id, "done"), late: door(app, id, "late") }
}

/// One such address. A rail that filters words in addresses finds none of its own in it.
pub(crate) fn door(app: &App, id: Uuid, end: &str) -> String {
    let base = app.config.daraja.as_ref().map_or("", |daraja| daraja.public_url.as_str());
    let secret = app.config.mpesa.path_token.as_ref().map_or("open", |token| token.expose());
    format!("{base}/api/callbacks/rail/{secret}/{}/{end}", id.simple())
}
