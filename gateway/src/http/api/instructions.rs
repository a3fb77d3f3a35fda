//! How to pay for a job: the paybill's numbers, and the steps in the employer's language; or a prompt on the
//! employer's phone.

use amana_ledger::money::decimal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::flows::collection::prompt;
use crate::http::Shared;
use crate::http::body::Id;
use crate::http::problem::Answer;
use crate::people::Language;
use crate::people::session::Caller;
use crate::trade::{self, Job};

/// A prompt on its way to the employer's phone.
#[derive(Serialize, ToSchema)]
pub(crate) struct Prompted {
    /// Ours.
    prompt: String,
    /// What it asks for.
    #[schema(example = "50000.00")]
    amount: String,
    /// The currency.
    #[schema(example = "KES")]
    currency: &'static str,
}

/// Asks on the employer's own phone for what is due. Not money yet: the escrow is funded when it comes.
#[utoipa::path(post, path = "/api/jobs/{id}/prompt/", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 202, description = "on its way", body = Prompted)))]
pub(in crate::http) async fn ask(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Answer<(StatusCode, Json<Prompted>)> {
    let mut tx = app.db.begin().await?;
    let job = trade::own(&mut tx, &caller, id).await?;
    let (id, money) = prompt::wish_due(&mut tx, &app, &job.escrow.terms, &job.escrow.state).await?;
    tx.commit().await?;
    let currency = money.asset.code();
    Ok((StatusCode::ACCEPTED, Json(Prompted { prompt: id.to_string(), amount: money.decimal(), currency })))
}

/// How to pay for a job.
#[derive(Serialize, ToSchema)]
pub(crate) struct Instructions {
    /// The business number.
    #[schema(example = "600111")]
    paybill: String,
    /// What to type as account number.
    #[schema(example = "ESCROW_7K3M9QX2A")]
    account_reference: String,
    /// What is still due.
    #[schema(example = "50000.00")]
    amount: String,
    /// The currency.
    #[schema(example = "KES")]
    currency: &'static str,
    /// The language of the steps.
    #[schema(example = "en")]
    language: &'static str,
    /// What to do, in order.
    steps: Vec<String>,
}

/// The instructions for a job at the paybill `shortcode`.
pub(super) fn instructions(shortcode: &str, job: &Job, language: Language) -> Instructions {
    let asset = job.budget.asset;
    let due = job.escrow.state.due(&job.escrow.terms);
    let amount = decimal(asset, due);
    let money = format!("{} {amount}", asset.code());
    let steps = if due > 0 {
        steps(language, shortcode, job.reference.as_str(), &money)
    } else {
        vec![paid(language).into()]
    };
    Instructions {
        paybill: shortcode.to_owned(),
        account_reference: job.reference.to_string(),
        amount,
        currency: asset.code(),
        language: language.code(),
        steps,
    }
}

fn steps(language: Language, paybill: &str, account: &str, money: &str) -> Vec<String> {
    match language {
        Language::En => vec![
            "Open the M-Pesa menu and choose Lipa na M-Pesa, then Pay Bill.".into(),
            format!("Enter the business number {paybill}."),
            format!("Enter the account number {account}."),
            format!("Enter the amount {money}."),
            "Enter your M-Pesa PIN and confirm. You will get an SMS when the money is held safely.".into(),
        ],
        Language::Sw => vec![
            "Fungua menyu ya M-Pesa, chagua Lipa na M-Pesa, kisha Pay Bill.".into(),
            format!("Weka nambari ya biashara {paybill}."),
            format!("Weka nambari ya akaunti {account}."),
            format!("Weka kiasi {money}."),
            "Weka PIN yako ya M-Pesa na uthibitishe. Utapata SMS pesa zikishawekwa salama.".into(),
        ],
    }
}

fn paid(language: Language) -> &'static str {
    match language {
        Language::En => "Nothing is due: this job is paid for in full.",
        Language::Sw => "Hakuna deni: kazi hii imelipiwa yote.",
    }
}
