//! Connection options, parsed from a URL such as `postgres://user:password@host:port/name?sslmode=require`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Default size of the connection pool.
pub const CONNECTIONS_DEFAULT: usize = 16;
/// Default time limit of a statement.
const STATEMENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The options of a connection to a database, and its limits.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Everything the URL sets, including the password.
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// Maximum number of open connections. A request that needs another one waits for up to two seconds.
    pub connections: usize,
    /// Time limit of one statement, enforced by the server.
    pub statement_timeout: Duration,
    /// A standby of the same server. [`PostgresStorage`](super::PostgresStorage) reads lists from it once it has
    /// replayed every acknowledged write. It may be unreachable. Its own `replica` is ignored.
    pub replica: Option<Box<PostgresOptions>>,
}

/// Whether connections use TLS, and how the server's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// No TLS.
    Off,
    /// TLS if the server supports it, without verifying its certificate: protects only against passive eavesdropping.
    Unverified,
    /// TLS always. The certificate must match the host name and be signed by a CA certificate of this file, or,
    /// without a file, by one that the operating system trusts.
    Verified(Option<PathBuf>),
}

/// Why a text is not a valid database URL. Never contains the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

impl PostgresOptions {
    /// Parses a URL that begins with `postgres://` or `postgresql://`. The limits get their defaults: 16 connections,
    /// 10 seconds per statement.
    ///
    /// Query parameters are libpq's. `sslmode` is `disable`, `prefer` (the default) or `require`, which always
    /// verifies the server's certificate. `sslrootcert` names a file of CA certificates to trust, and makes `require`
    /// the default.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(UrlError("must begin with postgres:// or postgresql://".to_owned()));
        }
        let (location, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut ca_file) = (None, None);
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => {
                    let file = percent_decode_str(value).decode_utf8_lossy();
                    ca_file = Some(PathBuf::from(&*file));
                }
                _ => others.push(pair),
            }
        }
        let syntax = "is not of the form postgres://user:password@host:port/name?parameter=value, with an @, / or ? in the password as %40, %2F or %3F";
        let mut config: Config =
            format!("{location}?{}", others.join("&")).parse().map_err(|_| UrlError(syntax.to_owned()))?;
        if config.get_hosts().is_empty() {
            return Err(UrlError("names no host".to_owned()));
        }
        let (tls, mode) = match mode {
            Some("disable") => (Tls::Off, SslMode::Disable),
            None | Some("prefer") if ca_file.is_none() => (Tls::Unverified, SslMode::Prefer),
            None | Some("require" | "verify-ca" | "verify-full") => {
                (Tls::Verified(ca_file), SslMode::Require)
            }
            Some("prefer") => {
                return Err(UrlError("sslrootcert needs sslmode=require".to_owned()));
            }
            Some(_) => return Err(UrlError("sslmode must be disable, prefer or require".to_owned())),
        };
        config.ssl_mode(mode);
        Ok(Self {
            config,
            tls,
            connections: CONNECTIONS_DEFAULT,
            statement_timeout: STATEMENT_TIMEOUT_DEFAULT,
            replica: None,
        })
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("hosts", &self.config.get_hosts())
            .field("name", &self.config.get_dbname())
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_selects_tls() {
        let tls = |query: &str| {
            PostgresOptions::parse(&format!("postgres://z@db/z{query}")).map(|options| options.tls)
        };
        assert_eq!(tls(""), Ok(Tls::Unverified));
        assert_eq!(tls("?sslmode=disable"), Ok(Tls::Off));
        assert_eq!(tls("?sslmode=require&connect_timeout=3"), Ok(Tls::Verified(None)));
        assert_eq!(tls("?sslmode=verify-full"), Ok(Tls::Verified(None)));
        assert_eq!(tls("?sslrootcert=/etc/my%20ca.pem"), Ok(Tls::Verified(Some("/etc/my ca.pem".into()))));
        assert!(tls("?sslmode=maybe").is_err());
        assert!(tls("?sslmode=prefer&sslrootcert=ca.pem").is_err());
    }

    #[test]
    fn invalid_urls_are_rejected_without_repeating_them() {
        for bad in [
            "mysql://z:s3cret@db/z",
            "postgres://z:s3cret@db/z?color=red",
            "postgres://z:s3@cret:x@db/z",
            "postgres://z:s3cret@db:s3cret/z",
            "postgres:///z",
        ] {
            let error = PostgresOptions::parse(bad).expect_err(bad).to_string();
            assert!(!error.contains("s3cret") && !error.contains("red"), "{error}");
        }
        let options = PostgresOptions::parse("postgresql://z:s3cret@db/z").unwrap();
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
