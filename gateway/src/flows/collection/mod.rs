//! Money in: a payment is judged by its receipt, booked and answered for, in one transaction, by whichever
//! door it is seen first.
//!
//! ```text
//!   receipt seen before, same amount      → duplicate: no effect, unless it was waiting for this word
//!   receipt seen before, other amount     → contradiction: shown to ops, no effect
//!   told by a post, not yet confirmed     → suspense, and the rail is asked (`AMANA_MPESA_VERIFY`)
//!   reference names an escrow with room   → into the escrow up to what is due, the rest to the employer
//!   reference names an escrow, no room    → to the employer's account, and from there back to the payer
//!   anything else                         → suspense, and a message to the payer
//! ```
//!
//! Doors are a confirmation, the end of a prompt, a pulled list, a statement. The first two are posts that
//! carry no signature; the other two are the rail's answers to questions of ours, and are believed.
//!
//! Invariant: every shilling a rail confirms is posted once, whatever the reference says; nothing is matched
//! by name, amount, a masked number or a near miss.
//! Absent: reading the rail's wire (adapters) and storing the raw bytes (`inbox`).

pub mod clearing;
pub mod prompt;
pub mod rail;
pub mod reversed;
pub mod verify;

use amana_adapters::mpesa::{C2b, Payer};
use amana_adapters::stellar::ChainOp;
use amana_ledger::id::{EscrowRef, ExternalRef, PartyId, deposit_id, uuid_v7};
use amana_ledger::money::{Money, decimal};
use amana_ledger::rules;
use serde_json::json;
use uuid::Uuid;

use super::escrow::{Event, State, Terms};
use super::pay::refund::{self, Owner};
use super::store::{Step, chain as chain_store, collection as rows, escrow as escrow_rows, step};
use super::{drive, float, post, words};
use crate::app::App;
use crate::config::Verify;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::events::emit;
use crate::inbox::Unjudged;
use crate::{outbox, people};

/// The provider's name in keys and rows.
pub const PROVIDER: &str = "mpesa";

/// What a confirmation turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Booked for an escrow; the rest, if any, is the employer's.
    Booked(EscrowRef),
    /// Booked into suspense: nobody knows whose it is.
    Suspended,
    /// Heard before.
    Duplicate,
    /// Heard before with another amount.
    Contradiction,
    /// Paid to a shortcode that is not ours.
    WrongShortcode,
}

impl Verdict {
    /// The word the callback's row keeps.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Booked(_) => "booked",
            Self::Suspended => "suspense",
            Self::Duplicate => "duplicate",
            Self::Contradiction => "contradiction",
            Self::WrongShortcode => "wrong_shortcode",
        }
    }
}

/// By which door a payment is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A confirmation posted to us.
    Confirmation,
    /// The end of a prompt of ours, posted to us.
    Prompt,
    /// A list we pulled.
    Pull,
    /// A statement of the portal's.
    Statement,
}

impl Door {
    /// The word in rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Prompt => "prompt",
            Self::Pull => "pull",
            Self::Statement => "statement",
        }
    }

    /// Whether it is the rail's own answer, and not a post that anybody could have made.
    fn is_answer(self) -> bool {
        matches!(self, Self::Pull | Self::Statement)
    }
}

/// Where a payment was seen.
#[derive(Clone, Copy)]
pub struct Sighting<'a> {
    /// By which door.
    pub door: Door,
    /// The raw bytes it stood in.
    pub callback: Uuid,
    /// The same, where they are about this payment alone: they are forgotten with the person.
    pub own: Option<&'a Unjudged>,
}

/// Judges one payment inside the caller's transaction.
///
/// # Errors
/// The database's or the ledger's trouble; the caller rolls back and it is judged again later.
pub async fn seen(tx: &mut Tx, app: &App, sighting: Sighting<'_>, heard: &C2b) -> Result<Verdict> {
    let shortcode = &app.config.mpesa.shortcode;
    if heard.shortcode.as_ref().is_some_and(|named| named != shortcode.as_str()) {
        return Ok(Verdict::WrongShortcode);
    }
    let external = receipt_of(app, &heard.receipt);
    let matched = lock_named(tx, &heard.typed_ref).await?;
    let id = uuid_v7(&*app.clock, &*app.rng);
    let owner = owner(tx, app, heard, matched.as_ref().map(|(terms, _)| terms)).await?;
    if let (Some(owner), Some(callback)) = (owner, sighting.own) {
        callback.tie(tx, app, owner).await?;
    }
    let waits = !sighting.door.is_answer() && unverified(app.config.mpesa.verify, heard.money);
    if !insert(tx, app, (id, &sighting, owner, waits), &external, heard).await? {
        return again(tx, app, (sighting.door, &external), heard, matched).await;
    }
    match matched {
        _ if waits => {
            verify::ask_soon(tx, app, &external.id).await?;
            suspend(tx, app, &external, heard, "deposit.unverified").await
        }
        Some((terms, state)) => book(tx, app, (id, &external, Source::Rail), heard, (&terms, &state)).await,
        None => suspend(tx, app, &external, heard, "deposit.suspended").await,
    }
}

/// The receipt as the books know it.
pub(crate) fn receipt_of(app: &App, receipt: &str) -> ExternalRef {
    ExternalRef::new(PROVIDER, app.config.mpesa.shortcode.as_str(), receipt)
}

/// A receipt that was seen before. The rail's own word is believed over a post; a prompt of ours knows its
/// escrow where what the payer typed did not say.
async fn again(
    tx: &mut Tx,
    app: &App,
    (door, external): (Door, &ExternalRef),
    heard: &C2b,
    matched: Option<(Terms, State)>,
) -> Result<Verdict> {
    let Some(known) = rows::lock(tx, external).await? else { return Ok(Verdict::Duplicate) };
    if known.amount != heard.money.minor() {
        if door.is_answer() && known.waits() {
            let said = format!("the rail lists it with {}", heard.money.decimal());
            verify::dispute(tx, app, external, (&known, &said)).await?;
        }
        return Ok(Verdict::Contradiction);
    }
    if door.is_answer() && known.waits() {
        return believe(tx, app, (external, &known), heard, matched).await;
    }
    let is_ours = door == Door::Prompt && known.trust == "trusted" && known.is_suspended();
    match matched.filter(|_| is_ours) {
        Some((terms, state)) => {
            book(tx, app, (known.id, external, Source::Suspense), heard, (&terms, &state)).await
        }
        None => Ok(Verdict::Duplicate),
    }
}

/// The rail stands by a payment that waited: it goes where its reference says, or stays nobody's.
async fn believe(
    tx: &mut Tx,
    app: &App,
    (external, known): (&ExternalRef, &rows::Known),
    heard: &C2b,
    matched: Option<(Terms, State)>,
) -> Result<Verdict> {
    rows::trust(tx, known.id, "trusted", None).await?;
    let body = json!({ "receipt": external.id, "amount": heard.money.decimal() });
    let subject = format!("collection/{}", external.id);
    emit(tx, app, super::WORKER, (&subject, "deposit.verified"), body).await?;
    if let Some((terms, state)) = matched {
        return book(tx, app, (known.id, external, Source::Suspense), heard, (&terms, &state)).await;
    }
    if let Some(phone) = heard.payer.phone() {
        outbox::sms(tx, app, phone, &words::suspended(&heard.money, &external.id)).await?;
    }
    Ok(Verdict::Suspended)
}

/// Out of what a payment is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Straight from the rail.
    Rail,
    /// It lay in suspense.
    Suspense,
}

/// Whether this much is to be asked about before it is believed.
fn unverified(verify: Verify, money: Money) -> bool {
    match verify {
        Verify::Off => false,
        Verify::Above(most) => money.minor() > most.minor(),
        Verify::Every => true,
    }
}

/// The escrow whose reference this is, locked, in the book the shortcode belongs to.
async fn lock_named(tx: &mut Tx, typed: &str) -> Result<Option<(Terms, State)>> {
    let Some(reference) = EscrowRef::fold(typed) else { return Ok(None) };
    Ok(escrow_rows::lock(tx, reference.as_str()).await?)
}

/// Whose personal data this is: the payer's, if the number is known to us; else the employer's whose escrow
/// it names.
async fn owner(
    tx: &mut Tx,
    app: &App,
    heard: &C2b,
    named: Option<&Terms>,
) -> std::result::Result<Option<PartyId>, Fault> {
    let payer = match heard.payer.phone() {
        Some(phone) => people::by_phone(tx, app, phone).await?,
        None => None,
    };
    Ok(payer.or(named.map(|terms| terms.employer)))
}

async fn insert(
    tx: &mut Tx,
    app: &App,
    (id, sighting, owner, waits): (Uuid, &Sighting<'_>, Option<PartyId>, bool),
    external: &ExternalRef,
    heard: &C2b,
) -> std::result::Result<bool, Fault> {
    let typed = app.privacy.seal_new(tx, owner, heard.typed_ref.as_bytes()).await?;
    let payer = app.privacy.seal_new(tx, owner, payer_text(&heard.payer).as_bytes()).await?;
    let new = rows::New {
        id,
        external,
        book: app.config.book.as_str(),
        callback: sighting.callback,
        amount: heard.money.minor(),
        typed_ref: Some(typed),
        payer: Some(payer),
        deposit_id: deposit_id(&external.provider, &external.account, &external.id),
        at: app.clock.now(),
        door: sighting.door.word(),
        trust: if waits { "waiting" } else { "trusted" },
    };
    rows::insert(tx, new).await
}

/// Books it: what the escrow has room for into the escrow, the rest to the employer.
async fn book(
    tx: &mut Tx,
    app: &App,
    (id, external, source): (Uuid, &ExternalRef, Source),
    heard: &C2b,
    (terms, state): (&Terms, &State),
) -> Result<Verdict> {
    let paid = heard.money.minor();
    let to_escrow = state.due(terms).min(paid);
    let asset = heard.money.asset;
    let (into, over) = (Money::new(asset, to_escrow).ok(), Money::new(asset, paid - to_escrow).ok());
    let escrow = into.map(|money| (terms.reference.clone(), money));
    let employer = over.map(|money| (terms.employer, money));
    let shortcode = &app.config.mpesa.shortcode;
    let transfer = match source {
        Source::Rail => {
            let intent = float::external_intent(app, "collection", external)?;
            rules::collection_booked(intent, shortcode, escrow, employer)
        }
        // The receipt is the name of what put it into suspense.
        Source::Suspense => {
            let key = format!("matched:{}:{}:{}", external.provider, external.account, external.id);
            rules::suspense_booked(float::intent(app, &app.config.book, &key)?, shortcode, escrow, employer)
        }
    };
    let transfer = post(tx, app, transfer).await?;
    rows::matched(tx, id, &terms.reference, to_escrow).await?;
    let mut noted = Step {
        transfer: Some(transfer),
        receipt: Some(external.id.clone()),
        ..Step::named("deposit.booked")
    };
    noted.detail = Some(words::split(heard.money, into, over));
    step(tx, app, &terms.reference, noted).await?;
    let body = json!({ "escrow": terms.reference.as_str(), "receipt": external.id,
        "amount": heard.money.decimal(), "to_escrow": decimal(asset, to_escrow) });
    let subject = format!("escrow/{}", terms.reference);
    emit(tx, app, super::WORKER, (&subject, "deposit.booked"), body).await?;
    if let Some(Money { amount, .. }) = into {
        drive::<State>(tx, app, terms.reference.as_str(), Event::Booked(amount)).await?;
        let deposit_id = deposit_id(&external.provider, &external.account, &external.id);
        let op = ChainOp::Fund { key: terms.reference.key(), deposit_id, amount };
        let key = format!("fund:{}:{}:{}", external.provider, external.account, external.id);
        chain_store::wish(tx, app, &terms.reference, &key, &op).await?;
    }
    if let Some(over) = over {
        let (book, escrow, employer) = (terms.book.clone(), terms.reference.clone(), terms.employer);
        refund::over(tx, app, &Owner { book, escrow, employer }, (id, over.minor())).await?;
    }
    tell(tx, app, heard, terms, (to_escrow, state.due(terms) - to_escrow, over)).await?;
    Ok(Verdict::Booked(terms.reference.clone()))
}

/// Under: what is still due. Over: where the rest is. Exactly right: the chain's confirmation will be told.
async fn tell(
    tx: &mut Tx,
    app: &App,
    heard: &C2b,
    terms: &Terms,
    (to_escrow, still_due, over): (i64, i64, Option<Money>),
) -> std::result::Result<(), Fault> {
    let asset = heard.money.asset;
    let text = match (over, still_due) {
        (Some(over), _) => words::over(&terms.reference, &heard.money, &over),
        (None, due) if due > 0 && to_escrow > 0 => words::under(&terms.reference, &heard.money, asset, due),
        _ => return Ok(()),
    };
    match heard.payer.phone() {
        Some(phone) => outbox::sms(tx, app, phone, &text).await,
        None => outbox::sms_to_party(tx, app, terms.employer, &text).await,
    }
}

/// The money is real, its owner unknown; or it is said to be real, and that is still to be asked.
async fn suspend(
    tx: &mut Tx,
    app: &App,
    external: &ExternalRef,
    heard: &C2b,
    why: &'static str,
) -> Result<Verdict> {
    let intent = float::external_intent(app, "collection", external)?;
    let transfer = rules::collection_suspended(intent, &app.config.mpesa.shortcode, heard.money);
    post(tx, app, transfer).await?;
    let body = json!({ "receipt": external.id, "amount": heard.money.decimal() });
    let subject = format!("collection/{}", external.id);
    emit(tx, app, super::WORKER, (&subject, why), body).await?;
    if let (Some(phone), "deposit.suspended") = (heard.payer.phone(), why) {
        outbox::sms(tx, app, phone, &words::suspended(&heard.money, &external.id)).await?;
    }
    Ok(Verdict::Suspended)
}

/// The payer as the rail named them, to be sealed.
fn payer_text(payer: &Payer) -> &str {
    match payer {
        Payer::Clear(phone) => phone.e164(),
        Payer::Masked(text) | Payer::Hashed(text) | Payer::Other(text) => text,
    }
}
