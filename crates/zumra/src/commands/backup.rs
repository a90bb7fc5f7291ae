//! `zumra backup`

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use zumra_core::{Clock, SystemClock};
use zumra_storage::sqlite::SqliteStorage;

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::DatabaseLocation;
use crate::failure::{Exit, Failure};
use crate::output::{print_json, print_line};

/// Copy a SQLite database to a file while services use it
///
/// The copy is a consistent snapshot and is durable when the command ends. Open it like any database:
/// `zumra serve --database FILE`. The first command that can write to the copy skips ids, so that ids assigned after the
/// backup are not assigned again. Back up PostgreSQL with its own tools.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  zumra backup --database /var/lib/zumra/zumra.db /backup/zumra-$(date +%F).db")]
pub(crate) struct Command {
    /// Path of the copy; must not exist
    to: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseOption,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        let DatabaseLocation::File(path) = database.location()? else {
            let problem =
                "settings: database: back up PostgreSQL with its own tools, pg_dump or pg_basebackup";
            return Err(Failure::usage(problem).into());
        };
        if self.to.exists() {
            let problem = format!("{} already exists; choose another path", self.to.display());
            return Err(Failure::new(Exit::NamedObject, problem).into());
        }
        SqliteStorage::backup(path, &self.to, SystemClock.now())
            .with_context(|| format!("database {}", path.display()))?;
        let bytes = std::fs::metadata(&self.to)?.len();
        if self.json {
            return print_json(&json!({ "file": self.to, "bytes": bytes }));
        }
        print_line(format_args!(
            "Copied {} to {}, {} KiB.",
            path.display(),
            self.to.display(),
            bytes.div_ceil(1024)
        ))
    }
}
