//! The workloads: kinds of requests, the number of clients, and the content of the request with a given
//! number. No HTTP.

use crate::engine::Engine;
use crate::installation::{
    CUSTOMERS, FIRST_SMALL_MERCHANT, GROUPS, LARGE_MERCHANT, SMALL_CUSTOMERS, SMALL_GROUPS, SMALL_MERCHANTS,
};

/// A kind of request and how it is sent.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Customers per add request.
    pub(crate) size: i64,
    /// Number of clients. Each has one connection and sends its next request after the response to the last
    /// one.
    pub(crate) clients: usize,
    pub(crate) kind: WorkloadKind,
    /// Requests of a run on SQLite, chosen so that a run takes some seconds. PostgreSQL gets half as many.
    sqlite_requests: u64,
    /// The engine bound executes `1 / engine_divisor` of a run: its one caller would take too long for all of
    /// it.
    pub(crate) engine_divisor: u64,
    /// Numbers of services that share one database on PostgreSQL; each is measured.
    pub(crate) services: &'static [usize],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkloadKind {
    /// Adds customers that are not members yet.
    AddNew,
    /// Adds customers that are members already.
    AddExisting,
    /// Adds customers of which the last does not exist: 422, and nothing is written.
    AddMissing,
    /// Reads of many merchants, and adds of single customers.
    Mixed,
}

/// The content of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Adds `count` customers with contiguous ids from `first` to a group. If `is_last_missing`, the last id
    /// is replaced by one that does not exist.
    Add { merchant: i64, group: i64, first: i64, count: i64, is_last_missing: bool },
    /// Reads one customer.
    Customer { merchant: i64, customer: i64 },
    /// Reads the first page of customers.
    Customers { merchant: i64 },
    /// Reads the first page of groups.
    Groups { merchant: i64 },
}

pub(crate) const WORKLOADS: &[Workload] = &[
    workload("add-1", 1, 32, WorkloadKind::AddNew, 90_000, &[1, 3]),
    workload("add-100", 100, 8, WorkloadKind::AddNew, 12_000, &[1, 3]),
    workload("add-1000", 1000, 4, WorkloadKind::AddNew, 1350, &[1, 3]),
    workload("add-10000", 10_000, 1, WorkloadKind::AddNew, 120, &[1]),
    workload("add-again-1000", 1000, 4, WorkloadKind::AddExisting, 4000, &[1]),
    workload("add-bad-1000", 1000, 4, WorkloadKind::AddMissing, 8000, &[1]),
    workload("mixed", 1, 32, WorkloadKind::Mixed, 60_000, &[1, 3]),
];

/// Minimum number of requests of a run, at any scale.
const MIN_REQUESTS: u64 = 5;

const fn workload(
    name: &'static str,
    size: i64,
    clients: usize,
    kind: WorkloadKind,
    sqlite_requests: u64,
    services: &'static [usize],
) -> Workload {
    let engine_divisor = if size == 1 { 10 } else { 1 };
    Workload { name, size, clients, kind, sqlite_requests, engine_divisor, services }
}

impl Workload {
    /// Returns the number of requests of one run.
    pub(crate) fn requests_per_run(&self, engine: Engine, scale: f64) -> u64 {
        let requests = match engine {
            Engine::Sqlite => self.sqlite_requests,
            Engine::Postgres => self.sqlite_requests / 2,
        };
        scaled(requests, scale).max(MIN_REQUESTS)
    }

    /// Returns the number of distinct requests: pairs of a group and a list of customers. Later numbers
    /// repeat them.
    pub(crate) fn distinct_requests(&self) -> u64 {
        let pairs = match self.kind {
            WorkloadKind::AddNew => CUSTOMERS / self.size * GROUPS,
            WorkloadKind::Mixed => SMALL_MERCHANTS * SMALL_CUSTOMERS * SMALL_GROUPS,
            WorkloadKind::AddExisting | WorkloadKind::AddMissing => i64::MAX,
        };
        pairs.unsigned_abs()
    }

    /// Returns true if every request adds one of `CUSTOMERS / size` fixed lists of customers.
    pub(crate) fn has_fixed_lists(&self) -> bool {
        self.kind != WorkloadKind::Mixed
    }

    /// Returns the request with a number. It depends only on the number, so every system receives the same
    /// requests.
    pub(crate) fn request(&self, number: u64) -> Request {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        if self.kind == WorkloadKind::Mixed {
            return mixed_request(number);
        }
        let clients = i64::try_from(self.clients).unwrap_or(1);
        let pair = if self.kind == WorkloadKind::AddNew { number } else { number % clients };
        let lists = CUSTOMERS / self.size;
        Request::Add {
            merchant: LARGE_MERCHANT,
            group: 1 + (pair / lists) % GROUPS,
            first: 1 + (pair % lists) * self.size,
            count: self.size,
            is_last_missing: self.kind == WorkloadKind::AddMissing,
        }
    }

    /// Returns the status that every response must have.
    pub(crate) fn expected_status(&self) -> u16 {
        if self.kind == WorkloadKind::AddMissing { 422 } else { 200 }
    }
}

/// Returns a request of the mixed workload. Of ten, four read a customer, two a page of customers, two the
/// groups, and two add a customer.
fn mixed_request(number: i64) -> Request {
    // Coprime to the number of pairs, so each number has its own pair.
    const STEP: i64 = 161_803;
    let random = split_mix_64(number.unsigned_abs());
    let pair = number.wrapping_mul(STEP).rem_euclid(SMALL_MERCHANTS * SMALL_CUSTOMERS * SMALL_GROUPS);
    let merchant = FIRST_SMALL_MERCHANT + pair % SMALL_MERCHANTS;
    let customer = 1 + pair / SMALL_MERCHANTS % SMALL_CUSTOMERS;
    let group = 1 + pair / SMALL_MERCHANTS / SMALL_CUSTOMERS;
    match random % 10 {
        0..4 => Request::Customer { merchant, customer },
        4..6 => Request::Customers { merchant },
        6..8 => Request::Groups { merchant },
        _ => Request::Add { merchant, group, first: customer, count: 1, is_last_missing: false },
    }
}

/// Returns the element at `index` of the `SplitMix64` pseudorandom sequence with seed 0.
fn split_mix_64(index: u64) -> u64 {
    let mut mixed = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Returns `count * scale`, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a count of requests"
)]
pub(crate) fn scaled(count: u64, scale: f64) -> u64 {
    (count as f64 * scale) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn add_requests_are_distinct() {
        let adds = |workload: &&Workload| matches!(workload.kind, WorkloadKind::AddNew | WorkloadKind::Mixed);
        for workload in WORKLOADS.iter().filter(adds) {
            let mut seen = HashSet::new();
            for number in 0..workload.distinct_requests().min(500_000) {
                if let Request::Add { merchant, group, first, .. } = workload.request(number) {
                    assert!(seen.insert((merchant, group, first)), "{} {number}", workload.name);
                }
            }
        }
    }

    #[test]
    fn a_fifth_of_mixed_requests_adds_a_customer() {
        let adds = (0..10_000).filter(|number| matches!(mixed_request(*number), Request::Add { .. })).count();
        assert!((1900..2100).contains(&adds), "{adds}");
    }
}
