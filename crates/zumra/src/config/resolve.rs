//! Resolves every setting: its sources in their order, its default, and its bounds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use zumra_server::{Limits, telemetry};
use zumra_storage::postgres::CONNECTIONS_DEFAULT;
use zumra_storage::sqlite::SqliteOptions;

use super::file;
use super::options::{DatabaseOption, DatabaseOptions, LimitOptions, Options};
use super::settings::{EngineLimits, Settings};
use super::source::{CommandLine, Resolver};
use super::values::{ListenAddress, LogStyle, PublicUrl};
use crate::database::Database;
use crate::failure::Failure;

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8723);
const DATABASE_DEFAULT: &str = "zumra.db";
const LOG_LEVEL_DEFAULT: &str = "info";
const TOKEN_CACHE_SECONDS_DEFAULT: u64 = 2;

/// Resolves the settings of a service. `log_style` is the default of `log.format`, which differs between commands.
///
/// # Errors
///
/// A usage error that names the key, for an unreadable file, an unknown key or a value out of bounds.
pub(crate) fn settings(
    command_line: &CommandLine,
    databases: DatabaseOptions,
    options: Options,
    log_style: LogStyle,
) -> Result<Settings, Failure> {
    let (file, path) = file::read(command_line.settings_file.as_deref())?;
    let mut resolver = Resolver::new(command_line, path.clone());
    let listen = resolver.text("listen", options.listen, file.listen, ListenAddress(LISTEN_DEFAULT)).0;
    let default = Database::File(DATABASE_DEFAULT.into());
    let database = resolver.text("database", databases.database.database, file.database, default);
    let replica = resolver.optional("replica", databases.replica, file.replica, None);
    let url = PublicUrl::from_address(listen).to_string();
    let public_url = resolver.optional("public_url", options.public_url, file.public_url, Some(url));
    let admin = resolver.optional("admin.listen", options.admin.listen, file.admin.listen, None);
    let log_style = resolver.text("log.format", options.log.format, file.log.format, log_style);
    let log_level =
        resolver.text("log.level", options.log.level, file.log.level, LOG_LEVEL_DEFAULT.to_owned());
    telemetry::check_filter(&log_level)
        .map_err(|problem| Failure::usage(format!("settings: log.level: {problem}")))?;
    let cache_seconds = resolver.number(
        "tokens.cache_seconds",
        options.tokens.cache_seconds,
        file.tokens.cache_seconds,
        TOKEN_CACHE_SECONDS_DEFAULT,
        0..=5,
    )?;
    let (limits, engines) = limits(&mut resolver, &options.limits, &file.limits)?;
    Ok(Settings {
        listen,
        database,
        replica,
        public_url,
        admin_listen: admin.map(|address| address.0),
        log_style,
        log_level,
        token_cache_ttl: Duration::from_secs(cache_seconds),
        limits,
        engines,
        effective: resolver.effective,
        file: path,
    })
}

/// Resolves the database, for commands that need no other setting. An invalid settings file is an error here too.
pub(crate) fn database(command_line: &CommandLine, database: DatabaseOption) -> Result<Database, Failure> {
    Ok(settings(command_line, database.into(), Options::default(), LogStyle::Json)?.database)
}

fn limits(
    resolver: &mut Resolver<'_>,
    flags: &LimitOptions,
    file: &LimitOptions,
) -> Result<(Limits, EngineLimits), Failure> {
    const MILLION: usize = 1_000_000;
    let default = Limits::default();
    let sqlite = SqliteOptions::new(DATABASE_DEFAULT);
    // The field of the options is also the last part of the key.
    macro_rules! limit {
        ($field:ident, $default:expr, $range:expr) => {
            resolver.number(
                concat!("limits.", stringify!($field)),
                flags.$field,
                file.$field,
                $default,
                $range,
            )?
        };
    }
    macro_rules! timeout {
        ($field:ident, $default:expr) => {
            Duration::from_secs(limit!($field, $default.as_secs(), 1..=3600))
        };
    }
    let limits = Limits {
        body_bytes: limit!(body_bytes, default.body_bytes, 1024..=1 << 30),
        bodies_bytes: limit!(bodies_bytes, default.bodies_bytes, 1024..=1 << 40),
        customers_per_request: limit!(customers_per_request, default.customers_per_request, 1..=MILLION),
        header_timeout: timeout!(header_seconds, default.header_timeout),
        body_timeout: timeout!(body_seconds, default.body_timeout),
        request_timeout: timeout!(request_seconds, default.request_timeout),
        connections: limit!(connections, default.connections, 1..=MILLION),
    };
    if limits.bodies_bytes <= limits.body_bytes {
        let problem = format!("must be more than limits.body_bytes, which is {}", limits.body_bytes);
        return Err(Failure::usage(format!("settings: limits.bodies_bytes: {problem}")));
    }
    let engines = EngineLimits {
        writer_queue: limit!(writer_queue, sqlite.queue_limit, 1..=MILLION),
        readers: limit!(readers, sqlite.read_connections, 1..=256),
        database_connections: limit!(database_connections, CONNECTIONS_DEFAULT, 1..=1000),
    };
    Ok((limits, engines))
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;
    use crate::config::source;

    fn arguments() -> clap::Command {
        DatabaseOptions::augment_args(Options::augment_args(clap::Command::new("zumra")))
    }

    fn defaults() -> Settings {
        let (databases, options) = (DatabaseOptions::default(), Options::default());
        settings(&CommandLine::default(), databases, options, LogStyle::Json).unwrap()
    }

    #[test]
    fn flags_and_variables_are_derived_from_keys() {
        let command = arguments();
        let mut keys = 0;
        for argument in command.get_arguments() {
            let key = argument.get_id().as_str();
            let flag = argument.get_long().map(|flag| format!("--{flag}"));
            assert_eq!(flag, Some(source::flag(key)));
            let variable = argument.get_env().and_then(|variable| variable.to_str());
            assert_eq!(variable, Some(source::variable(key).as_str()));
            keys += 1;
        }
        assert_eq!(defaults().effective.len(), keys);
    }

    #[test]
    fn help_contains_the_defaults() {
        let command = arguments();
        for setting in defaults().effective {
            let argument = command.get_arguments().find(|argument| argument.get_id() == setting.key).unwrap();
            let help = argument.get_help().unwrap().to_string();
            let default = match (setting.key, &setting.value) {
                ("public_url", _) => "http://<listen>".to_owned(),
                (_, None) => "none".to_owned(),
                (_, Some(value)) => value.to_string().trim_matches('"').to_owned(),
            };
            assert!(help.contains(&format!("[default: {default}")), "{}: {help}", setting.key);
        }
    }

    #[test]
    fn operations_guide_lists_every_setting() {
        let guide = include_str!("../../../../docs/operations.md");
        for setting in defaults().effective {
            assert!(guide.contains(&format!("\n| `{}` | ", setting.key)), "{}", setting.key);
        }
    }
}
