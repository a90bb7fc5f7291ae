//! The address of a database, `postgres://user:password@host:port/name?sslmode=require`, and what goes with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Connections that a service has at once when nobody says.
pub const CONNECTIONS_DEFAULT: usize = 16;
/// How long a statement may take when nobody says.
const STATEMENT_TIME_DEFAULT: Duration = Duration::from_secs(10);

/// How a database is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Everything that the address says, the password among it.
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// Connections at once; whoever needs one more waits for two seconds at most.
    pub connections: usize,
    /// How long a statement may take on the server.
    pub statement_time: Duration,
    /// A standby of the same server, which [`PostgresStorage`](super::PostgresStorage) reads lists from once it shows
    /// what was acknowledged before. It may be away; a replica of its own is of no use to it.
    pub replica: Option<Box<PostgresOptions>>,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// Not at all.
    Off,
    /// Hidden from those who only listen, if the server knows how to: nobody asks who the server is.
    Unverified,
    /// Always, and the server's certificate must be signed for its name: by an authority of this file, or by one
    /// that the machine trusts.
    Verified(Option<PathBuf>),
}

/// Why a text is no address of a database. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl PostgresOptions {
    /// The options for an address that begins with `postgres://` or `postgresql://`, with the limits that suit one
    /// service of several: 16 connections, 10 seconds a statement.
    ///
    /// Parameters are those of PostgreSQL's own programs. `sslmode` may be `disable`, `prefer` (the default) or
    /// `require`, which always verifies the server's certificate; `sslrootcert` is a file of certificates to trust.
    pub fn parse(address: &str) -> Result<Self, AddressError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
            return Err(AddressError("must begin with postgres:// or postgresql://".to_owned()));
        }
        let (place, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut mode, mut authority) = (None, None);
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => {
                    let file = percent_decode_str(value).decode_utf8_lossy();
                    authority = Some(PathBuf::from(&*file));
                }
                _ => others.push(pair),
            }
        }
        let form = "is not of the form postgres://user:password@host:port/name?parameter=value, with an @, / or ? in the password as %40, %2F or %3F";
        let mut config: Config =
            format!("{place}?{}", others.join("&")).parse().map_err(|_| AddressError(form.to_owned()))?;
        if config.get_hosts().is_empty() {
            return Err(AddressError("names no host".to_owned()));
        }
        let (tls, mode) = match mode {
            Some("disable") => (Tls::Off, SslMode::Disable),
            None | Some("prefer") if authority.is_none() => (Tls::Unverified, SslMode::Prefer),
            None | Some("require" | "verify-ca" | "verify-full") => {
                (Tls::Verified(authority), SslMode::Require)
            }
            Some("prefer") => {
                return Err(AddressError("sslrootcert needs sslmode=require".to_owned()));
            }
            Some(_) => return Err(AddressError("sslmode must be disable, prefer or require".to_owned())),
        };
        config.ssl_mode(mode);
        Ok(Self {
            config,
            tls,
            connections: CONNECTIONS_DEFAULT,
            statement_time: STATEMENT_TIME_DEFAULT,
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
            .field("statement_time", &self.statement_time)
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_as_the_address_says() {
        let tls = |query: &str| PostgresOptions::parse(&format!("postgres://z@db/z{query}")).map(|o| o.tls);
        assert_eq!(tls(""), Ok(Tls::Unverified));
        assert_eq!(tls("?sslmode=disable"), Ok(Tls::Off));
        assert_eq!(tls("?sslmode=require&connect_timeout=3"), Ok(Tls::Verified(None)));
        assert_eq!(tls("?sslmode=verify-full"), Ok(Tls::Verified(None)));
        assert_eq!(tls("?sslrootcert=/etc/my%20ca.pem"), Ok(Tls::Verified(Some("/etc/my ca.pem".into()))));
        assert!(tls("?sslmode=maybe").is_err());
        assert!(tls("?sslmode=prefer&sslrootcert=ca.pem").is_err());
    }

    #[test]
    fn other_addresses_are_refused_without_their_text() {
        for bad in [
            "mysql://z:s3cret@db/z",
            "postgres://z:s3cret@db/z?colour=red",
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
