//! A cache of recently used tokens, so that authentication rarely queries the storage.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use zumra_core::{Merchant, Token, TokenHash};

/// Maximum number of cached tokens. An insert into a full cache clears it first.
const CAPACITY: usize = 10_000;

/// A token and the merchant (tenant) that it belongs to.
#[derive(Clone)]
pub(crate) struct TokenOwner {
    pub(crate) token: Token,
    pub(crate) merchant: Arc<Merchant>,
}

/// Tokens by hash, each with a time to live.
///
/// Every process that shares the database rejects a revoked token after that time at the latest. Missing tokens are
/// not cached, so a new token is accepted immediately.
pub(crate) struct TokenCache {
    ttl: Duration,
    entries: Mutex<HashMap<TokenHash, Entry>>,
}

struct Entry {
    owner: TokenOwner,
    cached_at: Timestamp,
}

impl TokenCache {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, entries: Mutex::default() }
    }

    /// Returns the token with this hash, unless its entry has expired at `now`.
    pub(crate) fn get(&self, hash: TokenHash, now: Timestamp) -> Option<TokenOwner> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&hash)?;
        let age = Duration::try_from(now.duration_since(entry.cached_at)).ok()?;
        (age < self.ttl).then(|| entry.owner.clone())
    }

    /// Inserts or replaces the token with this hash.
    pub(crate) fn insert(&self, hash: TokenHash, owner: TokenOwner, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(hash, Entry { owner, cached_at: now });
    }
}
