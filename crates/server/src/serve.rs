//! Listeners: accepting connections within a limit, and graceful shutdown.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::app::App;
use crate::archive::run_archive_task;
use crate::connection::{ConnectionOptions, serve_connection};
use crate::import::run_import_task;
use crate::router::{admin_router, router};
use crate::search_index::run_rebuild_task;

/// The listening sockets of a service.
pub struct Listeners {
    /// The public address.
    pub public: TcpListener,
    /// The address of `/metrics`; `None` serves no metrics.
    pub admin: Option<TcpListener>,
}

/// Connection limit of the admin address.
const ADMIN_CONNECTIONS_MAX: usize = 16;
/// Delay after a failed accept, for example for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Serves until `shutdown` completes.
///
/// Then stops accepting connections, finishes open requests within `limits.request_timeout`, stops the background
/// tasks and closes the storage.
pub async fn serve(app: App, listeners: Listeners, shutdown: impl Future<Output = ()> + Send) {
    let (stop_sender, stop) = watch::channel(());
    let limits = &app.options.limits;
    let public = Listener::new(listeners.public, router(app.clone()), limits.connections, &app);
    let admin = listeners
        .admin
        .map(|socket| Listener::new(socket, admin_router(app.clone()), ADMIN_CONNECTIONS_MAX, &app));
    let listener_tasks: Vec<_> = [Some(public), admin]
        .into_iter()
        .flatten()
        .map(|listener| tokio::spawn(listener.run(stop.clone())))
        .collect();
    let background_tasks = [
        tokio::spawn(run_archive_task(app.clone())),
        tokio::spawn(run_import_task(app.clone())),
        tokio::spawn(run_rebuild_task(app.clone())),
    ];
    shutdown.await;
    drop(stop_sender);
    for task in listener_tasks {
        let _ = task.await; // a listener that panicked has no connections left to finish
    }
    // A chunk is one transaction, so aborting leaves no partial one. The tasks continue after the next start.
    background_tasks.iter().for_each(tokio::task::JoinHandle::abort);
    app.storage.close().await;
}

/// A listening socket and the router behind it.
struct Listener {
    socket: TcpListener,
    options: ConnectionOptions,
    connections: usize,
    connection_permits: Arc<Semaphore>,
    app: App,
}

impl Listener {
    fn new(socket: TcpListener, router: Router, connections: usize, app: &App) -> Self {
        Self {
            socket,
            options: ConnectionOptions::new(router, &app.options.limits, connections),
            connections,
            connection_permits: Arc::new(Semaphore::new(connections)),
            app: app.clone(),
        }
    }

    /// Accepts connections until the sender of `stop` is dropped, then shuts down gracefully.
    async fn run(self, stop: watch::Receiver<()>) {
        let mut stopping = stop.clone();
        let mut stopped = pin!(async move {
            // The sender never sends a value. Dropping it stops the listener: `changed` then returns an error.
            let _ = stopping.changed().await;
        });
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopped => break,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((stream, permit)) => self.spawn_connection(stream, permit, stop.clone()),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed: {error}; retrying in {ACCEPT_RETRY_DELAY:?}");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
        drop(self.socket);
        let timeout = self.app.options.limits.request_timeout;
        // All permits are free when the last connection has ended.
        let connections = u32::try_from(self.connections).unwrap_or(u32::MAX);
        let ended = self.connection_permits.acquire_many(connections);
        if tokio::time::timeout(timeout, ended).await.is_err() {
            tracing::warn!("graceful shutdown timed out after {timeout:?}; aborting open requests");
        }
    }

    /// Accepts a connection once a permit is free. Until then it stays in the backlog of the operating system.
    async fn accept(&self) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let permits = Arc::clone(&self.connection_permits);
        let permit = permits.acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, _) = self.socket.accept().await?;
        Ok((stream, permit))
    }

    fn spawn_connection(&self, stream: TcpStream, permit: OwnedSemaphorePermit, stop: watch::Receiver<()>) {
        // Responses are small and complete, so delaying them to fill a packet gains nothing.
        let _ = stream.set_nodelay(true);
        let options = self.options.clone();
        let open_connections = self.app.telemetry.connections.clone();
        open_connections.inc();
        tokio::spawn(async move {
            serve_connection(stream, options, stop).await;
            open_connections.dec();
            drop(permit);
        });
    }
}
