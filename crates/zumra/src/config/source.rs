//! Where a setting comes from, and which source wins.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;

use super::within;
use crate::failure::Failure;

/// What a person gave at the start: which file, and by which way each flag got its value.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The settings file that was named.
    pub(crate) file: Option<PathBuf>,
    flags: BTreeMap<String, ValueSource>,
}

impl Given {
    /// What the command line and the environment gave to the command that is to run.
    pub(crate) fn new(file: Option<PathBuf>, mut matches: &ArgMatches) -> Self {
        while let Some((_, command)) = matches.subcommand() {
            matches = command;
        }
        let source = |id: &clap::Id| Some((id.to_string(), matches.value_source(id.as_str())?));
        Self { file, flags: matches.ids().filter_map(source).collect() }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(String),
    Variable(String),
    File(PathBuf),
    Default,
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(variable) => f.write_str(variable),
            Self::File(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The flag of a key.
pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace(['.', '_'], "-"))
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("ZUMRA_{}", key.replace('.', "_").to_uppercase())
}

/// A setting in effect.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) key: &'static str,
    /// Nothing if it is off.
    pub(crate) value: Option<toml::Value>,
    pub(crate) source: Source,
}

/// Picks the winner for one setting after another, and remembers who it was.
pub(super) struct Chooser<'a> {
    given: &'a Given,
    file: Option<PathBuf>,
    pub(super) effective: Vec<Effective>,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(given: &'a Given, file: Option<PathBuf>) -> Self {
        Self { given, file, effective: Vec::new() }
    }

    /// A setting that may be off; `otherwise` is what to show when nobody set it.
    pub(super) fn optional<T: Display>(
        &mut self,
        key: &'static str,
        flag: Option<T>,
        file: Option<T>,
        otherwise: Option<String>,
    ) -> Option<T> {
        let (value, source) = self.pick(key, flag, file);
        let shown = value.as_ref().map(T::to_string).or(otherwise);
        self.effective.push(Effective { key, value: shown.map(toml::Value::String), source });
        value
    }

    /// A setting that is a text in the file.
    pub(super) fn text<T: Display>(
        &mut self,
        key: &'static str,
        flag: Option<T>,
        file: Option<T>,
        default: T,
    ) -> T {
        self.optional(key, flag, file, Some(default.to_string())).unwrap_or(default)
    }

    /// A number with bounds.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        flag: Option<T>,
        file: Option<T>,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, Failure>
    where
        T: Copy + PartialOrd + Display + TryInto<i64>,
    {
        let (value, source) = self.pick(key, flag, file);
        let value = value.unwrap_or(default);
        within(&value, &range).map_err(|problem| {
            Failure::usage(format!("settings: {key}: {problem}, and {source} says {value}"))
        })?;
        let shown = value.try_into().ok().map(toml::Value::Integer);
        self.effective.push(Effective { key, value: shown, source });
        Ok(value)
    }

    fn pick<T>(&self, key: &str, flag_value: Option<T>, file_value: Option<T>) -> (Option<T>, Source) {
        match (flag_value, file_value, &self.file) {
            (Some(value), ..) => match self.given.flags.get(key) {
                Some(ValueSource::EnvVariable) => (Some(value), Source::Variable(variable(key))),
                _ => (Some(value), Source::Flag(flag(key))),
            },
            (None, Some(value), Some(path)) => (Some(value), Source::File(path.clone())),
            _ => (None, Source::Default),
        }
    }
}

/// The sentence for a bad value that came from the environment. The parser of the command line speaks of flags, and
/// the person who set a variable gave none.
pub(crate) fn blamed_variable(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    let flag = argument.split_whitespace().next()?;
    let given = |argument: std::ffi::OsString| {
        let argument = argument.to_string_lossy();
        argument.split('=').next() == Some(flag)
    };
    if !flag.starts_with("--") || std::env::args_os().any(given) {
        return None;
    }
    let variable = variable(&flag.trim_start_matches('-').replace('-', "_"));
    let problem =
        std::error::Error::source(error).map_or("a value is required".to_owned(), ToString::to_string);
    Some(format!("settings: {variable}: {value:?} does not do: {problem}"))
}
