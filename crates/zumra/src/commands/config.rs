//! `zumra config`

use std::fmt::Write;

use crate::config::{self, CommandLine, DatabaseOptions, EffectiveSetting, LogStyle, Options};
use crate::output::print;

/// Print the effective settings and their sources
///
/// The output is a settings file for --config. The password in a database URL is replaced by ***.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  zumra config\n  ZUMRA_LIMITS_READERS=8 zumra config --listen 0.0.0.0:80"
)]
pub(crate) struct Command {
    #[command(flatten)]
    databases: DatabaseOptions,
    #[command(flatten)]
    options: Options,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        print(format_settings(
            &config::settings(command_line, self.databases, self.options, LogStyle::Json)?.effective,
        ))
    }
}

fn format_settings(settings: &[EffectiveSetting]) -> String {
    let mut text = "# Effective settings of `zumra serve`.\n".to_owned();
    let mut current_section = "";
    for EffectiveSetting { key, value, source } in settings {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        // Writing to a String cannot fail.
        if section != current_section {
            let _ = writeln!(text, "\n[{section}]");
            current_section = section;
        }
        let _ = match value {
            Some(value) => writeln!(text, "{name} = {value}  # {source}"),
            None => writeln!(text, "# {name} is off  # {source}"),
        };
    }
    text
}
