//! The connection pool: its limits, and the settings of every connection.

use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::AttemptError;
use super::tls;
use super::url::{PostgresOptions, Tls};
use crate::{Result, StorageError};

/// Longest wait for a free connection, and for a new connection to be established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle time after which TCP checks that the server is still reachable.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// Builds a pool. Connections are established on demand.
pub(super) fn build(options: &PostgresOptions) -> Result<Pool> {
    let mut config = options.config.clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("zumra");
    }
    config.keepalives_idle(KEEPALIVE_IDLE);
    // The options of the URL come last and override these. Every statement has an index. A plan that was cached while a
    // table was small must not scan the table sequentially after it has grown.
    let url_options = config.get_options().unwrap_or_default();
    let timeout_ms = options.statement_timeout.as_millis();
    let all_options = format!("-c statement_timeout={timeout_ms} -c enable_seqscan=off {url_options}");
    config.options(all_options.trim_end());
    // `Fast` checks only whether the connection is closed, without a round trip. A connection that breaks in use is
    // discarded.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match &options.tls {
        Tls::Off => Manager::from_config(config, NoTls, recycling),
        Tls::Unverified => {
            Manager::from_config(config, MakeRustlsConnect::new(tls::unverified()?), recycling)
        }
        Tls::Verified(ca_file) => {
            let tls = tls::verified(ca_file.as_deref())?;
            Manager::from_config(config, MakeRustlsConnect::new(tls), recycling)
        }
    };
    let pool = Pool::builder(manager)
        .max_size(options.connections)
        .runtime(Runtime::Tokio1)
        // Prefer the most recently used connection: its server process has cached plans and warm memory.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(CONNECT_TIMEOUT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .recycle_timeout(Some(CONNECT_TIMEOUT));
    pool.build().map_err(|error| StorageError::Internal(error.to_string()))
}

/// Opens a single connection with the same settings.
pub(super) async fn connect(options: &PostgresOptions) -> Result<Client> {
    build(options)?.get().await.map_err(|error| AttemptError::from(error).into_storage_error())
}
