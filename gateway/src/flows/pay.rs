//! What a payout does: hold, send, ask, settle, burn, tell. The arrows stand in `payout`.
//!
//! Invariant: a wage's row needs the chain event that put the money into the vault, so nobody is paid by
//! token and by phone both.

pub mod refund;

use amana_adapters::port::{Msisdn, PayoutOrder, PayoutStatus};
use amana_adapters::stellar::ChainOp;
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId, TransferId};
use amana_ledger::money::Money;
use amana_ledger::rules::{self, Paid};
use serde_json::json;

use super::payout::{Command, Event, Purpose, RAIL, Receipt, State, Terms};
use super::store::{Step, chain as chain_store, payout as rows, step};
use super::{Flow, OutOfOrder, drive, float, post, words};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Fault, Refusal, Result};
use crate::events::{Actor, emit};
use crate::outbox;
use crate::people;

impl Flow for State {
    type Terms = Terms;
    type Event = Event;
    type Command = Command;

    fn next(self, terms: &Terms, event: Event) -> std::result::Result<(Self, Vec<Command>), OutOfOrder> {
        State::next(self, terms, event)
    }

    async fn load(tx: &mut Tx, id: &str) -> Result<(Terms, Self)> {
        let row = rows::lock(tx, id).await?;
        row.ok_or_else(|| Refusal::new(Code::NotFound, format!("no payout {id}")).into())
    }

    async fn save(&self, tx: &mut Tx, app: &App, terms: &Terms) -> std::result::Result<(), Fault> {
        rows::save(tx, terms, self, app.clock.now()).await
    }

    async fn carry_out(tx: &mut Tx, app: &App, terms: &Terms, command: Command) -> Result<Option<Event>> {
        match command {
            Command::Hold => return hold(tx, app, terms).await.map(Some),
            Command::Void(hold) => {
                let intent = float::intent(app, &terms.book, &format!("payout_failed:{hold}"))?;
                post(tx, app, rules::payout_failed(intent, hold)).await?;
            }
            Command::Settle(hold, paid) => settle(tx, app, terms, hold, &paid).await?,
            Command::Send { delay_s } => {
                outbox::queue(tx, app, ("payout_send", &terms.reference), None, delay_s).await?;
            }
            Command::Ask { delay_s } => {
                outbox::queue(tx, app, ("payout_ask", &terms.reference), None, delay_s).await?;
            }
            Command::StartLater { delay_s } => {
                outbox::queue(tx, app, ("payout_start", &terms.reference), None, delay_s).await?;
            }
            Command::Emit(name) => say(tx, app, terms, name).await?,
            Command::TellPaid(paid) => tell(tx, app, terms, &paid).await?,
        }
        Ok(None)
    }
}

/// Holds the amount on the claim and on the float. A refusal by the ledger comes back as `Short`.
async fn hold(tx: &mut Tx, app: &App, terms: &Terms) -> Result<Event> {
    let no = rows::holds(tx, &terms.reference).await? + 1;
    let intent = float::intent(app, &terms.book, &format!("payout_hold:{}:{no}", terms.reference))?;
    let (owner, rail) = (terms.beneficiary, float::rail(RAIL)?);
    let transfer = match terms.purpose {
        Purpose::Wage => rules::payout_hold(intent, owner, &rail, terms.amount),
        Purpose::Refund { .. } => rules::refund_hold(intent, owner, &rail, terms.amount),
    };
    match post(tx, app, transfer).await {
        Ok(hold) => {
            rows::count_hold(tx, &terms.reference).await?;
            Ok(Event::Held(hold))
        }
        Err(Error::Refused(refusal)) => Ok(Event::Short(refusal.detail)),
        Err(fault) => Err(fault),
    }
}

/// The rail paid: what was held leaves its owner's account and the float, the tariff is booked, a wage's
/// tokens leave the vault.
async fn settle(tx: &mut Tx, app: &App, terms: &Terms, hold: TransferId, paid: &Receipt) -> Result<()> {
    let intent = float::intent(app, &terms.book, &format!("payout_paid:{}", terms.reference))?;
    let tariff = Money::new(terms.amount.asset, paid.fee).ok();
    let settled = Paid { amount: terms.amount, tariff, last: true };
    let (rail, is_wage) = (float::rail(RAIL)?, terms.purpose == Purpose::Wage);
    let rule = if is_wage { rules::payout_paid } else { rules::refund_paid };
    let transfer = post(tx, app, rule(intent, hold, &rail, settled)).await?;
    rows::paid(tx, &terms.reference, paid).await?;
    let named = Step::named(&named(terms, "payout.paid"));
    let noted = Step { transfer: Some(transfer), receipt: paid.id.clone(), ..named };
    step(tx, app, &terms.escrow, noted).await?;
    if !is_wage {
        return Ok(());
    }
    let op = ChainOp::Burn {
        key: terms.escrow.key(),
        amount: terms.amount.amount,
        vault_before: terms.claim.minor(),
    };
    chain_store::wish(tx, app, &terms.escrow, &format!("burn:{}", terms.reference), &op).await?;
    Ok(())
}

/// An event's name as it is for this purpose: `payout.held`, `refund.held`.
fn named(terms: &Terms, name: &str) -> String {
    match terms.purpose {
        Purpose::Wage => name.to_owned(),
        Purpose::Refund { .. } => name.replacen("payout.", "refund.", 1),
    }
}

/// Tells who got it: the employee, or the number an employer's money went back to.
async fn tell(tx: &mut Tx, app: &App, terms: &Terms, paid: &Receipt) -> Result<()> {
    let receipt = paid.id.as_deref();
    match terms.purpose {
        Purpose::Wage => {
            let text = words::paid(&terms.escrow, &terms.amount, receipt);
            outbox::sms_to_party(tx, app, terms.beneficiary, &text).await?;
        }
        Purpose::Refund { .. } => {
            let text = words::refunded(&terms.escrow, &terms.amount, receipt);
            if let Some(phone) = number(tx, app, terms).await? {
                outbox::sms(tx, app, &phone, &text).await?;
            }
        }
    }
    Ok(())
}

/// The number a payout goes to. None where its person has none, or was forgotten.
///
/// # Errors
/// The database's.
pub async fn number(tx: &mut Tx, app: &App, terms: &Terms) -> std::result::Result<Option<Msisdn>, Fault> {
    if let Purpose::Refund { source: Some(source) } = terms.purpose
        && let Some(payer) = refund::payer(tx, app, source).await?
    {
        return Ok(Some(payer));
    }
    people::phone(tx, app, terms.beneficiary).await
}

async fn say(tx: &mut Tx, app: &App, terms: &Terms, name: &'static str) -> Result<()> {
    let name = named(terms, name);
    let body = json!({ "payout": terms.reference, "escrow": terms.escrow.as_str(),
        "amount": terms.amount.decimal(),
        "currency": terms.amount.asset.code() });
    emit(tx, app, super::WORKER, (&format!("payout/{}", terms.reference), &name), body).await?;
    step(tx, app, &terms.escrow, Step::named(&name)).await?;
    Ok(())
}

/// Money became somebody's to be sent: by which event, whose, how much (minor units).
#[derive(Debug, Clone)]
pub struct Surrender {
    /// The book the escrow settles in.
    pub book: BookId,
    /// The escrow it came from.
    pub escrow: EscrowRef,
    /// Whose it is.
    pub owner: PartyId,
    /// The chain event, `hash:number`, which no wage is paid without; for a refund the deposit, too. One
    /// payout each.
    pub event: String,
    /// How much.
    pub claim: i64,
}

/// Starts the payout of what a release put into the vault. A claim below one whole unit waits as the
/// employee's claim.
///
/// # Errors
/// The database's or the ledger's fault; a float that is short is no error.
pub async fn begin(tx: &mut Tx, app: &App, surrender: Surrender) -> Result<()> {
    send_out(tx, app, surrender, Purpose::Wage).await
}

async fn send_out(tx: &mut Tx, app: &App, surrender: Surrender, purpose: Purpose) -> Result<()> {
    let Ok(claim) = Money::new(surrender.book.asset(), surrender.claim) else { return Ok(()) };
    // Rails pay whole shillings; the rest stays its owner's.
    let (Some(amount), _) = claim.split_whole() else { return Ok(()) };
    let terms = Terms {
        reference: reference(app),
        book: surrender.book,
        escrow: surrender.escrow,
        beneficiary: surrender.owner,
        purpose,
        claim,
        amount,
    };
    if rows::insert(tx, app, &terms, &surrender.event).await? {
        drive::<State>(tx, app, &terms.reference, Event::Start).await?;
    }
    Ok(())
}

/// `PAYOUT_` and 10 characters of Crockford's alphabet: 50 bits of chance, unique by constraint.
fn reference(app: &App) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = [0u8; 10];
    app.rng.fill(&mut bytes);
    let tail: String = bytes.iter().map(|byte| ALPHABET[usize::from(byte % 32)] as char).collect();
    format!("PAYOUT_{tail}")
}

/// Somebody of ours has a failed payout tried again, or an unknown one sent again under the same reference.
///
/// # Errors
/// The payout is neither failed, waiting nor unknown.
pub async fn retry(tx: &mut Tx, app: &App, actor: Actor, reference: &str) -> Result<&'static str> {
    let state: State = drive(tx, app, reference, Event::Retry).await?;
    emit(tx, app, actor, (&format!("payout/{reference}"), "payout.retried"), json!({})).await?;
    Ok(state.word())
}

/// A payout as the doors show it.
#[derive(Debug, Clone)]
pub struct View {
    /// What never changes.
    pub terms: Terms,
    /// Where it stands.
    pub state: State,
}

/// The payouts of an escrow.
///
/// # Errors
/// The database's.
pub async fn of_escrow(tx: &mut Tx, escrow: &EscrowRef) -> std::result::Result<Vec<View>, Fault> {
    let rows = rows::of_escrow(tx, escrow.as_str()).await?;
    Ok(rows.into_iter().map(|(terms, state)| View { terms, state }).collect())
}

/// The last payouts to a person, newest first.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, person: PartyId, most: i64) -> std::result::Result<Vec<View>, Fault> {
    let rows = rows::of_person(tx, person, most).await?;
    Ok(rows.into_iter().map(|(terms, state)| View { terms, state }).collect())
}

/// What a queued instruction has become by the time it is to be sent.
#[derive(Debug)]
pub enum Instruction {
    /// This is to be ordered.
    Order(PayoutOrder),
    /// The beneficiary has no number.
    NoNumber,
    /// The rail has spoken since: nothing is to be sent.
    Moot,
}

/// What the rail is to be told now.
///
/// # Errors
/// No such payout, or the database's.
pub async fn instruction(tx: &mut Tx, app: &App, reference: &str) -> Result<Instruction> {
    let (terms, state) = State::load(tx, reference).await?;
    if !matches!(state, State::Sending { .. }) {
        return Ok(Instruction::Moot);
    }
    Ok(match number(tx, app, &terms).await? {
        Some(phone) => {
            Instruction::Order(PayoutOrder { phone, money: terms.amount, reference: terms.reference })
        }
        None => Instruction::NoNumber,
    })
}

/// It is time to try to set the money aside again.
///
/// # Errors
/// No such payout, or the database's.
pub async fn start(tx: &mut Tx, app: &App, reference: &str) -> Result<()> {
    drive::<State>(tx, app, reference, Event::Start).await?;
    Ok(())
}

/// Something happened in talking to the rail: it is written down and the flow goes on.
///
/// # Errors
/// No such payout, or the database's.
pub async fn happened(tx: &mut Tx, app: &App, reference: &str, (kind, event): (&str, Event)) -> Result<()> {
    // The lock comes before the note, so that notes are numbered in the order in which they count.
    State::load(tx, reference).await?;
    let (answer, detail) = event.in_words();
    let attempt = rows::Attempt { kind: kind.into(), at: app.clock.now(), answer: answer.into(), detail };
    rows::note(tx, reference, attempt).await?;
    drive::<State>(tx, app, reference, event).await?;
    Ok(())
}

/// The rail told us something unasked.
///
/// # Errors
/// No such payout, or the database's.
pub async fn told(tx: &mut Tx, app: &App, status: PayoutStatus) -> Result<()> {
    let reference = status.reference.clone();
    happened(tx, app, &reference, ("news", Event::Told(status))).await
}
