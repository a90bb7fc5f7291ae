//! The schema: running migrations, and checking which ones a database has.

use deadpool_postgres::{Client, Pool};
use jiff::Timestamp;
use tokio_postgres::error::SqlState;

use super::errors::{AttemptError, AttemptResult};
use crate::migrate::{self, Migration};
use crate::{Result, StorageError};

/// Attempts to migrate while other processes migrate the same database.
const MIGRATE_ATTEMPTS: u32 = 5;

/// Runs outstanding migrations. Safe to run from several processes at once.
pub(super) async fn migrate(pool: &Pool, now: Timestamp) -> Result<()> {
    let mut client = pool.get().await.map_err(|error| AttemptError::from(error).into_storage_error())?;
    for _ in 1..MIGRATE_ATTEMPTS {
        match run_outstanding(&mut client, now).await {
            Err(AttemptError::Retryable(_)) => {}
            result => return result.map_err(AttemptError::into_storage_error),
        }
    }
    run_outstanding(&mut client, now).await.map_err(AttemptError::into_storage_error)
}

async fn run_outstanding(client: &mut Client, now: Timestamp) -> AttemptResult<()> {
    while let Some(migration) = outstanding(client).await?.first() {
        run(client, migration, now).await?;
    }
    Ok(())
}

/// Runs one migration unless another process runs it at the same time. Its row is inserted first: the second process
/// blocks on that key until the first one commits, and then skips the migration.
async fn run(client: &mut Client, migration: &Migration, now: Timestamp) -> AttemptResult<()> {
    client.batch_execute(TRACKING_TABLE).await.map_err(|error| match error.code() {
        // IF NOT EXISTS does not see a table that another transaction has not committed yet.
        Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT) => {
            concurrent_migration()
        }
        _ => error.into(),
    })?;
    let tx = client.transaction().await?;
    // A migration of a large database, or waiting for another process to run it, may exceed the statement timeout.
    tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let number = i32::try_from(migration.number).unwrap_or(i32::MAX);
    let inserted = tx
        .execute(
            "INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (number) DO NOTHING",
            &[&number, &migration.name, &migration.hash(), &now.as_microsecond()],
        )
        .await?;
    if inserted == 0 {
        return Ok(());
    }
    tx.batch_execute(migration.sql).await.map_err(|error| match error.code() {
        Some(&SqlState::DUPLICATE_TABLE) => StorageError::ForeignDatabase(
            "the database contains tables of another program; use a separate database".to_owned(),
        )
        .into(),
        _ => AttemptError::from(error),
    })?;
    Ok(tx.commit().await?)
}

fn concurrent_migration() -> AttemptError {
    AttemptError::Retryable(StorageError::Unavailable("another process is migrating the database".to_owned()))
}

const TRACKING_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer NOT NULL PRIMARY KEY,
    name       text    NOT NULL,
    hash       text    NOT NULL,
    applied_at bigint  NOT NULL
)";

/// Returns the migrations that the database does not have yet, oldest first.
pub(super) async fn outstanding(client: &Client) -> AttemptResult<&'static [Migration]> {
    let applied = client.query("SELECT number, hash FROM schema_migrations ORDER BY number", &[]).await;
    let applied = match applied {
        Ok(rows) => rows,
        Err(error) => match error.code() {
            Some(&SqlState::UNDEFINED_TABLE) => return Ok(migrate::POSTGRES),
            Some(&SqlState::UNDEFINED_COLUMN) => {
                return Err(StorageError::ForeignDatabase(
                    "the database belongs to another program".to_owned(),
                )
                .into());
            }
            _ => return Err(error.into()),
        },
    };
    let mut migrations = Vec::new();
    for row in applied {
        let number: i32 = row.try_get(0)?;
        migrations.push((number.unsigned_abs(), row.try_get(1)?));
    }
    Ok(migrate::outstanding(migrate::POSTGRES, &migrations)?)
}

/// Fails unless the schema is the one of this program.
pub(super) async fn require_newest_schema(client: &Client) -> Result<()> {
    require_schema(client).await?;
    match outstanding(client).await.map_err(AttemptError::into_storage_error)? {
        [] => Ok(()),
        _ => Err(migrate::schema_outdated()),
    }
}

/// Fails if the database has no Zumra schema, a newer one, or one of another program.
pub(super) async fn require_schema(client: &Client) -> Result<()> {
    let outstanding = outstanding(client).await.map_err(AttemptError::into_storage_error)?;
    if outstanding.len() == migrate::POSTGRES.len() {
        return Err(StorageError::ForeignDatabase("the database contains no zumra tables".to_owned()));
    }
    Ok(())
}
