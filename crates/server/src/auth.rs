//! Who asks: bearer tokens, and the scopes that routes need.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use zumra_core::{Merchant, Scope, Token, TokenHash, TokenId, TokenSecret};

use crate::App;
use crate::envelope::Problem;
use crate::telemetry::Notes;

/// A scope as a type, so that a handler says in its signature what it needs.
pub(crate) trait NeededScope {
    /// The scope; nothing if any token will do.
    const SCOPE: Option<Scope>;
}

/// Any valid token.
pub(crate) struct AnyScope;

impl NeededScope for AnyScope {
    const SCOPE: Option<Scope> = None;
}

/// `customers.read`
pub(crate) struct CustomersRead;

impl NeededScope for CustomersRead {
    const SCOPE: Option<Scope> = Some(Scope::CustomersRead);
}

/// `customers.read_write`
pub(crate) struct CustomersWrite;

impl NeededScope for CustomersWrite {
    const SCOPE: Option<Scope> = Some(Scope::CustomersReadWrite);
}

/// `payments.read`
pub(crate) struct PaymentsRead;

impl NeededScope for PaymentsRead {
    const SCOPE: Option<Scope> = Some(Scope::PaymentsRead);
}

/// A program whose token is valid and carries the scope `S`. Every method of the storage wants a merchant, and this
/// is where a handler gets one: a handler without a caller does not compile.
pub(crate) struct Caller<S> {
    /// The merchant that the token belongs to.
    pub(crate) merchant: Arc<Merchant>,
    /// The token.
    pub(crate) token: TokenId,
    scope: PhantomData<S>,
}

impl<S: NeededScope> FromRequestParts<App> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let secret = bearer(&parts.headers).ok_or(Problem::InvalidToken)?;
        let now = app.clock.now();
        let (token, merchant) = find(app, secret.hash(), now).await?.ok_or(Problem::InvalidToken)?;
        if !token.is_valid(now) {
            return Err(Problem::InvalidToken);
        }
        if let Some(notes) = parts.extensions.get::<Notes>() {
            notes.caller(merchant.id);
        }
        if let Some(scope) = S::SCOPE.filter(|scope| !token.scopes.grants(*scope)) {
            return Err(Problem::MissingScope(scope));
        }
        Ok(Self { merchant, token: token.id, scope: PhantomData })
    }
}

/// The token of `Authorization: Bearer …`, the word in any case (RFC 7235).
fn bearer(headers: &HeaderMap) -> Option<TokenSecret> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    secret.trim().parse().ok()
}

type Known = (Token, Arc<Merchant>);

async fn find(app: &App, hash: TokenHash, now: Timestamp) -> Result<Option<Known>, Problem> {
    if let Some(known) = app.tokens.get(hash, now) {
        return Ok(Some(known));
    }
    let found = app.storage.find_token(hash).await?;
    let known = found.map(|(token, merchant)| (token, Arc::new(merchant)));
    if let Some(known) = &known {
        app.tokens.put(hash, known.clone(), now);
    }
    Ok(known)
}

/// Tokens in the cache at most; at this many it starts anew.
const CACHE_TOKENS: usize = 10_000;

/// Tokens that the storage named a moment ago. Each is believed for a stated life, so every process that shares a
/// database refuses a revoked token after that life at the latest. Unknown tokens are not kept: a new one works at
/// once.
pub(crate) struct TokenCache {
    life: Duration,
    entries: Mutex<HashMap<TokenHash, Entry>>,
}

struct Entry {
    known: Known,
    asked_at: Timestamp,
}

impl TokenCache {
    pub(crate) fn new(life: Duration) -> Self {
        Self { life, entries: Mutex::default() }
    }

    fn get(&self, hash: TokenHash, now: Timestamp) -> Option<Known> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&hash)?;
        let age = Duration::try_from(now.duration_since(entry.asked_at)).ok()?;
        (age < self.life).then(|| entry.known.clone())
    }

    fn put(&self, hash: TokenHash, known: Known, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CACHE_TOKENS {
            entries.clear();
        }
        entries.insert(hash, Entry { known, asked_at: now });
    }
}
