//! Intersend as a script: verifies who asks, pays a reference once from a float, and calls back, over real
//! HTTP and in whatever manner it is told.

mod till;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_ledger::id::Clock;
use amana_ledger::money::Money;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::till::{Ending, Taken, Till};
use super::sign::{is_signed, sign};
use super::wire::{Order, Refusal, SIGNATURE, TIMESTAMP, word};
use super::{HEADERS, is_fresh};
use crate::http::{Call, Client};
use crate::port::{Msisdn, PayoutState, Secret};
use crate::sim::{Behaviour, Errands, Line, Record, Script, Seen, Stage, When, lock};

/// How often a callback is posted until it is answered with 2xx.
const CALLBACK_ATTEMPTS: u32 = 3;

/// How the rail is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// The bearer key it asks for.
    pub key: Secret,
    /// The secret both sides sign with.
    pub secret: Secret,
    /// Where its news goes; none, and it is mute until [`Sim::call_back_to`].
    pub callback_url: Option<String>,
    /// Our money parked there at the start, and its currency.
    pub float: Money,
    /// What a payout costs on top.
    pub fee: Option<Money>,
    /// The pause before each step of a payout.
    pub pace: Duration,
    /// Where it remembers across restarts; what is in the file overrides `float` and `fee`.
    pub state_file: Option<PathBuf>,
}

/// A payout as the rail knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Our reference.
    pub reference: String,
    /// The rail's receipt.
    pub provider_id: String,
    /// Who is paid.
    pub phone: Msisdn,
    /// How much.
    pub money: Money,
    /// Where it stands.
    pub state: PayoutState,
    /// How often it was ordered; it is paid once all the same.
    pub asked: u32,
}

/// A callback that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Our reference.
    pub reference: String,
    /// What it said.
    pub state: PayoutState,
    /// The HTTP status it was answered with, if it was.
    pub status: Option<u16>,
}

/// The running rail; it ends when dropped.
pub struct Sim {
    shared: Arc<Shared>,
    stage: Stage,
}

struct Shared {
    options: Options,
    callback_url: Mutex<Option<String>>,
    http: Client,
    clock: Arc<dyn Clock>,
    till: Mutex<Till>,
    script: Script,
    record: Record,
    delivered: Mutex<Vec<Delivered>>,
    news: Errands,
}

/// One step of a payout's news: what becomes true, and what is said.
type Step = (Option<PayoutState>, Option<PayoutState>);

impl Sim {
    /// Starts the rail and takes up what its state file left unfinished.
    ///
    /// # Errors
    /// When the socket cannot be had or the state file does not read.
    pub async fn start(options: Options, http: Client, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let loaded = options.state_file.as_deref().map(Till::load).transpose()?.flatten();
        let till = loaded.unwrap_or_else(|| Till::new(options.float, options.fee));
        let unfinished = till.unfinished();
        let listen = options.listen;
        let callback_url = Mutex::new(options.callback_url.clone());
        let shared = Arc::new(Shared {
            options,
            callback_url,
            http,
            clock,
            till: Mutex::new(till),
            script: Script::default(),
            record: Record::default(),
            delivered: Mutex::default(),
            news: Errands::default(),
        });
        let routes = Router::new()
            .route("/v1/payouts/send", post(send))
            .route("/v1/payouts/{reference}", get(look))
            .with_state(shared.clone());
        let stage = Stage::open(listen, routes).await?;
        for (reference, ending) in unfinished {
            shared.tell_later(reference, steps(&Behaviour::OnTime, &ending));
        }
        Ok(Self { shared, stage })
    }

    /// What `INTERSEND_API_URL` would be.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.stage.addr())
    }

    /// From now on news goes there: the rail is often up before the gateway knows its own address.
    pub fn call_back_to(&self, url: impl Into<String>) {
        *lock(&self.shared.callback_url) = Some(url.into());
    }

    /// Adds to the script; the newest rule that fits a request wins.
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

    /// Every payout, by reference.
    pub fn payouts(&self) -> Vec<Paid> {
        lock(&self.shared.till).paid()
    }

    /// What is left of the float, in minor units.
    pub fn float(&self) -> i64 {
        lock(&self.shared.till).float()
    }

    /// Puts more money there.
    pub fn top_up(&self, money: Money) {
        lock(&self.shared.till).top_up(money.minor());
        self.shared.save();
    }

    /// Every callback posted, in order.
    pub fn delivered(&self) -> Vec<Delivered> {
        lock(&self.shared.delivered).clone()
    }

    /// Ends a payout by hand (a stalled one, or again), and calls back.
    pub async fn finish(&self, reference: &str, state: PayoutState) {
        self.shared.step(reference, (Some(state), Some(state))).await;
    }

    /// Waits until all news now on its way is told.
    pub async fn quiet(&self) {
        self.shared.news.quiet().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.news.stop();
    }
}

async fn send(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    parts: Parts,
    body: Bytes,
) -> Response {
    shared.record.keep(&parts, &body);
    if let Err(refused) = shared.admit(&parts, &body) {
        return *refused;
    }
    let (order, minor) = match shared.read(&body) {
        Ok(read) => read,
        Err((code, reason)) => return refusal(StatusCode::UNPROCESSABLE_ENTITY, code, reason),
    };
    let behaviour = shared.script.pick(&[&order.phone_number, &order.amount]);
    match &behaviour {
        Behaviour::ErrorBefore(code) => return bare(*code),
        Behaviour::Refuse(code) => {
            return refusal(StatusCode::UNPROCESSABLE_ENTITY, code, "refused by script");
        }
        _ => {}
    }
    let reference = order.reference.clone();
    let wanted = match &behaviour {
        Behaviour::Fail(reason) => Ending::Failed(reason.clone()),
        Behaviour::Stall => Ending::Never,
        _ => Ending::Completed,
    };
    let taken = lock(&shared.till).take(order, minor, wanted);
    shared.save();
    let status = match taken {
        Taken::New(ending) => {
            shared.tell_later(reference.clone(), steps(&behaviour, &ending));
            StatusCode::ACCEPTED
        }
        Taken::Again => StatusCode::OK,
        Taken::Conflict => {
            return refusal(
                StatusCode::CONFLICT,
                "reference_conflict",
                "reference was used for another order",
            );
        }
    };
    match behaviour {
        Behaviour::Late(after) => tokio::time::sleep(after).await,
        Behaviour::Silent => line.cut(),
        Behaviour::ErrorAfter(code) => return bare(code),
        _ => {}
    }
    shared.standing(status, &reference)
}

async fn look(State(shared): State<Arc<Shared>>, Path(reference): Path<String>, parts: Parts) -> Response {
    shared.record.keep(&parts, b"");
    if let Err(refused) = shared.admit(&parts, b"") {
        return *refused;
    }
    shared.standing(StatusCode::OK, &reference)
}

impl Shared {
    fn admit(&self, parts: &Parts, body: &[u8]) -> Result<(), Box<Response>> {
        let value = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let bearer = format!("Bearer {}", self.options.key.expose());
        let timestamp = value(TIMESTAMP);
        if value(header::AUTHORIZATION.as_str()) != bearer {
            return Err(Box::new(refusal(StatusCode::UNAUTHORIZED, "unauthorized", "no such key")));
        }
        if !is_fresh(timestamp, self.clock.now()) {
            return Err(Box::new(refusal(StatusCode::UNAUTHORIZED, "stale", "timestamp is not near now")));
        }
        if !is_signed(&self.options.secret, timestamp, body, value(SIGNATURE)) {
            return Err(Box::new(refusal(
                StatusCode::UNAUTHORIZED,
                "bad_signature",
                "signature does not match",
            )));
        }
        Ok(())
    }

    fn read(&self, body: &[u8]) -> Result<(Order, i64), (&'static str, &'static str)> {
        let order: Order =
            serde_json::from_slice(body).map_err(|_| ("bad_request", "body is not an order"))?;
        let asset = lock(&self.till).asset();
        if Msisdn::parse(&order.phone_number).map(|phone| phone.digits() != order.phone_number) != Ok(false) {
            return Err(("invalid_phone_number", "phone_number is not 12 digits of a mobile line"));
        }
        if order.currency != asset.code() {
            return Err(("invalid_currency", "no float in that currency"));
        }
        let money = Money::parse_decimal(asset, &order.amount);
        let money = money.map_err(|_| ("invalid_amount", "amount is not a positive decimal"))?;
        Ok((order, money.minor()))
    }

    fn standing(&self, status: StatusCode, reference: &str) -> Response {
        match lock(&self.till).standing(reference, None) {
            Some(standing) => json(status, &standing),
            None => refusal(StatusCode::NOT_FOUND, "not_found", "no payout of that reference"),
        }
    }

    /// A simulator that cannot write its file goes on from memory: the file matters to the next start only.
    fn save(&self) {
        if let Some(file) = &self.options.state_file
            && let Err(error) = lock(&self.till).save(file)
        {
            tracing::warn!(%error, "intersend simulator: state not saved");
        }
    }

    fn tell_later(self: &Arc<Self>, reference: String, steps: Vec<Step>) {
        let shared = self.clone();
        self.news.run(async move {
            for step in steps {
                tokio::time::sleep(shared.options.pace).await;
                shared.step(&reference, step).await;
            }
        });
    }

    async fn step(&self, reference: &str, (becomes, said): Step) {
        if let Some(state) = becomes {
            lock(&self.till).become_(reference, state);
            self.save();
        }
        let url = lock(&self.callback_url).clone();
        if let (Some(state), Some(url)) = (said, url) {
            self.call_back(&url, reference, state).await;
        }
    }

    async fn call_back(&self, url: &str, reference: &str, state: PayoutState) {
        let Some(standing) = lock(&self.till).standing(reference, Some(state)) else { return };
        let Ok(body) = serde_json::to_vec(&standing) else { return };
        for attempt in 1..=CALLBACK_ATTEMPTS {
            let timestamp = self.clock.now().timestamp().to_string();
            let signature = sign(&self.options.secret, &timestamp, &body);
            let call = Call::post("intersend-sim", url, "application/json", body.clone())
                .header(HEADERS.0, timestamp)
                .header(HEADERS.1, signature);
            let status = self.http.tell(&call).await.ok().map(|answer| answer.status);
            lock(&self.delivered).push(Delivered { reference: reference.to_owned(), state, status });
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            tracing::debug!(
                reference,
                state = word(state),
                attempt,
                "intersend simulator: callback not taken"
            );
            tokio::time::sleep(self.options.pace * attempt).await;
        }
    }
}

/// The news of a payout that ends so, in the manner told.
fn steps(behaviour: &Behaviour, ending: &Ending) -> Vec<Step> {
    use PayoutState::{Completed, Failed, Processing};
    let both = |state| (Some(state), Some(state));
    let last = match ending {
        Ending::Completed => Completed,
        Ending::Failed(_) => Failed,
        Ending::Never => return Vec::new(),
    };
    match behaviour {
        Behaviour::Mute => vec![(Some(Processing), None), (Some(last), None)],
        Behaviour::Twice => vec![both(Processing), both(Processing), both(last), both(last)],
        Behaviour::Reversed => vec![both(last), (None, Some(Processing))],
        Behaviour::Contradict => vec![both(Processing), both(Failed), both(Completed)],
        _ => vec![both(Processing), both(last)],
    }
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn refusal(status: StatusCode, code: &str, reason: &str) -> Response {
    json(status, &Refusal { code: code.to_owned(), reason: reason.to_owned() })
}

fn bare(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
