//! The settings as flags, environment variables and keys of a file. Each is described once, in its doc comment, which is
//! its text in `--help`.

use serde::Deserialize;

use super::values::{ListenAddress, LogStyle, PublicUrl, from_text};
use crate::database::Database;

/// The database: the only setting of commands that neither serve nor check a service's settings.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct DatabaseOption {
    /// The database: a file path, or the URL of a PostgreSQL server [default: zumra.db]
    #[arg(id = "database", long, env = "ZUMRA_DATABASE", value_name = "DATABASE", hide_env_values = true)]
    pub(super) database: Option<Database>,
}

impl DatabaseOption {
    /// Returns the `--database` flag to append to a suggested command, or nothing if no database was named. The command
    /// takes a URL with a password from the variable, because the password is not printed.
    pub(crate) fn suggested_flag(&self) -> String {
        let Some(database) = &self.database else { return String::new() };
        let text = database.to_string();
        if text.contains("***") {
            return " --database \"$ZUMRA_DATABASE\"".to_owned();
        }
        let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._:@-".contains(c));
        if is_plain {
            format!(" --database {text}")
        } else {
            format!(" --database '{}'", text.replace('\'', r"'\''"))
        }
    }
}

/// The database and the read replica of a service.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct DatabaseOptions {
    #[command(flatten)]
    pub(super) database: DatabaseOption,
    /// Read replica for list queries: the URL of a PostgreSQL standby, used while it has all acknowledged writes
    /// [default: none]
    #[arg(id = "replica", long, env = "ZUMRA_REPLICA", value_name = "URL", hide_env_values = true)]
    pub(super) replica: Option<Database>,
}

impl From<DatabaseOption> for DatabaseOptions {
    fn from(database: DatabaseOption) -> Self {
        Self { database, replica: None }
    }
}

/// The settings of a service. Flatten it last into a command: the heading of the limits applies to all flags after it.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Listen address and port; port 0 selects a free port [default: 127.0.0.1:8723]
    #[arg(id = "listen", long, env = "ZUMRA_LISTEN", value_name = "ADDRESS", hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    pub(super) listen: Option<ListenAddress>,
    /// A key of the file only. Its flag is in [`DatabaseOptions`], because `zumra dev` does not accept it.
    #[arg(skip)]
    pub(super) database: Option<Database>,
    /// A key of the file only, like `database`.
    #[arg(skip)]
    pub(super) replica: Option<Database>,
    /// URL by which clients reach the service; links in responses start with it [default: http://<listen>]
    #[arg(
        id = "public_url",
        long = "public-url",
        env = "ZUMRA_PUBLIC_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    #[serde(deserialize_with = "from_text")]
    pub(super) public_url: Option<PublicUrl>,
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    #[command(flatten)]
    pub(super) log: LogOptions,
    #[command(flatten)]
    pub(super) tokens: TokenOptions,
    #[command(flatten)]
    pub(super) limits: LimitOptions,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdminOptions {
    /// Listen address of /metrics, separate from the API [default: none]
    #[arg(id = "admin.listen", long = "admin-listen", env = "ZUMRA_ADMIN_LISTEN", value_name = "ADDRESS")]
    #[arg(hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    pub(super) listen: Option<ListenAddress>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogOptions {
    /// Format of log lines: json or pretty [default: json; pretty for `zumra dev`]
    #[arg(id = "log.format", long = "log-format", env = "ZUMRA_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(hide_env_values = true)]
    #[serde(deserialize_with = "from_text")]
    pub(super) format: Option<LogStyle>,
    /// Log level: error, warn, info, debug, trace, or a filter such as `info,zumra_server=debug` [default: info]
    #[arg(id = "log.level", long = "log-level", env = "ZUMRA_LOG_LEVEL", value_name = "LEVEL")]
    #[arg(hide_env_values = true)]
    pub(super) level: Option<String>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits")]
pub(super) struct TokenOptions {
    /// TTL of the token cache, 0 to 5; a revoked token may be accepted for this long [default: 2]
    #[arg(id = "tokens.cache_seconds", long = "tokens-cache-seconds", env = "ZUMRA_TOKENS_CACHE_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    pub(super) cache_seconds: Option<u64>,
}

#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitOptions {
    /// Maximum size of a request body [default: 16777216]
    #[arg(id = "limits.body_bytes", long = "limits-body-bytes", env = "ZUMRA_LIMITS_BODY_BYTES")]
    #[arg(value_name = "BYTES", hide_env_values = true, hide_short_help = true)]
    pub(super) body_bytes: Option<usize>,
    /// Memory budget of all request bodies together, more than one body [default: 268435456]
    #[arg(id = "limits.bodies_bytes", long = "limits-bodies-bytes", env = "ZUMRA_LIMITS_BODIES_BYTES")]
    #[arg(value_name = "BYTES", hide_env_values = true, hide_short_help = true)]
    pub(super) bodies_bytes: Option<usize>,
    /// Maximum number of customers in a request that adds them to a group [default: 10000]
    #[arg(id = "limits.customers_per_request", long = "limits-customers-per-request")]
    #[arg(env = "ZUMRA_LIMITS_CUSTOMERS_PER_REQUEST", value_name = "COUNT")]
    #[arg(hide_env_values = true, hide_short_help = true)]
    pub(super) customers_per_request: Option<usize>,
    /// Timeout for receiving the headers of a request [default: 10]
    #[arg(id = "limits.header_seconds", long = "limits-header-seconds", env = "ZUMRA_LIMITS_HEADER_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    pub(super) header_seconds: Option<u64>,
    /// Timeout for receiving the body of a request [default: 20]
    #[arg(id = "limits.body_seconds", long = "limits-body-seconds", env = "ZUMRA_LIMITS_BODY_SECONDS")]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    pub(super) body_seconds: Option<u64>,
    /// Timeout of a request as a whole [default: 30]
    #[arg(
        id = "limits.request_seconds",
        long = "limits-request-seconds",
        env = "ZUMRA_LIMITS_REQUEST_SECONDS"
    )]
    #[arg(value_name = "SECONDS", hide_env_values = true, hide_short_help = true)]
    pub(super) request_seconds: Option<u64>,
    /// Maximum number of open connections [default: 4096]
    #[arg(id = "limits.connections", long = "limits-connections", env = "ZUMRA_LIMITS_CONNECTIONS")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    pub(super) connections: Option<usize>,
    /// SQLite: maximum number of queued writes [default: 1024]
    #[arg(id = "limits.writer_queue", long = "limits-writer-queue", env = "ZUMRA_LIMITS_WRITER_QUEUE")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    pub(super) writer_queue: Option<usize>,
    /// SQLite: number of read connections [default: 4]
    #[arg(id = "limits.readers", long = "limits-readers", env = "ZUMRA_LIMITS_READERS")]
    #[arg(value_name = "COUNT", hide_env_values = true, hide_short_help = true)]
    pub(super) readers: Option<u32>,
    /// PostgreSQL: maximum number of pooled connections [default: 16]
    #[arg(id = "limits.database_connections", long = "limits-database-connections")]
    #[arg(env = "ZUMRA_LIMITS_DATABASE_CONNECTIONS", value_name = "COUNT")]
    #[arg(hide_env_values = true, hide_short_help = true)]
    pub(super) database_connections: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_flag_names_the_same_database() {
        let suggested = |database: Option<&str>| {
            DatabaseOption { database: database.map(|text| text.parse().unwrap()) }.suggested_flag()
        };
        assert_eq!(suggested(None), "");
        assert_eq!(suggested(Some("data/zumra.db")), " --database data/zumra.db");
        assert_eq!(suggested(Some("my shop's.db")), r" --database 'my shop'\''s.db'");
        assert_eq!(suggested(Some("postgres://z:s3cret@db/z")), " --database \"$ZUMRA_DATABASE\"");
    }
}
