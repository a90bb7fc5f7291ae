//! `zumra doctor`: checks what a service depends on, and prints advice.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use zumra_core::{Clock, SystemClock};
use zumra_storage::Inspection;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::SqliteStorage;

use crate::config::{self, CommandLine, DatabaseOptions, LogStyle, Options, Settings};
use crate::database::{self, Database, DatabaseLocation};
use crate::failure::{Exit, Failure};
use crate::output::{format_count, format_minute, print, print_json};

/// Free disk space below this is a warning.
const FREE_BYTES_MIN: u64 = 512 << 20;
/// A slower fsync than this is a warning, because every group commit waits for one.
const FSYNC_TIME_MAX: Duration = Duration::from_millis(250);
/// Accepted lead of the newest operation over the clock: services on other hosts have their own clocks.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Check settings, database, disk and clock, and print what to do
///
/// Works while a service uses the database, and changes nothing. The exit code is 0 if all checks are ok, and 5 if one
/// is a warning.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  zumra doctor --database /var/lib/zumra/zumra.db")]
pub(crate) struct Command {
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    databases: DatabaseOptions,
    #[command(flatten)]
    options: Options,
}

/// The name of the check of the database, the same for both engines.
const DATABASE: &str = "database";

/// The result of one check.
struct Check {
    name: &'static str,
    finding: String,
    /// What to do. `None` if the check is ok.
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, finding: finding.into(), advice: None }
    }

    fn warning(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, finding: finding.into(), advice: Some(advice.into()) }
    }
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let checks = match config::settings(command_line, self.databases, self.options, LogStyle::Json) {
            Ok(settings) => run_checks(&settings),
            Err(error) => vec![invalid_settings(&error)],
        };
        let warnings = checks.iter().filter(|check| check.advice.is_some()).count();
        if self.json {
            let check_to_json = |check: &Check| {
                json!({
                    "name": check.name,
                    "ok": check.advice.is_none(),
                    "finding": check.finding,
                    "advice": check.advice,
                })
            };
            print_json(
                &json!({ "ok": warnings == 0, "checks": checks.iter().map(check_to_json).collect::<Vec<_>>() }),
            )?;
        } else {
            print(checks.iter().map(format_check).collect::<String>())?;
        }
        if warnings == 0 {
            return Ok(());
        }
        let summary = format!(
            "doctor: {} in {}",
            format_count(warnings, "warning"),
            format_count(checks.len(), "check")
        );
        Err(Failure::new(Exit::Warning, summary).into())
    }
}

fn format_check(check: &Check) -> String {
    let Check { name, finding, advice } = check;
    match advice {
        None => format!("ok       {name:<9} {finding}\n"),
        Some(advice) => format!("warning  {name:<9} {finding}\n         {:<9} Do: {advice}\n", ""),
    }
}

fn invalid_settings(error: &Failure) -> Check {
    let error = error.to_string();
    let finding = error.strip_prefix("settings: ").unwrap_or(&error).to_owned();
    Check::warning("settings", finding, "correct the setting; the other checks did not run")
}

fn run_checks(settings: &Settings) -> Vec<Check> {
    let location = match settings.database_location() {
        Ok(location) => location,
        Err(error) => return vec![invalid_settings(&error)],
    };
    let finding = match &settings.file {
        Some(file) => format!("{}, flags and environment variables are valid", file.display()),
        None => "valid; there is no settings file".to_owned(),
    };
    let mut checks = vec![Check::ok("settings", finding)];
    let (database, inspection) = match &location {
        DatabaseLocation::File(path) => check_file(path),
        DatabaseLocation::Server(options) => check_server(&settings.database, options),
    };
    checks.push(database);
    if let DatabaseLocation::File(path) = location {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new("."));
        checks.extend([check_space(directory), check_fsync(directory)]);
    }
    let newest_operation = inspection.and_then(|inspection| inspection.newest_operation);
    checks.push(check_clock(SystemClock.now(), newest_operation));
    checks
}

fn check_server(name: &Database, options: &PostgresOptions) -> (Check, Option<Inspection>) {
    let inspected =
        database::runtime().and_then(|runtime| Ok(runtime.block_on(PostgresStorage::inspect(options))?));
    match inspected {
        Ok(inspection) => (check_inspection(name, &inspection), Some(inspection)),
        Err(error) => {
            let advice = "check the server and its log, pass another URL with --database, or create the tables with `zumra serve`";
            (Check::warning(DATABASE, format!("{name}: {error}"), advice), None)
        }
    }
}

fn check_inspection(name: &dyn Display, inspection: &Inspection) -> Check {
    if !inspection.problems.is_empty() {
        let finding = format!("{name} is damaged: {}", inspection.problems.join("; "));
        let advice = "stop the service, keep a copy of the database, and restore a backup";
        return Check::warning(DATABASE, finding, advice);
    }
    let finding = format!(
        "{name} is intact: {}, schema {}, {}, {}, {}",
        inspection.engine,
        inspection.schema,
        format_count(inspection.merchants, "merchant"),
        format_count(inspection.customers, "customer"),
        format_count(inspection.memberships, "membership"),
    );
    Check::ok(DATABASE, finding)
}

fn check_file(path: &Path) -> (Check, Option<Inspection>) {
    // A check must change nothing, but SQLite would create a missing file and initialize an empty one.
    match std::fs::metadata(path) {
        Ok(file) if file.len() > 0 => {}
        Ok(_) => {
            let advice = "create a database in it with `zumra serve`; if it had one, restore a backup";
            return (Check::warning(DATABASE, format!("{} is empty", path.display()), advice), None);
        }
        Err(error) => {
            let advice = "pass another path with --database, or create it with `zumra serve`";
            return (Check::warning(DATABASE, format!("{}: {error}", path.display()), advice), None);
        }
    }
    let inspection = match SqliteStorage::inspect(path) {
        Ok(inspection) => inspection,
        Err(error) => {
            let finding = format!("{}: {error}", path.display());
            let advice =
                "use the program that wrote it, pass another path with --database, or restore a backup";
            return (Check::warning(DATABASE, finding, advice), None);
        }
    };
    (check_inspection(&path.display(), &inspection), Some(inspection))
}

fn check_space(directory: &Path) -> Check {
    const NAME: &str = "space";
    match free_bytes(directory) {
        Ok(Some(free)) => {
            let finding = format!("{} MiB free in {}", free >> 20, directory.display());
            if free < FREE_BYTES_MIN {
                let advice = format!("free disk space: less than {} MiB is too little", FREE_BYTES_MIN >> 20);
                Check::warning(NAME, finding, advice)
            } else {
                Check::ok(NAME, finding)
            }
        }
        Ok(None) => Check::ok(NAME, "not checked on this platform"),
        Err(error) => Check::warning(
            NAME,
            format!("{}: {error}", directory.display()),
            "create the directory, or permit access to it",
        ),
    }
}

#[cfg(unix)]
fn free_bytes(directory: &Path) -> std::io::Result<Option<u64>> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

#[cfg(not(unix))]
fn free_bytes(_directory: &Path) -> std::io::Result<Option<u64>> {
    Ok(None)
}

fn check_fsync(directory: &Path) -> Check {
    const NAME: &str = "fsync";
    match measure_fsync(directory) {
        Ok(time) => {
            let finding = format!("fsync of 4 KiB took {:.1} ms", time.as_secs_f64() * 1e3);
            if time > FSYNC_TIME_MAX {
                let advice = "move the database to a faster disk: every write waits for an fsync";
                Check::warning(NAME, finding, advice)
            } else {
                Check::ok(NAME, finding)
            }
        }
        Err(error) => {
            let finding = format!("cannot write in {}: {error}", directory.display());
            Check::warning(NAME, finding, "permit writes in the directory, or move the database")
        }
    }
}

/// Returns the median time of five writes of 4 KiB with fsync.
fn measure_fsync(directory: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(directory)?;
    let mut times = [Duration::ZERO; 5];
    for time in &mut times {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        *time = start.elapsed();
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn check_clock(now: Timestamp, newest_operation: Option<Timestamp>) -> Check {
    const NAME: &str = "clock";
    let advice = "set the clock of the host, and synchronize it with NTP";
    // Operation ids contain the milliseconds since 2024 in 41 bits, which overflow in 2093.
    let year = now.strftime("%Y").to_string();
    if !(2025..=2093).contains(&year.parse().unwrap_or(0)) {
        return Check::warning(NAME, format!("{} cannot be the time", format_minute(now)), advice);
    }
    let finding = match newest_operation {
        Some(newest) => format!("{}; newest operation: {}", format_minute(now), format_minute(newest)),
        None => format_minute(now),
    };
    match newest_operation {
        Some(newest) if newest.duration_since(now) > CLOCK_SKEW_MAX => Check::warning(NAME, finding, advice),
        _ => Check::ok(NAME, finding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_clock_is_a_warning() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let noon = time("2026-11-23T12:00:00Z");
        assert!(check_clock(noon, None).advice.is_none());
        assert!(check_clock(noon, Some(time("2026-11-23T12:00:30Z"))).advice.is_none());
        assert!(check_clock(noon, Some(time("2026-11-23T12:02:00Z"))).advice.is_some());
        assert!(check_clock(time("1970-01-01T00:00:10Z"), None).advice.is_some());
    }
}
