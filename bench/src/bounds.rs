//! What nothing could be faster than: the server that only reads a body and answers, the engine without a server, and
//! the disk.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::post;
use serde::Deserialize;
use zumra_core::{Actor, Clock, CustomerId, GroupId, IdSource, MerchantId, Operation, SystemClock};
use zumra_storage::Storage;
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

use crate::service::Installation;
use crate::workloads::{Kind, Workload};

const ANSWER: &str =
    r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;

#[derive(Deserialize)]
struct Body {
    group_id: i64,
    customers: Vec<i64>,
}

/// The HTTP bound: the same stack, which reads the same body and answers with a constant. What would be refused by what
/// is kept is refused by its last id.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        writeln!(std::io::stdout(), "{address}")?;
        let answer = async |body: Bytes| {
            let json = [(header::CONTENT_TYPE, "application/json")];
            match serde_json::from_slice::<Body>(&body) {
                Ok(body) if body.group_id > 0 && body.customers.last() != Some(&i64::MAX) => {
                    (StatusCode::OK, json, ANSWER)
                }
                _ => (StatusCode::UNPROCESSABLE_ENTITY, json, ANSWER),
            }
        };
        let routes = Router::new().route("/admin/v2/customers/groups/add_customers", post(answer));
        serve_connections(listener, routes).await
    })
}

async fn serve_connections(listener: tokio::net::TcpListener, routes: Router) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = hyper_util::service::TowerToHyperService::new(routes.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
        );
    }
}

/// The engine bound: one caller in this process does the same additions, one after another. Requests a second.
pub(crate) fn engine(
    installation: &Installation,
    workload: &Workload,
    time: Duration,
) -> anyhow::Result<Option<f64>> {
    if workload.kind == Kind::Bad {
        return Ok(None); // the engine explains nothing
    }
    let database = installation.copy()?;
    let storage = SqliteStorage::open(&SqliteOptions::new(database.path()), SystemClock.now())?;
    let ids = IdSource::new(1);
    let merchant = MerchantId::FIRST;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let started = Instant::now();
        let mut requests = 0;
        while started.elapsed() < time {
            let (group, customers) = workload.request(0, requests);
            let group = GroupId::new(group).unwrap_or(GroupId::FIRST);
            let customers = customers.into_iter().filter_map(CustomerId::new).collect();
            let at = SystemClock.now();
            let operation = Operation { id: ids.next_operation(at), at, actor: Actor::Operator };
            storage.add_members(merchant, group, customers, operation).await?;
            requests += 1;
        }
        let elapsed = started.elapsed().as_secs_f64();
        storage.close().await;
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let rate = requests as f64 / elapsed;
        Ok(Some(rate))
    })
}

/// How often a second the disk keeps a page.
pub(crate) fn syncs_per_second() -> anyhow::Result<f64> {
    let mut file: File = tempfile::tempfile_in(".")?;
    let started = Instant::now();
    let mut syncs = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / started.elapsed().as_secs_f64())
}
