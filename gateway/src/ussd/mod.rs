//! The phone menu: a conversation kept by us, one hop at a time.
//!
//! Invariant: the place in the menu is kept by us, not rebuilt from what was typed; a hop that comes twice is
//! answered twice and done once. What was typed is never stored: a PIN is looked at and gone.
//! Absent: HTTP (`http/ussd.rs`), what the screens say (`screens.rs`), and where each key leads (`menu.rs`).

mod enrol;
mod menu;
mod screens;
mod store;

use amana_adapters::africastalking::{UssdReply, UssdRequest};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::people::{self, Language, pin};
use crate::privacy::Sealed;
use menu::{Desk, Place, Turn};

pub use enrol::{Enrolled, register};

/// How long a dropped call can be taken up again.
const RESUME: TimeDelta = TimeDelta::minutes(10);

/// Answers one hop of a call, whatever happens: the gateway understands screens only, and an error would
/// break the call off without a word.
pub async fn answer(app: &App, request: &UssdRequest) -> UssdReply {
    match hop(app, request).await {
        Ok(reply) => reply.fit(),
        Err(error) => {
            tracing::error!(target: "fault", %error, "a hop of the phone menu failed");
            UssdReply::End(screens::trouble().into())
        }
    }
}

/// What we remember of a call.
#[derive(Clone, Serialize, Deserialize)]
struct Memory {
    language: Language,
    place: Place,
    reply: String,
}

/// A call's memory on its way back into the database.
struct Call<'a> {
    request: &'a UssdRequest,
    phone: [u8; 32],
    sealed: Option<Sealed>,
}

async fn hop(app: &App, request: &UssdRequest) -> Result<UssdReply> {
    let mut call = Call { request, phone: people::phone_blind(app, &request.phone), sealed: None };
    let mut tx = app.db.begin().await?;
    store::hold(&mut tx, &request.session).await?;
    let row = store::find(&mut tx, &request.session, &call.phone).await?;
    let (mut step, mut memory) = (0, None);
    if let Some(row) = row {
        let known = remembered(&mut tx, app, &row.memory).await?;
        if row.ended || request.inputs.len() <= row.step {
            return Ok(said(&known.reply));
        }
        (step, memory, call.sealed) = (row.step, Some(known), Some(row.memory));
    }
    let mut desk = Desk::open(&mut tx, app, request.phone.clone()).await?;
    let place = match memory {
        Some(memory) => {
            desk.language = memory.language;
            memory.place
        }
        None => begin(&mut tx, app, &call, &desk).await?,
    };
    follow(app, (tx, &mut call), &mut desk, (place, step)).await
}

/// Where a new call begins: at the menu, or with the offer to go on where the last one broke off.
async fn begin(tx: &mut Tx, app: &App, call: &Call<'_>, desk: &Desk<'_>) -> Result<Place, Fault> {
    let since = app.clock.now() - RESUME;
    let Some(memory) = store::broken_off(tx, &call.request.session, &call.phone, since).await? else {
        return Ok(desk.home());
    };
    let old = match remembered(tx, app, &memory).await {
        Ok(memory) => memory.place,
        // The caller was forgotten meanwhile, and with them what they did.
        Err(Fault::Sealed(_)) => return Ok(desk.home()),
        Err(fault) => return Err(fault),
    };
    Ok(if old.is_worth_resuming() { Place::Resume { place: Box::new(old) } } else { desk.home() })
}

/// Follows the inputs not yet answered and shows where they lead.
async fn follow(
    app: &App,
    (mut tx, call): (Tx, &mut Call<'_>),
    desk: &mut Desk<'_>,
    (mut place, step): (Place, usize),
) -> Result<UssdReply> {
    for (no, input) in call.request.inputs.iter().enumerate().skip(step) {
        let leaves = matches!(input.trim(), "0" | "00");
        let turn = if let Place::Pin { job } = place
            && !leaves
        {
            // The hop is marked as answered before the PIN is tried, so that the same hop again is no second
            // try.
            let busy = UssdReply::End(screens::trouble().into());
            keep(&mut tx, app, call, (desk, &desk.home()), (no + 1, &busy)).await?;
            tx.commit().await?;
            let verdict = desk.verdict(input).await?;
            tx = app.db.begin().await?;
            store::hold(&mut tx, &call.request.session).await?;
            desk.after_pin(&mut tx, job, verdict).await?
        } else {
            desk.turn(&mut tx, place, input).await?
        };
        match turn {
            Turn::Go(next) => place = next,
            Turn::Say(next, text) => {
                let reply = UssdReply::Con(text).fit();
                keep(&mut tx, app, call, (desk, &next), (call.request.inputs.len(), &reply)).await?;
                tx.commit().await?;
                return Ok(reply);
            }
            Turn::End(text) => {
                let (reply, home) = (UssdReply::End(text).fit(), desk.home());
                keep(&mut tx, app, call, (desk, &home), (call.request.inputs.len(), &reply)).await?;
                tx.commit().await?;
                return Ok(reply);
            }
        }
    }
    let reply = UssdReply::Con(desk.show(&mut tx, &place).await?).fit();
    keep(&mut tx, app, call, (desk, &place), (call.request.inputs.len(), &reply)).await?;
    tx.commit().await?;
    Ok(reply)
}

async fn keep(
    tx: &mut Tx,
    app: &App,
    call: &mut Call<'_>,
    (desk, place): (&Desk<'_>, &Place),
    (step, reply): (usize, &UssdReply),
) -> Result<(), Fault> {
    let ended = matches!(reply, UssdReply::End(_));
    let text = format!("{} {}", if ended { "END" } else { "CON" }, reply.text());
    let memory = Memory { language: desk.language, place: place.clone(), reply: text };
    let bytes = serde_json::to_vec(&memory)?;
    let sealed = match (&call.sealed, &desk.person) {
        (Some(sealed), _) => app.privacy.seal_like(tx, sealed, &bytes).await?,
        (None, Some(person)) => app.privacy.seal_for(tx, person.party, &bytes).await?,
        (None, None) => app.privacy.seal_new(tx, None, &bytes).await?,
    };
    if let Some(person) = &desk.person {
        app.privacy.tie(tx, &sealed, person.party).await?;
    }
    call.sealed = Some(sealed.clone());
    let row = store::Row { step, memory: sealed, ended };
    store::put(tx, (&call.request.session, &call.phone), row, app.clock.now()).await
}

async fn remembered(tx: &mut Tx, app: &App, sealed: &Sealed) -> Result<Memory, Fault> {
    Ok(serde_json::from_slice(&app.privacy.open(tx, sealed).await?)?)
}

fn said(reply: &str) -> UssdReply {
    UssdReply::read(reply).unwrap_or_else(|| UssdReply::End(screens::trouble().into()))
}

/// What became of a PIN, in the menu's words.
type Verdict = pin::Verdict;
