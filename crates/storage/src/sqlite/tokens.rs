//! Tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;
use zumra_core::{
    Merchant, MerchantId, NewToken, Operation, OperationId, OperationKind, Subject, Token, TokenHash, TokenId,
};

use super::engine::SqliteStorage;
use super::tx::Tx;
use super::{merchants, operations, sql};
use crate::merchants::{COLUMNS as MERCHANT_COLUMNS, decode as decode_merchant};
use crate::tokens::{COLUMN_COUNT, COLUMNS, build_token, decode};
use crate::{Conflict, Resource, Result, StorageError, Tokens, tokens};

#[async_trait]
impl Tokens for SqliteStorage {
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        self.write(merchant, operation, move |tx| create(tx, &token)).await
    }

    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>> {
        self.read_pool.read(move |db| list(db, merchant)).await
    }

    async fn revoke_token(
        &self,
        merchant: MerchantId,
        token: TokenId,
        operation: Operation,
    ) -> Result<Token> {
        self.write(merchant, operation, move |tx| revoke(tx, token)).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.read_pool.read(move |db| find(db, hash)).await
    }
}

fn list(db: &Connection, merchant: MerchantId) -> Result<Vec<Token>> {
    let statement = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = ?1 ORDER BY id");
    sql::query(db, &statement, [merchant.get()], |row| decode(row))
}

/// Returns the token with this hash and its merchant.
pub(super) fn find(db: &Connection, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
    let statement = format!(
        "SELECT {COLUMNS}, {MERCHANT_COLUMNS} FROM tokens JOIN merchants USING (merchant_id) WHERE tokens.hash = ?1"
    );
    sql::query_opt(db, &statement, [hash.as_bytes()], |row| {
        Ok((decode(row)?, decode_merchant(row, COLUMN_COUNT)?))
    })
}

fn create(tx: &Tx<'_>, new: &NewToken) -> Result<Token> {
    if !merchants::exists(tx)? {
        return Err(StorageError::NotFound(Resource::Merchant));
    }
    if find(tx.connection, new.hash)?.is_some() {
        return Err(Conflict::Token.into());
    }
    let operation = operations::record_one(tx, OperationKind::CreateToken, Subject::Other)?;
    let token = build_token(tx.merchant, next_id(tx, operation)?, new, tx.operation.at);
    insert(tx, &token, new.hash)?;
    Ok(token)
}

fn revoke(tx: &Tx<'_>, id: TokenId) -> Result<Token> {
    let statement =
        "UPDATE tokens SET revoked_at = ?3 WHERE merchant_id = ?1 AND id = ?2 AND revoked_at IS NULL";
    let revoked = tx.execute(statement, (tx.merchant.get(), id.get(), tx.operation.at.as_microsecond()))?;
    if revoked == 1 {
        operations::record_one(tx, OperationKind::RevokeToken, Subject::Other)?;
    }
    let statement = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = ?1 AND id = ?2");
    let key = (tx.merchant.get(), id.get());
    let token = sql::query_opt(tx.connection, &statement, key, |row| decode(row))?;
    token.ok_or(StorageError::NotFound(Resource::Token))
}

/// Returns the id of a new token that `operation` creates.
pub(super) fn next_id(tx: &Tx<'_>, operation: OperationId) -> Result<TokenId> {
    let statement = "SELECT max(id) FROM tokens WHERE merchant_id = ?1";
    tokens::next_id(sql::query_value(tx.connection, statement, [tx.merchant.get()])?, operation)
}

/// Inserts a token. The caller has checked that no token has this hash: no unique key does.
pub(super) fn insert(tx: &Tx<'_>, token: &Token, hash: TokenHash) -> Result<()> {
    tx.execute(
        "INSERT INTO tokens (merchant_id, id, hash, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            token.merchant.get(),
            token.id.get(),
            hash.as_bytes(),
            token.scopes.to_string(),
            token.created_at.as_microsecond(),
            token.expires_at.map(Timestamp::as_microsecond),
        ),
    )?;
    Ok(())
}

/// Overwrites scopes and expiry of a token and lifts its revocation.
pub(super) fn restore(tx: &Tx<'_>, id: TokenId, new: &NewToken) -> Result<()> {
    let expires_at = new.expires_at.map(Timestamp::as_microsecond);
    tx.execute(
        "UPDATE tokens SET scopes = ?3, expires_at = ?4, revoked_at = NULL WHERE merchant_id = ?1 AND id = ?2",
        (tx.merchant.get(), id.get(), new.scopes.to_string(), expires_at),
    )?;
    Ok(())
}
