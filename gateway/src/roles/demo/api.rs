//! The demo's hands: a caller of our own HTTP API, as any stranger's program would be.
//!
//! Invariant: whatever is not 2xx ends the demo with the step and the answer; nothing is retried behind its
//! back.

use amana_adapters::http::{Call, Client};
use serde_json::Value;

/// What went wrong, in words for the screen.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DemoError(pub String);

/// A caller, perhaps logged in.
#[derive(Clone)]
pub(super) struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    /// A stranger at `base`.
    pub(super) fn new(http: Client, base: impl Into<String>) -> Self {
        Self { http, base: base.into(), token: None }
    }

    /// The same caller with this access token.
    pub(super) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Reads.
    ///
    /// # Errors
    /// No answer, or one that is not 2xx.
    pub(super) async fn get(&self, path: &str) -> Result<Value, DemoError> {
        self.call(path, Call::get("amana", format!("{}{path}", self.base))).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.call(path, self.posting(path, body)).await
    }

    /// Sends JSON that moves money, under a key of its own.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Value, DemoError> {
        self.call(path, self.posting(path, body).header("idempotency-key", key)).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        let url = format!("{}{path}", self.base);
        self.call(path, Call::patch("amana", url, "application/json", body.to_string().into_bytes())).await
    }

    fn posting(&self, path: &str, body: &Value) -> Call {
        let url = format!("{}{path}", self.base);
        Call::post("amana", url, "application/json", body.to_string().into_bytes())
    }

    async fn call(&self, path: &str, call: Call) -> Result<Value, DemoError> {
        let call = match &self.token {
            Some(token) => call.header("authorization", format!("Bearer {token}")),
            None => call,
        };
        let answer = self.http.tell(&call).await.map_err(|error| DemoError(format!("{path}: {error}")))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        if !answer.is_success() {
            let detail = body["detail"].as_str().unwrap_or("no detail");
            return Err(DemoError(format!("{path}: {} {detail}", answer.status)));
        }
        Ok(body)
    }
}

/// The text at `path` of an answer.
///
/// # Errors
/// It is not there: the API's shape and the demo's differ.
pub(super) fn text<'a>(answer: &'a Value, path: &str) -> Result<&'a str, DemoError> {
    answer.pointer(path).and_then(Value::as_str).ok_or_else(|| DemoError(format!("the answer has no {path}")))
}

/// The integer at `path` of an answer.
///
/// # Errors
/// As [`text`].
pub(super) fn number(answer: &Value, path: &str) -> Result<i64, DemoError> {
    answer.pointer(path).and_then(Value::as_i64).ok_or_else(|| DemoError(format!("the answer has no {path}")))
}

/// The list at `path` of an answer.
///
/// # Errors
/// As [`text`].
pub(super) fn list<'a>(answer: &'a Value, path: &str) -> Result<&'a Vec<Value>, DemoError> {
    answer
        .pointer(path)
        .and_then(Value::as_array)
        .ok_or_else(|| DemoError(format!("the answer has no {path}")))
}
