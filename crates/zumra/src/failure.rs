//! Failures of commands: one line on standard error, and an exit code that scripts can rely on.

use std::io::Write;
use std::process::ExitCode;

use zumra_storage::StorageError;

/// An exit code. `zumra --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Any other error.
    Failed = 1,
    /// The command line, a setting or an input file is invalid.
    Usage = 2,
    /// The named object does not exist, already exists, or contradicts existing rows.
    NamedObject = 3,
    /// The database is unavailable, damaged, of a newer version, or of another program.
    Database = 4,
    /// `zumra doctor` reported a warning.
    Warning = 5,
}

/// An error with its exit code. Other errors get theirs from [`exit_code`].
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Returns the exit code of an error, with or without context.
fn exit_code(error: &anyhow::Error) -> Exit {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.exit;
    }
    match error.downcast_ref::<StorageError>() {
        Some(StorageError::NotFound(_) | StorageError::MissingGroup(_) | StorageError::Conflict(_)) => {
            Exit::NamedObject
        }
        Some(StorageError::Internal(_)) | None => Exit::Failed,
        Some(_) => Exit::Database,
    }
}

/// Prints the error to standard error and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // Standard error may be closed.
    let _ = writeln!(std::io::stderr(), "zumra: {error:#}");
    ExitCode::from(exit_code(error) as u8)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use zumra_storage::Resource;

    use super::*;

    #[test]
    fn context_keeps_the_exit_code() {
        let error = Err::<(), _>(StorageError::NotFound(Resource::Token)).context("merchant 5").unwrap_err();
        assert_eq!(
            (exit_code(&error), format!("{error:#}")),
            (Exit::NamedObject, "merchant 5: token not found".to_owned())
        );
        let error = anyhow::Error::from(Failure::usage("settings")).context("outer");
        assert_eq!(exit_code(&error), Exit::Usage);
    }
}
