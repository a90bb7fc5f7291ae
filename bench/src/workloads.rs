//! What is sent: requests to add customers to a group.

use crate::service::{CUSTOMERS, GROUPS};

/// A kind of request, and how many clients send it.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Customers of one request.
    pub(crate) size: i64,
    /// Clients, each with one connection, each sending its next request when it has its answer.
    pub(crate) clients: i64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Customers who are not in the group yet.
    New,
    /// Customers who are.
    Again,
    /// Customers of whom the last is unknown: 422, and nothing is written.
    Bad,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "add-1", size: 1, clients: 32, kind: Kind::New },
    Workload { name: "add-100", size: 100, clients: 8, kind: Kind::New },
    Workload { name: "add-1000", size: 1000, clients: 4, kind: Kind::New },
    Workload { name: "add-10000", size: 10_000, clients: 1, kind: Kind::New },
    Workload { name: "add-again-1000", size: 1000, clients: 4, kind: Kind::Again },
    Workload { name: "add-bad-1000", size: 1000, clients: 4, kind: Kind::Bad },
];

impl Workload {
    /// Group and customers of a client's next request, for ever others: clients take turns through all pairs of a group
    /// and a piece of the customers.
    pub(crate) fn request(&self, client: i64, number: i64) -> (i64, Vec<i64>) {
        let turn = if self.kind == Kind::New { number * self.clients + client } else { client };
        let pieces = CUSTOMERS / self.size;
        let group = 1 + (turn / pieces) % GROUPS;
        let first = 1 + (turn % pieces) * self.size;
        let mut customers: Vec<i64> = (first..first + self.size).collect();
        if self.kind == Kind::Bad
            && let Some(last) = customers.last_mut()
        {
            *last = i64::MAX;
        }
        (group, customers)
    }

    /// The status that each answer must have.
    pub(crate) fn status(&self) -> &'static str {
        if self.kind == Kind::Bad { "422" } else { "200" }
    }
}
