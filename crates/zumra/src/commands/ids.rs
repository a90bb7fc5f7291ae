//! `zumra ids`

use clap::Subcommand;
use serde_json::json;
use zumra_core::ASSIGNED_ID_MAX;
use zumra_storage::SKIPPED_IDS_DEFAULT;

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::{IfMissing, with_session};
use crate::output::{format_count, print_json, print_line};

/// Skip ids after a database was restored
#[derive(clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Skip(Skip),
}

/// Skip ids of all merchants, so that ids assigned after a backup are not assigned again
///
/// Run it once on a database that was restored from a copy of the file, a snapshot of the disk, or a dump or an archive
/// of PostgreSQL, before a service starts on it. A copy that `zumra backup` made does this by itself when it is used.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  zumra ids skip --database postgres://zumra@db.example/zumra")]
struct Skip {
    /// Ids to skip: more than any merchant has created since the backup. Each merchant has 2,147,483,647 ids of
    /// customers, of groups and of imports
    #[arg(long, default_value_t = SKIPPED_IDS_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=ASSIGNED_ID_MAX))]
    count: u32,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let Action::Skip(skip) = self.action;
        skip.run(command_line)
    }
}

impl Skip {
    fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        let count = self.count;
        let merchants = with_session(&database, IfMissing::Fail, async |session| {
            Ok(session.storage.skip_ids(count).await?)
        })?;
        if self.json {
            return print_json(&json!({ "skipped": count, "merchants": merchants }));
        }
        print_line(format_args!("Skipped {count} ids of {}.", format_count(merchants, "merchant")))
    }
}
