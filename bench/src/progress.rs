//! Progress messages on standard error; results go to standard output.

/// Prints one progress message.
#[expect(clippy::print_stderr, reason = "a command-line program reports progress on standard error")]
pub(crate) fn progress(message: &str) {
    eprintln!("· {message}");
}
