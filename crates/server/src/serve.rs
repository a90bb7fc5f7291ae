//! Connections: how many, for how long, and how they end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::router::{admin_router, router};
use crate::{App, import, sweep};

/// Where a service listens.
pub struct Listeners {
    /// The public address.
    pub public: TcpListener,
    /// The address of `/metrics`, if there is one.
    pub admin: Option<TcpListener>,
}

/// Connections to the admin address at once.
const ADMIN_CONNECTIONS: usize = 16;
/// How long to leave the door shut after the system refused a connection, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is done; then takes no more connections, finishes every request that was accepted, and
/// closes the storage.
pub async fn serve(app: App, listeners: Listeners, shutdown: impl Future<Output = ()> + Send) {
    let (stop, stopped) = watch::channel(());
    let public = Door {
        listener: listeners.public,
        router: router(app.clone()),
        seats: Arc::new(Semaphore::new(app.options.limits.connections)),
        app: app.clone(),
    };
    let admin = listeners.admin.map(|listener| Door {
        listener,
        router: admin_router(app.clone()),
        seats: Arc::new(Semaphore::new(ADMIN_CONNECTIONS)),
        app: app.clone(),
    });
    let doors: Vec<_> = [Some(public), admin]
        .into_iter()
        .flatten()
        .map(|door| tokio::spawn(door.open(stopped.clone())))
        .collect();
    let background = [tokio::spawn(sweep::run(app.clone())), tokio::spawn(import::run(app.clone()))];
    shutdown.await;
    drop(stop);
    for door in doors {
        let _ = door.await; // a door that failed has nothing left to finish
    }
    // Between two pieces or in one: what is left is done after the next start.
    background.iter().for_each(tokio::task::JoinHandle::abort);
    app.storage.close().await;
}

/// One listener and what answers behind it.
struct Door {
    listener: TcpListener,
    router: Router,
    seats: Arc<Semaphore>,
    app: App,
}

impl Door {
    async fn open(self, mut stopped: watch::Receiver<()>) {
        let guests = GracefulShutdown::new();
        let mut stopped = pin!(async move {
            // The sender is dropped, never used: an error is the signal.
            let _ = stopped.changed().await;
        });
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopped => break,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((stream, seat)) => self.seat(stream, seat, &guests),
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let limit = self.app.options.limits.request_timeout;
        if tokio::time::timeout(limit, guests.shutdown()).await.is_err() {
            tracing::warn!("some requests were still running when their time was over");
        }
    }

    /// A connection that has a seat. Without a free seat it waits in the system's queue.
    async fn accept(&self) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let seat = Arc::clone(&self.seats).acquire_owned().await.map_err(std::io::Error::other)?;
        let (stream, _) = self.listener.accept().await?;
        Ok((stream, seat))
    }

    fn seat(&self, stream: TcpStream, seat: OwnedSemaphorePermit, guests: &GracefulShutdown) {
        // Answers are small and wait for nothing that could share their packet.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.app.options.limits.header_timeout)
            .serve_connection(TokioIo::new(stream), service);
        let connection = guests.watch(connection);
        let open = self.app.telemetry.connections.clone();
        open.inc();
        tokio::spawn(async move {
            // A connection ends in an error when the client goes away or breaks HTTP; neither is news.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            open.dec();
            drop(seat);
        });
    }
}
