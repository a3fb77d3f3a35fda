//! Money in suspense: one person says whose it is, another one agrees, and it goes where it was meant to.

use amana_gateway::people::Role;
use serde_json::json;

use super::keyed;
use crate::door::{Api, at_fault};

#[tokio::test]
async fn two_people_clear_what_nobody_could_place() {
    let api = Api::open().await;
    let finance = api.staff(Role::Finance, "0712345001").await;
    let approver = api.staff(Role::Approver, "0712345002").await;
    let auditor = api.staff(Role::Auditor, "0712345003").await;
    let (employer, _) = api.register("employer", "0733345126").await;
    let (_, reference) = api.job(&employer, "77.50").await;
    api.world.settle().await;
    let typed = &reference[..reference.len() - 1];
    api.paid("UKM11XQYZ1", typed, "77.50").await;
    let suspense = api.get("/v1/suspense", &auditor).await.ok(200);
    let id = suspense["data"][0]["id"].as_str().unwrap();
    let path = format!("/v1/suspense/{id}");
    let found = api.get(&format!("{path}/candidates"), &auditor).await.ok(200);
    assert_eq!(
        (found["data"][0]["reference"].as_str(), found["proposed"].as_str()),
        (Some(&*reference), None)
    );

    let (mat, approve, reject) =
        (format!("{path}:match"), format!("{path}:approve"), format!("{path}:reject"));
    let body = json!({"escrow": reference, "reason": "the employer sent the receipt"}).to_string();
    keyed(&api, &approve, (&approver, "early"), "{}").await.problem(409, "wrong_state");
    keyed(&api, &mat, (&auditor, "one"), &body).await.problem(403, "forbidden");
    keyed(&api, &mat, (&approver, "two"), &body).await.problem(403, "forbidden");
    keyed(&api, &mat, (&finance, ""), &body).await.problem(400, "idempotency_key_missing");
    for (wrong, field) in [
        (json!({"escrow": typed, "reason": "why not"}), "/escrow"),
        (json!({"escrow": "ESCROW_000000000", "reason": "why not"}), "/escrow"),
        (json!({"escrow": reference, "reason": " "}), "/reason"),
    ] {
        let problem =
            keyed(&api, &mat, (&finance, "bad"), &wrong.to_string()).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field]);
    }

    // Rejected, proposed again, approved: once.
    for (round, decision) in [(1, &reject), (2, &approve)] {
        let proposed = keyed(&api, &mat, (&finance, &format!("propose{round}")), &body).await.ok(200);
        assert_eq!(proposed["clearing"], "proposed");
        keyed(&api, &mat, (&finance, &format!("twice{round}")), &body).await.problem(409, "exists");
        let found = api.get(&format!("{path}/candidates"), &auditor).await.ok(200);
        assert_eq!(found["proposed"].as_str(), Some(&*reference));
        assert_eq!(api.world.balance("suspense:mpesa:600111").await, "77.50", "a proposal moves nothing");
        keyed(&api, decision, (&finance, &format!("own{round}")), "{}").await.problem(403, "forbidden");
        for replayed in [None, Some("true")] {
            let reply = keyed(&api, decision, (&approver, &format!("decide{round}")), "{}").await;
            reply.ok(200);
            assert_eq!(reply.header("idempotency-replayed"), replayed);
        }
    }
    keyed(&api, &approve, (&approver, "late"), "{}").await.problem(404, "not_found");
    assert_eq!(api.world.balance("suspense:mpesa:600111").await, "0.00");
    assert_eq!(api.world.balance(&format!("escrow:{reference}")).await, "77.50");
    api.world.settle().await;
    assert_eq!(api.world.balance("onchain:supply").await, "77.50");
    let tie_out = api.get("/v1/reports/tie-out", &auditor).await.ok(200);
    assert_eq!(tie_out["agrees"], true, "{tie_out}");
    let events = api.get("/v1/events?limit=100", &auditor).await.ok(200);
    let names: Vec<_> =
        events["data"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    for name in ["suspense.proposed", "suspense.rejected", "suspense.approved"] {
        assert!(names.contains(&name), "{names:?}");
    }
    api.world.sound().await;
}
