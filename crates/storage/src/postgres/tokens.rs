//! Tokens.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;
use tokio_postgres::Row;
use zumra_core::{
    Merchant, MerchantId, NewToken, Operation, OperationId, OperationKind, Subject, Token, TokenHash, TokenId,
};

use super::PostgresStorage;
use super::connections::for_tx;
use super::errors::Try;
use super::merchants;
use super::operations::{self, Mark};
use crate::Tokens;
use crate::{Conflict, Resource, Result, StorageError};
use async_trait::async_trait;

#[async_trait]
impl Tokens for PostgresStorage {
    async fn create_token(
        &self,
        merchant: MerchantId,
        token: NewToken,
        operation: Operation,
    ) -> Result<Token> {
        let create =
            for_tx(move |tx, new, operation, mark| Box::pin(create(tx, merchant, new, operation, mark)));
        self.connections.change(merchant, operation, token, create).await
    }

    async fn list_tokens(&self, merchant: MerchantId) -> Result<Vec<Token>> {
        self.connections.read(|db| Box::pin(list(db, merchant))).await
    }

    async fn revoke_token(
        &self,
        merchant: MerchantId,
        token: TokenId,
        operation: Operation,
    ) -> Result<Token> {
        let revoke = for_tx(move |tx, id: &TokenId, operation, mark| {
            Box::pin(revoke(tx, merchant, *id, operation, mark))
        });
        self.connections.change(merchant, operation, token, revoke).await
    }

    async fn find_token(&self, hash: TokenHash) -> Result<Option<(Token, Merchant)>> {
        self.connections.read(|db| Box::pin(find(db, hash))).await
    }
}

const COLUMNS: &str =
    "tokens.merchant_id, tokens.id, tokens.scopes, tokens.created_at, tokens.expires_at, tokens.revoked_at";

pub(super) async fn create<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    new: &NewToken,
    operation: &Operation,
    mark: Mark,
) -> Try<Token> {
    if !merchants::lock(tx, merchant).await? {
        return Err(StorageError::NotFound(Resource::Merchant).into());
    }
    if find(tx, new.hash).await?.is_some() {
        return Err(Conflict::Token.into());
    }
    let id = operations::next_id(tx, merchant, operation, mark).await?;
    operations::record(tx, merchant, id, operation, OperationKind::CreateToken, (Subject::Other, 1), mark)
        .await?;
    let token = Token {
        id: next_id(tx, merchant, id).await?,
        merchant,
        scopes: new.scopes,
        created_at: operation.at,
        expires_at: new.expires_at,
        revoked_at: None,
    };
    insert(tx, &token, new.hash).await?;
    Ok(token)
}

/// The first id from the operation's on that no token of the merchant has.
pub(super) async fn next_id<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    from: OperationId,
) -> Try<TokenId> {
    let statement = tx.prepare_cached("SELECT max(id) FROM tokens WHERE merchant_id = $1").await?;
    let newest: Option<i64> = tx.query_one(&statement, &[&merchant.get()]).await?.try_get(0)?;
    let id = newest.map_or(from.get(), |newest| from.get().max(newest + 1));
    Ok(TokenId::new(id).ok_or_else(|| StorageError::corrupt("tokens", "id", id))?)
}

/// Adds a row; the caller has made sure that the secret is new.
pub(super) async fn insert<C: GenericClient>(tx: &C, token: &Token, hash: TokenHash) -> Try<()> {
    let sql = "INSERT INTO tokens (merchant_id, id, hash, scopes, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6)";
    let statement = tx.prepare_cached(sql).await?;
    let (hash, scopes) = (hash.as_bytes().as_slice(), token.scopes.to_string());
    let created_at = token.created_at.as_microsecond();
    let expires_at = token.expires_at.map(Timestamp::as_microsecond);
    let (merchant, id) = (token.merchant.get(), token.id.get());
    tx.execute(&statement, &[&merchant, &id, &hash, &scopes, &created_at, &expires_at]).await?;
    Ok(())
}

/// Gives a token new scopes and a new end, and takes back its revocation.
pub(super) async fn restore<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: TokenId,
    new: &NewToken,
) -> Try<()> {
    let sql = "UPDATE tokens SET scopes = $3, expires_at = $4, revoked_at = NULL WHERE merchant_id = $1 AND id = $2";
    let statement = tx.prepare_cached(sql).await?;
    let expires_at = new.expires_at.map(Timestamp::as_microsecond);
    tx.execute(&statement, &[&merchant.get(), &id.get(), &new.scopes.to_string(), &expires_at]).await?;
    Ok(())
}

pub(super) async fn list<C: GenericClient>(db: &C, merchant: MerchantId) -> Try<Vec<Token>> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = $1 ORDER BY id");
    let statement = db.prepare_cached(&sql).await?;
    let rows = db.query(&statement, &[&merchant.get()]).await?;
    Ok(rows.iter().map(read).collect::<Result<_>>()?)
}

pub(super) async fn revoke<C: GenericClient>(
    tx: &C,
    merchant: MerchantId,
    id: TokenId,
    operation: &Operation,
    mark: Mark,
) -> Try<Token> {
    let sql = "UPDATE tokens SET revoked_at = $3 WHERE merchant_id = $1 AND id = $2 AND revoked_at IS NULL";
    let statement = tx.prepare_cached(sql).await?;
    let at = operation.at.as_microsecond();
    if tx.execute(&statement, &[&merchant.get(), &id.get(), &at]).await? == 1 {
        let new = operations::next_id(tx, merchant, operation, mark).await?;
        operations::record(
            tx,
            merchant,
            new,
            operation,
            OperationKind::RevokeToken,
            (Subject::Other, 1),
            mark,
        )
        .await?;
    }
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE merchant_id = $1 AND id = $2");
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx.query_opt(&statement, &[&merchant.get(), &id.get()]).await?;
    Ok(read(&row.ok_or(StorageError::NotFound(Resource::Token))?)?)
}

pub(super) async fn find<C: GenericClient>(db: &C, hash: TokenHash) -> Try<Option<(Token, Merchant)>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM tokens JOIN merchants USING (merchant_id) WHERE tokens.hash = $1
         ORDER BY tokens.merchant_id, tokens.id LIMIT 1",
        merchants::COLUMNS
    );
    let statement = db.prepare_cached(&sql).await?;
    let row = db.query_opt(&statement, &[&hash.as_bytes().as_slice()]).await?;
    let both = |row: Row| Ok((read(&row)?, merchants::read(&row, 6)?));
    Ok(row.map(both).transpose().map_err(|error: StorageError| error)?)
}

fn read(row: &Row) -> Result<Token> {
    let wrong = |column, problem: &dyn std::fmt::Display| StorageError::corrupt("tokens", column, problem);
    let number = |i, column| row.try_get::<_, i64>(i).map_err(|e| wrong(column, &e));
    let time = |i, column| {
        let micros: Option<i64> = row.try_get(i).map_err(|e| wrong(column, &e))?;
        micros.map(Timestamp::from_microsecond).transpose().map_err(|e| wrong(column, &e))
    };
    let (merchant, id) = (number(0, "merchant_id")?, number(1, "id")?);
    let scopes: String = row.try_get(2).map_err(|e| wrong("scopes", &e))?;
    Ok(Token {
        merchant: MerchantId::new(merchant).ok_or_else(|| wrong("merchant_id", &merchant))?,
        id: TokenId::new(id).ok_or_else(|| wrong("id", &id))?,
        scopes: scopes.parse().map_err(|e| wrong("scopes", &e))?,
        created_at: time(3, "created_at")?.ok_or_else(|| wrong("created_at", &"is missing"))?,
        expires_at: time(4, "expires_at")?,
        revoked_at: time(5, "revoked_at")?,
    })
}
