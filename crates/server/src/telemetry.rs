//! Observability: one log line per request, request ids, and metrics.

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

use crate::problem::Cause;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object per line, for programs.
    #[default]
    Json,
    /// Text with colors, for terminals.
    Pretty,
    /// Text without colors.
    Plain,
}

/// Starts logging to standard error. `filter` is a level, `info`, or a list, `info,zumra_server=debug`.
///
/// # Errors
///
/// The problem with `filter`, or that logging has already been started.
pub fn init(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = read_filter(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Pretty => logs.with_target(false).try_init(),
        LogFormat::Plain => logs.with_target(false).with_ansi(false).try_init(),
    };
    result.map_err(|error| error.to_string())
}

/// Checks that [`init`] accepts `filter`. The error is the problem with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    read_filter(filter).map(drop)
}

fn read_filter(filter: &str) -> Result<EnvFilter, String> {
    if filter.trim().is_empty() {
        return Err("must not be empty; use info for services".to_owned());
    }
    EnvFilter::try_new(filter).map_err(|error| error.to_string())
}

/// The header with the id of a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length in bytes of a request id sent by a client.
const REQUEST_ID_MAX: usize = 128;

/// Fields of a request's log line that are known only to its handler.
#[derive(Clone, Default)]
pub(crate) struct LogFields(Arc<OnceLock<MerchantId>>);

impl LogFields {
    /// Sets the merchant (tenant) of the request.
    pub(crate) fn set_merchant(&self, merchant: MerchantId) {
        let _ = self.0.set(merchant); // is set once, because a request is authenticated once
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

/// When the service got the headers of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started(Instant);

impl Started {
    /// Returns the current time.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since then.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Metrics and request ids of one service.
pub(crate) struct Telemetry {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latencies: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Random prefix of the request ids of this process.
    id_prefix: String,
    id_counter: AtomicU64,
}

impl Telemetry {
    pub(crate) fn new(entropy: &dyn Entropy, storage: &dyn Storage) -> Self {
        let mut registry = Registry::with_prefix("zumra");
        let requests = Family::default();
        registry.register("http_requests", "Completed requests", requests.clone());
        let latencies = Family::new_with_constructor(new_histogram as fn() -> Histogram);
        registry.register(
            "http_request_seconds",
            "Time from the headers of a request to its response",
            latencies.clone(),
        );
        let connections = Gauge::default();
        registry.register("http_connections", "Open connections", connections.clone());
        storage.register_metrics(&mut registry);
        let mut prefix = [0; 4];
        entropy.fill(&mut prefix);
        let id_counter = AtomicU64::new(0);
        Self { registry, requests, latencies, connections, id_prefix: hex(&prefix), id_counter }
    }

    /// Returns all metrics in the `OpenMetrics` text format.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    /// Gives a request its id, runs `respond`, and writes metrics and the log line.
    pub(crate) async fn observe<F>(
        &self,
        mut request: Request,
        respond: impl FnOnce(Request) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        let started = request.extensions().get().copied().unwrap_or_else(Started::now);
        let id = self.request_id(&request);
        let log_fields = LogFields::default();
        request.extensions_mut().insert(log_fields.clone());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
        let mut response = respond(request).await;
        response.headers_mut().insert(REQUEST_ID, id.clone());
        let elapsed = started.elapsed();
        self.record(&method, route.as_deref(), response.status(), elapsed);
        let merchant = log_fields.0.get().copied();
        LogLine { method: &method, path: &path, id: &id, elapsed, merchant }.write(&response);
        response
    }

    /// Returns the id that the client sent, if it is short and printable, or a new one.
    fn request_id(&self, request: &Request) -> HeaderValue {
        let sent = request.headers().get(REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=REQUEST_ID_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        sent.cloned().unwrap_or_else(|| {
            let number = self.id_counter.fetch_add(1, Ordering::Relaxed);
            let id = format!("{}-{number:06x}", self.id_prefix);
            HeaderValue::try_from(id).expect("hexadecimal digits are a valid header value")
        })
    }

    fn record(&self, method: &Method, route: Option<&str>, status: StatusCode, elapsed: Duration) {
        // All unknown paths have one label value, and so have all unknown methods: clients cannot add values.
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
        self.latencies.get_or_create(&RouteLabels { route: route.clone() }).observe(elapsed.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status: status.as_u16() }).inc();
    }
}

/// Returns an empty histogram of latencies in seconds.
fn new_histogram() -> Histogram {
    Histogram::new([0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
}

/// The log line of one request. Omits the query string, because search keywords contain names and phone numbers.
struct LogLine<'a> {
    method: &'a Method,
    path: &'a str,
    id: &'a HeaderValue,
    elapsed: Duration,
    merchant: Option<MerchantId>,
}

impl LogLine<'_> {
    fn write(&self, response: &Response) {
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_str());
        let status = response.status().as_u16();
        let ms = (self.elapsed.as_secs_f64() * 1e6).round() / 1e3;
        let (method, path, request_id) =
            (self.method.as_str(), self.path, self.id.to_str().unwrap_or_default());
        let merchant = self.merchant.map(MerchantId::get);
        if status >= 500 {
            let reason = cause.unwrap_or("no cause recorded");
            tracing::error!(
                method,
                path,
                status,
                ms,
                request_id,
                merchant,
                cause,
                "{method} {path} failed with {status}: {reason}"
            );
        } else {
            tracing::info!(method, path, status, ms, request_id, merchant, cause, "{method} {path} {status}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use axum::http::HeaderMap;
    use axum::response::IntoResponse;

    use super::*;
    use crate::language::PreferredLanguage;
    use crate::problem::{Problem, write_problem};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log line of a request that fails with `problem`.
    fn log_line(problem: Problem) -> serde_json::Value {
        let response = problem.into_response();
        let response = write_problem(response, PreferredLanguage::from_headers(&HeaderMap::new()));
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let logs = tracing_subscriber::fmt().with_writer(move || writer.clone()).json().flatten_event(true);
        tracing::subscriber::with_default(logs.finish(), || {
            let line = LogLine {
                method: &Method::PUT,
                path: "/customers/1",
                id: &HeaderValue::from_static("id-1"),
                elapsed: Duration::from_micros(1500),
                merchant: MerchantId::new(7),
            };
            line.write(&response);
        });
        let bytes = buffer.0.lock().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn unknown_outcome_is_logged_as_an_error_with_its_cause() {
        let line = log_line(Problem::OutcomeUnknown("WAL fsync failed".to_owned()));
        assert_eq!((&line["level"], &line["cause"]), (&"ERROR".into(), &"WAL fsync failed".into()));
        assert_eq!(line["message"], "PUT /customers/1 failed with 503: WAL fsync failed");
        assert_eq!((&line["request_id"], &line["merchant"]), (&"id-1".into(), &7.into()));
        assert_eq!((&line["status"], &line["ms"]), (&503.into(), &1.5.into()));
    }

    #[test]
    fn error_of_the_client_is_logged_as_information() {
        let line = log_line(Problem::NotFound);
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"PUT /customers/1 404".into()));
    }
}
