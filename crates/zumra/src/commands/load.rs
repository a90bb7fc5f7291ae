//! `zumra load`: merchants from a fixture file. `zumra dev` shares the reading and loading.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use zumra_core::MerchantId;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_storage::{LoadOutcome, StorageError};

use crate::config::{self, CommandLine, DatabaseOption};
use crate::database::{IfMissing, Session, with_session};
use crate::failure::Failure;
use crate::output::{format_count, print_json, print_line};

/// Concurrent loads. They share group commits, so a file of many small merchants does not need one fsync for each. Far
/// below the limit of the write queue.
const CONCURRENCY: usize = 64;

/// Load shops from a JSON file: customers, groups, memberships and tokens
///
/// Inserts missing rows and updates different ones; rows that the file does not name are kept. Loading a file again changes
/// nothing. Each merchant is loaded in one transaction. Works while a service uses the database.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  zumra load shops.json
  generate-shops | zumra load - --database /var/lib/zumra/zumra.db

Format of the file. Only ids, names and first names are required:
  {\"merchants\": [{
    \"id\": 1305146709, \"name\": \"My shop\", \"plan\": \"pro\",
    \"time_zone\": \"Asia/Riyadh\", \"domain\": \"shop.example\",
    \"tokens\": [{
      \"token\": \"a-secret-of-16-characters-or-more\",
      \"scopes\": [\"customers.read_write\"],
      \"expires_at\": \"2030-01-01T00:00:00Z\"}],
    \"groups\": [{\"id\": 667738032, \"name\": \"VIP\"}],
    \"customers\": [{
      \"id\": 447121768, \"first_name\": \"Sara\", \"last_name\": \"Ali\",
      \"mobile\": \"512345678\", \"mobile_code\": \"+966\",
      \"email\": \"sara@example.com\", \"gender\": \"female\",
      \"birthday\": \"1997-06-03\", \"city\": \"Jeddah\",
      \"location\": \"1 Sea Street\", \"groups\": [667738032]}]}]}

The file must contain the groups of its customers.")]
pub(crate) struct Command {
    /// Fixture file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let database = config::database(command_line, self.database)?;
        let fixtures = read(&self.file)?;
        let name = display_name(&self.file);
        let merchants = fixtures.len();
        let groups: usize = fixtures.iter().map(|fixture| fixture.groups.len()).sum();
        let customers: usize = fixtures.iter().map(|fixture| fixture.customers.len()).sum();
        let loaded =
            with_session(&database, IfMissing::Create, async |session| load(session, fixtures, &name).await)?;
        if self.json {
            return print_json(&json!({
                "merchants": merchants,
                "groups": groups,
                "customers": customers,
                "changes": loaded.changes,
                "changed_merchants": loaded.changed_merchants,
            }));
        }
        let changes = match loaded.changes {
            0 => "nothing was changed".to_owned(),
            changes => {
                let rows = if changes == 1 { "row was" } else { "rows were" };
                format!(
                    "{changes} {rows} inserted or updated, in {}",
                    format_count(loaded.changed_merchants, "merchant")
                )
            }
        };
        print_line(format_args!(
            "Loaded {name}: {}, {}, {}; {changes}.",
            format_count(merchants, "merchant"),
            format_count(groups, "group"),
            format_count(customers, "customer"),
        ))
    }
}

/// Returns the name of the file in messages.
pub(super) fn display_name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Reads and parses a fixture file, or standard input.
fn read(file: &Path) -> Result<Vec<MerchantFixture>, Failure> {
    parse(&read_bytes(file)?, file)
}

/// Parses what [`read_bytes`] has read. Errors contain the name of `file`.
pub(super) fn parse(json: &[u8], file: &Path) -> Result<Vec<MerchantFixture>, Failure> {
    fixture::parse(json).map_err(|error| Failure::usage(format!("{}: {error}", display_name(file))))
}

/// Reads a fixture file, or standard input.
pub(super) fn read_bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut json = Vec::new();
    let reading = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut json).map(drop)
    } else {
        std::fs::read(file).map(|bytes| json = bytes)
    };
    reading.map_err(|error| Failure::usage(format!("cannot read {}: {error}", display_name(file))))?;
    Ok(json)
}

/// The sum of all loads.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Total {
    /// Inserted and updated rows.
    changes: u64,
    /// Merchants with inserted or updated rows.
    changed_merchants: usize,
    /// Merchants whose load succeeded.
    merchants: usize,
}

impl Total {
    fn add(&mut self, loaded: LoadOutcome) {
        self.changes += loaded.changes;
        self.changed_merchants += usize::from(loaded.changes > 0);
        self.merchants += 1;
    }
}

/// Loads merchants, [`CONCURRENCY`] at a time. After an error it starts no further loads, waits for the running ones, and
/// returns the error of the merchant that is first in the file.
pub(super) async fn load(
    session: &Session,
    fixtures: Vec<MerchantFixture>,
    name: &str,
) -> anyhow::Result<Total> {
    let all = fixtures.len();
    let mut pending = fixtures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut total = Total::default();
    let mut failed: Option<(usize, MerchantId, StorageError)> = None;
    loop {
        while failed.is_none()
            && running.len() < CONCURRENCY
            && let Some((index, fixture)) = pending.next()
        {
            let (storage, operation) = (Arc::clone(&session.storage), session.operation());
            running.spawn(async move {
                let merchant = fixture.merchant.id;
                (index, merchant, storage.load_fixture(fixture, operation).await)
            });
        }
        let Some(done) = running.join_next().await else { break };
        match done? {
            (.., Ok(loaded)) => total.add(loaded),
            (index, merchant, Err(error)) if failed.as_ref().is_none_or(|(first, ..)| index < *first) => {
                failed = Some((index, merchant, error));
            }
            _ => {}
        }
    }
    let Some((index, merchant, error)) = failed else { return Ok(total) };
    let progress = format!("{} of {} loaded", total.merchants, format_count(all, "merchant"));
    Err(anyhow::Error::from(error)
        .context(format!("{name}: {progress}; merchants[{index}] (id {merchant}) failed")))
}
