//! Registering by phone: a person without a password, and a PIN that one text message brings.
//!
//! Invariant: a PIN is told once, in that message; registering again tells nothing and changes nothing.

use super::screens;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Result};
use crate::outbox;
use crate::people::pin::Pin;
use crate::people::{self, Language, Name, NewPerson, PayoutMode, Person, Role, password, pin};
use amana_adapters::port::Msisdn;

/// Who is registered now. The PIN is not here: it goes to the phone.
#[derive(Debug, Clone, Copy)]
pub struct Enrolled {
    /// Their id at the edge.
    pub id: i64,
    /// Their role.
    pub role: Role,
    /// Whether this call did it.
    pub created: bool,
}

/// Registers whom another system's phone menu has asked for their name; once, however often it is called.
///
/// # Errors
/// The database's.
pub async fn register(
    app: &App,
    role: Role,
    phone: &Msisdn,
    names: (Name, Name),
    language: Language,
) -> Result<Enrolled> {
    let new = new_person(role, phone.clone(), names, language);
    let mut tx = app.db.begin().await?;
    match enrol(&mut tx, app, new).await {
        Ok(person) => {
            tx.commit().await?;
            Ok(Enrolled { id: person.id, role, created: true })
        }
        Err(Error::Refused(refusal)) if refusal.code == Code::Exists => {
            drop(tx);
            let known = known(app, phone).await?.ok_or(refusal)?;
            Ok(Enrolled { id: known.id, role: known.role, created: false })
        }
        Err(error) => Err(error),
    }
}

/// What the menu learned, as a person to be.
pub(super) fn new_person(
    role: Role,
    phone: Msisdn,
    (first_name, last_name): (Name, Name),
    language: Language,
) -> NewPerson {
    NewPerson {
        role,
        phone,
        email: None,
        first_name,
        last_name,
        password: None,
        payout_mode: PayoutMode::Mobile,
        stellar_account_id: None,
        language,
    }
}

/// Registers the person and sends them a PIN.
pub(super) async fn enrol(tx: &mut Tx, app: &App, new: NewPerson) -> Result<Person> {
    let person = people::register(tx, app, new).await?;
    send_pin(tx, app, &person).await?;
    Ok(person)
}

/// Makes a PIN for somebody who has none and sends it. Whoever has one gets nothing.
pub(super) async fn send_pin(tx: &mut Tx, app: &App, person: &Person) -> Result<()> {
    let pin = Pin::make(app.rng.as_ref());
    let hash = password::hash(app, pin.digits()).await?;
    if pin::give(tx, person.party, hash).await? {
        let text = screens::pin_message(person.language, pin.digits());
        outbox::sms_to_party(tx, app, person.party, &text).await?;
    }
    Ok(())
}

async fn known(app: &App, phone: &Msisdn) -> Result<Option<Person>> {
    let mut tx = app.db.begin().await?;
    match people::by_phone(&mut tx, app, phone).await? {
        Some(party) => Ok(people::person(&mut tx, app, party).await?),
        None => Ok(None),
    }
}
