//! The OpenAPI document, and a plain page rendered from it.
//!
//! Invariant: both are made from the routes that are registered; nothing is described by hand twice. The
//! page loads nothing but its own style sheet.

use std::fmt::Write as _;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Info, OpenApi, Paths, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Document, FieldError, PROBLEM_JSON};
use super::rights::{RIGHTS, Who};

/// A document without paths.
pub(super) fn empty() -> OpenApi {
    let mut info = Info::new("Amana", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Jobs with their money in escrow: paid in by M-Pesa, held on chain, paid out by mobile money. \
         Every path is served with and without its trailing slash; errors are RFC 9457 problems."
            .into(),
    );
    OpenApi::new(info, Paths::new())
}

/// Adds what all operations share: the problem answer, and the token where one is needed.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components.schemas.insert("Problem".into(), Document::schema());
    components.schemas.insert(FieldError::name().into(), FieldError::schema());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert("token".into(), RefOr::T(bearer));
    for (path, item) in &mut document.paths.paths {
        let operations = [("GET", &mut item.get), ("POST", &mut item.post), ("PATCH", &mut item.patch)];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                complete(method, path, operation);
            }
        }
    }
    document
}

fn complete(method: &str, path: &str, operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new().description("a problem").content(PROBLEM_JSON, content).build();
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            // The specification requires words even where the status says it all.
            response.description = if status == "201" { "made" } else { "done" }.into();
        }
    }
    operation.responses.responses.insert("default".into(), RefOr::T(problem));
    let who = RIGHTS.iter().find(|row| row.0 == method && row.1 == path).map(|row| row.2);
    if let Some(Who::Roles(roles)) = who {
        operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
        let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        let description = operation.description.get_or_insert_default();
        // Writing to a String cannot fail.
        let _ = write!(
            description,
            "{}For: {}.",
            if description.is_empty() { "" } else { "\n\n" },
            words.join(", ")
        );
    }
}

/// The OpenAPI 3.1 document.
#[utoipa::path(get, path = "/openapi.json", tag = "house", responses((status = 200, body = Object)))]
pub(super) async fn openapi_json() -> Json<OpenApi> {
    Json(super::openapi())
}

/// The same for people.
#[utoipa::path(get, path = "/docs", tag = "house",
    responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn page() -> Html<String> {
    let document = serde_json::to_value(super::openapi()).unwrap_or_default();
    Html(render(&document))
}

/// The page's style.
#[utoipa::path(get, path = "/docs.css", tag = "house",
    responses((status = 200, content_type = "text/css", body = String)))]
pub(super) async fn style() -> Response {
    const CSS: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
        padding:0 1rem}\
        h2{margin-top:2rem;font-size:1rem}code{background:#8881;padding:.1em .3em}\
        td,th{padding:.1rem .8rem .1rem 0;vertical-align:top;text-align:left}\
        .number{text-align:right;font-variant-numeric:tabular-nums}.good{color:#070}.bad{color:#b00}\
        .wide{max-width:none}.wide td{white-space:nowrap}\
        dt{float:left;clear:left;width:16rem}dd{font-variant-numeric:tabular-nums}";
    ([(CONTENT_TYPE, "text/css")], CSS).into_response()
}

fn render(document: &Value) -> String {
    let text = |value: &Value| prose(value.as_str().unwrap_or_default());
    let mut out = String::from("<!doctype html><html lang=en><meta charset=utf-8><title>Amana API</title>");
    out += "<link rel=stylesheet href=/docs.css><h1>Amana API</h1>";
    let _ = write!(
        out,
        "<p>{}</p><p><a href=/openapi.json>openapi.json</a></p>",
        text(&document["info"]["description"])
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let heading = format!("{} {}", method.to_uppercase(), escape(path));
            let _ = write!(out, "<h2><code>{heading}</code></h2><p>{}</p>", text(&operation["summary"]));
            if operation["description"].is_string() {
                let _ = write!(out, "<p>{}</p>", text(&operation["description"]));
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            fields(&mut out, document, body.as_str().unwrap_or_default());
        }
    }
    out
}

/// The fields of a request body, one line each.
fn fields(out: &mut String, document: &Value, reference: &str) {
    let Some(schema) = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) else {
        return;
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    *out += "<table>";
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let needed = if required.iter().any(|other| other == name) { "required" } else { "" };
        let meaning = prose(field["description"].as_str().unwrap_or_default());
        let _ = write!(out, "<tr><td><code>{}</code><td>{needed}<td>{meaning}", escape(name));
    }
    *out += "</table>";
}

/// Prose for a page: what stands between backticks is code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) })
        .collect()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_answer_is_declared() {
        let document = serde_json::to_value(super::super::openapi()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} is not there");
        }
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
                for (status, response) in operation["responses"].as_object().unwrap() {
                    assert!(response["description"].is_string(), "{method} {path} {status}");
                }
                assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            }
        }
    }

    #[test]
    fn the_page_shows_routes_and_fields() {
        let page = render(&serde_json::to_value(super::super::openapi()).unwrap());
        assert!(page.contains("POST /api/jobs/") && page.contains("phone_number"));
        assert!(!page.contains("<script") && !page.contains('`'));
    }
}
