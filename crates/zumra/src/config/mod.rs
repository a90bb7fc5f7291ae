//! Settings: flags override environment variables (`ZUMRA_…`), variables override a TOML file, and the file overrides
//! the defaults.
//!
//! What belongs here: every setting and its bounds, and the order of the sources. One name leads to the others:
//! `limits.body_bytes` is the key, `--limits-body-bytes` the flag, `ZUMRA_LIMITS_BODY_BYTES` the variable.

mod file;
mod options;
mod resolve;
mod settings;
mod source;
mod usage;
mod values;

pub(crate) use options::{DatabaseOption, DatabaseOptions, Options};
pub(crate) use resolve::{database, settings};
pub(crate) use settings::Settings;
pub(crate) use source::{CommandLine, EffectiveSetting};
pub(crate) use usage::explain_invalid_variable;
pub(crate) use values::LogStyle;
