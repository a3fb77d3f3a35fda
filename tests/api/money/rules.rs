//! Rules that people set for a book: what is closed stays closed, what is limited stays within.

use amana_gateway::people::Role;
use amana_tests::story::payment;
use chrono::TimeDelta;
use serde_json::json;

use super::keyed;
use crate::door::{Api, at_fault};

const PERIODS: &str = "/v1/ledger/periods";

#[tokio::test]
async fn a_period_is_closed_when_everything_ties() {
    let api = Api::open().await;
    api.world.hear(&api.world.app, &payment(&api.world, "UKM11XQYZ1", "nobody", "77.50")).await.unwrap();
    api.world.settle().await;
    let clock = &api.world.clock;
    clock.advance(TimeDelta::days(2));
    api.world.settle().await;
    let approver = api.staff(Role::Approver, "0712345001").await;
    let finance = api.staff(Role::Finance, "0712345002").await;
    let now = amana_ledger::id::Clock::now(clock.as_ref());
    let day = |days| json!({"through": (now - TimeDelta::days(days)).date_naive().to_string()}).to_string();

    keyed(&api, PERIODS, (&finance, "one"), &day(1)).await.problem(403, "forbidden");
    keyed(&api, PERIODS, (&approver, ""), &day(1)).await.problem(400, "idempotency_key_missing");
    keyed(&api, PERIODS, (&approver, "today"), &day(0)).await.problem(409, "ledger_refused");
    let wrong = json!({"through": "yesterday"}).to_string();
    let problem = keyed(&api, PERIODS, (&approver, "two"), &wrong).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/through"]);

    // A shilling short in our rows: closed only by who says why.
    let sql = "update flow.collection set amount = amount - 100 where receipt = 'UKM11XQYZ1'";
    sqlx::query(sql).execute(api.world.app.db.pool()).await.unwrap();
    let problem = keyed(&api, PERIODS, (&approver, "three"), &day(1)).await.problem(409, "wrong_state");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("mpesa 600111 UKM11XQYZ1") && detail.contains("suspense"), "{detail}");
    let through = (now - TimeDelta::days(2)).date_naive().to_string();
    let despite = json!({"through": through, "despite": "a row was edited by hand"}).to_string();
    let closed = keyed(&api, PERIODS, (&approver, "four"), &despite).await.ok(201);
    assert_eq!(closed["new"], true);
    let sql = "update flow.collection set amount = amount + 100 where receipt = 'UKM11XQYZ1'";
    sqlx::query(sql).execute(api.world.app.db.pool()).await.unwrap();

    let closed = keyed(&api, PERIODS, (&approver, "five"), &day(1)).await.ok(201);
    assert_eq!(closed["new"], true, "{closed}");
    let again = keyed(&api, PERIODS, (&approver, "six"), &day(1)).await.ok(201);
    assert_eq!(again["new"], false, "{again}");
    keyed(&api, PERIODS, (&approver, "seven"), &day(2)).await.problem(409, "ledger_refused");
    let events = api.get("/v1/events?limit=100", &approver).await.ok(200);
    let all = events["data"].as_array().unwrap();
    let closes: Vec<_> = all.iter().filter(|event| event["name"] == "book.closed").collect();
    assert_eq!(closes.len(), 2);
    assert_eq!(closes[1]["body"]["despite"], "a row was edited by hand");
}

#[tokio::test]
async fn a_limited_account_refuses_what_goes_beyond() {
    let api = Api::open().await;
    let approver = api.staff(Role::Approver, "0712345001").await;
    let finance = api.staff(Role::Finance, "0712345002").await;
    let capital = json!({"float": "mpesa:600111", "amount": "1000.00", "currency": "KES"}).to_string();
    keyed(&api, "/v1/floats:capital-in", (&finance, "capital"), &capital).await.ok(201);
    let path = "/v1/ledger/accounts/float:mpesa:600111/limit";
    let limit = json!({"floor": "300.00", "velocity":
        [{"measure": "gross", "side": "credit", "period": "day", "amount": "600.00"}]})
    .to_string();
    keyed(&api, path, (&finance, "one"), &limit).await.problem(403, "forbidden");
    assert_eq!(keyed(&api, path, (&approver, "two"), &limit).await.ok(201)["new"], true);
    assert_eq!(keyed(&api, path, (&approver, "three"), &limit).await.ok(201)["new"], false);

    let moved = |amount: &str| {
        json!({"from": "mpesa:600111", "to": "intersend", "amount": amount, "currency": "KES"}).to_string()
    };
    let floats = "/v1/floats:move";
    keyed(&api, floats, (&finance, "four"), &moved("650.00")).await.problem(409, "ledger_refused");
    keyed(&api, floats, (&finance, "five"), &moved("600.00")).await.ok(201);
    keyed(&api, floats, (&finance, "six"), &moved("1.00")).await.problem(409, "ledger_refused");
    api.world.clock.advance(TimeDelta::days(1));
    // Those tokens' time is over.
    let (approver, finance) = (api.login("0712345001").await, api.login("0712345002").await);
    keyed(&api, floats, (&finance, "seven"), &moved("100.00")).await.ok(201);
    keyed(&api, floats, (&finance, "eight"), &moved("1.00")).await.problem(409, "ledger_refused");
    keyed(&api, path, (&approver, "nine"), "{}").await.ok(201);
    keyed(&api, floats, (&finance, "ten"), &moved("300.00")).await.ok(201);

    for (body, field) in [
        (json!({"floor": "a lot"}), "/floor"),
        (
            json!({"velocity": [{"measure": "some", "side": "debit", "period": "day", "amount": "1.00"}]}),
            "/velocity/0/measure",
        ),
        (
            json!({"velocity": [{"measure": "net", "side": "debit", "period": "hour", "amount": "1.00"}]}),
            "/velocity/0/period",
        ),
        (
            json!({"velocity": [{"measure": "net", "side": "debit", "period": "day", "amount": "0"}]}),
            "/velocity/0/amount",
        ),
    ] {
        let problem =
            keyed(&api, path, (&approver, "bad"), &body.to_string()).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field]);
    }
}
