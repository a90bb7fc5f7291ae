//! Bearer tokens.

use async_trait::async_trait;
use zumra_core::{Merchant, MerchantId, NewToken, Operation, Token, TokenHash, TokenId};

use crate::Result;

/// Storage of bearer tokens. Only their SHA-256 hashes are stored.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Inserts a token.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant does not exist,
    /// [`Conflict::Token`](crate::Conflict::Token) if another token has the same secret.
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
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no token with this id.
    async fn revoke_token(&self, merchant: MerchantId, token: TokenId, operation: Operation)
    -> Result<Token>;

    /// Returns the token with this hash, valid or not, and its merchant.
    ///
    /// The only lookup without a merchant: it is how a request finds its tenant.
    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>>;
}
