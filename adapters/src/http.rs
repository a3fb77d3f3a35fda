//! The one traced HTTP client of the house.
//!
//! `ask` is for reads and tries again; `tell` is for everything that may have an effect and goes out once.
//! Both end by a deadline, and an error says which of two things happened: the request surely never left, or
//! nobody knows.
//!
//! Invariant: of a request, only its peer's name, method and path reach the log; never a query, a header or a
//! body. Redirects are not followed, so that an instruction cannot be carried to a stranger.
//! Absent: a proxy from the environment (the environment is read in one place, and this is not it).

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use amana_ledger::id::Rng;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use tokio::time::Instant;

/// The bounds a client keeps.
#[derive(Clone, Debug)]
pub struct Limits {
    /// To find the peer, connect and agree on keys.
    pub connect: Duration,
    /// From the first byte out to the last byte in, of one attempt.
    pub deadline: Duration,
    /// How often a read is tried in all.
    pub reads: u32,
    /// The first pause before a read is tried again; it doubles, and the real pause is a random part of it.
    pub pause: Duration,
    /// The largest answer taken, in bytes.
    pub answer_bytes: usize,
}

impl Default for Limits {
    /// Connecting within 3 s and answering within 15 s suits every rail we know; an honest answer is never
    /// above 8 MiB (a full page of chain events is below 4).
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            deadline: Duration::from_secs(15),
            reads: 3,
            pause: Duration::from_millis(200),
            answer_bytes: 8 << 20,
        }
    }
}

/// One request.
#[derive(Clone)]
pub struct Call {
    peer: &'static str,
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A GET of `url`; `peer` names the other side in the log.
    pub fn get(peer: &'static str, url: impl Into<String>) -> Self {
        Self { peer, method: Method::GET, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A POST of exactly these bytes.
    pub fn post(
        peer: &'static str,
        url: impl Into<String>,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { peer, method: Method::POST, url: url.into(), headers, body }
    }

    /// A PATCH of exactly these bytes.
    pub fn patch(
        peer: &'static str,
        url: impl Into<String>,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        Self { method: Method::PATCH, ..Self::post(peer, url, content_type, body) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.peer, self.method, path_of(&self.url))
    }
}

/// What came back, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as it came.
    pub body: Vec<u8>,
    /// How long the peer asks to be left alone, where it says so in seconds.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the peer did not let us in or asks us to slow down, which it does before it acts: 401, 403,
    /// 429. So is a path it does not have: 404 and 405 to an instruction mean our own configuration, not the
    /// instruction.
    pub fn turned_away(&self) -> bool {
        matches!(self.status, 401 | 403 | 404 | 405 | 429)
    }

    /// Whether the peer or something before it is unwell, so that a read may be tried again.
    fn is_unwell(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No connection was made (no such host, refused, no agreement on keys, a request that could not be
    /// built): the peer surely knows nothing of it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Something left and no whole answer came: the peer may have acted.
    #[error("no answer: {0}")]
    Unknown(String),
}

impl<T> From<NoAnswer> for crate::port::Outcome<T> {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::NotSent(why) => Self::NotSent { why },
            NoAnswer::Unknown(why) => Self::Unknown { why },
        }
    }
}

/// The client; cheap to clone, one a process.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
    limits: Limits,
    rng: Arc<dyn Rng>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one client the ban points to")]
fn builder(limits: &Limits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(limits.connect)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("amana/", env!("CARGO_PKG_VERSION")))
}

impl Client {
    /// A client that keeps these limits; chance (for the pauses) is the caller's.
    ///
    /// # Errors
    /// When no client can be built at all.
    pub fn new(limits: Limits, rng: Arc<dyn Rng>) -> Result<Self, NoAnswer> {
        let bare = || builder(&limits).tls_certs_only([]).build();
        // On a machine without any root certificate no peer over https can be believed, but the peers on the
        // machine itself need none: such calls then fail one by one, as not sent.
        let inner = builder(&limits).build().or_else(|error| {
            tracing::warn!(error = chain(&error), "no trust store: https peers will not be reached");
            bare()
        });
        Ok(Self { inner: inner.map_err(|error| NoAnswer::NotSent(chain(&error)))?, limits, rng })
    }

    /// The same client with another deadline for one attempt.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { limits: Limits { deadline, ..self.limits.clone() }, ..self.clone() }
    }

    /// Sends what may have an effect: once.
    ///
    /// # Errors
    /// [`NoAnswer`]; a status that is not 2xx is an answer, not an error.
    pub async fn tell(&self, call: &Call) -> Result<Answer, NoAnswer> {
        self.attempt(call, 1).await
    }

    /// Sends what has no effect (of whatever method), again when there was no answer or the peer was unwell,
    /// with growing random pauses.
    ///
    /// # Errors
    /// The last attempt's [`NoAnswer`].
    pub async fn ask(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let mut attempt = 1;
        loop {
            let heard = self.attempt(call, attempt).await;
            let again = match &heard {
                Ok(answer) => answer.is_unwell(),
                Err(_) => true,
            };
            if !again || attempt >= self.limits.reads {
                return heard;
            }
            tokio::time::sleep(self.pause_after(attempt)).await;
            attempt += 1;
        }
    }

    /// Full jitter: anything between nothing and `pause × 2^(attempt − 1)`, at most ten times the first
    /// pause, so that many readers of a peer that comes back do not come back together.
    fn pause_after(&self, attempt: u32) -> Duration {
        let ceiling = self.limits.pause * 2u32.saturating_pow(attempt - 1).min(10);
        let mut byte = [0u8; 1];
        self.rng.fill(&mut byte);
        ceiling * u32::from(byte[0]) / 255
    }

    async fn attempt(&self, call: &Call, attempt: u32) -> Result<Answer, NoAnswer> {
        let started = Instant::now();
        let heard = self.exchange(call).await;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        let (peer, method, path) = (call.peer, call.method.as_str(), path_of(&call.url));
        match &heard {
            Ok(answer) => {
                let status = answer.status;
                tracing::debug!(peer, method, path, status, attempt, elapsed_ms, "answered");
            }
            Err(error) => tracing::warn!(peer, method, path, attempt, elapsed_ms, %error, "no answer"),
        }
        heard
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let unsendable = |what: &str| NoAnswer::NotSent(format!("{what} cannot be sent"));
        let url = Url::parse(&call.url).map_err(|_| unsendable("url"))?;
        let mut request = self
            .inner
            .request(call.method.clone(), url)
            .body(call.body.clone())
            .timeout(self.limits.deadline);
        for (name, value) in &call.headers {
            let mut sent = HeaderValue::from_str(value).map_err(|_| unsendable(name))?;
            sent.set_sensitive(true);
            let name = HeaderName::try_from(*name).map_err(|_| unsendable("header"))?;
            request = request.header(name, sent);
        }
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| NoAnswer::Unknown(chain(&error)))? {
            if body.len() + part.len() > self.limits.answer_bytes {
                return Err(NoAnswer::Unknown(format!("answer above {} bytes", self.limits.answer_bytes)));
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, body, retry_after })
    }
}

/// `is_connect` covers name look-up, connecting, its timeout and the TLS handshake: all before the first byte
/// of the request. Everything else may have come after it.
fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if error.is_connect() || error.is_builder() {
        NoAnswer::NotSent(chain(error))
    } else {
        NoAnswer::Unknown(chain(error))
    }
}

/// The causes of an error from the second on, where the transport's own words are; the first repeats the URL.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::from(if error.is_timeout() { "timed out" } else { "transport" });
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The path of a URL, all of it that may be logged.
fn path_of(url: &str) -> String {
    Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_else(|_| "(bad url)".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sim::{Line, Stage};
    use axum::extract::ConnectInfo;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Chance without surprise.
    pub(crate) struct Fixed;

    impl Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    /// A client in a hurry.
    pub(crate) fn client() -> Client {
        let limits =
            Limits { deadline: Duration::from_secs(5), pause: Duration::from_millis(2), ..Limits::default() };
        Client::new(limits, Arc::new(Fixed)).unwrap()
    }

    /// Any free port of this machine.
    pub(crate) fn anywhere() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    async fn cut(ConnectInfo(line): ConnectInfo<Line>) -> &'static str {
        line.cut();
        "never seen"
    }

    async fn stage() -> (Stage, String, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let moody = move || async move {
            let unwell = counted.fetch_add(1, Ordering::SeqCst) < 2;
            if unwell { (StatusCode::SERVICE_UNAVAILABLE, "") } else { (StatusCode::OK, "well") }
        };
        let moved =
            || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere"), ("retry-after", "7")]) };
        let routes = axum::Router::new()
            .route("/cut", post(cut))
            .route("/moody", get(moody.clone()).post(moody))
            .route("/slow", get(|| tokio::time::sleep(Duration::from_secs(30))))
            .route("/moved", post(moved))
            .route("/big", get(|| async { vec![b'x'; 4096] }));
        let stage = Stage::open(anywhere(), routes).await.unwrap();
        let url = format!("http://{}", stage.addr());
        (stage, url, count)
    }

    #[tokio::test]
    async fn a_read_is_tried_again_and_a_write_is_not() {
        let (_stage, url, count) = stage().await;
        let answer = client().tell(&Call::post("test", format!("{url}/moody"), "text/plain", vec![])).await;
        assert_eq!((answer.unwrap().status, count.load(Ordering::SeqCst)), (503, 1));
        let answer = client().ask(&Call::get("test", format!("{url}/moody"))).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice(), count.load(Ordering::SeqCst)),
            (200, &b"well"[..], 3)
        );
    }

    #[tokio::test]
    async fn not_sent_and_unknown_are_told_apart() {
        let (stage, url, _) = stage().await;
        let call = Call::post("test", format!("{url}/cut"), "text/plain", b"pay".to_vec());
        assert!(
            matches!(client().tell(&call).await, Err(NoAnswer::Unknown(_))),
            "the line was cut after the request"
        );
        let hasty = client().with_deadline(Duration::from_millis(30));
        let slow = hasty.ask(&Call::get("test", format!("{url}/slow"))).await;
        assert!(matches!(slow, Err(NoAnswer::Unknown(why)) if why.starts_with("timed out")));
        drop(stage);
        let free = std::net::TcpListener::bind(anywhere()).unwrap().local_addr().unwrap();
        let refused = Call::post("test", format!("http://{free}/pay?phone=0712345678"), "text/plain", vec![]);
        let Err(NoAnswer::NotSent(why)) = client().tell(&refused).await else { panic!("nobody listens") };
        assert!(!why.contains("0712345678"), "{why}");
        for url in ["http://no-such-host.invalid/", "not a url", "http://["] {
            assert!(
                matches!(client().tell(&Call::get("test", url)).await, Err(NoAnswer::NotSent(_))),
                "{url}"
            );
        }
        let odd = Call::get("test", url).header("x-key", "a\nb");
        assert!(matches!(client().ask(&odd).await, Err(NoAnswer::NotSent(_))));
    }

    #[tokio::test]
    async fn redirects_are_answers_and_answers_are_bounded() {
        let (_stage, url, _) = stage().await;
        let moved =
            client().tell(&Call::post("test", format!("{url}/moved"), "text/plain", vec![])).await.unwrap();
        assert_eq!((moved.status, moved.retry_after), (307, Some(Duration::from_secs(7))));
        let small =
            Client::new(Limits { answer_bytes: 1000, reads: 1, ..Limits::default() }, Arc::new(Fixed))
                .unwrap();
        let big = small.ask(&Call::get("test", format!("{url}/big"))).await;
        assert_eq!(big, Err(NoAnswer::Unknown("answer above 1000 bytes".into())));
    }

    #[test]
    fn a_call_shows_its_path_only() {
        let call = Call::post("rail", "https://u:p@h/pay?key=1", "text/plain", b"0712345678".to_vec())
            .header("k", "s");
        assert_eq!(format!("{call:?}"), "rail POST /pay");
    }
}
