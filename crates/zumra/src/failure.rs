//! How a command fails: one sentence on standard error, and an exit code that scripts can rely on.

use std::io::Write;
use std::process::ExitCode;

use zumra_storage::StorageError;

/// What the exit code says. `zumra --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something unexpected.
    Failed = 1,
    /// The command line, a setting or an input file is wrong.
    Usage = 2,
    /// What was named does not exist, or exists already.
    Named = 3,
    /// The database is unavailable, newer, foreign or damaged.
    Database = 4,
    /// `zumra doctor` found something.
    Attention = 5,
}

/// A failure whose exit code is known where it happens.
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

/// The exit code of an error.
fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.exit;
    }
    match error.downcast_ref::<StorageError>() {
        Some(StorageError::NotFound(_) | StorageError::MissingGroup(_) | StorageError::Conflict(_)) => {
            Exit::Named
        }
        Some(StorageError::Internal(_)) | None => Exit::Failed,
        Some(_) => Exit::Database,
    }
}

/// Says the error on standard error and gives its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "zumra: {error:#}");
    ExitCode::from(exit_of(error) as u8)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use zumra_storage::Resource;

    use super::*;

    #[test]
    fn context_does_not_hide_the_exit_code() {
        let error = Err::<(), _>(StorageError::NotFound(Resource::Token)).context("merchant 5").unwrap_err();
        assert_eq!(
            (exit_of(&error), format!("{error:#}")),
            (Exit::Named, "merchant 5: token not found".to_owned())
        );
        let error = anyhow::Error::from(Failure::usage("settings")).context("outer");
        assert_eq!(exit_of(&error), Exit::Usage);
    }
}
