//! Registering by phone: a person without a password, and a PIN that one text message brings.
//!
//! Invariant: a PIN is told once, in that message; registering again tells nothing and changes nothing.

use amana_adapters::port::Msisdn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::screens;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Refusal, Result};
use crate::outbox;
use crate::people::pin::Pin;
use crate::people::{self, Language, Name, NewPerson, PayoutMode, Person, Role, password, pin};

/// A person whom a phone menu asked for their name.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EnrolForm {
    /// Their number, as the network gave it.
    #[schema(example = "+254712345678")]
    phone_number: String,
    /// Given name.
    first_name: String,
    /// Family name.
    last_name: String,
    /// `employer` or `employee`.
    user_type: String,
    /// `en` (default) or `sw`.
    language: Option<String>,
}

/// Who is registered now. The PIN is not here: it goes to the phone.
#[derive(Serialize, ToSchema)]
pub(crate) struct Enrolled {
    /// Their id.
    id: i64,
    /// Their role.
    user_type: &'static str,
    /// Whether this call did it.
    pub(super) created: bool,
}

/// Registers by callback, once however often it is called.
pub(super) async fn by_callback(app: &App, form: EnrolForm) -> Result<Enrolled> {
    let phone =
        Msisdn::parse(&form.phone_number).map_err(|bad| Refusal::field("phone_number", bad.to_string()))?;
    let role = match form.user_type.as_str() {
        "employer" => Role::Employer,
        "employee" => Role::Employee,
        _ => return Err(Refusal::field("user_type", "must be employer or employee").into()),
    };
    let first_name = Name::parse("first_name", &form.first_name)?;
    let last_name = Name::parse("last_name", &form.last_name)?;
    let language = Language::of(form.language.as_deref().unwrap_or("en"));
    let new = new_person(role, phone.clone(), (first_name, last_name), language);
    let mut tx = app.db.begin().await?;
    match enrol(&mut tx, app, new).await {
        Ok(person) => {
            tx.commit().await?;
            Ok(Enrolled { id: person.id, user_type: role.word(), created: true })
        }
        Err(Error::Refused(refusal)) if refusal.code == Code::Exists => {
            drop(tx);
            let known = known(app, &phone).await?.ok_or(refusal)?;
            Ok(Enrolled { id: known.id, user_type: known.role.word(), created: false })
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
