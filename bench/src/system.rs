//! A system that a workload runs on: the service, or one of its bounds.

use std::net::SocketAddr;
use std::ops::Range;

use zumra_storage::postgres::ADD_MEMBERS;

use crate::database::{Database, Databases};
use crate::driver_bound::DriverBound;
use crate::engine_bound::EngineBound;
use crate::load::{self, Run};
use crate::process::Process;
use crate::requests::RequestWriter;
use crate::workloads::Workload;

/// A measured system: it executes the requests of a workload.
pub(crate) enum System {
    /// Server processes; the clients are distributed over them.
    Http(Vec<Process>),
    Engine(EngineBound),
    Driver(DriverBound),
}

impl System {
    /// Starts the HTTP bound.
    pub(crate) fn http_bound(databases: &Databases) -> anyhow::Result<Self> {
        Ok(Self::Http(vec![Process::start_http_bound(databases.janitor())?]))
    }

    /// Starts the server bound.
    pub(crate) fn server_bound(databases: &Databases, database: &Database) -> anyhow::Result<Self> {
        Ok(Self::Http(vec![Process::start_server_bound(databases.janitor(), database)?]))
    }

    /// Starts `count` services on one database.
    pub(crate) fn services(databases: &Databases, database: &Database, count: usize) -> anyhow::Result<Self> {
        let services = (0..count).map(|_| Process::start_zumra(databases.janitor(), database));
        Ok(Self::Http(services.collect::<anyhow::Result<_>>()?))
    }

    /// Opens the engine bound.
    pub(crate) fn engine_bound(database: &Database) -> anyhow::Result<Self> {
        Ok(Self::Engine(EngineBound::open(database)?))
    }

    /// Opens the driver bound.
    pub(crate) fn driver_bound(database: &Database, workload: &Workload) -> anyhow::Result<Self> {
        Ok(Self::Driver(DriverBound::open(database, &ADD_MEMBERS, workload.clients)?))
    }

    pub(crate) fn run(
        &self,
        workload: &Workload,
        writer: &RequestWriter,
        numbers: Range<u64>,
    ) -> anyhow::Result<Run> {
        match self {
            Self::Http(processes) => {
                let addresses: Vec<SocketAddr> = processes.iter().map(Process::address).collect();
                load::run(&addresses, workload.clients, numbers, &|_, number, buffer: &mut Vec<u8>| {
                    writer.write(number, buffer)
                })
            }
            Self::Engine(engine) => engine.run(workload, numbers),
            Self::Driver(driver) => driver.run(workload, numbers),
        }
    }

    /// Returns the CPU time of all processes in seconds, where the system reports it. `None` for systems that
    /// run in this process.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let Self::Http(processes) = self else { return None };
        processes.iter().map(Process::cpu_seconds).sum()
    }

    /// Returns the sum of the peak memory of all processes in MiB. `None` for systems that run in this
    /// process.
    pub(crate) fn peak_memory_mib(&self) -> Option<u64> {
        let Self::Http(processes) = self else { return None };
        processes.iter().map(Process::peak_memory_mib).sum()
    }
}
