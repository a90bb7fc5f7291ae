//! Settings: from flags, then the environment (`ZUMRA_…`), then a TOML file, then defaults.
//!
//! What belongs here: every setting, written once as a flag, a variable and a key; the order in which the sources
//! are asked; the bounds. One name leads to the others: `limits.body_bytes` is the key, `--limits-body-bytes` the
//! flag, `ZUMRA_LIMITS_BODY_BYTES` the variable.

mod file;
mod source;
mod values;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use zumra_server::{AppOptions, Limits, telemetry};
use zumra_storage::postgres::{CONNECTIONS_DEFAULT, PostgresOptions};
use zumra_storage::sqlite::SqliteOptions;

use crate::database::{Database, Place};
use crate::failure::Failure;
use source::Chooser;
pub(crate) use source::{Effective, Given, blamed_variable};
use values::from_text;
pub(crate) use values::{Address, LogStyle, PublicUrl};

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8723);
const DATABASE_DEFAULT: &str = "zumra.db";
const LEVEL_DEFAULT: &str = "info";
const TOKEN_SECONDS_DEFAULT: u64 = 2;

/// Which database: the one setting of every command that touches data.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct DatabaseOption {
    /// The database: a path, or the address of a PostgreSQL server [default: zumra.db]
    #[arg(id = "database", long, env = "ZUMRA_DATABASE", value_name = "DATABASE", hide_env_values = true)]
    database: Option<Database>,
}

impl DatabaseOption {
    /// What a command that is suggested needs, to meet the same database; a password shows as `***`.
    pub(crate) fn repeated(&self) -> String {
        let Some(database) = &self.database else { return String::new() };
        let text = database.to_string();
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._:@-".contains(c));
        if is_plain {
            format!(" --database {text}")
        } else {
            format!(" --database '{}'", text.replace('\'', r"'\''"))
        }
    }
}

/// The databases of a service that stays.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct DatabaseOptions {
    #[command(flatten)]
    database: DatabaseOption,
    /// Where lists are read once it shows what was written: the address of a PostgreSQL standby [default: nowhere]
    #[arg(id = "replica", long, env = "ZUMRA_REPLICA", value_name = "ADDRESS", hide_env_values = true)]
    replica: Option<Database>,
}

impl From<DatabaseOption> for DatabaseOptions {
    fn from(database: DatabaseOption) -> Self {
        Self { database, replica: None }
    }
}

/// The settings of a service, as flags or as the keys of a file. In a command they stand last: the heading of the
/// limits holds for all flags after them.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Where to listen: an address and a port, 0 for any free one [default: 127.0.0.1:8723]
    #[arg(id = "listen", long, env = "ZUMRA_LISTEN", value_name = "ADDRESS", hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    listen: Option<Address>,
    /// Keys of the file; their flags are [`DatabaseOptions`], because not every service takes them.
    #[arg(skip)]
    database: Option<Database>,
    #[arg(skip)]
    replica: Option<Database>,
    /// The URL by which clients reach the service; links in answers begin with it [default: http://<listen>]
    #[arg(
        id = "public_url",
        long = "public-url",
        env = "ZUMRA_PUBLIC_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    #[serde(deserialize_with = "from_text")]
    public_url: Option<PublicUrl>,
    #[command(flatten)]
    admin: AdminOptions,
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    tokens: TokenOptions,
    #[command(flatten)]
    limits: LimitOptions,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdminOptions {
    /// Where to answer /metrics, apart from clients [default: nowhere]
    #[arg(id = "admin.listen", long = "admin-listen", env = "ZUMRA_ADMIN_LISTEN", value_name = "ADDRESS")]
    #[arg(hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    listen: Option<Address>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogOptions {
    /// How log lines look, json or pretty [default: json; pretty for `zumra dev`]
    #[arg(id = "log.format", long = "log-format", env = "ZUMRA_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    format: Option<LogStyle>,
    /// What to log: error, warn, info, debug, trace, or a list as `info,zumra_server=debug` [default: info]
    #[arg(id = "log.level", long = "log-level", env = "ZUMRA_LOG_LEVEL", value_name = "LEVEL")]
    #[arg(hide_env_values = true)]
    level: Option<String>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits")]
struct TokenOptions {
    /// How long a revoked token may still be believed, 0 to 5 [default: 2]
    #[arg(id = "tokens.cache_seconds", long = "tokens-cache-seconds", env = "ZUMRA_TOKENS_CACHE_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    cache_seconds: Option<u64>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits")]
struct LimitOptions {
    /// Bytes of a request's body [default: 16777216]
    #[arg(id = "limits.body_bytes", long = "limits-body-bytes", env = "ZUMRA_LIMITS_BODY_BYTES")]
    #[arg(value_name = "BYTES", hide_env_values = true, hide_short_help = true)]
    body_bytes: Option<usize>,
    /// Bytes of all bodies in memory at once, at least one body [default: 268435456]
    #[arg(id = "limits.bodies_bytes", long = "limits-bodies-bytes", env = "ZUMRA_LIMITS_BODIES_BYTES")]
    #[arg(value_name = "BYTES", hide_env_values = true, hide_short_help = true)]
    bodies_bytes: Option<usize>,
    /// Customers in one request to add them to a group [default: 10000]
    #[arg(id = "limits.customers_per_request", long = "limits-customers-per-request")]
    #[arg(env = "ZUMRA_LIMITS_CUSTOMERS_PER_REQUEST", value_name = "COUNT")]
    #[arg(hide_env_values = true, hide_short_help = true)]
    customers_per_request: Option<usize>,
    /// Time a client may take to send a request's headers [default: 10]
    #[arg(id = "limits.header_seconds", long = "limits-header-seconds", env = "ZUMRA_LIMITS_HEADER_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    header_seconds: Option<u64>,
    /// Time a client may take to send a request's body [default: 20]
    #[arg(id = "limits.body_seconds", long = "limits-body-seconds", env = "ZUMRA_LIMITS_BODY_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    body_seconds: Option<u64>,
    /// Time a request may take in all [default: 30]
    #[arg(
        id = "limits.request_seconds",
        long = "limits-request-seconds",
        env = "ZUMRA_LIMITS_REQUEST_SECONDS"
    )]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    request_seconds: Option<u64>,
    /// Connections at once [default: 4096]
    #[arg(id = "limits.connections", long = "limits-connections", env = "ZUMRA_LIMITS_CONNECTIONS")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    connections: Option<usize>,
    /// Writes that may wait for a database file at once [default: 1024]
    #[arg(id = "limits.writer_queue", long = "limits-writer-queue", env = "ZUMRA_LIMITS_WRITER_QUEUE")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    writer_queue: Option<usize>,
    /// Reads of a database file at once [default: 4]
    #[arg(id = "limits.readers", long = "limits-readers", env = "ZUMRA_LIMITS_READERS")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    readers: Option<u32>,
    /// Connections to PostgreSQL at once [default: 16]
    #[arg(id = "limits.database_connections", long = "limits-database-connections")]
    #[arg(env = "ZUMRA_LIMITS_DATABASE_CONNECTIONS", value_name = "COUNT")]
    #[arg(hide_env_values = true, hide_short_help = true)]
    database_connections: Option<usize>,
}

/// The limits of the engines; each reads its own.
#[derive(Debug)]
pub(crate) struct EngineLimits {
    writer_queue: usize,
    readers: u32,
    database_connections: usize,
}

/// The settings in effect.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) database: Database,
    /// As it was named; [`postgres_options`](Self::postgres_options) says whether it can be one.
    pub(crate) replica: Option<Database>,
    /// Nothing if clients reach the service where it listens.
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) log_style: LogStyle,
    pub(crate) log_level: String,
    pub(crate) token_cache_ttl: Duration,
    pub(crate) limits: Limits,
    pub(crate) engines: EngineLimits,
    /// All of them, each with where it comes from, in the order in which a file would have them.
    pub(crate) effective: Vec<Effective>,
    /// The file that was read, if one was.
    pub(crate) file: Option<PathBuf>,
}

impl Settings {
    /// What the service is told, once it is known where it listens.
    pub(crate) fn app_options(&self, listen: SocketAddr) -> AppOptions {
        let public_url = self.public_url.clone().unwrap_or_else(|| PublicUrl::of(listen));
        AppOptions {
            public_url: public_url.to_string(),
            token_cache_ttl: self.token_cache_ttl,
            limits: self.limits.clone(),
        }
    }

    /// How a database file of the embedded engine is opened.
    pub(crate) fn sqlite_options(&self, path: impl Into<PathBuf>) -> SqliteOptions {
        SqliteOptions {
            path: path.into(),
            queue_limit: self.engines.writer_queue,
            read_connections: self.engines.readers,
        }
    }

    /// How a database on a server is opened.
    pub(crate) fn postgres_options(&self, mut address: PostgresOptions) -> PostgresOptions {
        address.connections = self.engines.database_connections;
        address
    }

    /// The database of a service that stays, with its replica, or why it cannot have one.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        let refuse = |why: &str| Err(Failure::usage(format!("settings: replica: {why}")));
        let place = self.database.place()?;
        let Some(replica) = &self.replica else { return Ok(place) };
        let Place::Server(mut options) = place else {
            let problem =
                format!("the database is the file {}, and only PostgreSQL has replicas", self.database);
            return refuse(&problem);
        };
        let Database::Server(address) = replica else {
            return refuse("must be the address of a PostgreSQL server, postgres://…");
        };
        match PostgresOptions::parse(address) {
            Ok(replica) => options.replica = Some(Box::new(self.postgres_options(replica))),
            Err(problem) => return refuse(&format!("{replica}: {problem}")),
        }
        Ok(Place::Server(options))
    }
}

/// Asks flags, environment, file and defaults, in this order, for every setting of a service.
pub(crate) fn settings(
    given: &Given,
    databases: DatabaseOptions,
    options: Options,
    log_style: LogStyle,
) -> Result<Settings, Failure> {
    let (file, path) = file::read(given.file.as_deref())?;
    let mut chooser = Chooser::new(given, path.clone());
    let listen = chooser.text("listen", options.listen, file.listen, Address(LISTEN_DEFAULT)).0;
    let default = Database::File(DATABASE_DEFAULT.into());
    let database = chooser.text("database", databases.database.database, file.database, default);
    let replica = chooser.optional("replica", databases.replica, file.replica, None);
    let url = PublicUrl::of(listen).to_string();
    let public_url = chooser.optional("public_url", options.public_url, file.public_url, Some(url));
    let admin = chooser.optional("admin.listen", options.admin.listen, file.admin.listen, None);
    let log_style = chooser.text("log.format", options.log.format, file.log.format, log_style);
    let log_level = chooser.text("log.level", options.log.level, file.log.level, LEVEL_DEFAULT.to_owned());
    telemetry::check_filter(&log_level)
        .map_err(|problem| Failure::usage(format!("settings: log.level: {problem}")))?;
    let seconds = chooser.number(
        "tokens.cache_seconds",
        options.tokens.cache_seconds,
        file.tokens.cache_seconds,
        TOKEN_SECONDS_DEFAULT,
        0..=5,
    )?;
    let (limits, engines) = limits(&mut chooser, &options.limits, &file.limits)?;
    Ok(Settings {
        listen,
        database,
        replica,
        public_url,
        admin_listen: admin.map(|address| address.0),
        log_style,
        log_level,
        token_cache_ttl: Duration::from_secs(seconds),
        limits,
        engines,
        effective: chooser.effective,
        file: path,
    })
}

/// The database alone, for commands that need no other setting. The file is checked all the same.
pub(crate) fn database(given: &Given, database: DatabaseOption) -> Result<Database, Failure> {
    Ok(settings(given, database.into(), Options::default(), LogStyle::Json)?.database)
}

fn limits(
    chooser: &mut Chooser<'_>,
    flags: &LimitOptions,
    file: &LimitOptions,
) -> Result<(Limits, EngineLimits), Failure> {
    const MILLION: usize = 1_000_000;
    let default = Limits::default();
    let of_engine = SqliteOptions::new(DATABASE_DEFAULT);
    macro_rules! number {
        ($key:ident, $default:expr, $range:expr) => {
            chooser.number(concat!("limits.", stringify!($key)), flags.$key, file.$key, $default, $range)?
        };
    }
    let limits = Limits {
        body_bytes: number!(body_bytes, default.body_bytes, 1024..=1 << 30),
        bodies_bytes: number!(bodies_bytes, default.bodies_bytes, 1024..=1 << 40),
        customers_per_request: number!(customers_per_request, default.customers_per_request, 1..=MILLION),
        header_timeout: Duration::from_secs(number!(
            header_seconds,
            default.header_timeout.as_secs(),
            1..=3600
        )),
        body_timeout: Duration::from_secs(number!(body_seconds, default.body_timeout.as_secs(), 1..=3600)),
        request_timeout: Duration::from_secs(number!(
            request_seconds,
            default.request_timeout.as_secs(),
            1..=3600
        )),
        connections: number!(connections, default.connections, 1..=MILLION),
    };
    if limits.bodies_bytes <= limits.body_bytes {
        let problem = format!("must be more than limits.body_bytes, which is {}", limits.body_bytes);
        return Err(Failure::usage(format!("settings: limits.bodies_bytes: {problem}")));
    }
    let engines = EngineLimits {
        writer_queue: number!(writer_queue, of_engine.queue_limit, 1..=MILLION),
        readers: number!(readers, of_engine.read_connections, 1..=256),
        database_connections: number!(database_connections, CONNECTIONS_DEFAULT, 1..=1000),
    };
    Ok((limits, engines))
}

/// Whether `number` lies within `range`; if not, what to say.
fn within<T: PartialOrd + Display>(number: &T, range: &RangeInclusive<T>) -> Result<(), String> {
    if range.contains(number) {
        Ok(())
    } else {
        Err(format!("must be from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    #[test]
    fn a_suggested_command_names_the_same_database() {
        let repeated = |database: Option<&str>| {
            DatabaseOption { database: database.map(|text| text.parse().unwrap()) }.repeated()
        };
        assert_eq!(repeated(None), "");
        assert_eq!(repeated(Some("data/zumra.db")), " --database data/zumra.db");
        assert_eq!(repeated(Some("my shop's.db")), r" --database 'my shop'\''s.db'");
        assert_eq!(repeated(Some("postgres://z:s3cret@db/z")), " --database 'postgres://z:***@db/z'");
    }

    #[test]
    fn one_name_leads_to_flag_variable_and_key() {
        let command = DatabaseOptions::augment_args(Options::augment_args(clap::Command::new("zumra")));
        let mut keys = 0;
        for argument in command.get_arguments() {
            let key = argument.get_id().as_str();
            let flag = argument.get_long().map(|flag| format!("--{flag}"));
            assert_eq!(flag, Some(source::flag(key)));
            let variable = argument.get_env().and_then(|variable| variable.to_str());
            assert_eq!(variable, Some(source::variable(key).as_str()));
            keys += 1;
        }
        let settings =
            settings(&Given::default(), DatabaseOptions::default(), Options::default(), LogStyle::Json);
        assert_eq!(settings.unwrap().effective.len(), keys);
    }

    #[test]
    fn help_names_the_defaults() {
        let command = DatabaseOptions::augment_args(Options::augment_args(clap::Command::new("zumra")));
        let settings =
            settings(&Given::default(), DatabaseOptions::default(), Options::default(), LogStyle::Json);
        for effective in settings.unwrap().effective {
            let argument =
                command.get_arguments().find(|argument| argument.get_id() == effective.key).unwrap();
            let help = argument.get_help().unwrap().to_string();
            let default = match (effective.key, &effective.value) {
                ("public_url", _) => "http://<listen>".to_owned(),
                (_, None) => "nowhere".to_owned(),
                (_, Some(value)) => value.to_string().trim_matches('"').to_owned(),
            };
            assert!(help.contains(&format!("[default: {default}")), "{}: {help}", effective.key);
        }
    }
}
