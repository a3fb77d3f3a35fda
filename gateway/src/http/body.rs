//! Reading bodies, queries and path parts, so that everything wrong is named at once.
//!
//! Invariant: what the OpenAPI document says of a body (required fields, types) is what is checked: the
//! check reads the same schema. Messages name fields and never repeat values.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::PartialSchema;

use super::problem::{FieldError, Problem};

/// The largest body a path takes, bytes, unless it is one of those below.
pub(super) const LIMIT: usize = 64 * 1024;
/// The largest body taken from a rail: what it sends is kept however odd it is.
pub(super) const RAIL_LIMIT: usize = 4 << 20;
/// The largest statement: a busy paybill's month.
pub(super) const STATEMENT_LIMIT: usize = 32 << 20;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + PartialSchema> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::wrong_media("application/json"));
        }
        let raw = Raw::from_request(request, state).await?;
        parsed(&raw.0).map(Body)
    }
}

/// A body as it came.
pub(super) struct Raw(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Raw).map_err(
            |rejection: BytesRejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
                _ => Problem::unreadable("the body broke off"),
            },
        )
    }
}

/// The single parameter of a path.
pub(super) struct Part(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Part(part)),
            Err(_) => Err(Problem::no_such_path()),
        }
    }
}

/// Two parts of a path.
pub(super) struct Parts(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Parts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second))) => Ok(Parts(first, second)),
            Err(_) => Err(Problem::no_such_path()),
        }
    }
}

/// Three parts of a path.
pub(super) struct Three(pub(super) String, pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Three {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match Path::<(String, String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second, third))) => Ok(Three(first, second, third)),
            Err(_) => Err(Problem::no_such_path()),
        }
    }
}

/// An integer id in a path. What is not an integer names nothing.
pub(super) struct Id(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        let Part(part) = Part::from_request_parts(parts, state).await?;
        part.parse().map(Id).map_err(|_| Problem::no_such_path())
    }
}

/// A query string.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Query(query.0)),
            Err(_) => Err(Problem::unreadable("the query string cannot be read")),
        }
    }
}

/// Whether the body says it is JSON, or says nothing.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return true };
    let media = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// Reads a JSON object; everything at fault in it is named at once.
pub(super) fn parsed<T: DeserializeOwned + PartialSchema>(raw: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(raw).map_err(|error| {
        Problem::unreadable(format!("not JSON: line {}, column {}", error.line(), error.column()))
    })?;
    if !value.is_object() {
        return Err(Problem::unreadable("a JSON object is expected"));
    }
    let errors = check(&T::schema(), &value)?;
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    // What the schema cannot say (a number out of its type's range) ends here, with no field to name.
    serde_json::from_value(value).map_err(|_| Problem::unreadable("a field is out of range"))
}

fn check(schema: &impl serde::Serialize, value: &Value) -> Result<Vec<FieldError>, Problem> {
    let schema = serde_json::to_value(schema).map_err(|_| Problem::defect())?;
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut errors = Vec::new();
    for (name, expected) in schema["properties"].as_object().into_iter().flatten() {
        let given = &value[name];
        let error = if !given.is_null() {
            wrong_type(&expected["type"], given)
        } else if required.contains(&name.as_str()) {
            Some(("missing", "is required".to_owned()))
        } else {
            None
        };
        errors.extend(error.map(|(code, message)| FieldError { pointer: format!("/{name}"), code, message }));
    }
    Ok(errors)
}

/// `expected` is a type's name, or a list of names, as an optional field has.
fn wrong_type(expected: &Value, given: &Value) -> Option<(&'static str, String)> {
    let names: Vec<&str> = match expected {
        Value::String(name) => vec![name],
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => return None, // a reference to another schema: its own reading checks it
    };
    let fits = names.iter().any(|name| match *name {
        "string" => given.is_string(),
        "integer" => given.is_i64() || given.is_u64(),
        "number" => given.is_number(),
        "boolean" => given.is_boolean(),
        "object" => given.is_object(),
        "array" => given.is_array(),
        _ => true,
    });
    (!fits).then(|| ("invalid", format!("must be a JSON {}", names.join(" or "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use utoipa::ToSchema;

    #[derive(Debug, Deserialize, ToSchema)]
    #[allow(dead_code)]
    struct Form {
        title: String,
        employee: i64,
        invite: Option<bool>,
    }

    #[test]
    fn every_field_at_fault_is_named_at_once() {
        let all = |raw: &[u8]| parsed::<Form>(raw).unwrap_err();
        let response = format!("{:?}", all(br#"{"employee":"7","invite":"yes"}"#));
        for name in ["/title", "/employee", "/invite"] {
            assert!(response.contains(name), "{name} in {response}");
        }
        assert!(!response.contains("yes"), "values are not repeated");
        assert_eq!(all(b"{").status(), StatusCode::BAD_REQUEST);
        assert_eq!(all(b"[]").status(), StatusCode::BAD_REQUEST);
        assert_eq!(all(br#"{"title":null,"employee":1}"#).status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(all(br#"{"title":"a","employee":1.5}"#).status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(all(br#"{"title":"a","employee":99999999999999999999}"#).status().as_u16() / 100, 4);
    }

    #[test]
    fn unknown_fields_and_absent_optional_ones_are_no_fault() {
        let form = parsed::<Form>(br#"{"title":"a","employee":1,"more":[]}"#).unwrap();
        assert_eq!((form.title.as_str(), form.employee, form.invite), ("a", 1, None));
    }
}
