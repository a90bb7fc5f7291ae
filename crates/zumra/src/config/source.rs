//! The source of a setting, and which source wins.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::failure::Failure;

/// The settings file named by the command line or the environment, and the source of each flag's value.
#[derive(Debug, Default)]
pub(crate) struct CommandLine {
    /// The settings file that the command line or the environment names.
    pub(crate) settings_file: Option<PathBuf>,
    /// By setting key. Contains only the flags of the command that runs, which is the innermost subcommand.
    value_sources: BTreeMap<String, ValueSource>,
}

impl CommandLine {
    pub(crate) fn new(settings_file: Option<PathBuf>, mut matches: &ArgMatches) -> Self {
        while let Some((_, command)) = matches.subcommand() {
            matches = command;
        }
        let source = |id: &clap::Id| Some((id.to_string(), matches.value_source(id.as_str())?));
        Self { settings_file, value_sources: matches.ids().filter_map(source).collect() }
    }
}

/// The source of a value.
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

/// Returns the flag of a key: `--limits-readers` for `limits.readers`.
pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace(['.', '_'], "-"))
}

/// Returns the environment variable of a key: `ZUMRA_LIMITS_READERS` for `limits.readers`.
pub(super) fn variable(key: &str) -> String {
    format!("ZUMRA_{}", key.replace('.', "_").to_uppercase())
}

/// An effective setting, as `zumra config` prints it.
#[derive(Debug)]
pub(crate) struct EffectiveSetting {
    pub(crate) key: &'static str,
    /// `None` if it is off.
    pub(crate) value: Option<toml::Value>,
    pub(crate) source: Source,
}

/// A resolver of settings, which records each effective value with its source.
pub(super) struct Resolver<'a> {
    command_line: &'a CommandLine,
    file_path: Option<PathBuf>,
    /// The settings resolved so far.
    pub(super) effective: Vec<EffectiveSetting>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(command_line: &'a CommandLine, file_path: Option<PathBuf>) -> Self {
        Self { command_line, file_path, effective: Vec::new() }
    }

    /// Resolves a setting that may be off. `shown_default` is what `zumra config` prints if no source sets it.
    pub(super) fn optional<T: Display>(
        &mut self,
        key: &'static str,
        flag_value: Option<T>,
        file_value: Option<T>,
        shown_default: Option<String>,
    ) -> Option<T> {
        let (value, source) = self.pick(key, flag_value, file_value);
        let shown = value.as_ref().map(T::to_string).or(shown_default);
        self.effective.push(EffectiveSetting { key, value: shown.map(toml::Value::String), source });
        value
    }

    /// Resolves a setting that is a string in the file.
    pub(super) fn text<T: Display>(
        &mut self,
        key: &'static str,
        flag_value: Option<T>,
        file_value: Option<T>,
        default: T,
    ) -> T {
        self.optional(key, flag_value, file_value, Some(default.to_string())).unwrap_or(default)
    }

    /// Resolves a number and checks its bounds.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        flag_value: Option<T>,
        file_value: Option<T>,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, Failure>
    where
        T: Copy + PartialOrd + Display + TryInto<i64>,
    {
        let (value, source) = self.pick(key, flag_value, file_value);
        let value = value.unwrap_or(default);
        if !range.contains(&value) {
            let (min, max) = (range.start(), range.end());
            let problem = format!("must be from {min} to {max}, but {source} sets it to {value}");
            return Err(Failure::usage(format!("settings: {key}: {problem}")));
        }
        let shown = value.try_into().ok().map(toml::Value::Integer);
        self.effective.push(EffectiveSetting { key, value: shown, source });
        Ok(value)
    }

    /// Returns the value of the source that wins. Clap has already preferred a flag over its variable.
    fn pick<T>(&self, key: &str, flag_value: Option<T>, file_value: Option<T>) -> (Option<T>, Source) {
        match (flag_value, file_value, &self.file_path) {
            (Some(value), ..) => match self.command_line.value_sources.get(key) {
                Some(ValueSource::EnvVariable) => (Some(value), Source::Variable(variable(key))),
                _ => (Some(value), Source::Flag(flag(key))),
            },
            (None, Some(value), Some(path)) => (Some(value), Source::File(path.clone())),
            _ => (None, Source::Default),
        }
    }
}
