//! `zumra serve`: the service on a persistent database. `zumra dev` shares its start and stop.

use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use zumra_core::{SystemClock, SystemEntropy};
use zumra_server::telemetry::{self, LogFormat};
use zumra_server::{App, AppOptions, Listeners};
use zumra_storage::Storage;

use crate::config::{self, CommandLine, DatabaseOptions, LogStyle, Options, Settings};
use crate::database::{self, DatabaseLocation, runtime};
use crate::failure::{Exit, Failure};

/// Run the service on a persistent database
///
/// Creates the database if it does not exist, and migrates its schema. Logs to standard error, by default in JSON lines.
/// SIGTERM and Ctrl-C stop it gracefully: it completes the requests it has accepted.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra serve
  zumra serve --listen 0.0.0.0:8723 --public-url https://api.shop.example
  zumra serve --database /var/lib/zumra/zumra.db --admin-listen 127.0.0.1:9723
  zumra serve --database 'postgres://zumra@db.example/zumra?sslmode=require'
  zumra serve --database postgres://zumra@db1/zumra --replica postgres://zumra@db2/zumra

Then create a merchant and a token, also while the service runs:
  zumra merchant create --name 'My shop' --database /var/lib/zumra/zumra.db
  zumra token create --merchant ID --scope customers.read_write --database /var/lib/zumra/zumra.db")]
pub(crate) struct Command {
    #[command(flatten)]
    databases: DatabaseOptions,
    #[command(flatten)]
    options: Options,
}

impl Command {
    pub(crate) fn run(self, command_line: &CommandLine) -> anyhow::Result<()> {
        let settings = config::settings(command_line, self.databases, self.options, LogStyle::Json)?;
        let location = settings.database_location()?;
        start_logging(&settings)?;
        runtime()?.block_on(async {
            // Bind first: a second service that is started by mistake fails before it opens the database.
            let listeners = listen(&settings).await?;
            let stop = shutdown_signal()?;
            let storage = match location {
                DatabaseLocation::File(path) => {
                    let log_created =
                        |path: &Path| tracing::info!(database = %path.display(), "database created");
                    database::open_file(&settings.sqlite_options(path), log_created)?
                }
                DatabaseLocation::Server(options) => {
                    database::open_server(&settings.postgres_options(*options), &settings.database).await?
                }
            };
            let address = listeners.public.local_addr()?;
            tracing::info!(
                listen = %address,
                admin_listen = settings.admin_listen.map(|address| address.to_string()),
                database = %settings.database,
                replica = settings.replica.as_ref().map(ToString::to_string),
                version = env!("CARGO_PKG_VERSION"),
                "zumra is listening"
            );
            serve(settings.app_options(address), storage, listeners, stop).await;
            tracing::info!("zumra has stopped");
            Ok(())
        })
    }
}

/// Starts logging to standard error, with colors only on a terminal.
pub(super) fn start_logging(settings: &Settings) -> Result<(), Failure> {
    let format = match settings.log_style {
        LogStyle::Json => LogFormat::Json,
        LogStyle::Pretty if std::io::stderr().is_terminal() => LogFormat::Pretty,
        LogStyle::Pretty => LogFormat::Plain,
    };
    telemetry::init(format, &settings.log_level)
        .map_err(|problem| Failure::usage(format!("settings: log.level: {problem}")))
}

/// Binds the listeners. Clients can connect from now on; their requests wait until [`serve`] runs.
pub(super) async fn listen(settings: &Settings) -> Result<Listeners, Failure> {
    let public = bind("listen", settings.listen).await?;
    let admin = match settings.admin_listen {
        Some(address) => Some(bind("admin.listen", address).await?),
        None => None,
    };
    Ok(Listeners { public, admin })
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let problem = match error.kind() {
            ErrorKind::AddrInUse => "is in use; stop the other program or choose another address".to_owned(),
            ErrorKind::AddrNotAvailable => "is not an address of this host".to_owned(),
            ErrorKind::PermissionDenied => {
                "is not permitted; ports below 1024 need the privilege to bind them".to_owned()
            }
            _ => error.to_string(),
        };
        Failure::new(Exit::Failed, format!("settings: {key}: {address} {problem}"))
    })
}

/// Serves until `stop` completes, then shuts down gracefully and closes the storage.
pub(super) async fn serve(
    options: AppOptions,
    storage: Arc<dyn Storage>,
    listeners: Listeners,
    stop: impl Future<Output = ()> + Send,
) {
    let app = App::new(storage, Arc::new(SystemClock), &SystemEntropy, options);
    zumra_server::serve(app, listeners, stop).await;
}

/// Returns a future that completes on SIGTERM or Ctrl-C. Signals are handled from this call on, before it is awaited.
pub(super) fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("cannot handle signals");
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().context("cannot handle Ctrl-C")?;
        Ok(async move {
            let _ = interrupt.recv().await; // `None` means that the handler is gone: stop as well
        })
    }
}
