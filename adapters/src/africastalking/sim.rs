//! Africa's Talking as a script: takes messages and shows them like a drawer of phones, reports on them, and
//! dials a USSD menu hop by hop.

mod dialler;
mod page;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_ledger::id::Clock;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde_json::json;

pub use self::dialler::{Dialler, NoReply};
use super::form::{self, Form};
use super::sms::{Delivery, KEY, PATH};
use crate::http::{Call, Client};
use crate::port::{Msisdn, Secret};
use crate::sim::{Behaviour, Errands, Line, Record, Script, Seen, Stage, When, lock};

/// How the vendor is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// The application's name.
    pub username: String,
    /// The key it asks for.
    pub key: Secret,
    /// Where delivery reports go, if anywhere; see also [`Sim::report_to`].
    pub report_url: Option<String>,
    /// The pause before each report.
    pub pace: Duration,
}

/// A message that reached the vendor.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The vendor's id.
    pub id: String,
    /// To whom.
    pub to: Msisdn,
    /// What it says.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Messages carry PINs and balances; their text is for phones.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} to {}, {} bytes)", self.id, self.to, self.text.len())
    }
}

/// How many messages are kept; a simulator left running for a day must not grow.
const KEPT: usize = 1_000;

/// The running vendor; it ends when dropped.
pub struct Sim {
    shared: Arc<Shared>,
    stage: Stage,
}

struct Shared {
    options: Options,
    report_url: Mutex<Option<String>>,
    http: Client,
    clock: Arc<dyn Clock>,
    messages: Mutex<Messages>,
    script: Script,
    record: Record,
    reports: Errands,
}

#[derive(Default)]
struct Messages {
    count: u64,
    kept: Vec<Message>,
}

impl Sim {
    /// Starts the vendor.
    ///
    /// # Errors
    /// When the socket cannot be had.
    pub async fn start(options: Options, http: Client, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listen = options.listen;
        let report_url = Mutex::new(options.report_url.clone());
        let shared = Arc::new(Shared {
            options,
            report_url,
            http,
            clock,
            messages: Mutex::default(),
            script: Script::default(),
            record: Record::default(),
            reports: Errands::default(),
        });
        let routes = Router::new()
            .route("/", get(drawer))
            .route("/messages", get(list))
            .route(PATH, post(messaging))
            .with_state(shared.clone());
        let stage = Stage::open(listen, routes).await?;
        Ok(Self { shared, stage })
    }

    /// The address of the API, and of a page with the messages for people (`/`) and programs (`/messages`).
    pub fn url(&self) -> String {
        format!("http://{}", self.stage.addr())
    }

    /// From now on delivery reports go there.
    pub fn report_to(&self, url: impl Into<String>) {
        *lock(&self.shared.report_url) = Some(url.into());
    }

    /// Adds to the script; the newest rule that fits a request wins. `When::Names` takes a phone's digits.
    /// `Refuse` takes the recipient's status code (`"406"`), `Fail` the report's reason.
    pub fn behave(&self, when: When, behaviour: Behaviour) {
        self.shared.script.add(when, behaviour);
    }

    /// Forgets the script.
    pub fn behave_well(&self) {
        self.shared.script.clear();
    }

    /// Every request heard, byte by byte.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.record.all()
    }

    /// Every message taken, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.shared.messages).kept.clone()
    }

    /// The messages of one phone, oldest first.
    pub fn inbox(&self, phone: &Msisdn) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.to == *phone).collect()
    }

    /// Waits until all reports now on their way are told.
    pub async fn quiet(&self) {
        self.shared.reports.quiet().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.reports.stop();
    }
}

async fn drawer(State(shared): State<Arc<Shared>>) -> Response {
    let page = page::render(&lock(&shared.messages).kept);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let of = |m: &Message| json!({"id": m.id, "to": m.to.e164(), "text": m.text, "at": m.at.to_rfc3339()});
    let all: Vec<_> = lock(&shared.messages).kept.iter().map(of).collect();
    answer(StatusCode::OK, &all.into())
}

async fn messaging(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    parts: Parts,
    body: Bytes,
) -> Response {
    shared.record.keep(&parts, &body);
    let key = parts.headers.get(KEY).and_then(|v| v.to_str().ok());
    if key != Some(shared.options.key.expose()) {
        return (StatusCode::UNAUTHORIZED, "The supplied authentication is invalid").into_response();
    }
    let Ok(form) = Form::read(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let field = |name| form.get(name).unwrap_or_default();
    if field("username") != shared.options.username || field("message").is_empty() {
        return (StatusCode::BAD_REQUEST, "username or message is missing").into_response();
    }
    let Ok(to) = Msisdn::parse(field("to")) else {
        return recipient(json!({"statusCode": 403, "number": field("to"), "status": "InvalidPhoneNumber"}));
    };
    let behaviour = shared.script.pick(&[to.digits()]);
    match &behaviour {
        Behaviour::ErrorBefore(code) => return bare(*code),
        Behaviour::Refuse(code) => {
            let code: u16 = code.parse().unwrap_or(502);
            return recipient(
                json!({"statusCode": code, "number": to.e164(), "cost": "0", "status": "Refused"}),
            );
        }
        _ => {}
    }
    let id = shared.take(&to, field("message"));
    shared.report_later(&id, &to, &behaviour);
    match behaviour {
        Behaviour::Late(after) => tokio::time::sleep(after).await,
        Behaviour::Silent => line.cut(),
        Behaviour::ErrorAfter(code) => return bare(code),
        _ => {}
    }
    let (number, cost) = (to.e164(), "KES 0.8000");
    recipient(
        json!({"statusCode": 101, "number": number, "cost": cost, "status": "Success", "messageId": id}),
    )
}

impl Shared {
    fn take(&self, to: &Msisdn, text: &str) -> String {
        let mut messages = lock(&self.messages);
        messages.count += 1;
        let id = format!("ATXid_{:010}", messages.count);
        if messages.kept.len() == KEPT {
            messages.kept.remove(0);
        }
        let message = Message { id: id.clone(), to: to.clone(), text: text.to_owned(), at: self.clock.now() };
        messages.kept.push(message);
        id
    }

    fn report_later(self: &Arc<Self>, id: &str, to: &Msisdn, behaviour: &Behaviour) {
        use Delivery::{Failed, Sent, Submitted, Success};
        let news = match behaviour {
            Behaviour::Mute => return,
            Behaviour::Stall => vec![Submitted],
            Behaviour::Fail(_) => vec![Sent, Failed],
            Behaviour::Twice => vec![Sent, Sent, Success, Success],
            Behaviour::Reversed => vec![Success, Sent],
            Behaviour::Contradict => vec![Failed, Success],
            _ => vec![Sent, Success],
        };
        let reason = match behaviour {
            Behaviour::Fail(reason) => reason.clone(),
            _ => "UserInBlackList".to_owned(),
        };
        let Some(url) = lock(&self.report_url).clone() else { return };
        let (shared, id, phone) = (self.clone(), id.to_owned(), to.e164().to_owned());
        self.reports.run(async move {
            for delivery in news {
                tokio::time::sleep(shared.options.pace).await;
                let status = format!("{delivery:?}");
                let mut fields = vec![("id", id.as_str()), ("status", &status), ("phoneNumber", &phone)];
                fields.push(("networkCode", "63902"));
                if delivery == Failed {
                    fields.push(("failureReason", &reason));
                }
                fields.push(("retryCount", "0"));
                let form = form::write(&fields);
                let call = Call::post("africastalking-sim", &url, "application/x-www-form-urlencoded", form);
                // Lost reports are part of the world; the vendor does not try again.
                let _answered = shared.http.tell(&call).await;
            }
        });
    }
}

/// HTTP says 201 even when the one recipient was refused.
fn recipient(recipient: serde_json::Value) -> Response {
    let taken = usize::from(recipient["statusCode"] == json!(101));
    let message = format!("Sent to {taken}/1 Total Cost: KES {}", if taken == 1 { "0.8000" } else { "0" });
    answer(StatusCode::CREATED, &json!({"SMSMessageData": {"Message": message, "Recipients": [recipient]}}))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn bare(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
