//! The driver bound: the statement that adds members, sent over plain driver connections. No pool, no
//! service, one add request per statement, and no retry except for an operation id that is already used.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};
use zumra_core::{Actor, Clock, IdGenerator, OperationKind, SystemClock};
use zumra_storage::postgres::PROPOSED_ID_LAG_MAX;

use crate::database::Database;
use crate::load::{Run, elapsed_micros};
use crate::requests;
use crate::workloads::{Request, Workload};

/// The value of `memberships.source` for members that are added by hand.
const ADDED_BY_HAND: i16 = 1;
/// Upper limit of the storage's id gaps.
const MAX_ID_GAP: u64 = 1024;
/// Seed of the operation ids; each bound has its own.
const ID_SEED: u16 = 2;
/// Column of the statement's result with the number of memberships that it created.
const ADDED_COLUMN: usize = 2;

/// One connection with the prepared statement for each client of the workload.
pub(crate) struct DriverBound {
    runtime: Runtime,
    connections: Vec<(Client, Statement)>,
    ids: Arc<IdGenerator>,
}

impl DriverBound {
    pub(crate) fn open(database: &Database, sql: &str, connections: usize) -> anyhow::Result<Self> {
        let Database::Server { url, .. } = database else {
            anyhow::bail!("the driver bound needs PostgreSQL")
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut prepared = Vec::with_capacity(connections);
            for _ in 0..connections {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                // Ends when the client is dropped, or with an error that the client returns too.
                tokio::spawn(async move { drop(connection.await) });
                client.batch_execute("SET enable_seqscan = off").await?; // as the storage does
                let statement = client.prepare(sql).await?;
                prepared.push((client, statement));
            }
            anyhow::Ok(prepared)
        })?;
        Ok(Self { runtime, connections, ids: Arc::new(IdGenerator::new(ID_SEED)) })
    }

    /// Executes all requests of a run. Each connection takes the next request when it is idle.
    pub(crate) fn run(&self, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let next = AtomicU64::new(numbers.start);
        let started = Instant::now();
        let clients = self.connections.iter().map(async |(client, statement)| {
            let mut micros = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return anyhow::Ok(micros);
                }
                let request_started = Instant::now();
                self.add(client, statement, workload.request(number), number).await?;
                micros.push(elapsed_micros(request_started));
            }
        });
        let micros = self.runtime.block_on(futures_util::future::try_join_all(clients))?;
        Ok(Run { elapsed: started.elapsed(), micros: micros.concat(), generator_busy: None })
    }

    /// Adds members with one statement. Repeats it with a larger id gap while the operation id is already
    /// used.
    async fn add(
        &self,
        client: &Client,
        statement: &Statement,
        request: Request,
        number: u64,
    ) -> anyhow::Result<()> {
        let Request::Add { merchant, group, first, count, .. } = request else {
            anyhow::bail!("the driver bound only adds members")
        };
        let (actor, kind) = (Actor::Operator.to_string(), OperationKind::AddMembers.as_str());
        let customers = format!("{{{}}}", requests::id_list(first, count, false));
        let nonce = i64::try_from(number)?;
        let mut id_gap = 1 + i64::try_from(number % MAX_ID_GAP)?;
        loop {
            let now = SystemClock.now();
            let (id, now) = (self.ids.next_operation(now).get(), now.as_microsecond());
            let result = client
                .query_one(
                    statement,
                    &[
                        &merchant,
                        &vec![group],
                        &vec![id],
                        &vec![now],
                        &vec![actor.as_str()],
                        &vec![nonce],
                        &vec![customers.as_str()],
                        &(count + 1),
                        &id_gap,
                        &ADDED_BY_HAND,
                        &kind,
                        &PROPOSED_ID_LAG_MAX,
                    ],
                )
                .await;
            match result {
                // A concurrent operation took the id.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => id_gap += 1,
                result => {
                    let added: i64 = result?.try_get(ADDED_COLUMN)?;
                    anyhow::ensure!(added == count, "added {added} members, expected {count}");
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zumra_storage::postgres::ADD_MEMBERS;
    use zumra_testkit::postgres::TestDatabase;

    use super::*;
    use crate::installation::{self, merchant_fixture};
    use crate::workloads::WORKLOADS;

    #[test]
    fn statement_of_the_storage_accepts_the_parameters() {
        let runtime = Runtime::new().unwrap();
        let test_database = runtime.block_on(TestDatabase::new());
        let database = Database::Server { name: String::new(), url: test_database.url() };
        installation::load(&database, std::iter::once(merchant_fixture(1, 1, 3))).unwrap();
        let driver = DriverBound::open(&database, &ADD_MEMBERS, 2).unwrap();
        let run = driver.run(&WORKLOADS[0], 0..3).unwrap();
        assert_eq!(run.micros.len(), 3);
    }
}
