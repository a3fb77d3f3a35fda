//! The product's main job, played through the HTTP API and then told: who paid what, where it lay, who got
//! it.
//!
//! Invariant: the demo knows nothing the API does not tell; it moves no money but by calls a customer could
//! make. It ends with an error unless float, ledger and chain agree.

use std::sync::Mutex;
use std::time::Duration;

use amana_adapters::http::Client;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

mod api;
mod show;
mod tell;

pub use api::DemoError;
use api::{Api, number, text};

/// A confirmation as Daraja sends it; the demo fills in what the customer decides.
const CONFIRMATION: &str = include_str!("confirmation.json");
const BUDGET: &str = "50000.00";
const RECEIPT: &str = "UKK71XQ4ZD";
/// How often and how long the demo looks for something to have happened: a minute in all.
const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(200);

/// Where the demo is played, and as whom.
pub struct Stage<'a> {
    /// The API's address.
    pub api: &'a str,
    /// Calls it.
    pub http: Client,
    /// Phone and password of somebody with the role `finance`.
    pub finance: (&'a str, &'a str),
    /// Phone and password of somebody with the role `auditor`.
    pub auditor: (&'a str, &'a str),
    /// Tells the payout rail that money of ours has arrived there, minor units.
    pub top_up: &'a (dyn Fn(i64) + Send + Sync),
}

/// Plays the six steps and returns the story as text.
///
/// # Errors
/// The first step that did not do what it must, by name.
pub async fn play(stage: &Stage<'_>) -> Result<String, DemoError> {
    let bar = ProgressBar::new(11);
    if let Ok(style) = ProgressStyle::with_template("  {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    let steps = Steps { bar, done: Mutex::default() };
    let told = play_steps(stage, &steps).await;
    steps.bar.finish_and_clear();
    // Where no terminal shows progress as it happens, the steps are part of the story.
    let done = steps.done.into_inner().unwrap_or_default();
    told.map(|story| if steps.bar.is_hidden() { done + &story } else { story })
}

/// What was done so far, shown at once and kept.
struct Steps {
    bar: ProgressBar,
    done: Mutex<String>,
}

impl Steps {
    fn next(&self, text: &str) {
        let line = format!("  • {text}");
        self.bar.println(&line);
        self.bar.inc(1);
        if let Ok(mut done) = self.done.lock() {
            done.push_str(&line);
            done.push('\n');
        }
    }
}

async fn play_steps(stage: &Stage<'_>, steps: &Steps) -> Result<String, DemoError> {
    let api = Api::new(stage.http.clone(), stage.api);
    let auditor = log_in(&api, stage.auditor).await?;
    let finance = log_in(&api, stage.finance).await?;
    let next = |text: String| steps.next(&text);

    let employer = register(&api, "employer", "0712345126").await?;
    next("an employer registers".into());
    let employee = register(&api, "employee", "0722345126").await?;
    next("an employee registers".into());

    let form = json!({ "title": "Website Development", "budget": BUDGET,
        "description": "Build a responsive website" });
    let job = employer.api.post("/api/jobs/", &form).await?;
    let (id, reference) = (number(&job, "/id")?, text(&job, "/escrow_contract_id")?.to_owned());
    next(format!("the employer posts a job: {reference}, KES {BUDGET}"));

    pay(&api, &reference).await?;
    let escrow = format!("/api/escrow/{reference}");
    wait(&auditor, &escrow, |now| now["is_funded"] == true).await?;
    next(format!("the employer pays the paybill, M-Pesa receipt {RECEIPT}: funded on chain"));
    next(tell::in_between(&auditor.get("/v1/proof").await?)?);

    let body = json!({ "from": "mpesa:600111", "to": "intersend", "amount": BUDGET, "currency": "KES" });
    finance.post_once("/v1/floats:move", "demo-float-move", &body).await?;
    (stage.top_up)(5_000_000);
    next("finance moves float from the paybill to the payout rail".into());

    employee.api.post(&format!("/api/jobs/{id}/apply/"), &json!({})).await?;
    let assigned =
        employer.api.patch(&format!("/api/jobs/{id}/"), &json!({ "employee": employee.id })).await?;
    next(format!("the employee applies and is assigned: {}", text(&assigned, "/status")?));

    employer.api.post(&format!("/api/jobs/{id}/complete/"), &json!({})).await?;
    next("the employer confirms the work".into());
    wait(&auditor, &escrow, |now| now["status"] == "released").await?;
    next("the chain releases the escrow".into());
    let trace = format!("/v1/escrows/{reference}/trace");
    wait(&auditor, &trace, |now| has_step(now, "chain.burned")).await?;
    next("the employee is paid by phone, the tokens are burned".into());
    let anchors = "/v1/books/kenya:KES/anchors";
    wait(&auditor, anchors, |now| now["data"][0]["size"].is_number()).await?;
    next(tell::anchored(&auditor.get(anchors).await?)?);

    tell::story(&auditor, &reference).await
}

struct Person {
    api: Api,
    id: i64,
}

/// A person of the demo's own. Password and number exist nowhere else.
async fn register(api: &Api, user_type: &str, phone: &str) -> Result<Person, DemoError> {
    let form = json!({ "phone_number": phone, "password": format!("demo-{user_type}-password"),
        "first_name": "Demo", "last_name": user_type, "user_type": user_type });
    let answer = api.post("/api/auth/register/", &form).await?;
    Ok(Person { api: api.with_token(text(&answer, "/access")?), id: number(&answer, "/user/id")? })
}

async fn log_in(api: &Api, (phone, password): (&str, &str)) -> Result<Api, DemoError> {
    let form = json!({ "phone_number": phone, "password": password });
    let answer = api.post("/api/auth/login/", &form).await?;
    Ok(api.with_token(text(&answer, "/access")?))
}

/// M-Pesa confirms the employer's payment.
async fn pay(api: &Api, reference: &str) -> Result<(), DemoError> {
    let mut heard: Value =
        serde_json::from_str(CONFIRMATION).map_err(|error| DemoError(error.to_string()))?;
    heard["TransID"] = RECEIPT.into();
    heard["TransAmount"] = BUDGET.into();
    heard["BillRefNumber"] = reference.into();
    let answer = api.post("/api/callbacks/mpesa/deposit/", &heard).await?;
    match number(&answer, "/ResultCode")? {
        0 => Ok(()),
        code => Err(DemoError(format!("the rail was answered {code}"))),
    }
}

fn has_step(trace: &Value, wanted: &str) -> bool {
    trace["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["step"] == wanted))
}

/// Looks at `path` until `there` is true of it.
async fn wait(api: &Api, path: &str, there: impl Fn(&Value) -> bool) -> Result<(), DemoError> {
    for _ in 0..LOOKS {
        let now = api.get(path).await?;
        if there(&now) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    let now = api.get(path).await?;
    Err(DemoError(format!("{path}: not there after a minute: {}", now["status"])))
}
