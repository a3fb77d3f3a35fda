//! Our own money: keys that make calls once, and the books it lands in.

mod reports;
mod rules;
mod suspense;

use amana_gateway::people::Role;
use amana_gateway::worker;
use amana_ledger::seal::note::{Checkpoint, Key};
use amana_ledger::seal::{Included, Inside};
use serde_json::{Value, json};

use crate::door::{Api, Reply, at_fault, together};

async fn keyed(api: &Api, path: &str, (token, key): (&str, &str), body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
    }
    api.send(("POST", path), &headers, body.as_bytes()).await
}

/// The three lines of the paybill in pages of two, from either end.
async fn statement_in_pages(api: &Api, auditor: &str) {
    let path = "/v1/ledger/accounts/float:mpesa:600111/statement?limit=2";
    let page = api.get(path, auditor).await.ok(200);
    assert_eq!(
        (page["has_more"].as_bool(), page["lines"][1]["balance"].as_str()),
        (Some(true), Some("2000.00"))
    );
    let cursor = page["next_cursor"].as_str().unwrap();
    let last = api.get(&format!("{path}&cursor={cursor}"), auditor).await.ok(200);
    assert_eq!((last["has_more"].as_bool(), last["next_cursor"].is_null()), (Some(false), true));
    assert_eq!(
        (last["lines"].as_array().unwrap().len(), last["lines"][0]["balance"].as_str()),
        (1, Some("1500.00"))
    );
    let newest = api.get(&format!("{path}&first=newest"), auditor).await.ok(200);
    assert_eq!(newest["lines"][0], last["lines"][0]);
    for wrong in ["&first=best".to_owned(), format!("&first=newest&cursor={cursor}")] {
        api.get(&format!("{path}{wrong}"), auditor).await.problem(422, "bad_field");
    }
}

#[tokio::test]
async fn a_key_makes_a_call_once() {
    let api = Api::open().await;
    let finance = api.staff(Role::Finance, "0712345001").await;
    let auditor = api.staff(Role::Auditor, "0712345002").await;
    let path = "/v1/floats:capital-in";
    let body = json!({"float": "mpesa:600111", "amount": "1000.00", "currency": "KES"}).to_string();
    keyed(&api, path, (&finance, ""), &body).await.problem(400, "idempotency_key_missing");
    keyed(&api, path, (&auditor, "one"), &body).await.problem(403, "forbidden");
    let first = keyed(&api, path, (&finance, "one"), &body).await;
    let posted = first.ok(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = keyed(&api, path, (&finance, "one"), &body).await;
    assert_eq!((again.ok(201), again.header("idempotency-replayed")), (posted, Some("true")));
    let slash = keyed(&api, &format!("{path}/"), (&finance, "one"), &body).await;
    assert_eq!(slash.header("idempotency-replayed"), Some("true"), "a slash makes no other call");
    let other = body.replace("1000.00", "2000.00");
    keyed(&api, path, (&finance, "one"), &other).await.problem(422, "idempotency_key_reused");
    let calls = (0..10).map(|_| keyed(&api, path, (&finance, "two"), &body));
    let replies = together(calls.collect()).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    assert_eq!(api.world.balance("float:mpesa:600111").await, "2000.00");

    for (field, body) in [
        ("/float", json!({"float": "nowhere", "amount": "1.00", "currency": "KES"})),
        ("/amount", json!({"float": "intersend", "amount": "-1.00", "currency": "KES"})),
        ("/currency", json!({"float": "intersend", "amount": "1.00", "currency": "EGP"})),
    ] {
        let problem =
            keyed(&api, path, (&finance, "three"), &body.to_string()).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field]);
    }
    let moved =
        json!({"from": "mpesa:600111", "to": "intersend", "amount": "500.00", "currency": "KES"}).to_string();
    let transfers = keyed(&api, "/v1/floats:move", (&finance, "four"), &moved).await.ok(201);
    assert_eq!(transfers["transfers"].as_array().unwrap().len(), 2);
    let short = moved.replace("500.00", "9999.00");
    keyed(&api, "/v1/floats:move", (&finance, "five"), &short).await.problem(409, "ledger_refused");
    assert_eq!(api.world.balance("float:intersend").await, "500.00");
    keyed(&api, "/v1/payouts/PAYOUT_NOSUCH:retry", (&finance, "six"), "").await.problem(404, "not_found");
    keyed(&api, "/v1/payouts/PAYOUT_NOSUCH:stop", (&finance, "six"), "").await.problem(404, "not_found");

    let trial = api.get("/v1/ledger/trial-balance", &auditor).await.ok(200);
    assert_eq!((trial["balanced"].as_bool(), trial["debits"].as_str()), (Some(true), Some("2000.00")));
    let statement = api.get("/v1/ledger/accounts/float:mpesa:600111/statement", &auditor).await.ok(200);
    assert_eq!(
        (statement["closing"].as_str(), statement["lines"].as_array().unwrap().len()),
        (Some("1500.00"), 3)
    );
    statement_in_pages(&api, &auditor).await;
    api.get("/v1/ledger/accounts/nonsense/statement", &auditor).await.problem(422, "bad_field");
    let long_ago = "/v1/ledger/accounts/float:intersend/statement?to=-262143-01-01T00:00:00Z";
    assert_eq!(at_fault(&api.get(long_ago, &auditor).await.problem(422, "bad_field")), ["/to"]);
    assert_eq!(api.get("/v1/proof", &auditor).await.ok(200)["agrees"], true);
    api.world.sound().await;
}

#[tokio::test]
async fn the_journal_goes_out_as_a_stream_to_staff_alone() {
    let api = Api::open().await;
    let finance = api.staff(Role::Finance, "0712345001").await;
    let auditor = api.staff(Role::Auditor, "0712345002").await;
    let (employer, _) = api.register("employer", "0712345003").await;
    let body = json!({"float": "mpesa:600111", "amount": "1000.00", "currency": "KES"}).to_string();
    keyed(&api, "/v1/floats:capital-in", (&finance, "one"), &body).await.ok(201);
    let path = "/v1/books/kenya:KES/export";
    let journal = api.get(&format!("{path}?format=hledger"), &auditor).await;
    assert_eq!(journal.status, 200);
    assert_eq!(journal.header("transfer-encoding"), Some("chunked"));
    assert_eq!(journal.header("content-disposition"), Some("attachment; filename=\"kenya-KES.journal\""));
    for said in ["capital_in", "assets:float:mpesa:600111  1000.00 KES", "0.00 KES = -1000.00 KES"] {
        assert!(journal.text.contains(said), "{said}: {}", journal.text);
    }
    for format in ["beancount", "ndjson", "csv"] {
        let reply = api.get(&format!("{path}?format={format}&from=2026-01-01&to=2027-12-31"), &auditor).await;
        assert!(reply.status == 200 && reply.text.contains("capital_in"), "{reply:?}");
    }
    let table = api.get(&format!("{path}?format=csv&from=2020-01-01&to=2020-01-31"), &auditor).await;
    assert!(table.status == 200 && !table.text.contains("capital_in"));

    api.get(&format!("{path}?format=csv"), &employer).await.problem(403, "forbidden");
    api.get("/v1/books/other:KES/export?format=csv", &auditor).await.problem(404, "not_found");
    for (query, field) in [
        ("", "/format"),
        ("?format=pdf", "/format"),
        ("?format=csv&from=yesterday", "/from"),
        ("?format=csv&to=2026-02-30", "/to"),
        ("?format=csv&from=2026-02-02&to=2026-02-01", "/to"),
    ] {
        let problem = api.get(&format!("{path}{query}"), &auditor).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field]);
    }
}

#[tokio::test]
async fn strangers_auditors_and_people_check_what_is_sealed() {
    let api = Api::open().await;
    let finance = api.staff(Role::Finance, "0712345001").await;
    let auditor = api.staff(Role::Auditor, "0712345002").await;
    let (employer, _) = api.register("employer", "0712345003").await;
    let (_, reference) = api.job(&employer, "500.00").await;
    let (checkpoint, own) = ("/v1/books/kenya:KES/checkpoint", "/v1/me/liability-proof");
    api.get(checkpoint, "").await.problem(409, "not_yet");
    assert_eq!(api.get(own, &employer).await.ok(200)["inside"], json!([]));
    let body = json!({"float": "mpesa:600111", "amount": "1000.00", "currency": "KES"}).to_string();
    let posted = keyed(&api, "/v1/floats:capital-in", (&finance, "one"), &body).await.ok(201);
    api.paid("UKK81XQ4Z1", &reference, "500.00").await;
    assert!(worker::seal::checkpoint(&api.world.app).await.unwrap());

    let (book, signer) = (&api.world.app.config.book, api.world.app.signer.as_ref().unwrap());
    let shown = api.get(checkpoint, "").await.ok(200);
    let key = Key::parse(shown["key"].as_str().unwrap()).unwrap();
    assert_eq!(key, *signer.key());
    let sealed = Checkpoint::open(book, &key, shown["note"].as_str().unwrap()).unwrap();
    assert_eq!(shown["anchor"], Value::Null);

    let path = format!("/v1/books/kenya:KES/proofs/{}", posted["transfers"][0].as_str().unwrap());
    let proof = api.get(&path, &auditor).await.ok(200)["proof"].clone();
    let proof: Included = serde_json::from_value(proof).unwrap();
    assert_eq!(proof.check(book, &key), Ok(sealed));
    api.get(&path, &employer).await.problem(403, "forbidden");
    let nothing = "/v1/books/kenya:KES/proofs/00000000-0000-0000-0000-000000000001";
    api.get(nothing, &auditor).await.problem(404, "not_found");
    api.get("/v1/books/kenya:KES/proofs/one", &auditor).await.problem(422, "bad_field");
    api.get("/v1/books/other:KES/checkpoint", "").await.problem(404, "not_found");

    let inside = api.get(own, &employer).await.ok(200)["inside"].clone();
    let inside: Vec<Inside> = serde_json::from_value(inside).unwrap();
    assert_eq!(inside[0].account, format!("escrow:{reference}"));
    let signed = inside[0].check(book, &key).unwrap();
    assert_eq!((inside[0].balance, signed.root.sum), (50_000, 50_000));
    let (other, _) = api.register("employee", "0712345004").await;
    assert_eq!(api.get(own, &other).await.ok(200)["inside"], json!([]));
    api.world.sound().await;
}

#[tokio::test]
async fn a_jobs_parties_withdraw_and_object_and_nobody_else() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345126").await;
    let (other, _) = api.register("employer", "0712345127").await;
    let (employee, worker) = api.register("employee", "0722345126").await;
    let ask = async |id: i64, what: &str, token: &str| {
        let key = format!("{}-{id}", what.replace(['?', '='], "-"));
        keyed(&api, &format!("/v1/jobs/{id}:{what}"), (token, &key), "").await
    };

    let (withdrawn, reference) = api.job(&employer, "500.00").await;
    api.paid("UKK71XQ4Z1", &reference, "200.00").await;
    ask(withdrawn, "cancel?simulate=true", &other).await.problem(404, "not_found");
    let told = ask(withdrawn, "cancel?simulate=true", &employer).await.ok(200);
    assert_eq!((&told["simulated"], &told["chain_calls"]), (&json!(true), &json!(["cancel"])));
    assert_eq!(told["postings"][0]["amount"], "200.00");
    assert_eq!(told["postings"][0]["debit"], format!("escrow:{reference}"));
    let unchanged = api.get(&format!("/api/jobs/{withdrawn}/"), &employer).await.ok(200);
    assert_eq!(unchanged["escrow_status"], "partially_funded");
    let done = ask(withdrawn, "cancel", &employer).await.ok(200);
    assert_eq!((&done["status"], &done["escrow_status"]), (&json!("cancelled"), &json!("cancelled")));
    ask(withdrawn, "dispute", &employer).await.problem(409, "wrong_state");
    ask(withdrawn, "frame", &employer).await.problem(404, "not_found");

    let (disputed, reference) = api.job(&employer, "500.00").await;
    api.paid("UKK71XQ4Z2", &reference, "500.00").await;
    let invite = json!({"employee": worker, "invite": true});
    api.patch(&format!("/api/jobs/{disputed}/"), &employer, invite).await.ok(200);
    ask(disputed, "cancel", &employer).await.problem(409, "wrong_state");
    // Not before its time, and nobody else's.
    ask(disputed, "refund", &employer).await.problem(409, "wrong_state");
    ask(disputed, "refund?simulate=true", &employer).await.problem(409, "wrong_state");
    ask(disputed, "refund", &employee).await.problem(404, "not_found");
    ask(disputed, "dispute", &other).await.problem(404, "not_found");
    let done = ask(disputed, "dispute", &employee).await.ok(200);
    assert_eq!(done["escrow_status"], "disputed");
    ask(disputed, "dispute?", &employer).await.problem(409, "wrong_state");
}

/// The trace tells both parties how and why, and what goes back; the reason is kept sealed.
async fn both_read_why(api: &Api, parties: [&String; 2], reference: &str) {
    let path = format!("/v1/escrows/{reference}/trace");
    for party in parties {
        let trace = api.get(&path, party).await.ok(200);
        let decision = &trace["decisions"][0];
        assert_eq!((&decision["to_payer"], &decision["reason"]), (&json!("200.00"), &json!("half")));
        let purposes: Vec<_> =
            trace["payouts"].as_array().unwrap().iter().map(|one| &one["purpose"]).collect();
        assert_eq!(purposes.iter().filter(|purpose| **purpose == "refund").count(), 1, "{purposes:?}");
    }
    let kept: String = sqlx::query_scalar("select d::text from flow.decision d")
        .fetch_one(&api.world.database.owner)
        .await
        .unwrap();
    assert!(!kept.contains("half"), "sealed");
}

#[tokio::test]
async fn who_decides_a_dispute_is_no_party_of_it_and_decides_once() {
    let api = Api::open().await;
    api.world.capital().await;
    let (employer, _) = api.register("employer", "0712345126").await;
    let (employee, worker) = api.register("employee", "0722345126").await;
    let approver = api.staff(Role::Approver, "0712345001").await;
    let admin = api.staff(Role::Admin, "0712345002").await;
    let (id, reference) = api.job(&employer, "500.00").await;
    api.paid("UKK71XQ4Z1", &reference, "500.00").await;
    api.patch(&format!("/api/jobs/{id}/"), &employer, json!({"employee": worker, "invite": true}))
        .await
        .ok(200);
    let ask = async |what: &str, who: (&str, &str), body: &Value| {
        keyed(&api, &format!("/v1/jobs/{id}{what}"), who, &body.to_string()).await
    };
    let parts =
        |to_payee: i64, to_payer: i64| json!({"to_payee": to_payee, "to_payer": to_payer, "reason": "half"});
    let ruling = parts(30_000, 20_000);
    ask(":resolve", (&approver, "early"), &ruling).await.problem(409, "wrong_state");
    ask(":dispute", (&employee, "object"), &Value::Null).await.ok(200);
    ask(":resolve", (&approver, "soon"), &ruling).await.problem(409, "not_yet");
    api.world.settle().await;
    // However the path is written, and whoever looks after other things.
    for path in [":resolve", "%3Aresolve", ":resolv%65"] {
        for who in [&employer, &employee, &admin] {
            ask(path, (who, "mine"), &ruling).await.problem(403, "forbidden");
        }
    }
    ask(":dispute", (&approver, "object"), &Value::Null).await.problem(403, "forbidden");
    for (field, body) in [
        ("/to_payer", parts(30_000, 20_001)),
        ("/to_payer", parts(30_000, -1)),
        ("/to_payee", parts(50_001, 0)),
        ("/reason", json!({"to_payee": 50_000, "to_payer": 0, "reason": " "})),
    ] {
        let problem = ask(":resolve", (&approver, "wrong"), &body).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field]);
        ask(":resolve?simulate=true", (&approver, "wrong"), &body).await.problem(422, "bad_field");
    }
    let told = ask(":resolve?simulate=true", (&approver, "try"), &ruling).await.ok(200);
    assert_eq!(told["chain_calls"], json!(["resolve", "burn", "burn"]));
    let posted = |event: &str| {
        let all = told["postings"].as_array().unwrap().iter().filter(|posting| posting["event"] == event);
        all.map(|posting| posting["amount"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(posted("resolved"), ["300.00", "200.00", "200.00"]);
    assert_eq!((posted("payout_hold"), posted("burn_final")), (vec!["300.00"], vec!["200.00", "300.00"]));
    let decided = "select count(*) from flow.decision";
    let decided =
        async || sqlx::query_scalar::<_, i64>(decided).fetch_one(&api.world.database.owner).await.unwrap();
    assert_eq!(decided().await, 0, "nothing was written");

    let first = ask(":resolve", (&approver, "ruling"), &ruling).await;
    assert_eq!(first.ok(200)["escrow_status"], "disputed");
    let again = ask(":resolve", (&approver, "ruling"), &ruling).await;
    assert_eq!((again.ok(200), again.header("idempotency-replayed")), (first.ok(200), Some("true")));
    ask(":resolve", (&approver, "ruling"), &parts(50_000, 0)).await.problem(422, "idempotency_key_reused");
    ask(":resolve", (&approver, "other"), &ruling).await.problem(409, "wrong_state");
    assert_eq!(decided().await, 1);
    api.world.arbitrate().await;
    let job = api.get(&format!("/api/jobs/{id}/"), &employer).await.ok(200);
    assert_eq!((&job["status"], &job["escrow_status"]), (&json!("completed"), &json!("resolved")));
    both_read_why(&api, [&employer, &employee], &reference).await;
    api.world.sound().await;
}
