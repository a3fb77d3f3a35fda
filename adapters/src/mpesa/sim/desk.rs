//! Daraja itself over real HTTP: one token at a time, prompts, payouts, questions answered later by a post,
//! lists of payments; in whatever manner it is told.
//!
//! Invariant: a new token kills the one before; an id of a payout is taken once; what it says of a payment is
//! what the till knows.

mod answers;
mod later;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use amana_ledger::id::Clock;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeySize, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::till::{Line, Till};
use super::{Payment, Shown};
use crate::http::Client;
use crate::port::Secret;
use crate::sim::{Behaviour, Errands, Line as Wire, Record, Script, Seen, Stage, When, lock};

/// How Daraja is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// The app.
    pub key: Secret,
    /// Its secret.
    pub secret: Secret,
    /// The paybill.
    pub shortcode: String,
    /// For prompts.
    pub passkey: Secret,
    /// Who may instruct in the paybill's name: name and password.
    pub initiator: (String, Secret),
    /// What stands on the paybill at the start, minor units.
    pub opening: i64,
    /// The pause before each post.
    pub pace: Duration,
}

/// Daraja, running; it ends when dropped.
pub struct Sim {
    shared: Arc<Shared>,
    stage: Stage,
}

struct Shared {
    options: Options,
    http: Client,
    clock: Arc<dyn Clock>,
    till: Mutex<Till>,
    token: Mutex<(u32, String)>,
    /// Where customers' payments are told: validation and confirmation.
    doors: Mutex<Option<(String, String)>>,
    prompts: Mutex<Vec<Prompt>>,
    taken: Mutex<Vec<String>>,
    script: Script,
    record: Record,
    posts: Errands,
}

/// A prompt on somebody's phone.
#[derive(Clone, Debug)]
struct Prompt {
    checkout: String,
    /// Their code once it ended.
    end: Option<String>,
}

/// One key a process: making one takes longer than a test.
fn key() -> Option<&'static PrivateDecryptingKey> {
    static KEY: OnceLock<Option<PrivateDecryptingKey>> = OnceLock::new();
    KEY.get_or_init(|| PrivateDecryptingKey::generate(KeySize::Rsa2048).ok()).as_ref()
}

impl Sim {
    /// Opens the desk.
    ///
    /// # Errors
    /// When the socket cannot be had.
    pub async fn start(options: Options, http: Client, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listen = options.listen;
        let shared = Arc::new(Shared {
            till: Mutex::new(Till::with(options.opening)),
            options,
            http,
            clock,
            token: Mutex::default(),
            doors: Mutex::default(),
            prompts: Mutex::default(),
            taken: Mutex::default(),
            script: Script::default(),
            record: Record::default(),
            posts: Errands::default(),
        });
        let routes = Router::new()
            .route("/oauth/v1/generate", get(answer))
            .fallback(post(answer))
            .with_state(shared.clone());
        Ok(Self { stage: Stage::open(listen, routes).await?, shared })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.stage.addr())
    }

    /// The key under which passwords are sealed for it, as PEM.
    pub fn certificate(&self) -> String {
        let der = key().and_then(|key| key.public_key().as_der().ok());
        let text = STANDARD.encode(der.as_ref().map_or(&[][..], |der| der.as_ref()));
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// From now on, requests like these are treated so. Named are: the word of the path (`oauth`, `push`,
    /// `pay`, `status`, `balance`, `reverse`, `pull`), a phone's digits, a receipt.
    pub fn behave(&self, when: When, behaviour: Behaviour) {
        self.shared.script.add(when, behaviour);
    }

    /// Back to good manners.
    pub fn behave_well(&self) {
        self.shared.script.clear();
    }

    /// Somebody paid: the till knows it, and tells nobody.
    pub fn paid(&self, payment: &Payment) {
        lock(&self.shared.till).paid_in(payment);
    }

    /// The owner of the paybill gives a payment back in the portal: nobody is told. The receipt of that.
    pub fn give_back(&self, receipt: &str) -> Option<String> {
        let now = self.shared.clock.now();
        lock(&self.shared.till).give_back(receipt, now)
    }

    /// What the till knows of a receipt.
    pub fn line(&self, receipt: &str) -> Option<Line> {
        lock(&self.shared.till).find(receipt).cloned()
    }

    /// What stands on the paybill, minor units.
    pub fn balance(&self) -> i64 {
        lock(&self.shared.till).balance()
    }

    /// The statement, as the portal exports it.
    pub fn statement(&self) -> String {
        lock(&self.shared.till).statement(&self.shared.options.shortcode)
    }

    /// How many tokens were given out.
    pub fn tokens(&self) -> u32 {
        lock(&self.shared.token).0
    }

    /// Kills the token, as another process does that fetches one of its own.
    pub fn kill_token(&self) {
        lock(&self.shared.token).1 = "nobody's".to_owned();
    }

    /// Where payments made by prompt are told, beside the prompt's own callback.
    pub fn confirm_to(&self, url: &str) {
        *lock(&self.shared.doors) = Some((String::new(), url.to_owned()));
    }

    /// Every request so far.
    pub fn heard(&self) -> Vec<Seen> {
        self.shared.record.all()
    }

    /// Waits until nothing is on its way to us.
    pub async fn quiet(&self) {
        self.shared.posts.quiet().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.posts.stop();
    }
}

/// The word a path is called by in a script.
fn word(path: &str) -> &'static str {
    const WORDS: [(&str, &str); 10] = [
        ("/oauth/", "oauth"),
        ("/stkpushquery/", "push_state"),
        ("/stkpush/", "push"),
        ("/b2c/", "pay"),
        ("/transactionstatus/", "status"),
        ("/accountbalance/", "balance"),
        ("/reversal/", "reverse"),
        ("/c2b/", "register"),
        ("/pulltransactions/v1/register", "pull_register"),
        ("/pulltransactions/", "pull"),
    ];
    WORDS.into_iter().find(|(part, _)| path.contains(part)).map_or("", |(_, word)| word)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Wire>,
    parts: Parts,
    body: Bytes,
) -> Response {
    shared.record.keep(&parts, &body);
    let word = word(parts.uri.path());
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| told[name].as_str().unwrap_or_default();
    let behaviour = shared.script.pick(&[word, text("PhoneNumber"), text("PartyB"), text("TransactionID")]);
    match &behaviour {
        Behaviour::ErrorBefore(code) => return answers::bare(*code),
        Behaviour::Refuse(words) => return answers::refusal(words),
        _ => {}
    }
    let answer = match shared.admit(word, &parts, &told) {
        Ok(()) => shared.act(word, &told, &behaviour),
        Err(words) => answers::refusal(words),
    };
    match behaviour {
        Behaviour::Late(after) => tokio::time::sleep(after).await,
        Behaviour::Silent => line.cut(),
        Behaviour::ErrorAfter(code) => return answers::bare(code),
        _ => {}
    }
    answer
}

impl Shared {
    /// Who asks, and in whose name.
    fn admit(&self, word: &str, parts: &Parts, told: &serde_json::Value) -> Result<(), &'static str> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let options = &self.options;
        if word == "oauth" {
            let basic = format!("{}:{}", options.key.expose(), options.secret.expose());
            let is_ours = header("authorization") == format!("Basic {}", STANDARD.encode(basic));
            return if is_ours { Ok(()) } else { Err("400.008.01 Invalid Authentication passed") };
        }
        let token = lock(&self.token).1.clone();
        if token.is_empty() || header("authorization") != format!("Bearer {token}") {
            return Err("404.001.03 Invalid Access Token");
        }
        if header("content-type") != "application/json" {
            return Err("400.002.02 Bad Request - Invalid BusinessShortCode");
        }
        if let Some(sealed) = told["SecurityCredential"].as_str() {
            let name = told["Initiator"].as_str().or(told["InitiatorName"].as_str());
            let is_right = name == Some(&options.initiator.0)
                && opened(sealed).as_deref() == Some(options.initiator.1.expose().as_bytes());
            return if is_right { Ok(()) } else { Err("400.002.02 Bad Request - Invalid Initiator") };
        }
        Ok(())
    }
}

/// The password under a credential.
fn opened(sealed: &str) -> Option<Vec<u8>> {
    let key = Pkcs1PrivateDecryptingKey::new(key()?.clone()).ok()?;
    let sealed = STANDARD.decode(sealed).ok()?;
    let mut plain = vec![0; key.min_output_size()];
    key.decrypt(&sealed, &mut plain).ok().map(|plain| plain.to_vec())
}

/// A payment made at a prompt, as a confirmation tells it.
fn prompted(receipt: String, line: &Line, shortcode: &str) -> Payment {
    Payment {
        receipt,
        amount: amana_ledger::money::decimal(amana_ledger::money::Asset::Kes, line.minor),
        shortcode: shortcode.to_owned(),
        typed_ref: line.reference.clone(),
        phone: line.phone.clone(),
        shown: Shown::Masked,
        at: line.at,
    }
}
