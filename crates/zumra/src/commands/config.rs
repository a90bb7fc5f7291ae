//! `zumra config`

use std::fmt::Write;

use crate::config::{self, DatabaseOptions, Effective, Given, LogStyle, Options};
use crate::output::say;

/// Print the settings in effect, and where each comes from
///
/// The output is a settings file: save it, change it, and give it back with --config. The password in the address of
/// a database is left out.
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
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        say(document(&config::settings(given, self.databases, self.options, LogStyle::Json)?.effective))
    }
}

fn document(settings: &[Effective]) -> String {
    let mut text = "# The settings in effect for `zumra serve`.\n".to_owned();
    let mut current = "";
    for Effective { key, value, source } in settings {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        // Writing to a String cannot fail.
        if section != current {
            let _ = writeln!(text, "\n[{section}]");
            current = section;
        }
        let _ = match value {
            Some(value) => writeln!(text, "{name} = {value}  # {source}"),
            None => writeln!(text, "# {name} is off  # {source}"),
        };
    }
    text
}
