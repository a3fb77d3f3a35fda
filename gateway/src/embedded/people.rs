//! The embedded mode's people, one a role, and the capital the platform opens with.
//!
//! Invariant: made once; a second start finds them. Their log-ins are no secret and exist only here: a stack
//! beside real rails has neither these people nor this money.

use amana_adapters::port::Msisdn;
use amana_ledger::chart::{Account, Rail};
use amana_ledger::money::{Asset, Money};

use super::RAIL_FLOAT;
use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::events::Actor;
use crate::flows::float;
use crate::people::{self, Language, Name, NewPerson, PayoutMode, Role, password};

/// One of the embedded mode's people.
#[derive(Debug, Clone, Copy)]
pub struct LogIn {
    /// What they are.
    pub role: Role,
    /// Their phone, as one types it.
    pub phone_number: &'static str,
    /// Their password.
    pub password: &'static str,
}

/// Everybody.
pub const LOG_INS: [LogIn; 6] = [
    LogIn { role: Role::Employer, phone_number: "0700000001", password: "demo-employer" },
    LogIn { role: Role::Employee, phone_number: "0700000002", password: "demo-employee" },
    LogIn { role: Role::Operator, phone_number: "0700000003", password: "demo-operator" },
    LogIn { role: Role::Finance, phone_number: "0700000004", password: "demo-finance" },
    LogIn { role: Role::Auditor, phone_number: "0700000005", password: "demo-auditor" },
    LogIn { role: Role::Approver, phone_number: "0700000006", password: "demo-approver" },
];

/// Registers who is missing.
///
/// # Errors
/// The database's.
pub async fn settle_in(app: &App) -> Result<()> {
    for LogIn { role, phone_number, password } in LOG_INS {
        let phone = Msisdn::parse(phone_number)
            .map_err(|error| Error::from(Fault::Outside(format!("a demo phone: {error}"))))?;
        let mut tx = app.db.begin().await?;
        if people::by_phone(&mut tx, app, &phone).await?.is_none() {
            let new = NewPerson {
                role,
                phone,
                email: None,
                first_name: Name::parse("first_name", "Demo")?,
                last_name: Name::parse("last_name", role.word())?,
                password: Some(password::hash(app, password).await?),
                payout_mode: PayoutMode::Mobile,
                stellar_account_id: None,
                language: Language::En,
            };
            people::register(&mut tx, app, new).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Books what the owners have parked at the payout rail, once.
///
/// # Errors
/// The database's, or the ledger's refusal.
pub async fn open_books(app: &App) -> Result<()> {
    let rail = Rail::parse("intersend").map_err(|error| Fault::Outside(error.to_string()))?;
    let amount = Money::new(Asset::Kes, RAIL_FLOAT).map_err(|error| Fault::Outside(error.to_string()))?;
    let mut tx = app.db.begin().await?;
    let float = Account::FloatRail(rail);
    float::capital_in(&mut tx, app, Actor::Worker, (float, amount), "embedded:opening").await?;
    Ok(tx.commit().await?)
}
