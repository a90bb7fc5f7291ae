//! What every request has at hand: storage, clock, limits.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use zumra_core::{Actor, Clock, Entropy, IdGenerator, Operation, TokenId};
use zumra_storage::{Memberships, Storage};

use crate::auth::TokenCache;
use crate::body::BodyRoom;
use crate::import::Bell;
use crate::sweep::Broom;
use crate::telemetry::Telemetry;

/// How much of everything one service takes. Each has a key of the same name under `limits` in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; more is answered with 413.
    pub body_bytes: usize,
    /// Bytes of all bodies that are in memory at once; a request that finds no room is answered with 503.
    pub bodies_bytes: usize,
    /// Ids in one request to add customers; more is answered with 422.
    pub customers_per_request: usize,
    /// Time a client may take to send a request's headers; then the connection is closed.
    pub header_timeout: Duration,
    /// Time a client may take to send a request's body; then it is answered with 408.
    pub body_timeout: Duration,
    /// Time a request may take in all; then it is answered with 503.
    pub request_timeout: Duration,
    /// Connections at once; the next one waits in the system's queue.
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

/// What a service is told when it starts.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// The address under which clients reach it, without a slash at the end; links in answers begin with it.
    pub public_url: String,
    /// How long a token is believed without asking the storage again: a revoked one is refused after this at the
    /// latest.
    pub token_cache_ttl: Duration,
    /// How much of everything it takes.
    pub limits: Limits,
}

/// Everything a request has at hand. Cloning one shares it.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The parts of an [`App`].
pub struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    /// The same engine, except in benchmarks of the server alone.
    pub(crate) memberships: Arc<dyn Memberships>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdGenerator,
    pub(crate) tokens: TokenCache,
    pub(crate) telemetry: Telemetry,
    pub(crate) bodies: BodyRoom,
    pub(crate) broom: Broom,
    pub(crate) bell: Bell,
    pub(crate) options: AppOptions,
}

impl App {
    /// Returns a service on `storage`.
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        options: AppOptions,
    ) -> Self {
        Self::with_memberships(Arc::clone(&storage) as _, storage, clock, entropy, options)
    }

    /// Returns a service on `storage` that keeps memberships elsewhere: benchmarks measure the server without an
    /// engine this way.
    pub fn with_memberships(
        memberships: Arc<dyn Memberships>,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        options: AppOptions,
    ) -> Self {
        let mut seed = [0; 2];
        entropy.fill(&mut seed);
        Self(Arc::new(Shared {
            ids: IdGenerator::new(u16::from_le_bytes(seed)),
            tokens: TokenCache::new(options.token_cache_ttl),
            bodies: BodyRoom::new(options.limits.bodies_bytes),
            broom: Broom::default(),
            bell: Bell::default(),
            telemetry: Telemetry::new(entropy, storage.as_ref()),
            storage,
            memberships,
            clock,
            options,
        }))
    }

    /// What the storage is told of a change that a token asks for now.
    pub(crate) fn operation(&self, token: TokenId) -> Operation {
        let at = self.clock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Token(token) }
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
