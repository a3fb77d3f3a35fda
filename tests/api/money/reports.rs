//! Reports through the door: three formats of one table, pages of one moment, and clear words for what is
//! wrong.

use amana_gateway::people::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::keyed;
use crate::door::{Api, at_fault};

#[tokio::test]
async fn reports_are_tables_for_programs_and_people() {
    let api = Api::open().await;
    api.world.capital().await;
    let auditor = api.staff(Role::Auditor, "0712345002").await;
    let employer = api.staff(Role::Employer, "0712345003").await;
    let list = api.get("/v1/reports", &auditor).await.ok(200);
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|one| one["report"].as_str()).collect();
    assert_eq!(names.len(), 13);
    for name in &names {
        let path = format!("/v1/reports/{name}?account=float:intersend");
        api.get(&path, &employer).await.problem(403, "forbidden");
        let json = api.get(&path, &auditor).await.ok(200);
        assert_eq!((json["report"].as_str(), json["currency"].as_str()), (Some(*name), Some("KES")));
        assert_ne!(json["agrees"], Value::Bool(false), "{json}");
        let rows = json["rows"].as_array().unwrap();
        let csv = api.get(&format!("{path}&format=csv"), &auditor).await;
        assert_eq!(csv.status, 200);
        assert_eq!(csv.text.lines().count(), rows.len() + 1, "{}", csv.text);
        let html = api.get(&format!("{path}&format=html"), &auditor).await;
        assert!(html.text.starts_with("<!doctype html>"), "{}", html.text);
        assert_eq!(html.text.matches("<tr").count(), rows.len() + 1);
    }
}

#[tokio::test]
async fn pages_of_a_report_are_of_one_moment() {
    let api = Api::open().await;
    let auditor = api.staff(Role::Auditor, "0712345002").await;
    let finance = api.staff(Role::Finance, "0712345001").await;
    let capital = async |key: &str| {
        let body = json!({"float": "intersend", "amount": "1000.00", "currency": "KES"}).to_string();
        keyed(&api, "/v1/floats:capital-in", (&finance, key), &body).await.ok(201);
    };
    for key in ["one", "two", "three", "four", "five"] {
        capital(key).await;
    }
    let path = "/v1/reports/statement?account=float:intersend&limit=2";
    let first = api.get(path, &auditor).await.ok(200);
    let lines = first["rows"].as_array().unwrap().len();
    assert_eq!((lines, first["has_more"].as_bool()), (2, Some(true)));
    api.world.clock.advance(TimeDelta::seconds(5));
    capital("six").await;
    let (mut rows, mut page) = (lines, first.clone());
    while let Some(cursor) = page["next_cursor"].as_str() {
        let next = api.get(&format!("{path}&cursor={cursor}"), &auditor).await.ok(200);
        for field in ["as_of", "known_at", "totals"] {
            assert_eq!(next[field], first[field], "{field}");
        }
        rows += next["rows"].as_array().unwrap().len();
        page = next;
    }
    assert_eq!(rows, 5, "what came meanwhile is of another moment");
    assert_eq!(page["rows"].as_array().unwrap().last().unwrap()["balance"], first["totals"]["closing"]);

    // The same as a bank would send it: whole, or not at all.
    let whole = "/v1/reports/statement?account=float:intersend&format=camt.053";
    let xml = api.get(whole, &auditor).await;
    assert_eq!((xml.status, xml.header("content-type")), (200, Some("application/xml; charset=utf-8")));
    assert_eq!(xml.text.matches("<Ntry>").count(), 6);
    assert_eq!(xml.text.matches("<CdtDbtInd>CRDT</CdtDbtInd>").count(), 2 + 6, "{}", xml.text);
    let amounts: Vec<&str> = xml.text.split("<Amt Ccy=\"KES\">").skip(1).collect();
    let starts = ["0.00<", "6000.00<", "1000.00<"];
    assert!(starts.iter().zip(&amounts).all(|(start, amount)| amount.starts_with(start)), "{amounts:?}");
    let opened = xml.text.matches('<').count() - xml.text.matches("</").count() - 1;
    assert_eq!(opened, xml.text.matches("</").count(), "what is opened is closed");
    let part = api.get(&format!("{whole}&limit=2"), &auditor).await.problem(422, "bad_field");
    assert_eq!(at_fault(&part), ["/limit"]);

    let cursor = first["next_cursor"].as_str().unwrap();
    for (query, field) in [
        ("statement?", "/account"),
        ("statement?account=wallet:1", "/account"),
        ("journal?as_of=yesterday", "/as_of"),
        ("journal?from=2026-11-01&as_of=2026-10-01", "/from"),
        ("journal?limit=0", "/limit"),
        ("journal?format=xml", "/format"),
        ("journal?format=camt.053", "/format"),
        (&format!("journal?cursor={cursor}"), "/cursor"),
    ] {
        let problem = api.get(&format!("/v1/reports/{query}"), &auditor).await.problem(422, "bad_field");
        assert_eq!(at_fault(&problem), [field], "{query}");
    }
    api.get("/v1/reports/nothing", &auditor).await.problem(404, "not_found");
}
