//! Tokens.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use zumra_core::{
    Merchant, MerchantId, NewToken, Operation, OperationId, OperationKind, Subject, Token, TokenHash, TokenId,
};

use super::engine::PostgresStorage;
use super::errors::AttemptResult;
use super::tx::Tx;
use super::{merchants, operations, sql};
use crate::tokens::{self, COLUMN_COUNT, COLUMNS, build_token, decode};
use crate::{Conflict, Resource, Result, StorageError, Tokens};

#[async_trait]
impl Tokens for PostgresStorage {
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        self.connections.write(merchant, operation, token, |tx, new| Box::pin(create(tx, new))).await
    }

    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>> {
        self.connections.read(&merchant, |db, &merchant| Box::pin(list(db, merchant))).await
    }

    async fn revoke_token(
        &self,
        merchant: MerchantId,
        token: TokenId,
        operation: Operation,
    ) -> Result<Token> {
        self.connections.write(merchant, operation, token, |tx, &id| Box::pin(revoke(tx, id))).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.connections.read(&hash, |db, &hash| Box::pin(find(db, hash))).await
    }
}

async fn list<C: GenericClient>(db: &C, merchant: MerchantId) -> AttemptResult<Vec<Token>> {
    let statement = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = $1 ORDER BY id");
    let rows = sql::query(db, &statement, &[&merchant.get()]).await?;
    Ok(rows.iter().map(decode).collect::<Result<_>>()?)
}

/// Finds a token of any merchant, and its merchant. The only lookup that does not know the merchant.
pub(super) async fn find<C: GenericClient>(
    db: &C,
    hash: TokenHash,
) -> AttemptResult<Option<(Token, Merchant)>> {
    let statement = format!(
        "SELECT {COLUMNS}, {} FROM tokens JOIN merchants USING (merchant_id) WHERE tokens.hash = $1
         ORDER BY tokens.merchant_id, tokens.id LIMIT 1",
        crate::merchants::COLUMNS
    );
    let row = sql::query_opt(db, &statement, &[&hash.as_bytes().as_slice()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((decode(&row)?, crate::merchants::decode(&row, COLUMN_COUNT)?)))
}

async fn create(tx: &Tx<'_>, new: &NewToken) -> AttemptResult<Token> {
    if !merchants::lock(tx).await? {
        return Err(StorageError::NotFound(Resource::Merchant).into());
    }
    if find(&tx.client, new.hash).await?.is_some() {
        return Err(Conflict::Token.into());
    }
    let operation = operations::next_id(tx).await?;
    operations::record(tx, operation, OperationKind::CreateToken, Subject::Other, 1).await?;
    insert(tx, new, operation).await
}

async fn revoke(tx: &Tx<'_>, id: TokenId) -> AttemptResult<Token> {
    let (merchant, token, at) = (tx.merchant.get(), id.get(), tx.operation.at.as_microsecond());
    let statement =
        "UPDATE tokens SET revoked_at = $3 WHERE merchant_id = $1 AND id = $2 AND revoked_at IS NULL";
    if sql::execute(&tx.client, statement, &[&merchant, &token, &at]).await? == 1 {
        operations::record_one(tx, OperationKind::RevokeToken, Subject::Other).await?;
    }
    let statement = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = $1 AND id = $2");
    let row = sql::query_opt(&tx.client, &statement, &[&merchant, &token]).await?;
    Ok(decode(&row.ok_or(StorageError::NotFound(Resource::Token))?)?)
}

async fn next_id(tx: &Tx<'_>, operation: OperationId) -> AttemptResult<TokenId> {
    let statement = "SELECT max(id) FROM tokens WHERE merchant_id = $1";
    let row = sql::query_one(&tx.client, statement, &[&tx.merchant.get()]).await?;
    Ok(tokens::next_id(row.try_get(0)?, operation)?)
}

/// Inserts a token with the id of `operation`, or a higher one if that is used. No unique key protects the hash: the
/// caller holds the merchant's lock and has looked for it.
pub(super) async fn insert(tx: &Tx<'_>, new: &NewToken, operation: OperationId) -> AttemptResult<Token> {
    let id = next_id(tx, operation).await?;
    let token = build_token(tx.merchant, id, new, tx.operation.at);
    let statement = "INSERT INTO tokens (merchant_id, id, hash, scopes, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6)";
    let (hash, scopes) = (new.hash.as_bytes().as_slice(), token.scopes.to_string());
    let created_at = token.created_at.as_microsecond();
    let expires_at = token.expires_at.map(Timestamp::as_microsecond);
    let (merchant, id) = (token.merchant.get(), token.id.get());
    sql::execute(&tx.client, statement, &[&merchant, &id, &hash, &scopes, &created_at, &expires_at]).await?;
    Ok(token)
}

/// Updates scopes and expiry of a token, and makes it valid again if it is revoked.
pub(super) async fn restore(tx: &Tx<'_>, id: TokenId, new: &NewToken) -> AttemptResult<()> {
    let statement = "UPDATE tokens SET scopes = $3, expires_at = $4, revoked_at = NULL
                     WHERE merchant_id = $1 AND id = $2";
    let (scopes, expires_at) = (new.scopes.to_string(), new.expires_at.map(Timestamp::as_microsecond));
    sql::execute(&tx.client, statement, &[&tx.merchant.get(), &id.get(), &scopes, &expires_at]).await?;
    Ok(())
}
