//! Sealing and forgetting, against the database.

use amana_adapters::port::Msisdn;
use amana_gateway::error::Fault;
use amana_gateway::events::Actor;
use amana_gateway::people;
use serde_json::json;

use crate::door::Api;

#[tokio::test]
async fn what_is_sealed_opens_until_its_person_is_forgotten() {
    let api = Api::open().await;
    let app = &api.world.app;
    let (access, id) = api.register("employer", "0712345001").await;
    let phone = Msisdn::parse("0712345001").unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let party = people::by_phone(&mut tx, app, &phone).await.unwrap().unwrap();
    assert_eq!(people::party_of(&mut tx, id).await.unwrap().map(|found| found.0), Some(party));
    assert_eq!(people::phone(&mut tx, app, party).await.unwrap(), Some(phone.clone()));

    let keyring = &app.privacy;
    let own = keyring.seal_for(&mut tx, party, b"own").await.unwrap();
    let again = keyring.seal_for(&mut tx, party, b"own").await.unwrap();
    assert_eq!(own.key_id, again.key_id, "one key a person");
    assert_ne!(own.ciphertext, again.ciphertext, "never the same bytes twice");
    let raw = keyring.seal_new(&mut tx, None, b"raw").await.unwrap();
    assert_ne!(raw.key_id, own.key_id);
    keyring.tie(&mut tx, &raw, party).await.unwrap();
    let other = keyring.seal_new(&mut tx, None, b"other").await.unwrap();
    for (sealed, text) in [(&own, "own"), (&raw, "raw"), (&other, "other")] {
        assert_eq!(keyring.open(&mut tx, sealed).await.unwrap(), text.as_bytes());
    }
    let mut moved = own.clone();
    moved.key_id = other.key_id;
    assert!(
        matches!(keyring.open(&mut tx, &moved).await, Err(Fault::Sealed(_))),
        "another key does not open it"
    );
    tx.commit().await.unwrap();

    let mut tx = app.db.begin().await.unwrap();
    people::forget(&mut tx, app, Actor::Worker, party).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    for sealed in [&own, &raw] {
        assert!(matches!(keyring.open(&mut tx, sealed).await, Err(Fault::Sealed(_))));
    }
    assert_eq!(keyring.open(&mut tx, &other).await.unwrap(), b"other");
    assert!(people::person(&mut tx, app, party).await.unwrap().is_none());
    assert!(people::by_phone(&mut tx, app, &phone).await.unwrap().is_none());
    drop(tx);
    api.get("/api/me/", &access).await.problem(401, "unauthenticated");
    let login = json!({"phone_number": "0712345001", "password": crate::door::PASSWORD});
    api.post("/api/auth/login/", "", login).await.problem(401, "unauthenticated");
    let (_, newcomer) = api.register("employee", "0712345001").await;
    assert_ne!(newcomer, id, "the number is free again, the old id is not");
}
