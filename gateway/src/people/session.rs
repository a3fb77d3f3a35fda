//! Sessions: logging in, staying in, leaving.
//!
//! Invariant: a refresh token works once; using one again ends its whole family, because two parties hold
//! it. A session lives no longer than configured from its login, however often it is refreshed.
//! Absent: what a caller may do (`http/rights.rs`).

use amana_adapters::port::Msisdn;
use amana_ledger::id::{PartyId, uuid_v7};
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::events::{self, Actor};
use crate::people::token::{Claims, ISSUER, Signer};
use crate::people::{Email, Person, Role, email_blind, opened, password, person, phone_blind, store};

/// Wrong passwords in a row that lock the door. Ten a quarter of an hour are under a thousand a day.
const MOST_TRIES: i32 = 10;
/// How long it stays locked. Sessions that are open go on.
const LOCK: TimeDelta = TimeDelta::minutes(15);

/// How somebody names themselves at the door.
pub enum Login {
    /// By phone.
    Phone(Msisdn),
    /// By email.
    Email(Email),
    /// By something that can be nobody's name; still costs as long as the others.
    Nonsense,
}

/// The two tokens of a session.
pub struct Tokens {
    /// Short-lived, for every call.
    pub access: String,
    /// For one refresh.
    pub refresh: String,
    /// Seconds the access token is valid.
    pub expires_in: i64,
}

/// Somebody who proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who they are inside.
    pub party: PartyId,
    /// Who they are at the edge.
    pub id: i64,
    /// What they are to us.
    pub role: Role,
    /// The session they called in.
    pub session: Uuid,
}

/// Logs in. The answer does not tell a wrong password from an unknown name, and takes as long for both.
///
/// # Errors
/// [`Code::Unauthenticated`]; [`Code::TooMany`] after ten wrong passwords in a row.
pub async fn login(app: &App, login: Login, secret: &str) -> Result<(Person, Tokens)> {
    let mut tx = app.db.begin().await?;
    let row = match &login {
        Login::Phone(phone) => store::by_phone(&mut tx, &phone_blind(app, phone)).await?,
        Login::Email(email) => store::by_email(&mut tx, &email_blind(app, email)).await?,
        Login::Nonsense => None,
    };
    if let Some(row) = &row {
        let now = app.clock.now();
        if !store::count_password_try(&mut tx, row.party, MOST_TRIES, (now, now + LOCK)).await? {
            let why = "too many wrong passwords: wait a quarter of an hour";
            return Err(Refusal::new(Code::TooMany, why).retry_after(900).into());
        }
        tx.commit().await?;
    } else {
        drop(tx); // hashing takes long; a connection is not to wait for it
    }
    let stored = row.as_ref().and_then(|row| row.password_hash.clone());
    let right = password::verify(stored, secret).await?;
    let mut tx = app.db.begin().await?;
    let found = match row {
        Some(row) if right => opened(&mut tx, app, row).await?,
        _ => None,
    };
    let Some(person) = found else {
        return Err(Refusal::new(Code::Unauthenticated, "phone number, email or password is wrong").into());
    };
    store::clear_password_tries(&mut tx, person.party).await?;
    let tokens = open(&mut tx, app, &person).await?;
    tx.commit().await?;
    Ok((person, tokens))
}

/// Opens a session for a person who proved who they are.
///
/// # Errors
/// The database's.
pub async fn open(tx: &mut Tx, app: &App, person: &Person) -> Result<Tokens, Fault> {
    let now = app.clock.now();
    let session = uuid_v7(app.clock.as_ref(), app.rng.as_ref());
    let expires_at = now + TimeDelta::seconds(app.config.auth.refresh_s.into());
    store::open_session(tx, session, person.party, now, expires_at).await?;
    issue(tx, app, person, session).await
}

/// Takes a refresh token and gives the next pair.
///
/// # Errors
/// [`Code::Unauthenticated`] for a token that is unknown, used, expired or of an ended session.
pub async fn refresh(app: &App, token: &str) -> Result<(Person, Tokens)> {
    let refused = |why: &str| Refusal::new(Code::Unauthenticated, why);
    let hash = fingerprint(token);
    let (mut tx, now) = (app.db.begin().await?, app.clock.now());
    let Some(found) = store::refresh(&mut tx, &hash).await? else {
        return Err(refused("the refresh token is not known").into());
    };
    if found.used && !found.revoked {
        store::revoke(&mut tx, found.session, "a refresh token was used twice", now).await?;
        let body = json!({"session": found.session});
        let actor = Actor::Party(found.party);
        events::emit(&mut tx, app, actor, (&format!("session/{}", found.session), "session.revoked"), body)
            .await?;
        tx.commit().await?;
        return Err(refused("the refresh token was used before; the session has ended").into());
    }
    if found.used || found.revoked || found.expires_at <= now {
        return Err(refused("the session has ended").into());
    }
    store::use_refresh(&mut tx, &hash, now).await?;
    let person = person(&mut tx, app, found.party).await?;
    let person = person.ok_or_else(|| refused("the session has ended"))?;
    let tokens = issue(&mut tx, app, &person, found.session).await?;
    tx.commit().await?;
    Ok((person, tokens))
}

/// Ends the session.
///
/// # Errors
/// The database's.
pub async fn logout(app: &App, caller: &Caller) -> Result<(), Fault> {
    let mut tx = app.db.begin().await?;
    store::revoke(&mut tx, caller.session, "logout", app.clock.now()).await?;
    tx.commit().await
}

/// Who calls with this access token.
///
/// # Errors
/// [`Code::Unauthenticated`] for a token that is not ours, too old, or of an ended session.
pub async fn authenticate(app: &App, token: &str) -> Result<Caller> {
    let refused = || Refusal::new(Code::Unauthenticated, "the access token is not valid");
    let now = app.clock.now();
    let claims = Signer::new(&app.privacy).read(token, now).ok_or_else(refused)?;
    let mut tx = app.db.begin().await?;
    let live = store::live(&mut tx, claims.sid, now).await?.ok_or_else(refused)?;
    let role = Role::parse(&live.role)
        .ok_or_else(|| Fault::Stored(format!("person {}: unreadable role", live.id)))?;
    Ok(Caller { party: live.party, id: live.id, role, session: claims.sid })
}

async fn issue(tx: &mut Tx, app: &App, person: &Person, session: Uuid) -> Result<Tokens, Fault> {
    let (now, expires_in) = (app.clock.now(), i64::from(app.config.auth.access_s));
    let mut secret = [0; 32];
    app.rng.fill(&mut secret);
    let refresh = BASE64_URL_SAFE_NO_PAD.encode(secret);
    store::keep_refresh(tx, &fingerprint(&refresh), session, now).await?;
    let claims = Claims {
        iss: ISSUER.into(),
        sub: person.party,
        sid: session,
        role: person.role.word().into(),
        iat: now.timestamp(),
        exp: now.timestamp() + expires_in,
    };
    let access = Signer::new(&app.privacy).sign(&claims)?;
    Ok(Tokens { access, refresh, expires_in })
}

fn fingerprint(token: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    out
}
