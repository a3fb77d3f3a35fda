//! What is true of every door: rights, problems, spellings of paths, headers; and the second listener.

use amana_gateway::people::Role;
use amana_ledger::id::EscrowRef;
use serde_json::{Value, json};

use crate::door::{Api, USSD_TOKEN, at_fault};

#[tokio::test]
async fn every_documented_door_asks_who_one_is() {
    let api = Api::open().await;
    let document = api.get("/openapi.json", "").await.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path =
                path.replace("{id}", "1").replace("{reference}", "ESCROW_1").replace("{path}", "income:fee");
            let path = path.replace("{verb}", "cancel");
            let (method, secured) = (method.to_uppercase(), operation["security"].is_array());
            for path in [path.clone(), format!("{}/", path.trim_end_matches('/'))] {
                let has_verb = [":retry/", ":cancel/", ":resolve/"].iter().any(|verb| path.contains(verb));
                if has_verb || (!secured && path.contains('{')) {
                    continue;
                }
                let body = (method != "GET").then(|| json!({}));
                let reply = api.call((&method, &path), "", body).await;
                if secured {
                    reply.problem(401, "unauthenticated");
                    asked += 1;
                } else {
                    assert!(reply.status != 404 && reply.status != 405, "{method} {path}: {reply:?}");
                }
                assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
                assert!(reply.header("x-request-id").is_some());
            }
        }
    }
    assert!(asked > 30, "{asked}");
}

#[tokio::test]
async fn each_role_may_do_what_the_document_says_and_nothing_else() {
    let api = Api::open().await;
    let document = api.get("/openapi.json", "").await.ok(200);
    let mut refused = 0;
    for (no, role) in Role::ALL.into_iter().enumerate() {
        let token = api.staff(role, &format!("071234500{no}")).await;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let description = operation["description"].as_str().unwrap_or("");
                let Some((_, roles)) = description.split_once("For: ") else { continue };
                if path.contains("logout") {
                    continue;
                }
                let may = roles.trim_end_matches('.').split(", ").any(|word| word == role.word());
                let path =
                    path.replace("{id}", "1").replace("{reference}", "x").replace("{path}", "income:fee");
                let body = (method != "get").then(|| json!({}));
                let reply = api.call((&method.to_uppercase(), &path), &token, body).await;
                assert_eq!(reply.status != 403, may, "{} {method} {path}: {reply:?}", role.word());
                assert!(
                    reply.status != 401 && reply.status < 500,
                    "{} {method} {path}: {reply:?}",
                    role.word()
                );
                refused += usize::from(!may);
            }
        }
    }
    assert!(refused > 60, "{refused}");
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    api.get("/api/nowhere/", "").await.problem(404, "not_found");
    api.get("/", &employer).await.problem(404, "not_found");
    let wrong = api.call(("DELETE", "/api/jobs/"), &employer, None).await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET, POST"));
    let long = json!({"title": "x".repeat(70_000), "description": "d", "budget": "1.00"});
    api.post("/api/jobs/", &employer, long).await.problem(413, "too_large");
    let bearer = format!("Bearer {employer}");
    let json_headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    api.send(("POST", "/api/jobs/"), &json_headers, b"{\"title\":").await.problem(400, "bad_request");
    api.send(("POST", "/api/jobs/"), &json_headers, b"[]").await.problem(400, "bad_request");
    let form = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    api.send(("POST", "/api/jobs/"), &form, b"title=t").await.problem(415, "unsupported_media_type");
    let limit = api.get("/api/jobs/?limit=1000", &employer).await.problem(422, "bad_field");
    assert_eq!(at_fault(&limit), ["/limit"]);
    api.get("/api/jobs/?limit=many", &employer).await.problem(400, "bad_request");
    let instance = api.get("/api/nowhere/", "").await;
    let id = instance.header("x-request-id").unwrap().to_owned();
    assert_eq!(instance.json()["instance"], format!("urn:uuid:{id}"));
}

#[tokio::test]
async fn the_house_shows_itself() {
    let api = Api::open().await;
    assert_eq!(api.get("/livez", "").await.text, "alive");
    assert_eq!(api.get("/readyz", "").await.ok(200)["status"], "ready");
    assert_eq!(api.get("/version", "").await.ok(200)["name"], "amana");
    api.post("/api/callbacks/mpesa/deposit/", "", json!({})).await.ok(200);
    api.world.clock.advance(chrono::TimeDelta::minutes(3));
    let behind = api.get("/readyz", "").await;
    assert_eq!(
        (behind.problem(503, "unavailable")["retryable"].as_bool(), behind.header("retry-after")),
        (Some(true), Some("2"))
    );
    api.world.settle().await;
    api.get("/readyz", "").await.ok(200);
    api.world.clock.advance(chrono::TimeDelta::minutes(3));
    let stuck = api.get("/readyz", "").await;
    let stuck = stuck.problem(503, "unavailable")["detail"].to_string();
    assert!(stuck.contains("index"), "{stuck}");
    api.world.settle().await;
    api.get("/readyz", "").await.ok(200);
    let page = api.get("/docs", "").await;
    assert!(
        page.status == 200 && page.text.contains("/api/jobs/{id}/complete/") && !page.text.contains("http:")
    );
    assert_eq!(api.get("/docs.css", "").await.header("content-type"), Some("text/css"));
}

#[tokio::test]
async fn the_escrow_service_is_a_door_onto_the_same_flows() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (_, person) = api.register("employee", "0712345002").await;
    let (id, reference) = api.job(&employer, "500.00").await;
    for key in ["", "wrong-key-of-this-world", &employer] {
        for line in
            [("POST", "/api/escrow/create"), ("GET", "/api/escrow/x"), ("POST", "/api/escrow/release/")]
        {
            api.service(line, key, json!({})).await.problem(401, "unauthenticated");
        }
    }
    let key = api.service_key();
    let call = async |line, body: Value| api.service(line, &key, body).await;
    let created = call(("POST", "/api/escrow/create"), json!({"job_id": id})).await.ok(201);
    assert_eq!(created["contract_id"], json!(reference));
    let same = json!({"contract_id": reference, "amount": "500.00", "currency": "KES"});
    assert_eq!(call(("POST", "/api/escrow/create"), same).await.ok(201)["contract_id"], json!(reference));
    let other = json!({"contract_id": reference, "amount": "501.00", "currency": "KES"});
    call(("POST", "/api/escrow/create"), other).await.problem(409, "exists");
    let own = EscrowRef::mint(api.world.dice.as_ref());
    let bare = json!({"contract_id": own.as_str()});
    let problem = call(("POST", "/api/escrow/create"), bare).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/currency"]);
    let theirs = json!({"contract_id": own.as_str(), "amount": "70.00", "currency": "KES"});
    for _ in 0..2 {
        let opened = call(("POST", "/api/escrow/create"), theirs.clone()).await.ok(201);
        assert_eq!((&opened["contract_id"], &opened["job_listing"]), (&json!(own.as_str()), &Value::Null));
    }
    let typo = json!({"contract_id": "ESCROW_ABC123XYZ", "amount": "70.00", "currency": "KES"});
    let problem = call(("POST", "/api/escrow/create"), typo).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/contract_id"]);
    api.paid("UKK71XQ702", own.as_str(), "70.00").await;
    let path = format!("/api/escrow/{own}");
    assert_eq!(call(("GET", &*path), json!({})).await.ok(200)["status"], "funded");
    call(("POST", "/api/escrow/create"), json!({"job_id": 999})).await.problem(404, "not_found");

    let fund = json!({"contract_id": reference, "deposit_reference": "UKK71XQ701"});
    call(("POST", "/api/escrow/fund"), fund.clone()).await.problem(409, "wrong_state");
    api.paid("UKK71XQ701", &reference, "500.00").await;
    for _ in 0..2 {
        assert_eq!(call(("POST", "/api/escrow/fund/"), fund.clone()).await.ok(200)["status"], "funded");
    }
    let release = json!({"contract_id": reference});
    call(("POST", "/api/escrow/release"), release.clone()).await.problem(409, "wrong_state");
    let job = format!("/api/jobs/{id}/");
    api.patch(&job, &employer, json!({"employee": person, "invite": true})).await.ok(200);
    api.post(&format!("{job}complete/"), &employer, json!({})).await.ok(200);
    assert_eq!(call(("POST", "/api/escrow/release"), release.clone()).await.ok(200)["status"], "completed");
    api.world.settle().await;
    assert_eq!(call(("POST", "/api/escrow/release"), release).await.ok(200)["status"], "released");
    let seen = call(("GET", &*format!("/api/escrow/{reference}")), json!({})).await.ok(200);
    assert_eq!((seen["agrees"].as_bool(), seen["chain"]["status"].as_str()), (Some(true), Some("released")));
    api.world.sound().await;
}

#[tokio::test]
async fn the_register_callback_wants_its_credential_and_acts_once() {
    let api = Api::open().await;
    let path = "/api/ussd/register-callback/";
    let body = json!({"phone_number": "0712345001", "first_name": "Given", "last_name": "Family",
        "user_type": "employee"});
    api.post(path, "", body.clone()).await.problem(401, "unauthenticated");
    api.post(path, "wrong-token-of-this-world", body.clone()).await.problem(401, "unauthenticated");
    let first = api.post(path, USSD_TOKEN, body.clone()).await.ok(201);
    assert_eq!(first["created"], true);
    let again = api.post(&format!("{path}?token={USSD_TOKEN}"), "", body).await.ok(200);
    assert_eq!((&again["id"], again["created"].as_bool()), (&first["id"], Some(false)));
    let problem = api.post(path, USSD_TOKEN, json!({"phone_number": "x"})).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/first_name", "/last_name", "/user_type"]);
    api.world.settle().await;
    let texts = api.world.texts_to("0712345001");
    assert_eq!(texts.iter().filter(|text| text.contains("PIN is")).count(), 1, "the PIN is told once");
}
