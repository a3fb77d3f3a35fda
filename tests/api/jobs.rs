//! Jobs: their JSON, who may do what, and the six steps.

use amana_gateway::people::Role;
use amana_localnet::STANDALONE_PASSPHRASE;
use amana_tests::sdks;
use serde_json::json;

use crate::door::{Api, at_fault, together};

#[tokio::test]
async fn a_new_job_has_the_agreed_shape() {
    let api = Api::open().await;
    let (employer, id) = api.register("employer", "0712345001").await;
    let (employee, _) = api.register("employee", "0712345002").await;
    let body = json!({"title": "Website Development", "description": "Build a responsive website",
        "budget": "50000.00"});
    api.post("/api/jobs/", "", body.clone()).await.problem(401, "unauthenticated");
    api.post("/api/jobs/", &employee, body.clone()).await.problem(403, "forbidden");
    let job = api.post("/api/jobs/", &employer, body.clone()).await.ok(201);
    assert_eq!(job["id"].as_i64(), Some(1));
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(job[field], *value);
    }
    assert_eq!(
        (job["status"].as_str(), job["escrow_status"].as_str()),
        (Some("open"), Some("pending_deposit"))
    );
    assert_eq!((job["employer"].as_i64(), job["is_funded"].as_bool()), (Some(id), Some(false)));
    assert!(job["employee"].is_null() && job["funded_at"].is_null());
    let reference = job["escrow_contract_id"].as_str().unwrap();
    assert!(reference.starts_with("ESCROW_") && reference.len() == 16, "{reference}");

    let more_than_the_chain_holds = "922337203685.48";
    for budget in
        ["0", "-5", "5,000.00", "1.001", "", "a lot", "99999999999999999999", more_than_the_chain_holds]
    {
        let bad = json!({"title": "t", "description": "d", "budget": budget});
        let problem = api.post("/api/jobs/", &employer, bad).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), ["/budget"], "{budget}");
    }
    let problem = api.post("/api/jobs/", &employer, json!({"title": " "})).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/budget", "/description"]);
    let silent = json!({"title": "a\u{0}b", "description": "d", "budget": "5.00"});
    let problem = api.post("/api/jobs/", &employer, silent).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/title"]);
    let seen = api.get(&format!("/api/escrow/{reference}"), &employer).await.ok(200);
    assert_eq!((seen["status"].as_str(), seen["agrees"].as_bool()), (Some("pending_deposit"), Some(true)));
}

#[tokio::test]
async fn strangers_see_nothing_and_lists_show_what_concerns_one() {
    let api = Api::open().await;
    let (one, _) = api.register("employer", "0712345001").await;
    let (other, _) = api.register("employer", "0712345002").await;
    let (employee, person) = api.register("employee", "0712345003").await;
    let (unfunded, _) = api.job(&one, "100.00").await;
    let (funded, reference) = api.job(&one, "200.00").await;
    api.paid("UKK71XQ501", &reference, "200.00").await;
    let ids = |list: serde_json::Value| -> Vec<i64> {
        list["data"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(api.get("/api/jobs/", &one).await.ok(200)), [funded, unfunded]);
    assert_eq!(ids(api.get("/api/jobs", &other).await.ok(200)), [0i64; 0]);
    assert_eq!(ids(api.get("/api/jobs/", &employee).await.ok(200)), [funded], "unfunded jobs are hidden");
    let page = api.get("/api/jobs/?limit=1", &one).await;
    assert!(
        page.header("link")
            .is_some_and(|link| link.starts_with("<?limit=1&cursor=") && link.ends_with("rel=\"next\""))
    );
    let first = page.ok(200);
    assert_eq!((ids(first.clone()), first["has_more"].as_bool()), (vec![funded], Some(true)));
    let next = format!("/api/jobs/?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = api.get(&next, &one).await.ok(200);
    assert_eq!((ids(second.clone()), second["has_more"].as_bool()), (vec![unfunded], Some(false)));
    assert_eq!(
        at_fault(&api.get("/api/jobs/?cursor=AAAA", &one).await.problem(422, "bad_field")),
        ["/cursor"]
    );

    let job = format!("/api/jobs/{funded}/");
    let assign = json!({"employee": person, "invite": true});
    api.patch(&job, &other, assign.clone()).await.problem(404, "not_found");
    api.patch(&job, &employee, assign.clone()).await.problem(403, "forbidden");
    api.post(&format!("{job}complete/"), &other, json!({})).await.problem(404, "not_found");
    api.get(&format!("{job}applicants/"), &other).await.problem(404, "not_found");
    api.get(&format!("{job}payment-instructions/"), &other).await.problem(404, "not_found");
    api.get(&format!("/api/escrow/{reference}"), &other).await.problem(404, "not_found");
    api.get(&format!("/v1/escrows/{reference}/trace"), &other).await.problem(404, "not_found");
    api.patch(&job, &one, assign).await.ok(200);
    api.get(&job, &other).await.problem(404, "not_found");
    api.get(&job, &employee).await.ok(200);
    api.get("/api/jobs/999999/", &one).await.problem(404, "not_found");
    api.get("/api/jobs/abc/", &one).await.problem(404, "not_found");
    let auditor = api.staff(Role::Auditor, "0712345009").await;
    assert_eq!(ids(api.get("/api/jobs/", &auditor).await.ok(200)), [funded, unfunded]);
    api.world.sound().await;
}

#[tokio::test]
async fn a_job_takes_only_legal_steps() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (employee, person) = api.register("employee", "0712345002").await;
    let (id, _) = api.job(&employer, "100.00").await;
    let job = format!("/api/jobs/{id}/");
    let complete = format!("{job}complete/");
    let problem = api.post(&complete, &employer, json!({})).await.problem(409, "wrong_state");
    assert_eq!(problem["allowed_transitions"], json!(["assigned", "cancelled"]));
    api.post(&complete, &employee, json!({})).await.problem(403, "forbidden");
    let problem = api.patch(&job, &employer, json!({"employee": person})).await.problem(409, "wrong_state");
    assert_eq!(at_fault(&problem), ["/employee"], "did not apply");
    let problem = api.patch(&job, &employer, json!({"employee": 999_999})).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/employee"]);
    for bad in [json!({}), json!({"status": "assigned"})] {
        let problem = api.patch(&job, &employer, bad).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), ["/employee"]);
    }
    let problem = api.patch(&job, &employer, json!({"status": "released"})).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/status"]);
    for status in ["in_progress", "completed"] {
        api.patch(&job, &employer, json!({"status": status})).await.problem(409, "wrong_state");
    }

    let apply = format!("{job}apply/");
    api.post(&apply, &employer, json!({})).await.problem(403, "forbidden");
    assert_eq!(api.post(&apply, &employee, json!({})).await.status, 201);
    assert_eq!(api.post(&apply, &employee, json!({})).await.status, 200, "twice is once");
    let applicants = api.get(&format!("{job}applicants/"), &employer).await.ok(200);
    assert_eq!(applicants["data"][0]["employee"].as_i64(), Some(person));
    assert_eq!(applicants["data"][0]["name"], "Given F.");
    let (second_in_line, second_person) = api.register("employee", "0712345003").await;
    assert_eq!(api.post(&apply, &second_in_line, json!({})).await.status, 201, "in the same instant");
    let mut seen = Vec::new();
    let mut page = format!("{job}applicants/?limit=1");
    loop {
        let list = api.get(&page, &employer).await.ok(200);
        seen.push(list["data"][0]["employee"].as_i64());
        let Some(cursor) = list["next_cursor"].as_str() else { break };
        page = format!("{job}applicants/?limit=1&cursor={cursor}");
    }
    seen.sort_unstable();
    assert_eq!(seen, [Some(person), Some(second_person)], "each once");
    api.post(&format!("{job}withdraw/"), &second_in_line, json!({})).await;
    assert_eq!(api.post(&format!("{job}withdraw/"), &employee, json!({})).await.status, 204);
    assert_eq!(api.get(&format!("{job}applicants/"), &employer).await.ok(200)["data"], json!([]));
    api.post(&apply, &employee, json!({})).await.ok(201);
    let assigned = api.patch(&job, &employer, json!({"employee": person})).await.ok(200);
    assert_eq!(
        (assigned["status"].as_str(), assigned["employee"].as_i64()),
        (Some("assigned"), Some(person))
    );
    let again = api.patch(&job, &employer, json!({"employee": person})).await.problem(409, "wrong_state");
    assert_eq!(again["allowed_transitions"], json!([]));
    api.post(&complete, &employer, json!({})).await.problem(409, "wrong_state");
    api.post(&apply, &employee, json!({})).await.problem(409, "wrong_state");
    api.post(&format!("{job}withdraw/"), &employee, json!({})).await.problem(409, "wrong_state");

    let (second, _) = api.job(&employer, "100.00").await;
    let job = format!("/api/jobs/{second}/");
    let cancelled = api.patch(&job, &employer, json!({"status": "cancelled"})).await.ok(200);
    assert_eq!(cancelled["status"], "cancelled");
    api.get(&format!("{job}payment-instructions/"), &employer).await.problem(409, "wrong_state");
    api.patch(&job, &employer, json!({"employee": person, "invite": true})).await.problem(409, "wrong_state");
}

#[tokio::test]
async fn the_six_steps() {
    let api = Api::open().await;
    api.world.capital().await;
    api.world.rail.call_back_to(api.url("/api/callbacks/payouts/intersend/"));
    let (employer, _) = api.register("employer", "0712345001").await;
    let (employee, person) = api.register("employee", "0712345002").await;
    let (id, reference) = api.job(&employer, "50000.00").await;
    let job = format!("/api/jobs/{id}/");

    let how = api.get(&format!("{job}payment-instructions/?lang=sw"), &employer).await.ok(200);
    assert_eq!(
        (how["paybill"].as_str(), how["account_reference"].as_str()),
        (Some("600111"), Some(&*reference))
    );
    assert_eq!((how["amount"].as_str(), how["language"].as_str()), (Some("50000.00"), Some("sw")));
    api.paid("UKK71XQ502", &reference, "50000.00").await;
    let funded = api.get(&job, &employee).await.ok(200);
    assert_eq!((funded["status"].as_str(), funded["escrow_status"].as_str()), (Some("open"), Some("funded")));
    assert!(funded["is_funded"].as_bool().unwrap() && funded["funded_at"].is_string());

    api.post(&format!("{job}apply/"), &employee, json!({})).await.ok(201);
    let assigned = api.patch(&job, &employer, json!({"employee": person})).await.ok(200);
    assert_eq!(
        (assigned["status"].as_str(), assigned["escrow_status"].as_str()),
        (Some("in_progress"), Some("in_progress"))
    );

    let calls = (0..50).map(|_| format!("{job}complete/"));
    let mut statuses = Vec::new();
    let replies = calls.map(|path| {
        let (api, employer) = (&api, &employer);
        async move { api.post(&path, employer, json!({})).await.status }
    });
    for reply in together(replies.collect()).await {
        statuses.push(reply);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 49);
    api.world.settle().await;
    for _ in 0..10 {
        api.world.wait(chrono::TimeDelta::seconds(60)).await;
    }
    let done = api.get(&job, &employee).await.ok(200);
    assert_eq!(
        (done["status"].as_str(), done["escrow_status"].as_str()),
        (Some("completed"), Some("released"))
    );
    let escrow = api.get(&format!("/api/escrow/{}", reference.to_lowercase()), &employee).await.ok(200);
    assert_eq!(escrow["agrees"], true);
    assert!(escrow["tx_hash"].is_string(), "{escrow}");
    assert_eq!(escrow["payouts"][0]["status"], "completed", "{escrow}");
    assert_eq!(api.world.rail.payouts().len(), 1, "paid once");
    let audit = "select count(*) from event.audit where subject = $1 and actor like 'party/%'
                 and action in ('job.created', 'job.applied', 'job.assigned', 'job.completed')";
    let audited: i64 = sqlx::query_scalar(audit)
        .bind(format!("job/{id}"))
        .fetch_one(&api.world.database.owner)
        .await
        .unwrap();
    assert_eq!(audited, 4, "who did it stands in the audit");
    let trace = api.get(&format!("/v1/escrows/{reference}/trace"), &employer).await.ok(200);
    assert_eq!(trace["sides"]["agrees"], true);
    api.world.sound().await;
}

/// The official SDK, unchanged: a stranger reads on chain what the API says, and can only read.
#[tokio::test]
async fn what_the_api_says_is_what_the_chain_says_to_a_stranger() {
    let api = Api::open().await;
    let (employer, _) = api.register("employer", "0712345001").await;
    let (_, person) = api.register("employee", "0712345002").await;
    let (id, reference) = api.job(&employer, "50000.37").await;
    api.paid("UKK71XQ601", &reference, "50000.37").await;
    let assign = json!({ "employee": person, "invite": true });
    api.patch(&format!("/api/jobs/{id}/"), &employer, assign).await.ok(200);
    api.world.settle().await;
    let ours = api.get(&format!("/api/escrow/{reference}"), &employer).await.ok(200);
    let (url, contract) = (api.world.chain.url(), ours["stellar_contract_id"].as_str().unwrap().to_owned());
    let key = ours["escrow_key"].as_str().unwrap().to_owned();
    let read = move || {
        sdks::play(
            env!("CARGO_TARGET_TMPDIR"),
            "sdk/stranger.py",
            &[&url, STANDALONE_PASSPHRASE, &contract, &key, "500003700000"],
        )
    };
    let said = tokio::task::spawn_blocking(read).await.unwrap();
    // 1 token unit is 10⁻⁷ of a shilling.
    assert_eq!(
        (ours["amount"].as_str(), said["before"]["amount"].as_i64()),
        (Some("50000.37"), Some(500_003_700_000))
    );
    assert_eq!(
        (ours["chain"]["balance"].as_str(), &said["before"]["funded"]),
        (Some("50000.37"), &said["before"]["amount"])
    );
    assert_eq!((&said["unsigned"], &said["signed_by_stranger"]), (&"FAILED".into(), &"FAILED".into()));
    assert_eq!(said["before"], said["after"], "nothing moved");
    let after = api.get(&format!("/api/escrow/{reference}"), &employer).await.ok(200);
    assert_eq!((after["agrees"].as_bool(), &after["chain"]), (Some(true), &ours["chain"]));
    api.world.sound().await;
}
