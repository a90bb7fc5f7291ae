//! What the service tells of itself: one log line a request, request ids, metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;
use zumra_core::text::hex;
use zumra_core::{Entropy, MerchantId};
use zumra_storage::Storage;

use crate::envelope::Cause;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// For people, in colour.
    Pretty,
    /// For people, without colour.
    Plain,
}

/// Writes logs to standard error from now on. `filter` is a level, `info`, or a list, `info,zumra_server=debug`; the
/// error says what is wrong with it.
pub fn init(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = read_filter(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Pretty => logs.with_target(false).try_init(),
        LogFormat::Plain => logs.with_target(false).with_ansi(false).try_init(),
    };
    started.map_err(|error| error.to_string())
}

/// Whether `filter` is one that [`init`] takes; the error says what is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    read_filter(filter).map(drop)
}

fn read_filter(filter: &str) -> Result<EnvFilter, String> {
    if filter.trim().is_empty() {
        return Err("must not be empty; info is what services use".to_owned());
    }
    EnvFilter::try_new(filter).map_err(|error| error.to_string())
}

/// The header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id that a client may give.
const REQUEST_ID_MAX: usize = 128;

/// What handlers add to the log line of their request.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<OnceLock<MerchantId>>);

impl Notes {
    /// Notes whose request it is.
    pub(crate) fn caller(&self, merchant: MerchantId) {
        let _ = self.0.set(merchant); // asked once a request
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// Numbers and ids of one service.
pub(crate) struct Telemetry {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Connections that are open.
    pub(crate) connections: Gauge,
    /// What the ids of this process begin with.
    process: String,
    given: AtomicU64,
}

impl Telemetry {
    pub(crate) fn new(entropy: &dyn Entropy, storage: &dyn Storage) -> Self {
        let mut registry = Registry::with_prefix("zumra");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let seconds = Family::new_with_constructor(latencies as fn() -> Histogram);
        registry.register(
            "http_request_seconds",
            "Time from a request's headers to its answer",
            seconds.clone(),
        );
        let connections = Gauge::default();
        registry.register("http_connections", "Connections that are open", connections.clone());
        storage.register_metrics(&mut registry);
        let mut process = [0; 4];
        entropy.fill(&mut process);
        Self { registry, requests, seconds, connections, process: hex(&process), given: AtomicU64::new(0) }
    }

    /// All metrics in the text form of `OpenMetrics`.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    /// Names a request, lets `answer` answer it, and writes its one log line.
    pub(crate) async fn observe<F>(&self, mut request: Request, answer: impl FnOnce(Request) -> F) -> Response
    where
        F: Future<Output = Response>,
    {
        let started = Instant::now();
        let id = self.request_id(&request);
        let notes = Notes::default();
        request.extensions_mut().insert(notes.clone());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
        let mut response = answer(request).await;
        response.headers_mut().insert(REQUEST_ID, id.clone());
        let took = started.elapsed();
        self.count(&method, route.as_deref(), response.status(), took);
        let line = Line { method: &method, path: &path, id: &id, took, merchant: notes.0.get() };
        line.write(&response);
        response
    }

    fn request_id(&self, request: &Request) -> HeaderValue {
        let given = request.headers().get(REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=REQUEST_ID_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        given.cloned().unwrap_or_else(|| {
            let number = self.given.fetch_add(1, Ordering::Relaxed);
            let id = format!("{}-{number:06x}", self.process);
            HeaderValue::try_from(id).expect("hexadecimal digits make a header")
        })
    }

    fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        // Unknown paths and odd methods share a label each: clients must not decide how many there are.
        let route = route.unwrap_or("none").to_owned();
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "DELETE" => "DELETE",
            "OPTIONS" => "OPTIONS",
            _ => "other",
        };
        self.seconds.get_or_create(&RouteLabels { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status: status.as_u16() }).inc();
    }
}

fn latencies() -> Histogram {
    Histogram::new([0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
}

/// The log line of one request. The query is left out: keywords are people's names and numbers.
struct Line<'a> {
    method: &'a Method,
    path: &'a str,
    id: &'a HeaderValue,
    took: Duration,
    merchant: Option<&'a MerchantId>,
}

impl Line<'_> {
    fn write(&self, response: &Response) {
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_str());
        let status = response.status();
        let ms = (self.took.as_secs_f64() * 1e6).round() / 1e3;
        let (method, path, id) = (self.method.as_str(), self.path, self.id.to_str().unwrap_or_default());
        let merchant = self.merchant.map(|merchant| merchant.get());
        let status = status.as_u16();
        if status >= 500 {
            tracing::error!(method, path, status, ms, request_id = id, merchant, cause, "request");
        } else {
            tracing::info!(method, path, status, ms, request_id = id, merchant, "request");
        }
    }
}
