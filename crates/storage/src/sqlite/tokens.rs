//! Tokens.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use zumra_core::{
    Merchant, MerchantId, NewToken, Operation, OperationId, OperationKind, Subject, Token, TokenHash, TokenId,
};

use super::SqliteStorage;
use super::{merchants, operations};
use crate::Tokens;
use crate::{Conflict, Resource, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Tokens for SqliteStorage {
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        self.writer.write(move |tx| create(tx, merchant, &token, operation)).await
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
        self.writer.write(move |tx| revoke(tx, merchant, token, operation)).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.read_pool.read(move |db| find(db, hash)).await
    }
}

const COLUMNS: &str =
    "tokens.merchant_id, tokens.id, tokens.scopes, tokens.created_at, tokens.expires_at, tokens.revoked_at";

pub(super) fn create(
    tx: &Connection,
    merchant: MerchantId,
    new: &NewToken,
    operation: Operation,
) -> Result<Token> {
    if !merchants::exists(tx, merchant)? {
        return Err(StorageError::NotFound(Resource::Merchant));
    }
    if find(tx, new.hash)?.is_some() {
        return Err(Conflict::Token.into());
    }
    let id = operations::next_id(tx, merchant, &operation)?;
    operations::record(tx, merchant, id, &operation, OperationKind::CreateToken, Subject::Other, 1)?;
    let token = Token {
        id: next_id(tx, merchant, id)?,
        merchant,
        scopes: new.scopes,
        created_at: operation.at,
        expires_at: new.expires_at,
        revoked_at: None,
    };
    insert(tx, &token, new.hash)?;
    Ok(token)
}

/// The first id from the operation's on that no token of the merchant has.
pub(super) fn next_id(tx: &Connection, merchant: MerchantId, from: OperationId) -> Result<TokenId> {
    let mut statement = tx.prepare_cached("SELECT max(id) FROM tokens WHERE merchant_id = ?1")?;
    let newest: Option<i64> = statement.query_row([merchant.get()], |row| row.get(0))?;
    let id = newest.map_or(from.get(), |newest| from.get().max(newest + 1));
    TokenId::new(id).ok_or_else(|| StorageError::corrupt("tokens", "id", id))
}

/// Adds a row; the caller has made sure that the secret is new.
pub(super) fn insert(tx: &Connection, token: &Token, hash: TokenHash) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO tokens (merchant_id, id, hash, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute((
        token.merchant.get(),
        token.id.get(),
        hash.as_bytes(),
        token.scopes.to_string(),
        token.created_at.as_microsecond(),
        token.expires_at.map(Timestamp::as_microsecond),
    ))?;
    Ok(())
}

/// Gives a token new scopes and a new end, and takes back its revocation.
pub(super) fn restore(tx: &Connection, merchant: MerchantId, id: TokenId, new: &NewToken) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE tokens SET scopes = ?3, expires_at = ?4, revoked_at = NULL WHERE merchant_id = ?1 AND id = ?2",
    )?;
    let expires_at = new.expires_at.map(Timestamp::as_microsecond);
    statement.execute((merchant.get(), id.get(), new.scopes.to_string(), expires_at))?;
    Ok(())
}

pub(super) fn list(db: &Connection, merchant: MerchantId) -> Result<Vec<Token>> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = ?1 ORDER BY id");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([merchant.get()])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(read(row)?);
    }
    Ok(tokens)
}

pub(super) fn revoke(
    tx: &Connection,
    merchant: MerchantId,
    id: TokenId,
    operation: Operation,
) -> Result<Token> {
    let mut statement = tx.prepare_cached(
        "UPDATE tokens SET revoked_at = ?3 WHERE merchant_id = ?1 AND id = ?2 AND revoked_at IS NULL",
    )?;
    if statement.execute((merchant.get(), id.get(), operation.at.as_microsecond()))? == 1 {
        let operation_id = operations::next_id(tx, merchant, &operation)?;
        operations::record(
            tx,
            merchant,
            operation_id,
            &operation,
            OperationKind::RevokeToken,
            Subject::Other,
            1,
        )?;
    }
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = ?1 AND id = ?2");
    let mut statement = tx.prepare_cached(&sql)?;
    let token = statement.query_row((merchant.get(), id.get()), |row| Ok(read(row))).optional()?;
    token.ok_or(StorageError::NotFound(Resource::Token))?
}

pub(super) fn find(db: &Connection, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM tokens JOIN merchants USING (merchant_id) WHERE tokens.hash = ?1",
        merchants::COLUMNS
    );
    let mut statement = db.prepare_cached(&sql)?;
    let both = |row: &Row<'_>| Ok(read(row).and_then(|token| Ok((token, merchants::read(row, 6)?))));
    statement.query_row([hash.as_bytes()], both).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<Token> {
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("tokens", column, problem);
    let time = |i| {
        let micros: Option<i64> = row.get(i)?;
        micros.map(Timestamp::from_microsecond).transpose().map_err(|e| wrong("at", &e))
    };
    let (merchant, id): (i64, i64) = (row.get(0)?, row.get(1)?);
    Ok(Token {
        merchant: MerchantId::new(merchant).ok_or_else(|| wrong("merchant_id", &merchant))?,
        id: TokenId::new(id).ok_or_else(|| wrong("id", &id))?,
        scopes: row.get::<_, String>(2)?.parse().map_err(|e| wrong("scopes", &e))?,
        created_at: time(3)?.ok_or_else(|| wrong("created_at", &"is missing"))?,
        expires_at: time(4)?,
        revoked_at: time(5)?,
    })
}
