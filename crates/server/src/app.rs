//! The state that all requests and background tasks share: storage, clock, ids, limits.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use zumra_core::{Actor, Clock, Entropy, IdGenerator, Operation, TokenId};
use zumra_storage::{Memberships, Storage};

use crate::body::BodyBudget;
use crate::notifier::Notifier;
use crate::telemetry::Telemetry;
use crate::token_cache::TokenCache;

/// The path below which the Merchant API is served, as at Salla.
pub(crate) const BASE_PATH: &str = "/admin/v2";

/// Limits of one service. Each has a setting of the same name under `limits`; durations are settings in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of one request body in bytes; a larger body is rejected with 413.
    pub body_bytes: usize,
    /// Memory budget of all request bodies together, in bytes; a request that exceeds it gets 503.
    pub bodies_bytes: usize,
    /// Ids in one request to add customers; more are rejected with 422.
    pub customers_per_request: usize,
    /// Time to receive the headers of a request; then the connection is closed.
    pub header_timeout: Duration,
    /// Time to receive the body of a request; then the response is 408. A client that takes nothing of its response for
    /// as long is disconnected.
    pub body_timeout: Duration,
    /// Time to handle a request, its body included; then the response is 503.
    pub request_timeout: Duration,
    /// Open connections; further ones stay in the backlog of the operating system.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            bodies_bytes: 256 << 20,
            customers_per_request: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(30),
            connections: 4096,
        }
    }
}

/// The settings of an [`App`].
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// The URL at which clients reach the service, without a trailing slash. Links in responses begin with it.
    pub public_url: String,
    /// Time to live of a cached token. A revoked token is rejected after this time at the latest.
    pub token_cache_ttl: Duration,
    /// Limits of the service.
    pub limits: Limits,
    /// Tokens that the pages at `/` and `/docs` show to every visitor, for a throwaway service. Empty otherwise.
    pub shown_tokens: Vec<String>,
}

/// The shared state of the service. Cloning copies a pointer.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// The fields of an [`App`].
pub struct AppState {
    pub(crate) storage: Arc<dyn Storage>,
    /// The memberships of `storage`, except in benchmarks and fault tests.
    pub(crate) memberships: Arc<dyn Memberships>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdGenerator,
    pub(crate) token_cache: TokenCache,
    pub(crate) telemetry: Telemetry,
    pub(crate) body_budget: BodyBudget,
    pub(crate) archive_notifier: Notifier,
    pub(crate) import_notifier: Notifier,
    pub(crate) options: AppOptions,
}

impl App {
    /// Creates a service over `storage`.
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        options: AppOptions,
    ) -> Self {
        Self::with_memberships(Arc::clone(&storage) as _, storage, clock, entropy, options)
    }

    /// Creates a service over `storage` with other memberships, for benchmarks without an engine and for fault tests.
    pub fn with_memberships(
        memberships: Arc<dyn Memberships>,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        options: AppOptions,
    ) -> Self {
        debug_assert!(!options.public_url.ends_with('/'), "links would contain two slashes");
        let mut id_offset = [0; 2];
        entropy.fill(&mut id_offset);
        Self(Arc::new(AppState {
            ids: IdGenerator::new(u16::from_le_bytes(id_offset)),
            token_cache: TokenCache::new(options.token_cache_ttl),
            telemetry: Telemetry::new(entropy, storage.as_ref()),
            body_budget: BodyBudget::new(options.limits.bodies_bytes),
            archive_notifier: Notifier::default(),
            import_notifier: Notifier::default(),
            memberships,
            storage,
            clock,
            options,
        }))
    }

    /// Returns the operation that a write with `token` records, with the current time and a proposed id.
    pub(crate) fn new_operation(&self, token: TokenId) -> Operation {
        let at = self.clock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Token(token) }
    }

    /// Returns the URL of a path of the Merchant API, `/customers` for example.
    pub(crate) fn api_url(&self, path: &str) -> String {
        format!("{}{BASE_PATH}{path}", self.options.public_url)
    }
}

impl Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}
