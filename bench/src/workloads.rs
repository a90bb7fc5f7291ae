//! What is asked: kinds of requests, how many clients send them, and what the request with a number is. No HTTP.

use crate::database::Engine;
use crate::installation::{CUSTOMERS, FIRST_SMALL, GROUPS, LARGE, SMALL, SMALL_CUSTOMERS, SMALL_GROUPS};

/// A kind of request, and how it is sent.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Customers of a request that adds some.
    pub(crate) size: i64,
    /// Clients, each with one connection, each sending its next request when it has its answer.
    pub(crate) clients: usize,
    pub(crate) kind: Kind,
    /// Requests of a run on SQLite, which take it some seconds; on PostgreSQL they are half as many.
    requests: u64,
    /// The engine bound has one caller and would take too long for all of a run: it gets one part in so many.
    pub(crate) engine_part: u64,
    /// How many services share a database on PostgreSQL: each number is measured.
    pub(crate) services: &'static [usize],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Customers who are not in the group yet.
    New,
    /// Customers who are.
    Again,
    /// Customers of whom the last is unknown: 422, and nothing is written.
    Bad,
    /// Reads of many merchants, and some of their customers joining groups one by one.
    Mixed,
}

/// What one request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Puts customers into a group: `count` of them with ids from `first`, the last of them unknown if it is `bad`.
    Add { merchant: i64, group: i64, first: i64, count: i64, bad: bool },
    /// A customer's details.
    Customer { merchant: i64, customer: i64 },
    /// The first page of the customers.
    Customers { merchant: i64 },
    /// The first page of the groups.
    Groups { merchant: i64 },
}

pub(crate) const WORKLOADS: &[Workload] = &[
    workload("add-1", 1, 32, Kind::New, 90_000, &[1, 3]),
    workload("add-100", 100, 8, Kind::New, 12_000, &[1, 3]),
    workload("add-1000", 1000, 4, Kind::New, 1350, &[1, 3]),
    workload("add-10000", 10_000, 1, Kind::New, 120, &[1]),
    workload("add-again-1000", 1000, 4, Kind::Again, 4000, &[1]),
    workload("add-bad-1000", 1000, 4, Kind::Bad, 8000, &[1]),
    workload("mixed", 1, 32, Kind::Mixed, 60_000, &[1, 3]),
];

const fn workload(
    name: &'static str,
    size: i64,
    clients: usize,
    kind: Kind,
    requests: u64,
    services: &'static [usize],
) -> Workload {
    let engine_part = if size == 1 { 10 } else { 1 };
    Workload { name, size, clients, kind, requests, engine_part, services }
}

impl Workload {
    /// Requests of one run.
    pub(crate) fn requests(&self, engine: Engine, scale: f64) -> u64 {
        let requests = if engine == Engine::Postgres { self.requests / 2 } else { self.requests };
        scaled(requests, scale).max(5)
    }

    /// How many requests there are until they begin anew: pairs of a group and a piece of the customers.
    pub(crate) fn pairs(&self) -> u64 {
        let pairs = match self.kind {
            Kind::New => CUSTOMERS / self.size * GROUPS,
            Kind::Mixed => SMALL * SMALL_CUSTOMERS * SMALL_GROUPS,
            Kind::Again | Kind::Bad => i64::MAX,
        };
        pairs.unsigned_abs()
    }

    /// Whether every request names customers by the piece.
    pub(crate) fn adds_pieces(&self) -> bool {
        self.kind != Kind::Mixed
    }

    /// The request with a number: for ever others, which take turns through all pairs.
    pub(crate) fn ask(&self, number: u64) -> Ask {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        if self.kind == Kind::Mixed {
            return mixed(number);
        }
        let clients = i64::try_from(self.clients).unwrap_or(1);
        let turn = if self.kind == Kind::New { number } else { number % clients };
        let pieces = CUSTOMERS / self.size;
        Ask::Add {
            merchant: LARGE,
            group: 1 + (turn / pieces) % GROUPS,
            first: 1 + (turn % pieces) * self.size,
            count: self.size,
            bad: self.kind == Kind::Bad,
        }
    }

    /// The status that each answer must have.
    pub(crate) fn status(&self) -> u16 {
        if self.kind == Kind::Bad { 422 } else { 200 }
    }
}

/// Of ten requests four read a customer, two a list of customers, two the groups, and two add somebody.
fn mixed(number: i64) -> Ask {
    // Has no divisor in common with the number of pairs: each number has a pair of its own.
    const STEP: i64 = 161_803;
    let chance = SplitMix64::at(number.unsigned_abs());
    let pair = number.wrapping_mul(STEP).rem_euclid(SMALL * SMALL_CUSTOMERS * SMALL_GROUPS);
    let merchant = FIRST_SMALL + pair % SMALL;
    let customer = 1 + pair / SMALL % SMALL_CUSTOMERS;
    let group = 1 + pair / SMALL / SMALL_CUSTOMERS;
    match chance % 10 {
        0..4 => Ask::Customer { merchant, customer },
        4..6 => Ask::Customers { merchant },
        6..8 => Ask::Groups { merchant },
        _ => Ask::Add { merchant, group, first: customer, count: 1, bad: false },
    }
}

/// Numbers that look like chance, and are the same in every run.
struct SplitMix64;

impl SplitMix64 {
    /// The number at a place of the sequence.
    fn at(place: u64) -> u64 {
        let mut z = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// So many, for a longer or a shorter benchmark.
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
    fn no_request_that_adds_is_sent_twice() {
        for workload in WORKLOADS.iter().filter(|w| matches!(w.kind, Kind::New | Kind::Mixed)) {
            let mut seen = HashSet::new();
            for number in 0..workload.pairs().min(500_000) {
                if let Ask::Add { merchant, group, first, .. } = workload.ask(number) {
                    assert!(seen.insert((merchant, group, first)), "{} {number}", workload.name);
                }
            }
        }
    }

    #[test]
    fn a_fifth_of_the_mixture_adds() {
        let adds = (0..10_000).filter(|number| matches!(mixed(*number), Ask::Add { .. })).count();
        assert!((1900..2100).contains(&adds), "{adds}");
    }
}
