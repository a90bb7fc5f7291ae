//! Usage errors for values from environment variables. Clap's own message would name a flag.

use std::error::Error;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

use super::source::variable;

/// Returns the error message if the invalid value came from an environment variable, or `None` for other errors.
pub(crate) fn explain_invalid_variable(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    let flag = argument.split_whitespace().next()?;
    let is_flag = |argument: OsString| argument.to_string_lossy().split('=').next() == Some(flag);
    if !flag.starts_with("--") || std::env::args_os().any(is_flag) {
        return None;
    }
    let variable = variable(&flag.trim_start_matches('-').replace('-', "_"));
    let problem = error.source().map_or("a value is required".to_owned(), ToString::to_string);
    Some(format!("settings: {variable}: invalid value {value:?}: {problem}"))
}
