//! Registering, logging in, staying in, leaving.

use amana_tests::pg::Database;
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::Row;

use crate::door::{Api, PASSWORD, at_fault};

fn form(phone: &str, email: Option<&str>) -> Value {
    json!({"phone_number": phone, "password": PASSWORD, "email": email, "first_name": "Given",
        "last_name": "Family", "user_type": "employer"})
}

#[tokio::test]
async fn one_phone_is_one_person_however_it_is_spelled() {
    let api = Api::open().await;
    let session =
        api.post("/api/auth/register/", "", form("0712345678", Some("One@Example.test"))).await.ok(201);
    let user = &session["user"];
    assert_eq!(user["phone_number"], "+254712345678");
    assert_eq!((user["first_name"].as_str(), user["user_type"].as_str()), (Some("Given"), Some("employer")));
    assert!(user["id"].is_i64() && session["access"].is_string() && session["refresh"].is_string());
    for spelling in ["0712345678", "+254 712 345 678", "254712345678"] {
        let problem = api.post("/api/auth/register", "", form(spelling, None)).await.problem(409, "exists");
        assert_eq!(at_fault(&problem), ["/phone_number"]);
    }
    let taken = api.post("/api/auth/register/", "", form("0712345679", Some("one@example.TEST"))).await;
    assert_eq!(at_fault(&taken.problem(409, "exists")), ["/email"]);

    for login in [
        json!({"phone_number": "0712345678", "password": PASSWORD}),
        json!({"phone_number": "+254712345678", "password": PASSWORD}),
        json!({"email": "ONE@example.test", "password": PASSWORD}),
    ] {
        let session = api.post("/api/auth/login/", "", login).await.ok(200);
        assert_eq!(session["user"]["id"], user["id"]);
        let me = api.get("/api/me/", session["access"].as_str().unwrap()).await.ok(200);
        assert_eq!(me, session["user"]);
    }
    for login in [
        json!({"phone_number": "0712345678", "password": "wrong password"}),
        json!({"phone_number": "0799999999", "password": PASSWORD}),
        json!({"phone_number": "not a phone", "password": PASSWORD}),
        json!({"email": "nobody@example.test", "password": PASSWORD}),
    ] {
        api.post("/api/auth/login/", "", login).await.problem(401, "unauthenticated");
    }
    nothing_in_clear(&api.world.database).await;
}

#[tokio::test]
async fn wrong_passwords_in_a_row_lock_the_door() {
    let api = Api::open().await;
    let (token, _) = api.register("employer", "0712345678").await;
    let login = |password: &str| json!({"phone_number": "0712345678", "password": password});
    for _ in 0..10 {
        api.post("/api/auth/login/", "", login("a guess")).await.problem(401, "unauthenticated");
    }
    let locked = api.post("/api/auth/login/", "", login(PASSWORD)).await;
    locked.problem(429, "too_many");
    assert_eq!(locked.header("retry-after"), Some("900"));
    api.get("/api/me/", &token).await.ok(200);
    api.world.clock.advance(TimeDelta::minutes(15));
    for _ in 0..9 {
        api.post("/api/auth/login/", "", login("a guess")).await.problem(401, "unauthenticated");
    }
    api.post("/api/auth/login/", "", login(PASSWORD)).await.ok(200);
    api.post("/api/auth/login/", "", login("a guess")).await.problem(401, "unauthenticated");
}

/// Neither phone nor email nor password stands in the database in clear.
async fn nothing_in_clear(database: &Database) {
    let row = sqlx::query("select p::text as person from people.person p")
        .fetch_one(&database.owner)
        .await
        .unwrap();
    let person: String = row.get("person");
    assert!(person.contains("$argon2id$"), "{person}");
    for clear in
        ["712345678", &hex::encode("712345678"), PASSWORD, "example", &hex::encode("example"), "Given"]
    {
        assert!(!person.contains(clear), "{clear} in {person}");
    }
}

#[tokio::test]
async fn everything_wrong_with_a_registration_is_named_at_once() {
    let api = Api::open().await;
    for field in ["phone_number", "password", "first_name", "last_name", "user_type"] {
        let mut body = form("0712345678", None);
        body.as_object_mut().unwrap().remove(field);
        let problem = api.post("/api/auth/register/", "", body).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [format!("/{field}")]);
        assert_eq!(problem["errors"][0]["code"], "missing");
    }
    let empty = api.post("/api/auth/register/", "", json!({})).await.problem(422, "bad_field");
    assert_eq!(at_fault(&empty).len(), 5, "{empty}");
    let wrong = json!({"phone_number": "123", "password": "short", "email": "nonsense", "first_name": " ",
        "last_name": "Family", "user_type": "admin", "stellar_account_id": "GNONSENSE"});
    let problem = api.post("/api/auth/register/", "", wrong).await.problem(422, "bad_field");
    let mut named = at_fault(&problem);
    named.sort_unstable();
    let expected =
        ["/email", "/first_name", "/password", "/phone_number", "/stellar_account_id", "/user_type"];
    assert_eq!(named, expected);
    assert!(!problem.to_string().contains("nonsense"), "values are not repeated");
    let typed = json!({"phone_number": 712345678, "password": PASSWORD, "first_name": "Given",
        "last_name": "Family", "user_type": "employer"});
    let problem = api.post("/api/auth/register/", "", typed).await.problem(422, "bad_field");
    assert_eq!(at_fault(&problem), ["/phone_number"]);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_second_use_ends_the_family() {
    let api = Api::open().await;
    let session = api.post("/api/auth/register/", "", form("0712345678", None)).await.ok(201);
    let first = session["refresh"].clone();
    let next = api.post("/api/auth/refresh/", "", json!({"refresh": first})).await.ok(200);
    assert_ne!(next["refresh"], first);
    api.get("/api/me/", next["access"].as_str().unwrap()).await.ok(200);

    api.post("/api/auth/refresh/", "", json!({"refresh": first})).await.problem(401, "unauthenticated");
    api.post("/api/auth/refresh/", "", json!({"refresh": next["refresh"]}))
        .await
        .problem(401, "unauthenticated");
    api.get("/api/me/", next["access"].as_str().unwrap()).await.problem(401, "unauthenticated");
    api.post("/api/auth/refresh/", "", json!({"refresh": "unknown"})).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn tokens_end_with_time_and_with_logging_out() {
    let api = Api::open().await;
    let (access, _) = api.register("employee", "0712345678").await;
    api.get("/api/me/", "").await.problem(401, "unauthenticated");
    api.get("/api/me/", "not.a.token").await.problem(401, "unauthenticated");
    api.world.clock.advance(chrono::TimeDelta::seconds(899));
    api.get("/api/me/", &access).await.ok(200);
    api.world.clock.advance(chrono::TimeDelta::seconds(2));
    api.get("/api/me/", &access).await.problem(401, "unauthenticated");

    let login = json!({"phone_number": "0712345678", "password": PASSWORD});
    let session = api.post("/api/auth/login/", "", login).await.ok(200);
    let access = session["access"].as_str().unwrap();
    assert_eq!(api.post("/api/auth/logout/", access, json!({})).await.status, 204);
    api.get("/api/me/", access).await.problem(401, "unauthenticated");
    api.post("/api/auth/refresh/", "", json!({"refresh": session["refresh"]}))
        .await
        .problem(401, "unauthenticated");

    let keys = api.get("/.well-known/jwks.json", "").await.ok(200);
    assert_eq!(
        (keys["keys"][0]["crv"].as_str(), keys["keys"][0]["alg"].as_str()),
        (Some("Ed25519"), Some("EdDSA"))
    );
}
