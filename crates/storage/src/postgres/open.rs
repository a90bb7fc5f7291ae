//! Opening a database: what every connection is told, TLS, and the schema.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime};
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{PostgresOptions, Tls};
use super::errors::{Failure, Try};
use super::operations;
use crate::migrate::{self, Migration};
use crate::{Inspection, Result, StorageError};

/// How long anybody waits for a connection: for a free one, and for a new one.
const CONNECTION_TIME: Duration = Duration::from_secs(2);
/// A connection on which nothing has come for so long asks whether the other end is there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often the first start is tried when others start at the same moment.
const START_TRIES: u32 = 5;

/// A pool of connections that are made when they are needed.
pub(super) fn pool(options: &PostgresOptions) -> Result<Pool> {
    let mut config = options.config.clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECTION_TIME);
    }
    if config.get_application_name().is_none() {
        config.application_name("zumra");
    }
    config.keepalives_idle(KEEPALIVE);
    // First, so that what the address says wins. Every statement has its index; plans that were made while a table was
    // small, and are kept, must not read it from end to end when it has grown.
    let given = config.get_options().unwrap_or_default();
    let limit = options.statement_time.as_millis();
    let told = format!("-c statement_timeout={limit} -c enable_seqscan=off {given}");
    config.options(told.trim_end());
    // Connections that the server has closed are seen without asking; those that break in use are taken out then.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match &options.tls {
        Tls::Off => Manager::from_config(config, NoTls, recycling),
        tls => Manager::from_config(config, MakeRustlsConnect::new(tls_config(tls)?), recycling),
    };
    let pool = Pool::builder(manager)
        .max_size(options.connections)
        .runtime(Runtime::Tokio1)
        // The one that was used last: the server's process behind it has its plans made and its memory at hand.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(CONNECTION_TIME))
        .create_timeout(Some(CONNECTION_TIME))
        .recycle_timeout(Some(CONNECTION_TIME));
    pool.build().map_err(|error| StorageError::Internal(error.to_string()))
}

fn tls_config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StorageError::Internal(error.to_string()))?;
    let Tls::Verified(authority) = tls else {
        let verifier = Arc::new(AnyServer(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    };
    let roots = if let Some(file) = authority {
        read_authorities(file)?
    } else {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    };
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn read_authorities(file: &Path) -> Result<RootCertStore> {
    let problem = |why: &dyn std::fmt::Display| {
        StorageError::Unavailable(format!("sslrootcert {}: {why}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| problem(&error))? {
        roots.add(certificate.map_err(|error| problem(&error))?).map_err(|error| problem(&error))?;
    }
    if roots.is_empty() {
        return Err(problem(&"there is no certificate in it"));
    }
    Ok(roots)
}

/// Takes any server for the right one, as `sslmode=prefer` does everywhere: it would also go on without TLS.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Runs outstanding migrations. Any number of processes may do this at once.
pub(super) async fn migrate(pool: &Pool, now: Timestamp) -> Result<()> {
    let mut client = pool.get().await.map_err(|error| Failure::from(error).into_error())?;
    for _ in 1..START_TRIES {
        match run_outstanding(&mut client, now).await {
            Err(Failure::InTheWay(_)) => {}
            done => return done.map_err(Failure::into_error),
        }
    }
    run_outstanding(&mut client, now).await.map_err(Failure::into_error)
}

async fn run_outstanding(client: &mut Client, now: Timestamp) -> Try<()> {
    while let Some(migration) = outstanding(client).await?.first() {
        run(client, migration, now).await?;
    }
    Ok(())
}

/// Runs one migration, unless another process does it at the same moment. Its row comes first: whoever comes second
/// waits there for the first to commit, and then finds it done.
async fn run(client: &mut Client, migration: &Migration, now: Timestamp) -> Try<()> {
    client.batch_execute(TRACKING_TABLE).await.map_err(|error| match error.code() {
        // IF NOT EXISTS does not see what another process has not committed yet.
        Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT) => {
            in_the_way()
        }
        _ => error.into(),
    })?;
    let tx = client.transaction().await?;
    // It may take long, on a large database or while another process is at it.
    tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let number = i32::try_from(migration.number).unwrap_or(i32::MAX);
    let inserted = tx
        .execute(
            "INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (number) DO NOTHING",
            &[&number, &migration.name, &migration.hash(), &now.as_microsecond()],
        )
        .await?;
    if inserted == 0 {
        return Ok(());
    }
    tx.batch_execute(migration.sql).await.map_err(|error| match error.code() {
        Some(&SqlState::DUPLICATE_TABLE) => StorageError::ForeignDatabase(
            "it has tables of another program; give it a database of its own".to_owned(),
        )
        .into(),
        _ => Failure::from(error),
    })?;
    Ok(tx.commit().await?)
}

fn in_the_way() -> Failure {
    Failure::InTheWay(StorageError::Unavailable("others bring its schema up to date".to_owned()))
}

const TRACKING_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer NOT NULL PRIMARY KEY,
    name       text    NOT NULL,
    hash       text    NOT NULL,
    applied_at bigint  NOT NULL
)";

async fn outstanding(client: &Client) -> Try<&'static [Migration]> {
    let applied = client.query("SELECT number, hash FROM schema_migrations ORDER BY number", &[]).await;
    let applied = match applied {
        Ok(rows) => rows,
        Err(error) => match error.code() {
            Some(&SqlState::UNDEFINED_TABLE) => return Ok(migrate::POSTGRES),
            Some(&SqlState::UNDEFINED_COLUMN) => {
                return Err(
                    StorageError::ForeignDatabase("it is a database of another program".to_owned()).into()
                );
            }
            _ => return Err(error.into()),
        },
    };
    let mut steps = Vec::new();
    for row in applied {
        let number: i32 = row.try_get(0)?;
        steps.push((number.unsigned_abs(), row.try_get(1)?));
    }
    Ok(migrate::outstanding(migrate::POSTGRES, &steps)?)
}

/// Fails if the schema is not that of this program.
pub(super) async fn require_newest_schema(client: &Client) -> Result<()> {
    require_schema(client).await?;
    match outstanding(client).await.map_err(Failure::into_error)? {
        [] => Ok(()),
        _ => Err(migrate::schema_outdated()),
    }
}

/// A single connection.
pub(super) async fn client(options: &PostgresOptions) -> Result<Client> {
    pool(options)?.get().await.map_err(|error| Failure::from(error).into_error())
}

/// Fails if the schema is not ours, newer, or not there at all.
pub(super) async fn require_schema(client: &Client) -> Result<()> {
    let outstanding = outstanding(client).await.map_err(Failure::into_error)?;
    if outstanding.len() == migrate::POSTGRES.len() {
        return Err(StorageError::ForeignDatabase("there are no tables of zumra in it".to_owned()));
    }
    Ok(())
}

/// Looks the whole database over, however long that takes.
pub(super) async fn inspect(client: &Client) -> Try<Inspection> {
    client.batch_execute("SET statement_timeout = 0").await?;
    operations::inspect(client).await
}

/// Whether the tables can be read.
pub(super) async fn ping(client: &Client) -> Try<()> {
    let statement = client.prepare_cached("SELECT 1 FROM merchants LIMIT 1").await?;
    client.query_opt(&statement, &[]).await?;
    Ok(())
}
