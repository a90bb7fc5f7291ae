//! Bearer tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use zumra_core::{Merchant, MerchantId, NewToken, Operation, OperationId, Token, TokenHash, TokenId};

use crate::row::{Row, RowReader};
use crate::{Conflict, Result, StorageError};

/// Storage of bearer tokens. Only their SHA-256 hashes are stored.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Inserts a token.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant does not exist,
    /// [`Conflict::Token`] if another token has the same secret.
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token>;

    /// Returns all tokens of a merchant, ids ascending, including expired and revoked ones.
    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>>;

    /// Revokes a token. Idempotent: revoking a revoked token changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no token with this id.
    async fn revoke_token(&self, merchant: MerchantId, token: TokenId, operation: Operation)
    -> Result<Token>;

    /// Returns the token with this hash, valid or not, and its merchant.
    ///
    /// Takes no merchant: it is how a request finds its tenant.
    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>>;
}

/// The columns that [`decode`] reads. Their number is [`COLUMN_COUNT`].
pub(crate) const COLUMNS: &str = "tokens.merchant_id, tokens.id, tokens.scopes, tokens.created_at, \
                                  tokens.expires_at, tokens.revoked_at";

/// Number of [`COLUMNS`]: joined columns begin at this index.
pub(crate) const COLUMN_COUNT: usize = 6;

/// Decodes a row with the columns of [`COLUMNS`].
pub(crate) fn decode(row: &impl Row) -> Result<Token> {
    let mut row = RowReader::new(row, "tokens");
    Ok(Token {
        merchant: row.id("merchant_id", MerchantId::new)?,
        id: row.id("id", TokenId::new)?,
        scopes: row.parsed("scopes", str::parse)?,
        created_at: row.time("created_at")?,
        expires_at: row.optional_time("expires_at")?,
        revoked_at: row.optional_time("revoked_at")?,
    })
}

/// Returns a new token with these details, as inserted at `created_at`.
pub(crate) fn build_token(merchant: MerchantId, id: TokenId, new: &NewToken, created_at: Timestamp) -> Token {
    Token { id, merchant, scopes: new.scopes, created_at, expires_at: new.expires_at, revoked_at: None }
}

/// Returns the id of a new token: the id of the operation that creates it, or the next one above the newest token.
pub(crate) fn next_id(newest: Option<i64>, operation: OperationId) -> Result<TokenId> {
    let id = newest.map_or(operation.get(), |newest| operation.get().max(newest.saturating_add(1)));
    TokenId::new(id).ok_or_else(|| StorageError::corrupt("tokens", "id", id))
}

/// What loading a fixture does with a token whose secret is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenMerge {
    /// The stored token is equal.
    Keep,
    /// Scopes or expiry differ, or the token is revoked: overwrite them.
    Restore(TokenId),
}

/// Decides how a token in the fixture of `merchant` merges with the stored token that has the same secret.
///
/// # Errors
///
/// [`Conflict::Token`] if the stored token belongs to another merchant.
pub(crate) fn merge(stored: &Token, merchant: MerchantId, new: &NewToken) -> Result<TokenMerge> {
    if stored.merchant != merchant {
        return Err(Conflict::Token.into());
    }
    let is_equal =
        (stored.scopes, stored.expires_at, stored.revoked_at) == (new.scopes, new.expires_at, None);
    Ok(if is_equal { TokenMerge::Keep } else { TokenMerge::Restore(stored.id) })
}
