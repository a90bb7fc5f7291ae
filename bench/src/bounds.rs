//! What nothing could be faster than: the server that only reads a body and answers, the engine without a server, and
//! the disk.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;
use tokio::runtime::Runtime;
use zumra_core::{
    Actor, Clock, CustomerId, GroupId, IdGenerator, MerchantId, Operation, PageRequest, SystemClock,
};
use zumra_storage::{AddMembersOutcome, CustomerFilter, Storage};

use crate::database::Database;
use crate::load::Run;
use crate::workloads::{Ask, Workload};

const ANSWER: &str =
    r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;

#[derive(Deserialize)]
struct Body {
    group_id: i64,
    customers: Vec<i64>,
}

/// The HTTP bound: the same stack, which reads the same body and answers with a constant. What would be refused by what
/// is kept is refused by its last id.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let answer = async |body: Bytes| match serde_json::from_slice::<Body>(&body) {
            Ok(body) if body.group_id > 0 && body.customers.last() != Some(&i64::MAX) => {
                constant(StatusCode::OK)
            }
            _ => constant(StatusCode::UNPROCESSABLE_ENTITY),
        };
        let routes = Router::new()
            .route("/admin/v2/customers/groups/add_customers", post(answer))
            .fallback(async || constant(StatusCode::OK));
        serve_connections(listener, routes).await
    })
}

fn constant(status: StatusCode) -> impl IntoResponse {
    (status, [(header::CONTENT_TYPE, "application/json")], ANSWER)
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

/// The engine bound: the storage in this process, and one caller who asks the same, one after another.
pub(crate) struct Engine {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    ids: IdGenerator,
}

impl Engine {
    pub(crate) fn open(database: &Database) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let storage = runtime.block_on(database.open())?;
        Ok(Self { runtime, storage, ids: IdGenerator::new(1) })
    }

    /// The first part of a run's requests: one caller takes longer than many.
    pub(crate) fn run(&self, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let count = ((numbers.end - numbers.start) / workload.engine_part).max(1);
        self.runtime.block_on(async {
            let mut micros = Vec::new();
            let started = Instant::now();
            for number in numbers.start..numbers.start + count {
                let asked = Instant::now();
                self.ask(workload.ask(number)).await?;
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(Run { elapsed: started.elapsed(), micros, busy: None })
        })
    }

    async fn ask(&self, ask: Ask) -> anyhow::Result<()> {
        let storage = &self.storage;
        let page = PageRequest::from_query(None, None);
        match ask {
            Ask::Add { merchant, group, first, count, bad } => {
                let last = first + count - 1;
                let ids = (first..=last).map(|id| if bad && id == last { i64::MAX } else { id });
                let customers = ids.filter_map(CustomerId::new).collect();
                let group = GroupId::new(group).context("a group's id is positive")?;
                let at = SystemClock.now();
                let operation =
                    Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Operator };
                let added = storage.add_members(id(merchant)?, group, customers, operation).await?;
                anyhow::ensure!(matches!(added, AddMembersOutcome::MissingIds(_)) == bad, "{added:?}");
            }
            Ask::Customer { merchant, customer } => {
                let customer = CustomerId::new(customer).context("a customer's id is positive")?;
                storage.find_customer(id(merchant)?, customer).await?.context("no such customer")?;
            }
            Ask::Customers { merchant } => {
                storage.list_customers(id(merchant)?, CustomerFilter::default(), page).await?;
            }
            Ask::Groups { merchant } => {
                storage.list_groups(id(merchant)?, page).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.runtime.block_on(self.storage.close());
    }
}

fn id(merchant: i64) -> anyhow::Result<MerchantId> {
    MerchantId::new(merchant).context("a merchant's id is positive")
}

/// How often a second the disk of a folder keeps a page.
pub(crate) fn syncs_per_second(folder: &Path) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let started = Instant::now();
    let mut syncs = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / started.elapsed().as_secs_f64())
}
