//! What rails send: broken, doubled, from the wrong place; and that they are always answered.

use amana_gateway::config::{AllowList, Rails, Secret};
use amana_gateway::people::Role;
use serde_json::{Value, json};

use crate::door::{Api, USSD_TOKEN, together};

const ACK: &str = r#"{"ResultCode":0,"ResultDesc":"Success"}"#;

fn confirmation(receipt: &str, reference: &str, amount: Value) -> Value {
    json!({"TransactionType": "Pay Bill", "TransID": receipt, "TransTime": "20261120101530",
        "TransAmount": amount, "BusinessShortCode": "600111", "BillRefNumber": reference, "InvoiceNumber": "",
        "OrgAccountBalance": "1.00", "ThirdPartyTransID": "", "MSISDN": "254712345126", "FirstName": "GIVEN",
        "MiddleName": "", "LastName": ""})
}

#[tokio::test]
async fn fifty_identical_confirmations_are_one_deposit() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (_, reference) = api.job(&employer, "50000.00").await;
    api.world.settle().await;
    let body = confirmation("UKK71XQ601", &reference, json!("50000.00"));
    let replies = (0..50).map(|_| api.post("/api/callbacks/mpesa/deposit/", "", body.clone()));
    for reply in together(replies.collect()).await {
        assert_eq!((reply.status, reply.text.as_str()), (200, ACK));
    }
    api.world.settle().await;
    let verdicts = api.world.verdicts().await;
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "booked").count(), 1);
    let escrow = api.get(&format!("/api/escrow/{reference}"), &employer).await.ok(200);
    assert_eq!((escrow["status"].as_str(), escrow["agrees"].as_bool()), (Some("funded"), Some(true)));
    assert_eq!(
        (escrow["ledger"]["balance"].as_str(), escrow["chain"]["balance"].as_str()),
        (Some("50000.00"), Some("50000.00"))
    );
    assert_eq!(escrow["deposits"].as_array().unwrap().len(), 1);
    api.world.sound().await;
}

#[tokio::test]
async fn odd_confirmations_are_answered_kept_and_credited_to_nobody() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let operator = api.staff(Role::Operator, "0712345002").await;
    let (_, reference) = api.job(&employer, "50000.00").await;
    let mut odd: Vec<Vec<u8>> = ["0", "-5", "5,000.00", "", "1e3", "92233720368547758.07"]
        .map(|amount| confirmation("UKK71XQ602", &reference, json!(amount)).to_string().into_bytes())
        .into();
    for field in ["TransID", "TransAmount", "MSISDN", "BillRefNumber"] {
        let mut body = confirmation("UKK71XQ603", &reference, json!("50000.00"));
        body.as_object_mut().unwrap().remove(field);
        odd.push(body.to_string().into_bytes());
    }
    let mut stranger = confirmation("UKK71XQ604", &reference, json!("50000.00"));
    stranger["BusinessShortCode"] = json!("999999");
    odd.push(stranger.to_string().into_bytes());
    odd.extend([b"{\"TransID\":".to_vec(), b"\xff\xfe".to_vec(), Vec::new()]);
    let many = odd.len();
    for body in odd {
        let reply = api
            .send(("POST", "/api/callbacks/mpesa/deposit"), &[("content-type", "text/plain")], &body)
            .await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ACK), "{body:?}");
    }
    let unknown = confirmation("UKK71XQ605", "ESCROW_NOSUCH99", json!("700.00"));
    assert_eq!(api.post("/api/callbacks/c2b/anything/confirm", "", unknown).await.text, ACK);
    api.world.settle().await;
    assert_eq!(api.world.balance(&format!("escrow:{reference}")).await, "0.00");
    assert_eq!(api.world.balance("suspense:mpesa:600111").await, "700.00");

    let suspense = api.get("/v1/suspense", &operator).await.ok(200);
    assert_eq!(suspense["data"][0]["receipt"], "UKK71XQ605");
    assert_eq!(suspense["data"][0]["typed_reference"], "ESCROW_NOSUCH99");
    let failures = api.get("/v1/failures?limit=100", &operator).await.ok(200);
    assert_eq!(failures["data"].as_array().unwrap().len(), many, "{failures}");
    assert!(failures["data"].as_array().unwrap().iter().all(|row| row["next_action"].is_string()));
    for path in
        ["/v1/suspense", "/v1/failures", "/v1/breaks", "/v1/events", "/v1/proof", "/v1/ledger/trial-balance"]
    {
        api.get(path, &employer).await.problem(403, "forbidden");
    }
    let events = api.get("/v1/events?limit=100", &operator).await.ok(200);
    assert!(events["data"].as_array().unwrap().iter().any(|event| event["name"] == "job.created"));
    api.world.sound().await;
}

#[tokio::test]
async fn validation_knows_our_references_and_is_never_in_the_way() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (_, reference) = api.job(&employer, "50000.00").await;
    let path = "/api/callbacks/c2b/anything/validate";
    let code = async |reference: &str| {
        let body = confirmation("UKK71XQ606", reference, json!("50000.00"));
        api.post(path, "", body).await.ok(200)["ResultCode"].clone()
    };
    assert_eq!(code(&reference).await, "0");
    assert_eq!(code(&reference.to_lowercase().replace('_', " ")).await, "0");
    assert_eq!(code("ESCROW_NOSUCH99").await, "C2B00012");
    assert_eq!(code("").await, "C2B00012");
    assert_eq!(api.send(("POST", path), &[], b"{").await.ok(200)["ResultCode"], "0");
}

#[tokio::test]
async fn a_payout_callback_must_be_signed() {
    let api = Api::open().await;
    let news = json!({"reference": "PAYOUT_1", "status": "completed"});
    let path = "/api/callbacks/payouts/intersend/";
    api.post(path, "", news.clone()).await.problem(401, "unauthenticated");
    let signed = [
        ("x-intersend-timestamp", "1795161600"),
        ("x-intersend-signature", "sha256=00"),
        ("content-type", "application/json"),
    ];
    api.send(("POST", path), &signed, news.to_string().as_bytes()).await.problem(401, "unauthenticated");
    api.post("/api/callbacks/payouts/nobody/", "", news).await.problem(404, "not_found");
    assert!(api.world.verdicts().await.is_empty(), "what is not signed is not kept");
}

#[tokio::test]
async fn strangers_are_not_heard() {
    let allowed = AllowList::parse("203.0.113.0/24").unwrap();
    let api = Api::configured(|config| {
        config.mpesa.allow = Some(allowed);
        config.mpesa.trusted_hops = 1;
        config.rails = Rails::Real;
    })
    .await;
    let body = confirmation("UKK71XQ607", "ESCROW_NOSUCH99", json!("1.00")).to_string().into_bytes();
    let from = async |hops: &str| {
        let headers = [("x-forwarded-for", hops), ("content-type", "application/json")];
        api.send(("POST", "/api/callbacks/mpesa/deposit/"), &headers, &body).await
    };
    from("198.51.100.7").await.problem(403, "forbidden");
    from("203.0.113.7, 198.51.100.7").await.problem(403, "forbidden");
    api.send(("POST", "/api/callbacks/mpesa/deposit/"), &[], &body).await.problem(403, "forbidden");
    assert!(api.world.verdicts().await.is_empty(), "nothing of theirs is kept");
    assert_eq!(from("198.51.100.7, 203.0.113.7").await.text, ACK);
    assert_eq!(api.world.verdicts().await.len(), 1);

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let hop = b"sessionId=s&phoneNumber=0712345001&text=";
    api.send(("POST", "/api/ussd/"), &form, hop).await.problem(401, "unauthenticated");
    let path = format!("/api/ussd/?token={USSD_TOKEN}");
    assert!(api.send(("POST", &path), &form, hop).await.text.starts_with("CON "));
}

#[tokio::test]
async fn the_path_token_is_asked_for() {
    let api =
        Api::configured(|config| config.mpesa.path_token = Some(Secret::new("path-token-of-this-world")))
            .await;
    let body = confirmation("UKK71XQ608", "ESCROW_NOSUCH99", json!("1.00"));
    for path in ["/api/callbacks/mpesa/deposit/", "/api/callbacks/c2b/another-token-entirely/confirm"] {
        api.post(path, "", body.clone()).await.problem(403, "forbidden");
    }
    api.post("/api/callbacks/c2b/another-token-entirely/validate", "", body.clone())
        .await
        .problem(403, "forbidden");
    let path = "/api/callbacks/c2b/path-token-of-this-world/confirm";
    assert_eq!(api.post(path, "", body).await.text, ACK);
    assert_eq!(api.world.verdicts().await.len(), 1);
}

#[tokio::test]
async fn a_prompt_is_for_the_employer_where_prompts_are_made() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (stranger, _) = api.register("employer", "0712345009").await;
    let (job, _) = api.job(&employer, "50000.00").await;
    let path = format!("/api/jobs/{job}/prompt/");
    api.post(&path, &stranger, json!({})).await.problem(404, "not_found");
    // Daraja is not configured in this world.
    api.post(&path, &employer, json!({})).await.problem(409, "wrong_state");
}

/// A number that follows from the one before; bodies that repeat.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[tokio::test]
async fn whatever_a_rail_sends_is_answered_and_kept_byte_for_byte() {
    let api = Api::open().await;
    let seed = &mut 20_261_120;
    let id = "0123456789abcdef0123456789abcdef";
    let paths = [
        "/api/callbacks/mpesa/deposit/".to_owned(),
        "/api/callbacks/c2b/anything/confirm".to_owned(),
        format!("/api/callbacks/rail/anything/{id}/done"),
        format!("/api/callbacks/rail/anything/{id}/late"),
        format!("/api/callbacks/rail/anything/{id}/prompt"),
        "/api/callbacks/rail/anything/no-id/done".to_owned(),
    ];
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for n in 0..60usize {
        let length = if n % 20 == 0 { 1 << 20 } else { next(seed) as usize % 3_000 };
        let mut body: Vec<u8> = (0..length).map(|_| next(seed) as u8).collect();
        if n % 3 == 0 {
            let whole = confirmation(&format!("UKK72XQ{n:03}"), "ESCROW_NOSUCH99", json!("1.00")).to_string();
            body = whole.encode_utf16().flat_map(u16::to_le_bytes).chain(body).collect();
        }
        let media = ["application/json", "text/xml", "application/json; charset=utf-16", ""][n % 4];
        // Callbacks of one instant have no order.
        api.world.clock.advance(chrono::TimeDelta::milliseconds(1));
        let reply = api.send(("POST", &paths[n % paths.len()]), &[("content-type", media)], &body).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ACK));
        sent.push(body);
    }
    api.world.settle().await;
    let verdicts = api.world.verdicts().await;
    assert_eq!(verdicts.len(), sent.len());
    assert!(!verdicts.iter().any(|verdict| verdict == "unjudged"), "{verdicts:?}");
    // What is kept is what was sent.
    let kept: Vec<uuid::Uuid> = sqlx::query_scalar("select id from inbox.callback order by id")
        .fetch_all(&api.world.database.owner)
        .await
        .unwrap();
    sqlx::query("update inbox.callback set verdict = null, judged_at = null")
        .execute(&api.world.database.owner)
        .await
        .unwrap();
    let mut tx = api.world.app.db.begin().await.unwrap();
    for (id, body) in kept.into_iter().zip(&sent) {
        let callback = amana_gateway::inbox::unjudged(&mut tx, id).await.unwrap().unwrap();
        assert!(callback.raw(&mut tx, &api.world.app).await.unwrap() == *body, "{} bytes", body.len());
    }
    drop(tx);
    api.world.sound().await;
}

#[tokio::test]
async fn finance_brings_statements_and_others_do_not() {
    let api = Api::open().await;
    let finance = api.staff(Role::Finance, "0712345003").await;
    let operator = api.staff(Role::Operator, "0712345002").await;
    let raw = include_bytes!("../fixtures/daraja/org_statement_paybill.csv");
    let upload = async |token: &str, raw: &[u8]| {
        let bearer = format!("Bearer {token}");
        api.send(("POST", "/v1/statements"), &[("authorization", &bearer), ("content-type", "text/csv")], raw)
            .await
    };
    upload(&operator, raw).await.problem(403, "forbidden");
    let taken = upload(&finance, raw).await.ok(201);
    assert_eq!(
        (taken["rows"].as_i64(), taken["new_rows"].as_i64()),
        (Some(6), Some(5)),
        "one did not complete"
    );
    api.world.settle().await;
    // 5,750.50 came, 1,500.00 of it was taken back before anybody knew whose it was.
    assert_eq!(api.world.balance("suspense:mpesa:600111").await, "4250.50");
    assert_eq!(api.world.balance("float:mpesa:600111").await, "4250.50");
    let workbook = include_bytes!("../fixtures/daraja/org_statement_paybill.xlsx");
    assert_eq!(upload(&finance, workbook).await.ok(201)["new_rows"], 0, "the same rows in another dress");
    let spoilt = String::from_utf8_lossy(raw).replace("45,960.50", "45,960.51");
    let problem = upload(&finance, spoilt.as_bytes()).await.problem(422, "bad_field");
    assert!(problem.to_string().contains("line 8"), "{problem}");
    let other = String::from_utf8_lossy(raw).replace("Short Code,600111", "Short Code,999999");
    upload(&finance, other.as_bytes()).await.problem(422, "bad_field");
    let failures = api.get("/v1/failures?limit=100", &operator).await.ok(200);
    let reversed = failures["data"].as_array().unwrap().iter().find(|row| row["what"] == "taken_back");
    assert_eq!(reversed.unwrap()["subject"], "UKK71XQ5AB");
    api.world.sound().await;
}
