//! A world with its doors open, and a caller outside: a dozen lines of HTTP/1.1 over a socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use amana_gateway::app::App;
use amana_gateway::config::{Config, Secret};
use amana_gateway::db::Db;
use amana_gateway::http;
use amana_gateway::people::{self, Email, Language, Name, NewPerson, PayoutMode, Role, password};
pub(crate) use amana_tests::story::together;
use amana_tests::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The credential of the USSD gateway in a test's world.
pub(crate) const USSD_TOKEN: &str = "ussd-token-of-this-world";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A world with its doors open.
pub(crate) struct Api {
    pub(crate) world: World,
    public: SocketAddr,
    keyed: SocketAddr,
    problems: Mutex<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Reply {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Asserts that it is a problem document of this status and code, and gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(status.into()), Some(code)));
        for field in ["type", "title", "detail", "instance"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {problem}");
        }
        problem
    }

    /// Asserts the status and gives the body.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }
}

/// The pointers of a problem's fields at fault.
pub(crate) fn at_fault(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str()).collect()
}

impl Api {
    pub(crate) async fn open() -> Self {
        Self::configured(|_| {}).await
    }

    /// With doors that `change` makes stricter.
    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let world = World::new().await;
        let mut config = world.app.config.clone();
        config.africastalking.ussd_token = Some(Secret::new(USSD_TOKEN));
        change(&mut config);
        let db = Db::from_pool(world.database.app.clone());
        let app = Arc::new(App::wire(config, db, world.clock.clone(), world.dice.clone()).unwrap());
        let public = serve(http::router(app.clone())).await;
        let keyed = serve(http::escrow_router(app)).await;
        Self { world, public, keyed, problems: Mutex::default() }
    }

    /// Where the public API is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(("GET", path), token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.call(("POST", path), token, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Reply {
        self.call(("PATCH", path), token, Some(body)).await
    }

    pub(crate) async fn call(&self, line: (&str, &str), token: &str, body: Option<Value>) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![];
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(line, &headers, body.as_bytes()).await
    }

    /// A request with these headers and these bytes.
    pub(crate) async fn send(&self, line: (&str, &str), headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = exchange(self.public, line, headers, body).await;
        if reply.status >= 400 {
            self.problems.lock().unwrap().push_str(&format!("{reply:?}\n"));
        }
        reply
    }

    /// Every error answered so far.
    pub(crate) fn problems(&self) -> String {
        self.problems.lock().unwrap().clone()
    }

    /// The key of the escrow service.
    pub(crate) fn service_key(&self) -> String {
        self.world.app.config.stellar.api_key.expose().to_owned()
    }

    /// A call to the escrow service.
    pub(crate) async fn service(&self, line: (&str, &str), key: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        exchange(self.keyed, line, &headers, body.to_string().as_bytes()).await
    }

    /// Registers over HTTP; the access token, and the integer id.
    pub(crate) async fn register(&self, user_type: &str, phone: &str) -> (String, i64) {
        let body = json!({"phone_number": phone, "password": PASSWORD, "first_name": "Given",
            "last_name": "Family", "user_type": user_type});
        let session = self.post("/api/auth/register/", "", body).await.ok(201);
        (session["access"].as_str().unwrap().to_owned(), session["user"]["id"].as_i64().unwrap())
    }

    /// Somebody of the house, made inside and logged in over HTTP; the access token.
    pub(crate) async fn staff(&self, role: Role, phone: &str) -> String {
        let app = &self.world.app;
        let name = |text| Name::parse("first_name", text).unwrap();
        let new = NewPerson {
            role,
            phone: amana_adapters::port::Msisdn::parse(phone).unwrap(),
            email: Some(Email::parse(&format!("{}@example.test", role.word())).unwrap()),
            first_name: name("Given"),
            last_name: name("Family"),
            password: Some(password::hash(app, PASSWORD).await.unwrap()),
            payout_mode: PayoutMode::Mobile,
            stellar_account_id: None,
            language: Language::En,
        };
        let mut tx = app.db.begin().await.unwrap();
        people::register(&mut tx, app, new).await.unwrap();
        tx.commit().await.unwrap();
        self.login(phone).await
    }

    /// Logs in again; the access token.
    pub(crate) async fn login(&self, phone: &str) -> String {
        let body = json!({"phone_number": phone, "password": PASSWORD});
        let session = self.post("/api/auth/login/", "", body).await.ok(200);
        session["access"].as_str().unwrap().to_owned()
    }

    /// Posts a job; its id and its reference.
    pub(crate) async fn job(&self, employer: &str, budget: &str) -> (i64, String) {
        let body = json!({"title": "Website Development", "description": "Build a responsive website",
            "budget": budget});
        let job = self.post("/api/jobs/", employer, body).await.ok(201);
        (job["id"].as_i64().unwrap(), job["escrow_contract_id"].as_str().unwrap().to_owned())
    }

    /// M-Pesa tells of money, and the worker does its work.
    pub(crate) async fn paid(&self, receipt: &str, reference: &str, amount: &str) {
        let body = json!({"TransID": receipt, "TransAmount": amount, "MSISDN": "254712345126",
            "BillRefNumber": reference, "BusinessShortCode": "600111"});
        let reply = self.post("/api/callbacks/mpesa/deposit/", "", body).await;
        assert_eq!(reply.text, r#"{"ResultCode":0,"ResultDesc":"Success"}"#);
        self.world.settle().await;
    }
}

async fn serve(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn exchange(to: SocketAddr, line: (&str, &str), headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: amana\r\nconnection: close\r\n", line.0, line.1);
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    // A server that answers before it has read all may close on us; its answer is what counts.
    let _ = socket.write_all(body).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    let (head, text) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line:?}: no answer"));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Reply { status, headers, text: text.to_owned() }
}
