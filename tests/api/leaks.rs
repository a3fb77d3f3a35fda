//! What must not leave: planted phones, names, passwords, tokens, PINs and keys.
//!
//! They are looked for in all that stays behind: the log at its most talkative, every row of every table,
//! and every error body.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use amana_gateway::people::Role;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use sqlx::AssertSqlSafe;
use tracing_subscriber::fmt::MakeWriter;

use crate::door::{Api, PASSWORD, USSD_TOKEN};

/// Everything logged in this process, at level trace.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let listen = || {
        let log = Log::default();
        // Libraries at trace print whole requests of their own, which no configuration of ours asks them for.
        let filter = "debug,hyper=info,reqwest=info,amana_gateway=trace,amana_adapters=trace,sqlx=trace";
        let all = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(log.clone());
        all.init();
        log
    };
    LOG.get_or_init(listen).clone()
}

/// The whole database as text, table by table.
async fn dump(api: &Api) -> String {
    let owner = &api.world.database.owner;
    let tables = "select format('%I.%I', schemaname, tablename) from pg_tables
                  where schemaname not in ('pg_catalog', 'information_schema') order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(owner).await.unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut text = String::new();
    for table in tables {
        let rows = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(owner).await.unwrap();
        text += &format!("{table}\n{rows}\n");
    }
    text
}

/// Plays the main job with errors on the way; what was planted that only the run knows.
async fn play(api: &Api) -> Vec<String> {
    let register = |user_type: &str, phone: &str, name: &str| {
        json!({"phone_number": phone, "password": PASSWORD, "email": format!("{name}.planted@example.test"),
            "first_name": format!("{name}Planted"), "last_name": "Surnameplanted", "user_type": user_type})
    };
    let body = register("employer", "0712987651", "Hirer");
    let hirer = api.post("/api/auth/register/", "", body.clone()).await.ok(201);
    api.post("/api/auth/register/", "", body).await.problem(409, "exists");
    let worker =
        api.post("/api/auth/register/", "", register("employee", "0712987652", "Doer")).await.ok(201);
    let wrong = json!({"phone_number": "0712987651", "password": "wrong password planted"});
    api.post("/api/auth/login/", "", wrong).await.problem(401, "unauthenticated");
    let mistyped = json!({"phone_number": "0712987651x", "password": PASSWORD, "first_name": "HirerPlanted",
        "last_name": "Surnameplanted", "user_type": "employer"});
    api.post("/api/auth/register/", "", mistyped).await.problem(422, "bad_field");

    let token = |session: &serde_json::Value, name: &str| session[name].as_str().unwrap().to_owned();
    let (employer, employee) = (token(&hirer, "access"), token(&worker, "access"));
    let (id, reference) = api.job(&employer, "50000.00").await;
    api.paid("UKK71XQ901", &reference, "50000.00").await;
    api.paid("UKK71XQ902", "0712987653", "70.00").await; // a phone typed where the account belongs
    let job = format!("/api/jobs/{id}/");
    api.post(&format!("{job}apply/"), &employee, json!({})).await.ok(201);
    api.patch(&job, &employer, json!({"employee": worker["user"]["id"]})).await.ok(200);
    api.post(&format!("{job}complete/"), &employer, json!({})).await.ok(200);
    api.world.settle().await;

    for text in ["", "1", "1*Callerplanted", "1*Callerplanted*Surnameplanted"] {
        let body = format!("sessionId=s1&phoneNumber=%2B254712987654&text={}", text.replace('*', "%2A"));
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(api.send(("POST", "/api/ussd/"), &form, body.as_bytes()).await.status, 200);
    }
    for _ in 0..5 {
        api.world.wait(chrono::TimeDelta::seconds(30)).await;
    }
    let texts = api.world.texts_to("0712987654");
    let pin: String = texts[0].chars().filter(char::is_ascii_digit).take(6).collect();
    let operator = api.staff(Role::Operator, "0712987655").await;
    api.get("/v1/suspense", &operator).await.ok(200);
    vec![pin, employer, employee, operator, token(&hirer, "refresh"), token(&worker, "refresh")]
}

#[tokio::test]
async fn nothing_planted_leaves_by_log_dump_or_error() {
    let log = log();
    let api = Api::open().await;
    api.world.capital().await;
    let mut planted = play(&api).await;
    planted.extend(
        ["712987651", "712987652", "712987653", "712987654", "712987655", "712345126"].map(String::from),
    );
    planted.extend(
        [PASSWORD, "wrong password planted", "Planted", "planted@example", USSD_TOKEN].map(String::from),
    );
    let config = &api.world.app.config;
    let (rail, texts) = (&config.intersend, &config.africastalking);
    let keys = [&config.stellar.api_key, &rail.key, &rail.secret, &texts.api_key];
    planted.extend(keys.map(|secret| secret.expose().to_owned()));
    planted.push(hex::encode(config.master_key.0));
    planted.push(config.stellar.operator.reveal());

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("\"route\":\"/api/jobs/{id}/complete/\"") || log.contains("/api/jobs/{id}/complete")
    );
    let dump = dump(&api).await;
    assert!(dump.contains("UKK71XQ901"), "what may stand there is found");
    let places = [("the log", log), ("the database", dump), ("an error", api.problems())];
    for secret in &planted {
        let spellings = [secret.clone(), hex::encode(secret), BASE64_STANDARD.encode(secret)];
        for (name, text) in &places {
            if let Some(spelling) = spellings.iter().find(|spelling| text.contains(*spelling)) {
                let line = text.lines().find(|line| line.contains(spelling.as_str())).unwrap_or_default();
                panic!("{spelling} stands in {name}: {}", line.chars().take(600).collect::<String>());
            }
        }
    }
    api.world.sound().await;
}
