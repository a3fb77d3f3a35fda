//! Is it alive, is it ready, what is it.

use axum::Json;
use axum::extract::State;
use chrono::TimeDelta;
use serde::Serialize;
use sqlx::Connection as _;
use utoipa::ToSchema;

use super::Shared;
use super::problem::{Answer, Problem};
use crate::app::App;
use crate::flows::store::chain as chain_rows;
use crate::inbox;

/// What a ready house looks like.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`; a house that is not answers 503.
    status: &'static str,
}

/// Which build this is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    /// Always `amana`.
    name: &'static str,
    /// The build's version.
    version: &'static str,
    /// The book this process keeps.
    book: String,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", tag = "house",
    responses((status = 200, description = "alive", body = String)))]
pub(super) async fn livez() -> &'static str {
    "alive"
}

/// How long a callback may wait for its judge. The worker looks several times a second.
const WAIT: TimeDelta = TimeDelta::minutes(2);

/// How long the index may go without finding all in order. It looks several times a second, and says so every
/// ten seconds.
const STUCK: TimeDelta = TimeDelta::minutes(2);

/// Database and chain answer, and worker and index keep up.
#[utoipa::path(get, path = "/readyz", tag = "house", responses((status = 200, body = Ready)))]
pub(super) async fn readyz(State(app): State<Shared>) -> Answer<Json<Ready>> {
    for (part, ready) in [("database", database(&app).await), ("chain", chain(&app).await)] {
        if !ready {
            return Err(Problem::unavailable(format!("the {part} does not answer")));
        }
    }
    let mut tx = app.db.begin().await?;
    let waiting = inbox::waiting_since(&mut tx).await?;
    if waiting.is_some_and(|since| since + WAIT < app.clock.now()) {
        return Err(Problem::unavailable("the worker does not keep up"));
    }
    let contract = &app.chain.network().contract;
    let read = chain_rows::cursor(&mut tx, contract).await?;
    if read.is_some_and(|(_, checked_at)| checked_at + STUCK < app.clock.now()) {
        return Err(Problem::unavailable("the index of the chain is stuck"));
    }
    Ok(Json(Ready { status: "ready" }))
}

/// Says which build this is.
#[utoipa::path(get, path = "/version", tag = "house", responses((status = 200, body = Version)))]
pub(super) async fn version(State(app): State<Shared>) -> Json<Version> {
    let version = env!("CARGO_PKG_VERSION");
    Json(Version { name: "amana", version, book: app.config.book.to_string() })
}

async fn database(app: &App) -> bool {
    match app.db.pool().acquire().await {
        Ok(mut connection) => connection.ping().await.is_ok(),
        Err(_) => false,
    }
}

async fn chain(app: &App) -> bool {
    app.chain.latest_ledger().await.is_ok()
}
