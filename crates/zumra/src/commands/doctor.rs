//! `zumra doctor`: looks at what a service depends on, and says what to do.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use zumra_core::{Clock, SystemClock};
use zumra_storage::Inspection;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::SqliteStorage;

use crate::config::{self, DatabaseOptions, Given, LogStyle, Options, Settings};
use crate::database::{self, Database, Place};
use crate::failure::{Exit, Failure};
use crate::output::{count, minute, say, say_json};

/// Less room than this is not enough for a database at work.
const ROOM: u64 = 512 << 20;
/// Every commit waits for the disk; a slower one than this makes every writer wait.
const SLOW_SYNC: Duration = Duration::from_millis(250);
/// How far the newest operation may lie ahead of the clock: services on other machines have clocks of their own.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Check settings, database, disk and clock, and say what to do
///
/// Works beside a running service. The exit code is 0 if all is well, and 5 if something needs attention.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  zumra doctor --database /var/lib/zumra/zumra.db")]
pub(crate) struct Command {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    databases: DatabaseOptions,
    #[command(flatten)]
    options: Options,
}

/// The name of the check of the database, on whichever engine.
const DATABASE: &str = "database";

/// One thing that was looked at.
struct Check {
    name: &'static str,
    finding: String,
    /// What to do, if something needs attention.
    advice: Option<String>,
}

impl Check {
    fn well(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, finding: finding.into(), advice: None }
    }

    fn attention(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, finding: finding.into(), advice: Some(advice.into()) }
    }
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        let checks = match config::settings(given, self.databases, self.options, LogStyle::Json) {
            Ok(settings) => examine(&settings),
            Err(problem) => vec![bad_settings(&problem)],
        };
        let wrong = checks.iter().filter(|check| check.advice.is_some()).count();
        if self.json {
            let as_json = |check: &Check| {
                json!({
                    "name": check.name,
                    "ok": check.advice.is_none(),
                    "finding": check.finding,
                    "advice": check.advice,
                })
            };
            say_json(&json!({ "ok": wrong == 0, "checks": checks.iter().map(as_json).collect::<Vec<_>>() }))?;
        } else {
            say(checks.iter().map(line).collect::<String>())?;
        }
        if wrong == 0 {
            return Ok(());
        }
        let verb = if wrong == 1 { "needs" } else { "need" };
        let summary = format!("doctor: {wrong} of {} {verb} attention", count(checks.len(), "check"));
        Err(Failure::new(Exit::Attention, summary).into())
    }
}

fn line(check: &Check) -> String {
    let Check { name, finding, advice } = check;
    match advice {
        None => format!("ok     {name:<9} {finding}\n"),
        Some(advice) => format!("WRONG  {name:<9} {finding}\n       {:<9} Do: {advice}\n", ""),
    }
}

fn bad_settings(problem: &Failure) -> Check {
    let problem = problem.to_string();
    let problem = problem.strip_prefix("settings: ").unwrap_or(&problem).to_owned();
    Check::attention("settings", problem, "correct the setting; nothing else could be checked")
}

fn examine(settings: &Settings) -> Vec<Check> {
    let place = match settings.place() {
        Ok(place) => place,
        Err(problem) => return vec![bad_settings(&problem)],
    };
    let finding = match &settings.file {
        Some(file) => format!("{} and what was given beside it are sound", file.display()),
        None => "sound; no settings file was read".to_owned(),
    };
    let mut checks = vec![Check::well("settings", finding)];
    let (database, inspection) = match &place {
        Place::File(path) => file(path),
        Place::Server(options) => server(&settings.database, options),
    };
    checks.push(database);
    if let Place::File(path) = place {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        checks.extend([room(folder), sync(folder)]);
    }
    checks.push(clock(SystemClock.now(), inspection.and_then(|inspection| inspection.newest_operation)));
    checks
}

fn server(name: &Database, options: &PostgresOptions) -> (Check, Option<Inspection>) {
    let inspected =
        database::runtime().and_then(|runtime| Ok(runtime.block_on(PostgresStorage::inspect(options))?));
    match inspected {
        Ok(inspection) => (whole(name, &inspection), Some(inspection)),
        Err(error) => {
            let advice = "look at the server and its log, name another with --database, or make the tables with `zumra serve`";
            (Check::attention(DATABASE, format!("{name}: {error}"), advice), None)
        }
    }
}

fn whole(name: &dyn std::fmt::Display, inspection: &Inspection) -> Check {
    if !inspection.problems.is_empty() {
        let finding = format!("{name} is damaged: {}", inspection.problems.join("; "));
        let advice = "stop the service, keep a copy of the database, and restore a backup";
        return Check::attention(DATABASE, finding, advice);
    }
    let finding = format!(
        "{name} is whole: {}, schema {}, {}, {}, {}",
        inspection.engine,
        inspection.schema,
        count(inspection.merchants, "merchant"),
        count(inspection.customers, "customer"),
        count(inspection.memberships, "membership"),
    );
    Check::well(DATABASE, finding)
}

fn file(path: &Path) -> (Check, Option<Inspection>) {
    // Opening would turn nothing, and an empty file, into a database: whoever asks only wants to know.
    match std::fs::metadata(path) {
        Ok(file) if file.len() > 0 => {}
        Ok(_) => {
            let advice = "`zumra serve` makes a database of it; if there was one, restore a backup";
            return (Check::attention(DATABASE, format!("{} is empty", path.display()), advice), None);
        }
        Err(error) => {
            let advice = "name another with --database, or make it with `zumra serve`";
            return (Check::attention(DATABASE, format!("{}: {error}", path.display()), advice), None);
        }
    }
    let inspection = match SqliteStorage::inspect(path) {
        Ok(inspection) => inspection,
        Err(error) => {
            let finding = format!("{}: {error}", path.display());
            let advice = "use the program that wrote it, name another with --database, or restore a backup";
            return (Check::attention(DATABASE, finding, advice), None);
        }
    };
    (whole(&path.display(), &inspection), Some(inspection))
}

fn room(folder: &Path) -> Check {
    const NAME: &str = "room";
    match free_bytes(folder) {
        Ok(Some(free)) => {
            let finding = format!("{} MiB free in {}", free >> 20, folder.display());
            if free < ROOM {
                Check::attention(
                    NAME,
                    finding,
                    format!("make room: less than {} MiB is too little", ROOM >> 20),
                )
            } else {
                Check::well(NAME, finding)
            }
        }
        Ok(None) => Check::well(NAME, "not checked on this system"),
        Err(error) => Check::attention(
            NAME,
            format!("{}: {error}", folder.display()),
            "make the folder, or permit access to it",
        ),
    }
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> std::io::Result<Option<u64>> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> std::io::Result<Option<u64>> {
    Ok(None)
}

fn sync(folder: &Path) -> Check {
    const NAME: &str = "disk";
    match time_of_sync(folder) {
        Ok(time) => {
            let finding = format!("4 KiB are safe on the disk after {:.1} ms", time.as_secs_f64() * 1e3);
            if time > SLOW_SYNC {
                Check::attention(
                    NAME,
                    finding,
                    "move the database to a faster disk: every change waits for it",
                )
            } else {
                Check::well(NAME, finding)
            }
        }
        Err(error) => {
            let finding = format!("nothing can be written in {}: {error}", folder.display());
            Check::attention(NAME, finding, "permit writing there, or move the database")
        }
    }
}

/// How long a commit waits for the disk: the median of a few.
fn time_of_sync(folder: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = [Duration::ZERO; 5];
    for time in &mut times {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        *time = started.elapsed();
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn clock(now: Timestamp, newest: Option<Timestamp>) -> Check {
    const NAME: &str = "clock";
    let advice = "set the machine's clock, and keep it right with NTP";
    // Ids of operations hold the time since 2024 and have room for it until 2093.
    let year = now.strftime("%Y").to_string();
    if !(2025..=2093).contains(&year.parse().unwrap_or(0)) {
        return Check::attention(NAME, format!("it is {}, which cannot be", minute(now)), advice);
    }
    match newest {
        Some(newest) if newest.duration_since(now) > AHEAD => {
            let finding = format!("it is {}, and the newest operation is of {}", minute(now), minute(newest));
            Check::attention(NAME, finding, advice)
        }
        Some(newest) => {
            Check::well(NAME, format!("it is {}; the newest operation is of {}", minute(now), minute(newest)))
        }
        None => Check::well(NAME, format!("it is {}", minute(now))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_wrong_need_attention() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let noon = time("2026-11-23T12:00:00Z");
        assert!(clock(noon, None).advice.is_none());
        assert!(clock(noon, Some(time("2026-11-23T12:00:30Z"))).advice.is_none());
        assert!(clock(noon, Some(time("2026-11-23T12:02:00Z"))).advice.is_some());
        assert!(clock(time("1970-01-01T00:00:10Z"), None).advice.is_some());
    }
}
