//! `zumra backup`: a copy of the database while it stays in use.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use zumra_storage::sqlite::SqliteStorage;

use crate::config::{self, DatabaseOption, Given};
use crate::database::Place;
use crate::failure::{Exit, Failure};
use crate::output::{say_json, say_line};

/// Copy the database to a file, while services go on using it
///
/// The copy is what the database was at one moment, and is on the disk when the command ends. It is a database like any
/// other: `zumra serve --database FILE` serves it. For the embedded engine only: PostgreSQL has tools of its own.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  zumra backup --database /var/lib/zumra/zumra.db /backup/zumra-$(date +%F).db")]
pub(crate) struct Command {
    /// Where to put the copy; no file may be there
    to: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseOption,
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        let database = config::database(given, self.database)?;
        let Place::File(from) = database.place()? else {
            let problem =
                "settings: database: PostgreSQL is backed up with its own tools, pg_dump or pg_basebackup";
            return Err(Failure::usage(problem).into());
        };
        if self.to.exists() {
            let problem = format!("{} is there already; name another file", self.to.display());
            return Err(Failure::new(Exit::Named, problem).into());
        }
        SqliteStorage::backup(from, &self.to).with_context(|| format!("database {}", from.display()))?;
        let bytes = std::fs::metadata(&self.to)?.len();
        if self.json {
            return say_json(&json!({ "file": self.to, "bytes": bytes }));
        }
        say_line(format_args!(
            "Copied {} to {}, {} KiB.",
            from.display(),
            self.to.display(),
            bytes.div_ceil(1024)
        ))
    }
}
