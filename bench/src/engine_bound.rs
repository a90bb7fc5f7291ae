//! The engine bound: the storage in this process, without a server, called by one sequential caller.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::runtime::Runtime;
use zumra_core::{
    Actor, Clock, CustomerId, GroupId, IdGenerator, MerchantId, Operation, PageRequest, SystemClock,
};
use zumra_storage::{AddMembersOutcome, CustomerFilter, Storage};

use crate::database::Database;
use crate::load::{Run, elapsed_micros};
use crate::workloads::{Request, Workload};

/// Seed of the operation ids; each bound has its own.
const ID_SEED: u16 = 1;

/// An open storage and the runtime of its only caller.
pub(crate) struct EngineBound {
    runtime: Runtime,
    storage: Arc<dyn Storage>,
    ids: IdGenerator,
}

impl EngineBound {
    pub(crate) fn open(database: &Database) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let storage = runtime.block_on(database.open())?;
        Ok(Self { runtime, storage, ids: IdGenerator::new(ID_SEED) })
    }

    /// Executes the first `1 / engine_divisor` of a run's requests: one caller takes longer than many
    /// clients.
    pub(crate) fn run(&self, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let count = ((numbers.end - numbers.start) / workload.engine_divisor).max(1);
        self.runtime.block_on(async {
            let mut micros = Vec::new();
            let started = Instant::now();
            for number in numbers.start..numbers.start + count {
                let request_started = Instant::now();
                self.execute(workload.request(number)).await?;
                micros.push(elapsed_micros(request_started));
            }
            Ok(Run { elapsed: started.elapsed(), micros, generator_busy: None })
        })
    }

    async fn execute(&self, request: Request) -> anyhow::Result<()> {
        let storage = &self.storage;
        let page = PageRequest::from_query(None, None);
        match request {
            Request::Add { merchant, group, first, count, is_last_missing } => {
                let last = first + count - 1;
                let ids = (first..=last).map(|id| if is_last_missing && id == last { i64::MAX } else { id });
                let customers = ids.filter_map(CustomerId::new).collect();
                let group = GroupId::new(group).context("group id is not positive")?;
                let now = SystemClock.now();
                let operation =
                    Operation { proposed_id: self.ids.next_operation(now), at: now, actor: Actor::Operator };
                let outcome =
                    storage.add_members(merchant_id(merchant)?, group, customers, operation).await?;
                let is_rejected = matches!(outcome, AddMembersOutcome::MissingIds(_));
                anyhow::ensure!(is_rejected == is_last_missing, "unexpected outcome: {outcome:?}");
            }
            Request::Customer { merchant, customer } => {
                let customer = CustomerId::new(customer).context("customer id is not positive")?;
                let found = storage.find_customer(merchant_id(merchant)?, customer).await?;
                found.context("customer not found")?;
            }
            Request::Customers { merchant } => {
                storage.list_customers(merchant_id(merchant)?, CustomerFilter::default(), page).await?;
            }
            Request::Groups { merchant } => {
                storage.list_groups(merchant_id(merchant)?, page).await?;
            }
        }
        Ok(())
    }
}

impl Drop for EngineBound {
    fn drop(&mut self) {
        self.runtime.block_on(self.storage.close());
    }
}

fn merchant_id(id: i64) -> anyhow::Result<MerchantId> {
    MerchantId::new(id).context("merchant id is not positive")
}
