//! `zumra load`: whole shops from a fixture file. How a file is read and loaded, `zumra dev` shares.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use zumra_core::MerchantId;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_storage::{LoadOutcome, StorageError};

use crate::config::{self, DatabaseOption, Given};
use crate::database::{IfMissing, Session, with_session};
use crate::failure::Failure;
use crate::output::{count, say_json, say_line};

/// Loads that are on their way at once. They share commits, so a file of many small shops does not wait for the
/// disk once a shop; and it stays far below what may wait for the writer.
const AT_ONCE: usize = 64;

/// Load shops from a JSON file: customers, groups, memberships and tokens
///
/// What is missing is added, what differs is changed, what the file does not name stays. Loading a file twice changes
/// nothing the second time. Each shop is loaded completely or not at all. This works while the service runs.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  zumra load shops.json
  generate-shops | zumra load - --database /var/lib/zumra/zumra.db

The form of the file, in which only ids, names and first names are required:
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

The groups of a customer must be in the file too.")]
pub(crate) struct Command {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseOption,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        let database = config::database(given, self.database)?;
        let fixtures = read(&self.file)?;
        let name = name(&self.file);
        let merchants = fixtures.len();
        let groups: usize = fixtures.iter().map(|fixture| fixture.groups.len()).sum();
        let customers: usize = fixtures.iter().map(|fixture| fixture.customers.len()).sum();
        let loaded =
            with_session(&database, IfMissing::Make, async |session| load(session, fixtures, &name).await)?;
        if self.json {
            return say_json(&json!({
                "merchants": merchants,
                "groups": groups,
                "customers": customers,
                "changes": loaded.changes,
                "changed_merchants": loaded.changed_merchants,
            }));
        }
        let changes = match loaded.changes {
            0 => "nothing differed, so nothing was changed".to_owned(),
            n => {
                let rows = if n == 1 { "row was" } else { "rows were" };
                format!("{n} {rows} added or changed, in {}", count(loaded.changed_merchants, "merchant"))
            }
        };
        say_line(format_args!(
            "Loaded {name}: {}, {}, {}; {changes}.",
            count(merchants, "merchant"),
            count(groups, "group"),
            count(customers, "customer"),
        ))
    }
}

/// The file's name in sentences.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Reads a fixture file, or standard input.
pub(super) fn read(file: &Path) -> Result<Vec<MerchantFixture>, Failure> {
    let mut json = Vec::new();
    let reading = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut json).map(drop)
    } else {
        std::fs::read(file).map(|bytes| json = bytes)
    };
    let name = name(file);
    reading.map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    fixture::parse(&json).map_err(|error| Failure::usage(format!("{name}: {error}")))
}

/// What all loads together came to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Total {
    /// Rows that were added or changed.
    changes: u64,
    /// Merchants of which a row was added or changed.
    changed_merchants: usize,
    /// Merchants that are now as the file says.
    merchants: usize,
}

impl Total {
    fn add(&mut self, loaded: LoadOutcome) {
        self.changes += loaded.changes;
        self.changed_merchants += usize::from(loaded.changes > 0);
        self.merchants += 1;
    }
}

/// Loads shops, several at once. After a failure it begins no more, lets those on their way finish, and reports the
/// failure that stands first in the file.
pub(super) async fn load(
    session: &Session,
    fixtures: Vec<MerchantFixture>,
    name: &str,
) -> anyhow::Result<Total> {
    let all = fixtures.len();
    let mut waiting = fixtures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut total = Total::default();
    let mut failed: Option<(usize, MerchantId, StorageError)> = None;
    loop {
        while failed.is_none()
            && running.len() < AT_ONCE
            && let Some((i, fixture)) = waiting.next()
        {
            let (storage, operation) = (Arc::clone(&session.storage), session.operation());
            running.spawn(async move {
                let merchant = fixture.merchant.id;
                (i, merchant, storage.load_fixture(fixture, operation).await)
            });
        }
        let Some(done) = running.join_next().await else { break };
        match done? {
            (.., Ok(loaded)) => total.add(loaded),
            (i, merchant, Err(error)) if failed.as_ref().is_none_or(|(first, ..)| i < *first) => {
                failed = Some((i, merchant, error));
            }
            _ => {}
        }
    }
    let Some((i, merchant, error)) = failed else { return Ok(total) };
    let done = format!("{} of {} loaded", total.merchants, count(all, "merchant"));
    Err(anyhow::Error::from(error).context(format!("{name}: {done}; merchants[{i}] (id {merchant}) was not")))
}
