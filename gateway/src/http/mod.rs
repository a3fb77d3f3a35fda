//! The API on one page: every route, and what surrounds them.
//!
//! Invariant: no rule stands here; a route reads its input, calls `people`, `trade` or `flows`, and shows
//! the answer. Each path is served with and without its trailing slash. A route is known to the OpenAPI
//! document because it is registered, and to the rights table because a test compares the two.

mod api;
mod body;
mod docs;
mod health;
mod page;
mod problem;
mod rights;
mod trail;
mod ussd;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::{Router, routing::MethodRouter};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::{OpenApi, Paths, RefOr, Schema};
use utoipa_axum::routes;

use crate::app::App;
pub use problem::Problem;

/// What every route is given.
pub type Shared = Arc<App>;

/// The public API.
pub fn router(app: Shared) -> Router {
    let doors = doors();
    let inner = doors.router.layer(from_fn_with_state(app.clone(), rights::guard));
    surrounded(inner, app)
}

/// The escrow service: the second listener, for callers with its key.
pub fn escrow_router(app: Shared) -> Router {
    let doors = Doors::new()
        .add(routes!(api::keyed::create))
        .add(routes!(api::keyed::fund))
        .add(routes!(api::keyed::release))
        .add(routes!(api::keyed::status));
    let inner = doors.router.layer(from_fn_with_state(app.clone(), api::keyed::key));
    surrounded(inner, app)
}

/// The OpenAPI 3.1 document of the public API.
pub fn openapi() -> OpenApi {
    docs::finish(doors().document)
}

/// Every route of the public API.
fn doors() -> Doors {
    Doors::new()
        // People
        .add(routes!(api::people::register))
        .add(routes!(api::people::login))
        .add(routes!(api::people::refresh))
        .add(routes!(api::people::logout))
        .add(routes!(api::people::me))
        .add(routes!(api::people::jwks))
        // Jobs
        .add(routes!(api::jobs::list, api::jobs::create))
        .add(routes!(api::jobs::detail, api::jobs::change))
        .add(routes!(api::jobs::apply))
        .add(routes!(api::jobs::withdraw))
        .add(routes!(api::jobs::applicants))
        .add(routes!(api::jobs::complete))
        .add(routes!(api::jobs::payment_instructions))
        .add(routes!(api::instructions::ask))
        .add(routes!(api::escrow::status))
        // Rails
        .add_wide(routes!(api::callbacks::deposit), body::RAIL_LIMIT)
        .add_wide(routes!(api::callbacks::confirm), body::RAIL_LIMIT)
        .add_wide(routes!(api::callbacks::validate), body::RAIL_LIMIT)
        .add_wide(routes!(api::callbacks::answer), body::RAIL_LIMIT)
        .add_wide(routes!(api::callbacks::payout), body::RAIL_LIMIT)
        // Phones
        .add(routes!(ussd::turn))
        .add(routes!(ussd::register_callback))
        // What is new
        .add(routes!(v1::reads::trace))
        .add(routes!(v1::reads::suspense))
        .add(routes!(v1::reads::candidates))
        .add(routes!(v1::suspense::clear))
        .add(routes!(v1::reads::failures))
        .add(routes!(v1::breaks::breaks))
        .add(routes!(v1::reads::events))
        .add(routes!(v1::reads::proof))
        .add(routes!(v1::books::trial_balance))
        .add(routes!(v1::books::statement))
        .add(routes!(v1::books::export::export))
        .add(routes!(v1::books::reports::list))
        .add(routes!(v1::books::reports::report))
        .add(routes!(v1::books::rules::close_period))
        .add(routes!(v1::books::rules::limit_account))
        .add(routes!(v1::proofs::checkpoint))
        .add(routes!(v1::proofs::proof))
        .add(routes!(v1::proofs::liability))
        .add(routes!(v1::anchors::anchors))
        .add(routes!(v1::jobs::act))
        .tell(routes!(v1::jobs::resolve))
        .add_wide(routes!(v1::statements::upload), body::STATEMENT_LIMIT)
        .add(routes!(v1::money::capital_in))
        .add(routes!(v1::money::float_move))
        .add(routes!(v1::money::retry))
        // The house itself
        .add(routes!(docs::openapi_json))
        .add(routes!(docs::page))
        .add(routes!(docs::style))
        .add(routes!(health::livez))
        .add(routes!(health::readyz))
        .add(routes!(health::version))
}

/// How long a request may take. A handler that is dropped has committed all or nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// From the inside out: body limit, patience, panics caught, errors dressed and everything observed.
fn surrounded(inner: Router<Shared>, app: Shared) -> Router {
    inner
        .fallback(|| async { Problem::no_such_path() })
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PATIENCE))
        .layer(CatchPanicLayer::custom(trail::panicked))
        .layer(from_fn_with_state(app.clone(), trail::observe))
        .with_state(app)
}

/// Routes on their way into a router and a document.
struct Doors {
    router: Router<Shared>,
    document: OpenApi,
}

/// What `routes!` gives: schemas, documented paths, and what answers them.
type Route = (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<Shared>);

impl Doors {
    fn new() -> Self {
        Self { router: Router::new(), document: docs::empty() }
    }

    /// As `add`, for bodies that may be larger than others.
    fn add_wide(self, (schemas, paths, answers): Route, limit: usize) -> Self {
        self.add((schemas, paths, answers.layer(DefaultBodyLimit::max(limit))))
    }

    fn add(mut self, (schemas, paths, answers): Route) -> Self {
        for path in paths.paths.keys() {
            let plain = rights::plain(path);
            self.router = self.router.route(plain, answers.clone());
            if plain.len() > 1 && !path.contains("}:") {
                self.router = self.router.route(&format!("{plain}/"), answers.clone());
            }
        }
        self.tell((schemas, paths, answers))
    }

    /// Only the document: another route answers, as the router cannot tell their verbs apart.
    fn tell(mut self, (schemas, paths, _): Route) -> Self {
        self.document.paths.paths.extend(paths.paths);
        self.document.components.get_or_insert_default().schemas.extend(schemas);
        self
    }
}
