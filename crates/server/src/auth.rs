//! Authentication: bearer tokens, and the scopes that routes require.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use zumra_core::{Merchant, Scope, TokenHash, TokenId, TokenSecret};

use crate::app::App;
use crate::problem::Problem;
use crate::telemetry::LogFields;
use crate::token_cache::TokenOwner;

/// A scope as a type, so that the signature of a handler names the scope that it requires.
pub(crate) trait RequiredScope {
    /// The scope, or `None` if any valid token is accepted.
    const SCOPE: Option<Scope>;
}

/// Any valid token.
pub(crate) struct AnyScope;

impl RequiredScope for AnyScope {
    const SCOPE: Option<Scope> = None;
}

/// `customers.read`
pub(crate) struct CustomersRead;

impl RequiredScope for CustomersRead {
    const SCOPE: Option<Scope> = Some(Scope::CustomersRead);
}

/// `customers.read_write`
pub(crate) struct CustomersWrite;

impl RequiredScope for CustomersWrite {
    const SCOPE: Option<Scope> = Some(Scope::CustomersReadWrite);
}

/// `payments.read`
pub(crate) struct PaymentsRead;

impl RequiredScope for PaymentsRead {
    const SCOPE: Option<Scope> = Some(Scope::PaymentsRead);
}

/// The client of a request: its token is valid and grants the scope `S`.
///
/// Storage methods take a merchant (tenant), and a handler gets one only from here. A handler without
/// authentication therefore does not compile.
pub(crate) struct Caller<S> {
    /// The merchant that the token belongs to.
    pub(crate) merchant: Arc<Merchant>,
    /// The id of the token, for the operations that the request writes.
    pub(crate) token: TokenId,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequestParts<App> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let TokenOwner { token, merchant } = match parts.extensions.remove::<TokenOwner>() {
            Some(owner) => owner, // the body was read before routing
            None => authenticate(app, &parts.headers).await?,
        };
        if let Some(log_fields) = parts.extensions.get::<LogFields>() {
            log_fields.set_merchant(merchant.id);
        }
        if let Some(scope) = S::SCOPE.filter(|scope| !token.scopes.grants(*scope)) {
            return Err(Problem::MissingScope(scope));
        }
        Ok(Self { merchant, token: token.id, scope: PhantomData })
    }
}

/// Returns the token of a request, which is valid now, and its merchant.
pub(crate) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<TokenOwner, Problem> {
    let secret = bearer_token(headers).ok_or(Problem::InvalidToken)?;
    let now = app.clock.now();
    let owner = find_token(app, secret.hash(), now).await?;
    owner.filter(|owner| owner.token.is_valid(now)).ok_or(Problem::InvalidToken)
}

/// Returns the token of `Authorization: Bearer …`. The scheme is case-insensitive (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<TokenSecret> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    secret.trim().parse().ok()
}

async fn find_token(app: &App, hash: TokenHash, now: Timestamp) -> Result<Option<TokenOwner>, Problem> {
    if let Some(owner) = app.token_cache.get(hash, now) {
        return Ok(Some(owner));
    }
    let Some((token, merchant)) = app.storage.find_token(hash).await? else { return Ok(None) };
    let owner = TokenOwner { token, merchant: Arc::new(merchant) };
    app.token_cache.insert(hash, owner.clone(), now);
    Ok(Some(owner))
}
