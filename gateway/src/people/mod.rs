//! People: registering them, finding them, and forgetting them.
//!
//! Invariant: one phone is one person however it was spelled, and so is one email. A person's names, phone
//! and email stand in the database only as one sealed profile.
//! Absent: what a person may do (`http/rights.rs`) and owns (`trade`, the ledger).

mod fields;
pub mod password;
pub mod pin;
pub mod session;
mod store;
pub mod token;

use std::collections::HashMap;

use amana_adapters::port::Msisdn;
use amana_ledger::id::PartyId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::events::{self, Actor};

pub use fields::stellar_account_id;
pub use fields::{Email, Name};

/// What a person is to us. Each has one role; employers and employees register themselves, the others are
/// made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Posts jobs and pays for them.
    Employer,
    /// Does jobs and is paid for them.
    Employee,
    /// Looks after what did not go by itself: suspense, odd callbacks, failures.
    Operator,
    /// Moves our own money: capital, floats, payouts again.
    Finance,
    /// The second pair of eyes on what finance does, and who decides disputes.
    Approver,
    /// Reads everything, changes nothing.
    Auditor,
    /// Makes people and settings.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 7] = [
        Role::Employer,
        Role::Employee,
        Role::Operator,
        Role::Finance,
        Role::Approver,
        Role::Auditor,
        Role::Admin,
    ];

    /// Its word, in the database and as `user_type` at the edge.
    pub fn word(self) -> &'static str {
        match self {
            Role::Employer => "employer",
            Role::Employee => "employee",
            Role::Operator => "operator",
            Role::Finance => "finance",
            Role::Approver => "approver",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
        }
    }

    /// The role with this word.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// The languages our screens and messages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    En,
    /// Swahili.
    #[serde(rename = "sw")]
    Sw,
}

impl Language {
    /// Its BCP 47 code.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Sw => "sw",
        }
    }

    /// The language with this code; English for one we do not speak.
    pub fn of(code: &str) -> Language {
        if code.trim().to_ascii_lowercase().starts_with("sw") { Language::Sw } else { Language::En }
    }
}

/// How a person is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutMode {
    /// To their phone, out of the escrow's vault.
    Mobile,
    /// In tokens, to this Stellar account (`G…`).
    Stellar(String),
}

/// A person, opened. Names, phone and email are personal data: they go to the person and to whom they deal
/// with.
#[derive(Clone)]
pub struct Person {
    /// Who they are inside.
    pub party: PartyId,
    /// Who they are at the edge.
    pub id: i64,
    /// What they are to us.
    pub role: Role,
    /// Their mobile number.
    pub phone: Msisdn,
    /// Their email, if they gave one.
    pub email: Option<String>,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// How they are paid.
    pub payout_mode: PayoutMode,
    /// Their own Stellar account, if they have one.
    pub stellar_account_id: Option<String>,
    /// The language they chose.
    pub language: Language,
    /// Whether the phone menu knows a PIN of theirs.
    pub has_pin: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({} {})", self.role.word(), self.id)
    }
}

impl Person {
    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// The name as strangers may see it: `Given F.`
    pub fn short_name(&self) -> String {
        match self.last_name.chars().next() {
            Some(initial) => format!("{} {initial}.", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

/// What it takes to become a person. Hash the password first ([`password::hash`]): it takes long.
pub struct NewPerson {
    /// What they will be.
    pub role: Role,
    /// Their mobile number.
    pub phone: Msisdn,
    /// Their email, if any.
    pub email: Option<Email>,
    /// Given name.
    pub first_name: Name,
    /// Family name.
    pub last_name: Name,
    /// The hash of their password, if they log in with one.
    pub password: Option<password::Hash>,
    /// How they want to be paid.
    pub payout_mode: PayoutMode,
    /// Their own Stellar account, if they have one.
    pub stellar_account_id: Option<String>,
    /// The language they chose.
    pub language: Language,
}

/// The sealed part of a person's row.
#[derive(Serialize, Deserialize)]
struct Profile {
    phone: String,
    email: Option<String>,
    first_name: String,
    last_name: String,
}

/// Registers a person.
///
/// # Errors
/// [`Code::Exists`] naming `phone_number` or `email` if somebody has it already.
pub async fn register(tx: &mut Tx, app: &App, new: NewPerson) -> Result<Person> {
    let party = PartyId::mint(app.clock.as_ref(), app.rng.as_ref());
    let profile = Profile {
        phone: new.phone.e164().to_owned(),
        email: new.email.as_ref().map(|email| email.as_str().to_owned()),
        first_name: new.first_name.into(),
        last_name: new.last_name.into(),
    };
    let sealed = app.privacy.seal_for(tx, party, &serde_json::to_vec(&profile)?).await?;
    let row = store::NewRow {
        party,
        role: new.role.word(),
        profile: sealed,
        phone_blind: phone_blind(app, &new.phone),
        email_blind: new.email.as_ref().map(|email| email_blind(app, email)),
        password_hash: new.password.map(|hash| hash.into_text()),
        payout_mode: match &new.payout_mode {
            PayoutMode::Mobile => "mobile",
            PayoutMode::Stellar(_) => "stellar",
        },
        stellar_account_id: new.stellar_account_id.clone(),
        language: new.language.code(),
        at: app.clock.now(),
    };
    let id = store::insert(tx, row).await?;
    let body = serde_json::json!({"person": id, "role": new.role.word()});
    events::emit(tx, app, Actor::Party(party), (&format!("person/{id}"), "person.registered"), body).await?;
    Ok(Person {
        party,
        id,
        role: new.role,
        phone: new.phone,
        email: profile.email,
        first_name: profile.first_name,
        last_name: profile.last_name,
        payout_mode: new.payout_mode,
        stellar_account_id: new.stellar_account_id,
        language: new.language,
        has_pin: false,
        created_at: app.clock.now(),
    })
}

/// The person behind a party, unless forgotten.
///
/// # Errors
/// The database's; [`Fault::Sealed`] if the profile does not open.
pub async fn person(tx: &mut Tx, app: &App, party: PartyId) -> Result<Option<Person>, Fault> {
    match store::by_party(tx, party).await? {
        Some(row) => opened(tx, app, row).await,
        None => Ok(None),
    }
}

/// The person with this integer id, unless forgotten.
///
/// # Errors
/// As [`person`].
pub async fn by_id(tx: &mut Tx, app: &App, id: i64) -> Result<Option<Person>, Fault> {
    match store::by_id(tx, id).await? {
        Some(row) => opened(tx, app, row).await,
        None => Ok(None),
    }
}

/// Who has this integer id, and in which role, unless forgotten.
///
/// # Errors
/// The database's.
pub async fn party_of(tx: &mut Tx, id: i64) -> Result<Option<(PartyId, Role)>, Fault> {
    let row = store::by_id(tx, id).await?.filter(|row| row.profile.is_some());
    Ok(row.and_then(|row| Some((row.party, Role::parse(&row.role)?))))
}

/// The integer ids of these people.
///
/// # Errors
/// The database's.
pub async fn ids_of(tx: &mut Tx, parties: &[PartyId]) -> Result<HashMap<PartyId, i64>, Fault> {
    store::ids_of(tx, parties).await
}

/// Whose number this is.
///
/// # Errors
/// The database's.
pub async fn by_phone(tx: &mut Tx, app: &App, phone: &Msisdn) -> Result<Option<PartyId>, Fault> {
    Ok(store::by_phone(tx, &phone_blind(app, phone)).await?.map(|row| row.party))
}

/// The person's number, unless forgotten.
///
/// # Errors
/// As [`person`].
pub async fn phone(tx: &mut Tx, app: &App, party: PartyId) -> Result<Option<Msisdn>, Fault> {
    Ok(person(tx, app, party).await?.map(|person| person.phone))
}

/// How the person is paid; by phone if they are unknown or said nothing.
///
/// # Errors
/// The database's.
pub async fn payout_mode(tx: &mut Tx, party: PartyId) -> Result<PayoutMode, Fault> {
    Ok(store::by_party(tx, party).await?.map_or(PayoutMode::Mobile, |row| row.payout_mode()))
}

/// The language the person chose.
///
/// # Errors
/// The database's.
pub async fn language(tx: &mut Tx, party: PartyId) -> Result<Language, Fault> {
    Ok(store::by_party(tx, party).await?.map_or(Language::En, |row| Language::of(&row.language)))
}

/// Changes the person's language.
///
/// # Errors
/// The database's.
pub async fn speak(tx: &mut Tx, party: PartyId, language: Language) -> Result<(), Fault> {
    store::set_language(tx, party, language.code()).await
}

/// Forgets a person: destroys their keys, their fingerprints, their ways to log in. Their rows in the books
/// stay, pointing at a party nobody can name any more.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut Tx, app: &App, actor: Actor, party: PartyId) -> Result<()> {
    let row = store::by_party(tx, party).await?;
    let row = row.ok_or_else(|| Refusal::new(Code::NotFound, format!("no person {party}")))?;
    store::forget(tx, party, app.clock.now()).await?;
    app.privacy.shred(tx, party).await?;
    let subject = format!("person/{}", row.id);
    events::emit(tx, app, actor, (&subject, "person.forgotten"), serde_json::json!({"person": row.id}))
        .await?;
    Ok(())
}

async fn opened(tx: &mut Tx, app: &App, row: store::Row) -> Result<Option<Person>, Fault> {
    let Some(sealed) = &row.profile else { return Ok(None) };
    let profile: Profile = serde_json::from_slice(&app.privacy.open(tx, sealed).await?)?;
    let unreadable = |what: &str| Fault::Stored(format!("person {}: unreadable {what}", row.id));
    Ok(Some(Person {
        party: row.party,
        id: row.id,
        role: Role::parse(&row.role).ok_or_else(|| unreadable("role"))?,
        phone: Msisdn::parse(&profile.phone).map_err(|_| unreadable("phone"))?,
        email: profile.email,
        first_name: profile.first_name,
        last_name: profile.last_name,
        payout_mode: row.payout_mode(),
        stellar_account_id: row.stellar_account_id,
        language: Language::of(&row.language),
        has_pin: row.pin_hash.is_some(),
        created_at: row.created_at,
    }))
}

/// The phone's fingerprint, also of phones that belong to nobody yet.
pub(crate) fn phone_blind(app: &App, phone: &Msisdn) -> [u8; 32] {
    app.privacy.blind("phone", phone.digits().as_bytes())
}

fn email_blind(app: &App, email: &Email) -> [u8; 32] {
    app.privacy.blind("email", email.folded().as_bytes())
}
