//! Classification of PostgreSQL errors by what may be done about them.

use std::error::Error;
use std::fmt::Write;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::{Conflict, StorageError};

/// Constraints that two concurrent writers can violate although neither made a mistake: both chose the same id, or both
/// added the same membership. The violation rolls the writer back. Another attempt takes another id, or finds the row.
const RETRYABLE_CONSTRAINTS: [&str; 3] = ["operations_pkey", "tokens_pkey", "memberships_pkey"];

/// Why one attempt failed.
#[derive(Debug, Clone)]
pub(super) enum AttemptError {
    /// Nothing was written, and another attempt would fail as well.
    Permanent(StorageError),
    /// Nothing was written because of a concurrent writer. Another attempt may succeed.
    Retryable(StorageError),
    /// Nothing was written. The connection must be discarded, and an attempt on a new one may succeed.
    StaleConnection(StorageError),
    /// The connection is closed, does not reply or is out of sync, and must be discarded. If a commit was in flight,
    /// its outcome is unknown. Otherwise nothing was written, and another attempt may succeed.
    ConnectionLost(StorageError),
}

/// The result of one attempt.
pub(super) type AttemptResult<T> = Result<T, AttemptError>;

impl AttemptError {
    pub(super) fn into_storage_error(self) -> StorageError {
        match self {
            Self::Permanent(error)
            | Self::Retryable(error)
            | Self::StaleConnection(error)
            | Self::ConnectionLost(error) => error,
        }
    }

    /// Returns true if the connection must not be used again.
    pub(super) fn needs_new_connection(&self) -> bool {
        matches!(self, Self::StaleConnection(_) | Self::ConnectionLost(_))
    }

    /// Returns the error for a server that did not reply in time.
    pub(super) fn timeout() -> Self {
        Self::ConnectionLost(StorageError::Unavailable("the server did not reply in time".to_owned()))
    }

    /// Classifies the failure of a statement that commits. Only an error that the server itself reports proves that
    /// nothing was committed.
    pub(super) fn from_commit(error: tokio_postgres::Error) -> Self {
        let is_reply = error.as_db_error().is_some();
        if is_reply { error.into() } else { Self::from(error).into_connection_lost() }
    }

    /// Classifies a failure before a statement that commits was sent: a lost connection has changed nothing.
    pub(super) fn before_commit(error: tokio_postgres::Error) -> Self {
        match error.into() {
            Self::ConnectionLost(error) => Self::StaleConnection(error),
            error => error,
        }
    }

    /// Marks the outcome as unknown, because the failure came after a statement that commits was sent.
    pub(super) fn into_connection_lost(self) -> Self {
        Self::ConnectionLost(self.into_storage_error())
    }
}

impl From<StorageError> for AttemptError {
    fn from(error: StorageError) -> Self {
        Self::Permanent(error)
    }
}

impl From<Conflict> for AttemptError {
    fn from(conflict: Conflict) -> Self {
        Self::Permanent(conflict.into())
    }
}

impl From<tokio_postgres::Error> for AttemptError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = describe(&error);
        let Some(reply) = error.as_db_error() else {
            // Not an error reply of the server: the connection is gone, or the client misread a value.
            let is_lost = error.is_closed() || is_caused_by_io(&error);
            return if is_lost {
                Self::ConnectionLost(StorageError::Unavailable(text))
            } else {
                Self::Permanent(StorageError::Internal(text))
            };
        };
        let code = reply.code();
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            return Self::Retryable(StorageError::Unavailable(text));
        }
        if *code == SqlState::UNIQUE_VIOLATION
            && reply.constraint().is_some_and(|name| RETRYABLE_CONSTRAINTS.contains(&name))
        {
            return Self::Retryable(StorageError::Unavailable(text));
        }
        if is_stale(code) {
            return Self::StaleConnection(StorageError::Unavailable(text));
        }
        if is_lost(code) {
            return Self::ConnectionLost(StorageError::Unavailable(text));
        }
        if is_unavailable(code) {
            return Self::Permanent(StorageError::Unavailable(text));
        }
        Self::Permanent(StorageError::Internal(text))
    }
}

impl From<PoolError> for AttemptError {
    /// Converts to [`AttemptError::Permanent`]: no connection was obtained, so nothing was written.
    fn from(error: PoolError) -> Self {
        Self::Permanent(StorageError::Unavailable(match error {
            PoolError::Closed => "the storage is closed".to_owned(),
            PoolError::Backend(error) => describe(&error),
            PoolError::Timeout(_) => "no connection within the time limit".to_owned(),
            other => other.to_string(),
        }))
    }
}

/// Returns true if the statement failed because of the connection, so that it can succeed on a new one.
fn is_stale(code: &SqlState) -> bool {
    let codes = [
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        // This server is not the primary, or no longer. The next connection may find the primary.
        SqlState::READ_ONLY_SQL_TRANSACTION,
        // A schema change or a pooler dropped a prepared statement. A new connection prepares it again.
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::FEATURE_NOT_SUPPORTED,
    ];
    codes.contains(code)
}

/// Returns true if the connection ends with this code, which may come after a commit.
fn is_lost(code: &SqlState) -> bool {
    let codes = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        // Distributed databases reply this if a node fails during a commit.
        SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
    ];
    // Class 08: connection exceptions.
    codes.contains(code) || code.code().starts_with("08")
}

/// Returns true if the code describes the state of the database rather than the request.
fn is_unavailable(code: &SqlState) -> bool {
    // Classes: 53 insufficient resources, 57 operator intervention (including the statement timeout), 58 system errors,
    // 28 failed authentication.
    let classes = ["53", "57", "58", "28"];
    classes.contains(&&code.code()[..2])
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::INVALID_CATALOG_NAME].contains(code)
}

fn is_caused_by_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<std::io::Error>)
}

/// Returns the error in one line: the server's message and code, or the chain of causes. Never the server's detail,
/// which quotes rows.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(reply) = error.as_db_error() {
        return format!("{} ({})", reply.message(), reply.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some errors already end with the message of their cause.
        if !text.ends_with(&message) {
            let _ = write!(text, ": {message}"); // writing to a string cannot fail
        }
        cause = error.source();
    }
    text
}

/// Returns the name of the unique constraint that a statement violated, if that is why it failed.
pub(super) fn violated_constraint(error: &tokio_postgres::Error) -> Option<&str> {
    let reply = error.as_db_error().filter(|reply| *reply.code() == SqlState::UNIQUE_VIOLATION)?;
    reply.constraint()
}
