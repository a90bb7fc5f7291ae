//! `zumra serve`: a service on a database that stays. What `zumra dev` shares with it is here too.

use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use zumra_core::{SystemClock, SystemEntropy};
use zumra_server::telemetry::{self, LogFormat};
use zumra_server::{App, Listeners};
use zumra_storage::Storage;

use crate::config::{self, DatabaseOptions, Given, LogStyle, Options, Settings};
use crate::database::{self, Place, runtime};
use crate::failure::{Exit, Failure};

/// Run the service on a database that stays
///
/// Makes the database if it is not there, and brings its schema up to date. Logs go to standard error, one JSON
/// object a line. SIGTERM and Ctrl-C let running requests finish first.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  zumra serve
  zumra serve --listen 0.0.0.0:8723 --public-url https://api.shop.example
  zumra serve --database /var/lib/zumra/zumra.db --admin-listen 127.0.0.1:9723
  zumra serve --database 'postgres://zumra@db.example/zumra?sslmode=require'
  zumra serve --database postgres://zumra@db1/zumra --replica postgres://zumra@db2/zumra

Then make a shop and a token; this works while the service runs:
  zumra merchant create --name 'My shop' --database /var/lib/zumra/zumra.db")]
pub(crate) struct Command {
    #[command(flatten)]
    databases: DatabaseOptions,
    #[command(flatten)]
    options: Options,
}

impl Command {
    pub(crate) fn run(self, given: &Given) -> anyhow::Result<()> {
        let settings = config::settings(given, self.databases, self.options, LogStyle::Json)?;
        let place = settings.place()?;
        start_logs(&settings)?;
        runtime()?.block_on(async {
            // The address first: a second service started by mistake ends before it touches the database.
            let listeners = listen(&settings).await?;
            let stop = shutdown()?;
            let storage = match place {
                Place::File(path) => database::open_file(&settings.sqlite_options(path))?,
                Place::Server(options) => {
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
            serve(&settings, storage, listeners, address, stop).await;
            tracing::info!("zumra has stopped");
            Ok(())
        })
    }
}

/// Logs as the settings say, in colour only where somebody sees it.
pub(super) fn start_logs(settings: &Settings) -> Result<(), Failure> {
    let format = match settings.log_style {
        LogStyle::Json => LogFormat::Json,
        LogStyle::Pretty if std::io::stderr().is_terminal() => LogFormat::Pretty,
        LogStyle::Pretty => LogFormat::Plain,
    };
    telemetry::init(format, &settings.log_level)
        .map_err(|problem| Failure::usage(format!("settings: log.level: {problem}")))
}

/// Takes the addresses. From now on clients can connect; they are answered when [`serve`] runs.
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
            ErrorKind::AddrInUse => {
                "is in use by another program; stop that one or choose another address".to_owned()
            }
            ErrorKind::AddrNotAvailable => "is no address of this machine".to_owned(),
            ErrorKind::PermissionDenied => "is not permitted; ports below 1024 need a privilege".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(Exit::Failed, format!("settings: {key}: {address} {problem}"))
    })
}

/// Serves until `stop` is done, and closes the storage.
pub(super) async fn serve(
    settings: &Settings,
    storage: Arc<dyn Storage>,
    listeners: Listeners,
    address: SocketAddr,
    stop: impl Future<Output = ()> + Send,
) {
    let app = App::new(storage, Arc::new(SystemClock), &SystemEntropy, settings.app_options(address));
    zumra_server::serve(app, listeners, stop).await;
}

/// Done when somebody asks the program to stop. Listens from the moment of the call, not only when it is awaited.
pub(super) fn shutdown() -> anyhow::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("signals cannot be received");
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
        let mut interrupt = tokio::signal::windows::ctrl_c().context("Ctrl-C cannot be received")?;
        Ok(async move {
            let _ = interrupt.recv().await; // nothing more to wait for if it ends
        })
    }
}
