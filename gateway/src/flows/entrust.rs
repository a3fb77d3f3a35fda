//! What an escrow does: open, assign, complete, decide, ask the chain, tell people. The arrows stand in
//! `escrow`.
//!
//! Invariant: every wish to the chain is queued in the transaction that decided it, under a key of its own.

mod preview;

use amana_adapters::stellar::{ChainOp, ChainTerms, to_token};
use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Amount, Money, decimal};
use amana_ledger::rules;
use chrono::{DateTime, TimeDelta};
use serde_json::json;

use super::escrow::{Command, Decision, Event, Side, Split, State, Status, Terms, Wish};
use super::pay::refund::{self, Owner};
use super::pay::{self, Surrender};
use super::store::{Step, chain as chain_store, collection, escrow as rows, step};
use super::{Flow, OutOfOrder, drive, float, post, words};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Fault, Refusal, Result};
use crate::events::{Actor, emit};
use crate::people::{self, PayoutMode};

pub use preview::{Preview, preview, preview_decision};

impl Flow for State {
    type Terms = Terms;
    type Event = Event;
    type Command = Command;

    fn next(self, terms: &Terms, event: Event) -> std::result::Result<(Self, Vec<Command>), OutOfOrder> {
        State::next(self, terms, event)
    }

    async fn load(tx: &mut Tx, id: &str) -> Result<(Terms, Self)> {
        let row = rows::lock(tx, id).await?;
        row.ok_or_else(|| Refusal::new(Code::NotFound, format!("no escrow {id}")).into())
    }

    async fn save(&self, tx: &mut Tx, app: &App, terms: &Terms) -> std::result::Result<(), Fault> {
        rows::save(tx, terms, self, app.clock.now()).await
    }

    async fn carry_out(tx: &mut Tx, app: &App, terms: &Terms, command: Command) -> Result<Option<Event>> {
        match command {
            Command::Chain(wish) => ask_chain(tx, app, terms, wish).await?,
            Command::Emit(name) => say(tx, app, terms, name).await?,
            Command::TellFunded => {
                let text = words::funded(&terms.reference, &terms.amount);
                crate::outbox::sms_to_party(tx, app, terms.employer, &text).await?;
            }
            Command::DropDecisions => {
                for ending in [Wish::ResolveTimeout(app.clock.now()), Wish::Resolve(Split::default())] {
                    let key = wish_key(tx, terms, &ending).await?;
                    chain_store::drop_wish(tx, &key, app.clock.now()).await?;
                }
            }
            Command::Pay { employee, surrender, claim } => {
                let (book, escrow) = (terms.book.clone(), terms.reference.clone());
                let owner = employee;
                pay::begin(tx, app, Surrender { book, escrow, owner, event: surrender, claim }).await?;
            }
            Command::GiveBack { event, amount } => {
                let (book, escrow, employer) = (terms.book.clone(), terms.reference.clone(), terms.employer);
                let owner = Owner { book, escrow, employer };
                refund::ended(tx, app, &owner, (&event, amount.minor())).await?;
            }
        }
        Ok(None)
    }
}

/// The key of a wish. What people asked for and the chain refused may be asked for again.
async fn wish_key(tx: &mut Tx, terms: &Terms, wish: &Wish) -> std::result::Result<String, Fault> {
    let (name, reference) = (wish.name(), &terms.reference);
    let refusals = match wish {
        Wish::Dispute(_) | Wish::Resolve(_) | Wish::Refund => {
            chain_store::refusals(tx, reference, name).await?
        }
        _ => 0,
    };
    Ok(match refusals {
        0 => format!("{name}:{reference}"),
        before => format!("{name}:{reference}:{}", before + 1),
    })
}

/// How long after a dispute's time is over it is parted by default: the clocks here and there differ a
/// little.
const AFTER_TIMEOUT: TimeDelta = TimeDelta::minutes(1);

/// Queues a wish for the chain, in the escrow's order, once per key.
async fn ask_chain(tx: &mut Tx, app: &App, terms: &Terms, wish: Wish) -> Result<()> {
    let (name, key) = (wish_key(tx, terms, &wish).await?, terms.reference.key());
    let op = match wish {
        Wish::ResolveTimeout(until) => {
            let op = ChainOp::ResolveTimeout { key };
            chain_store::wish_at(tx, app, &terms.reference, (&name, until + AFTER_TIMEOUT), &op).await?;
            return Ok(());
        }
        Wish::Resolve(Split { to_payee, .. }) => ChainOp::Resolve { key, to_payee },
        // The employer's objection is the delegate's, as the payer; an employee who has no key on the chain
        // objects through the operator.
        Wish::Dispute(side) => {
            let by = match side {
                Side::Employer => &app.config.stellar.delegate,
                Side::Employee => &app.config.stellar.operator,
            };
            ChainOp::Dispute { key, by: by.address() }
        }
        Wish::Assign(person) => {
            let to = match people::payout_mode(tx, person).await? {
                PayoutMode::Mobile => None,
                PayoutMode::Stellar(account) => Some(account),
            };
            ChainOp::Assign { key, payee: pseudonym(person), to }
        }
        Wish::Release { to_payee, fee } => ChainOp::Release { key, milestone: 0, to_payee, fee },
        Wish::Burn { amount, vault_before } => ChainOp::Burn { key, amount, vault_before },
        Wish::Cancel => ChainOp::Cancel { key },
        Wish::Refund => ChainOp::Refund { key },
    };
    Ok(chain_store::wish(tx, app, &terms.reference, &name, &op).await?)
}

/// Who is paid, as the chain may know it: nobody without our tables can tell who that is.
fn pseudonym(person: PartyId) -> [u8; 32] {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hash.update(b"amana:party:v1\0");
    hash.update(person.0.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

/// Emits `name` about the job (`job.…`) or the escrow, and writes it into the trace.
async fn say(tx: &mut Tx, app: &App, terms: &Terms, name: &'static str) -> Result<()> {
    let subject = match (name.starts_with("job."), terms.job) {
        (true, Some(job)) => format!("job/{job}"),
        _ => format!("escrow/{}", terms.reference),
    };
    let body = json!({ "escrow": terms.reference.as_str(), "amount": terms.amount.decimal(),
        "currency": terms.amount.asset.code() });
    // These are asked for by the employer and by nobody else; the rest follows by itself.
    let actor = match name {
        "job.assigned" | "job.completed" | "job.cancelled" => Actor::Party(terms.employer),
        _ => super::WORKER,
    };
    emit(tx, app, actor, (&subject, name), body).await?;
    step(tx, app, &terms.reference, Step::named(name)).await?;
    Ok(())
}

/// What a new escrow is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewEscrow {
    /// The job it belongs to, if one of ours.
    pub job: Option<i64>,
    /// Whose money it will be.
    pub employer: PartyId,
    /// How much.
    pub amount: Money,
}

/// Seconds an escrow lives before anybody may have it refunded: 180 days, as far as a record's life on chain
/// reaches.
const LIFE_S: i64 = 180 * 86_400;

/// Opens an escrow and asks the chain to create it.
///
/// # Errors
/// The job has one already, or the book has another asset.
pub async fn open(tx: &mut Tx, app: &App, actor: Actor, new: NewEscrow) -> Result<EscrowRef> {
    let reference = EscrowRef::mint(&*app.rng);
    open_as(tx, app, actor, reference.clone(), new).await?;
    Ok(reference)
}

/// Whether the chain can hold so much: its token counts in 64 bits with seven decimals.
pub fn fits(money: Money) -> bool {
    to_token(money.minor(), money.asset.exponent()).is_ok_and(|units| i64::try_from(units).is_ok())
}

/// Opens an escrow under a reference that the caller minted.
///
/// # Errors
/// The reference or the job is taken, or the book has another asset.
pub async fn open_as(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    reference: EscrowRef,
    new: NewEscrow,
) -> Result<()> {
    let book = app.config.book.clone();
    if book.asset() != new.amount.asset {
        return Err(Refusal::field(
            "currency",
            format!("the book {book} settles in {}", book.asset().code()),
        )
        .into());
    }
    if !fits(new.amount) {
        return Err(Refusal::field("amount", "is more than an escrow can hold").into());
    }
    let terms = Terms {
        reference: reference.clone(),
        book,
        job: new.job,
        employer: new.employer,
        amount: new.amount,
        fee: rules::fee(new.amount, app.config.escrow_fee_bps).map_or(0, Money::minor),
    };
    let state = State::Open { booked: 0, minted: 0, employee: None };
    if !rows::insert(tx, &terms, &state, app.clock.now()).await? {
        return Err(Refusal::new(Code::Exists, "the escrow is there already").into());
    }
    let body = json!({ "escrow": reference.as_str(), "amount": new.amount.decimal() });
    emit(tx, app, actor, (&format!("escrow/{reference}"), "escrow.created"), body).await?;
    step(tx, app, &reference, Step::named("escrow.created")).await?;
    let expiry = app.clock.now().timestamp() + LIFE_S;
    let op = ChainOp::Create {
        key: reference.key(),
        amount: new.amount.amount,
        expiry,
        terms: ChainTerms { fee_cap: Some(terms.fee), ..ChainTerms::default() },
    };
    chain_store::wish(tx, app, &reference, &format!("create:{reference}"), &op).await?;
    Ok(())
}

/// Names the employee.
///
/// # Errors
/// Out of order: someone is named already, or the escrow is past that.
pub async fn assign(tx: &mut Tx, app: &App, reference: &EscrowRef, employee: PartyId) -> Result<Status> {
    let state: State = drive(tx, app, reference.as_str(), Event::Assign(employee)).await?;
    Ok(state.status())
}

/// Says the work is done: the release goes to the chain, the payout follows it.
///
/// # Errors
/// Not funded, funding not final (retryable), nobody assigned, or released already.
pub async fn complete(tx: &mut Tx, app: &App, reference: &EscrowRef) -> Result<Status> {
    let state: State = drive(tx, app, reference.as_str(), Event::Complete).await?;
    Ok(state.status())
}

/// Objects: the chain freezes the escrow until the arbiter decides, or its time is over.
///
/// # Errors
/// No money is there that could be frozen.
pub async fn dispute(tx: &mut Tx, app: &App, reference: &EscrowRef, side: Side) -> Result<Status> {
    let state: State = drive(tx, app, reference.as_str(), Event::Dispute(side)).await?;
    Ok(state.status())
}

/// The longest reason, characters.
const LONGEST_REASON: usize = 1000;

/// Decides a dispute: the chain hears it from the arbiter's process, and parts what is left.
///
/// # Errors
/// A field is wrong; nothing is disputed; the chain has not confirmed the dispute (retryable); its time is
/// over; it is decided already.
pub async fn decide(tx: &mut Tx, app: &App, reference: &EscrowRef, decision: &Decision) -> Result<Status> {
    let (terms, state) = State::load(tx, reference.as_str()).await?;
    decidable(app, (&terms, &state), decision)?;
    let state: State = drive(tx, app, reference.as_str(), Event::Decide(decision.split)).await?;
    let reason = app.privacy.seal_new(tx, Some(terms.employer), decision.reason.as_bytes()).await?;
    rows::decided(tx, reference, decision, (reason, app.clock.now())).await?;
    let Split { to_payee, to_payer } = decision.split;
    let part = |minor| decimal(terms.amount.asset, minor);
    let body = json!({ "escrow": reference.as_str(), "to_payee": part(to_payee), "to_payer": part(to_payer),
        "currency": terms.amount.asset.code() });
    let subject = format!("escrow/{reference}");
    emit(tx, app, Actor::Party(decision.by), (&subject, "escrow.decided"), body).await?;
    let detail = words::parted(terms.amount.asset, to_payee, to_payer);
    step(tx, app, reference, Step { detail: Some(detail), ..Step::named("escrow.decided") }).await?;
    Ok(state.status())
}

/// Whether a decision can be one: the parts are all that is left, somebody says why, and there is time.
fn decidable(app: &App, (terms, state): (&Terms, &State), decision: &Decision) -> Result<(), Refusal> {
    let (whole, Split { to_payee, to_payer }) = (terms.amount.minor(), decision.split);
    for (field, part) in [("to_payee", to_payee), ("to_payer", to_payer)] {
        if !(0..=whole).contains(&part) {
            return Err(Refusal::field(
                field,
                format!("must be 0 to {whole}: so much is left, in minor units"),
            ));
        }
    }
    if to_payee + to_payer != whole {
        return Err(Refusal::field("to_payer", format!("must be {}: {whole} is left", whole - to_payee)));
    }
    let words = decision.reason.trim().chars().count();
    if !(1..=LONGEST_REASON).contains(&words) {
        return Err(Refusal::field("reason", format!("must be 1 to {LONGEST_REASON} characters")));
    }
    match state {
        State::Disputed { until: Some(until), .. } if app.clock.now() >= *until => {
            let why = format!("{}: the dispute's time is over, it goes as was agreed", terms.reference);
            Err(Refusal::new(Code::WrongState, why))
        }
        _ => Ok(()),
    }
}

/// Has an escrow refunded whose time is over; the money goes back to where it came from.
///
/// # Errors
/// It is not funded, disputed or over; its time is not.
pub async fn refund_expired(tx: &mut Tx, app: &App, reference: &EscrowRef) -> Result<Status> {
    expired(tx, app, reference).await?;
    let state: State = drive(tx, app, reference.as_str(), Event::Expire).await?;
    Ok(state.status())
}

/// Whether an escrow's time is over, as it was told the chain when it was opened.
async fn expired(tx: &mut Tx, app: &App, reference: &EscrowRef) -> Result<()> {
    let expiry = chain_store::expiry(tx, reference).await?.and_then(|at| DateTime::from_timestamp(at, 0));
    match expiry {
        Some(expiry) if app.clock.now() >= expiry => Ok(()),
        Some(expiry) => {
            let why = format!("{reference} can be refunded from {} on", expiry.to_rfc3339());
            Err(Refusal::new(Code::WrongState, why).into())
        }
        None => Err(Refusal::new(Code::NotFound, format!("no escrow {reference}")).into()),
    }
}

/// Withdraws an escrow that is not funded; what had come is the employer's own.
///
/// # Errors
/// It is funded, a deposit is on its way to the chain (retryable), or an employee is named.
pub async fn cancel_unfunded(tx: &mut Tx, app: &App, reference: &EscrowRef) -> Result<Status> {
    let state: State = drive(tx, app, reference.as_str(), Event::Cancel).await?;
    Ok(state.status())
}

/// The chain will never mint a deposit, as its escrow was cancelled there first: the money is the employer's
/// own. `name` is the refused wish's.
///
/// # Errors
/// The database's or the ledger's.
pub async fn never_minted(
    tx: &mut Tx,
    app: &App,
    reference: &str,
    (name, amount): (&str, Amount),
    deposit_id: &[u8; 32],
) -> Result<()> {
    let (terms, _) = State::load(tx, reference).await?;
    let money = Money { asset: terms.book.asset(), amount };
    let intent = float::intent(app, &terms.book, &format!("never_minted:{name}"))?;
    let back = rules::never_minted(intent, terms.reference.clone(), terms.employer, money);
    let transfer = Some(post(tx, app, back).await?);
    let noted = Step { transfer, ..Step::named("deposit.never_minted") };
    step(tx, app, &terms.reference, noted).await?;
    let owner = Owner { book: terms.book, escrow: terms.reference, employer: terms.employer };
    match collection::by_deposit(tx, deposit_id).await? {
        Some(source) => refund::never_minted(tx, app, &owner, (source, amount.minor())).await,
        None => Ok(()),
    }
}

/// An escrow as the doors show it.
#[derive(Debug, Clone)]
pub struct View {
    /// What never changes.
    pub terms: Terms,
    /// Where it stands.
    pub state: State,
}

/// Reads an escrow.
///
/// # Errors
/// The database's.
pub async fn view(tx: &mut Tx, reference: &EscrowRef) -> std::result::Result<Option<View>, Fault> {
    Ok(rows::read(tx, reference.as_str()).await?.map(|(terms, state)| View { terms, state }))
}

/// Reads the escrows of several jobs.
///
/// # Errors
/// The database's.
pub async fn views_of(tx: &mut Tx, jobs: &[i64]) -> std::result::Result<Vec<View>, Fault> {
    let rows = rows::of_jobs(tx, jobs).await?;
    Ok(rows.into_iter().map(|(terms, state)| View { terms, state }).collect())
}

/// The escrow that `typed` names, if exactly one does: the folded reference exists.
///
/// # Errors
/// The database's.
pub async fn named(tx: &mut Tx, typed: &str) -> Result<Option<EscrowRef>> {
    let Some(reference) = EscrowRef::fold(typed) else { return Ok(None) };
    Ok(rows::read(tx, reference.as_str()).await.map_err(Error::from)?.map(|_| reference))
}
