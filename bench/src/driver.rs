//! The driver bound: the statement that adds members, sent by bare connections of the driver. No pool, no retries but the
//! one for a number that is taken, no service, and one addition in each statement.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};
use zumra_core::{Actor, Clock, IdGenerator, OperationKind, SystemClock};

use crate::database::Database;
use crate::load::Run;
use crate::requests;
use crate::workloads::{Ask, Workload};

/// The bit of `source` that says "by hand".
const BY_HAND: i16 = 1;
/// Strides of the storage are below this.
const STRIDES: u64 = 1024;

/// Connections, as many as the workload has clients, each with the statement prepared.
pub(crate) struct Driver {
    runtime: Runtime,
    connections: Vec<(Client, Statement)>,
    ids: Arc<IdGenerator>,
}

impl Driver {
    pub(crate) fn open(database: &Database, sql: &str, connections: usize) -> anyhow::Result<Self> {
        let Database::Server { address, .. } = database else { anyhow::bail!("a file has no driver") };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut open = Vec::with_capacity(connections);
            for _ in 0..connections {
                let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
                // It ends when the client is dropped, or with an error that the client sees too.
                tokio::spawn(async move { drop(connection.await) });
                client.batch_execute("SET enable_seqscan = off").await?; // as the storage does
                let statement = client.prepare(sql).await?;
                open.push((client, statement));
            }
            anyhow::Ok(open)
        })?;
        Ok(Self { runtime, connections, ids: Arc::new(IdGenerator::new(2)) })
    }

    /// All requests of a run, each by whichever connection is free.
    pub(crate) fn run(&self, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let next = AtomicU64::new(numbers.start);
        let started = Instant::now();
        let work = self.connections.iter().map(async |(client, statement)| {
            let mut micros = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return anyhow::Ok(micros);
                }
                let asked = Instant::now();
                self.add(client, statement, workload.ask(number), number).await?;
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
        });
        let micros = self.runtime.block_on(futures_util::future::try_join_all(work))?;
        Ok(Run { elapsed: started.elapsed(), micros: micros.concat(), busy: None })
    }

    async fn add(&self, client: &Client, statement: &Statement, ask: Ask, number: u64) -> anyhow::Result<()> {
        let Ask::Add { merchant, group, first, count, .. } = ask else {
            anyhow::bail!("the statement only adds")
        };
        let (actor, kind) = (Actor::Operator.to_string(), OperationKind::AddMembers.as_str());
        let list = format!("{{{}}}", requests::ids(first, count, false));
        let nonce = i64::try_from(number)?;
        let mut stride = 1 + i64::try_from(number % STRIDES)?;
        loop {
            let at = SystemClock.now();
            let (id, at) = (self.ids.next_operation(at).get(), at.as_microsecond());
            let added = client
                .query_one(
                    statement,
                    &[
                        &merchant,
                        &vec![group],
                        &vec![id],
                        &vec![at],
                        &vec![actor.as_str()],
                        &vec![nonce],
                        &vec![list.as_str()],
                        &(count + 1),
                        &stride,
                        &BY_HAND,
                        &kind,
                    ],
                )
                .await;
            match added {
                // Somebody else's operation took the number meanwhile.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => stride += 1,
                added => {
                    anyhow::ensure!(added?.try_get::<_, i64>(2)? == count, "not all were new");
                    return Ok(());
                }
            }
        }
    }
}
