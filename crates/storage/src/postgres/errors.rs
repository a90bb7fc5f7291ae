//! How PostgreSQL fails, and what follows from it.

use std::error::Error;
use std::fmt::Write;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::{Conflict, StorageError};

/// The constraints whose violation means that two writers chose one id, or added one membership; nothing was written, and
/// another try chooses another, or finds it there.
const KEYS_IN_THE_WAY: [&str; 3] = ["operations_pkey", "tokens_pkey", "memberships_pkey"];

/// Why one try failed, sorted by what may be done about it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Trying again would fail again.
    Final(StorageError),
    /// Nothing was written, and another try may succeed: another writer was in the way.
    InTheWay(StorageError),
    /// The connection is gone, and with it the answer. If a commit was on its way, it may have been done.
    Lost(StorageError),
}

/// The result of one try.
pub(super) type Try<T> = Result<T, Failure>;

impl Failure {
    pub(super) fn into_error(self) -> StorageError {
        match self {
            Self::Final(error) | Self::InTheWay(error) | Self::Lost(error) => error,
        }
    }

    /// The same once more, for each of those who shared what failed.
    pub(super) fn again(&self) -> Self {
        let again = |error: &StorageError| match error {
            StorageError::Unavailable(why) => StorageError::Unavailable(why.clone()),
            StorageError::Internal(why) => StorageError::Internal(why.clone()),
            other => StorageError::Internal(other.to_string()),
        };
        match self {
            Self::Final(error) => Self::Final(again(error)),
            Self::InTheWay(error) => Self::InTheWay(again(error)),
            Self::Lost(error) => Self::Lost(again(error)),
        }
    }

    /// The connection did not answer in time.
    pub(super) fn silent() -> Self {
        Self::Lost(StorageError::Unavailable("it did not answer in time".to_owned()))
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Final(error)
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::Final(conflict.into())
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = explain(&error);
        let Some(refusal) = error.as_db_error() else {
            // Without an answer of the server's: either the connection is gone, or the two do not understand
            // each other.
            let broken = error.is_closed() || source_is_io(&error);
            return if broken {
                Self::Lost(StorageError::Unavailable(text))
            } else {
                Self::Final(StorageError::Internal(text))
            };
        };
        let code = refusal.code();
        if is_one_of(code, &[SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED]) {
            return Self::InTheWay(StorageError::Unavailable(text));
        }
        if *code == SqlState::UNIQUE_VIOLATION
            && refusal.constraint().is_some_and(|name| KEYS_IN_THE_WAY.contains(&name))
        {
            return Self::InTheWay(StorageError::Unavailable(text));
        }
        // A connection that may only read leads to a server that is not, or no more, the primary: the next
        // connection may find it.
        let ends = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // A prepared statement that the schema or a pooler has taken away: a fresh connection prepares anew.
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
        ];
        if is_one_of(code, &ends) || code.code().starts_with("08") {
            return Self::Lost(StorageError::Unavailable(text));
        }
        if is_unavailable(code) {
            return Self::Final(StorageError::Unavailable(text));
        }
        Self::Final(StorageError::Internal(text))
    }
}

impl From<PoolError> for Failure {
    /// No connection was to be had, so nothing was begun.
    fn from(error: PoolError) -> Self {
        Self::Final(StorageError::Unavailable(match error {
            PoolError::Closed => "it is closed".to_owned(),
            PoolError::Backend(error) => explain(&error),
            PoolError::Timeout(_) => "no connection within the time limit".to_owned(),
            other => other.to_string(),
        }))
    }
}

/// States that say nothing about the request, only about the database.
fn is_unavailable(code: &SqlState) -> bool {
    // Classes: 53 insufficient resources, 57 operator intervention (a statement's time limit among them), 58 errors
    // of the system, 28 refused log-ins.
    let classes = ["53", "57", "58", "28"];
    classes.contains(&&code.code()[..2])
        || is_one_of(code, &[SqlState::LOCK_NOT_AVAILABLE, SqlState::INVALID_CATALOG_NAME])
}

fn is_one_of(code: &SqlState, codes: &[SqlState]) -> bool {
    codes.contains(code)
}

fn source_is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<std::io::Error>)
}

/// The error in one line: the server's sentence and code, or the chain of causes. Never the server's detail, which
/// quotes rows.
pub(super) fn explain(error: &tokio_postgres::Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} ({})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail. Some errors repeat their cause, which is said once.
        let said = error.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

/// The unique key of a table that refused a row, if that is why a statement failed.
pub(super) fn violated(error: &tokio_postgres::Error) -> Option<&str> {
    let refusal = error.as_db_error().filter(|refusal| *refusal.code() == SqlState::UNIQUE_VIOLATION)?;
    refusal.constraint()
}
