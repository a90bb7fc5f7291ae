//! What rules ask of the storage.

use std::cell::RefCell;

/// What an id may be looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// The groups of the shop.
    Groups,
    /// The customers of the shop.
    Customers,
}

/// What no two customers of a shop may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueField {
    /// The e-mail address.
    Email,
    /// The mobile number.
    Mobile,
}

/// The answers that only the storage has.
pub trait LookupResults {
    /// Whether the shop has a row with this id.
    fn exists(&self, table: Entity, id: i64) -> bool;

    /// Whether a customer of the shop has this value: another one than the customer that the request is about. Asked
    /// for e-mail addresses in lower case.
    fn is_used(&self, column: UniqueField, value: &str) -> bool;
}

/// Everything that rules would ask for one input, each list ascending and without repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookups {
    /// Ids of groups.
    pub groups: Vec<i64>,
    /// Ids of customers.
    pub customers: Vec<i64>,
    /// E-mail addresses, in lower case.
    pub emails: Vec<String>,
    /// Mobile numbers.
    pub mobiles: Vec<String>,
}

/// Writes down every question, and answers so that the next one is asked.
#[derive(Default)]
pub(crate) struct Recorder(RefCell<Lookups>);

impl Recorder {
    pub(crate) fn into_lookups(self) -> Lookups {
        fn sort<T: Ord>(list: &mut Vec<T>) {
            list.sort_unstable();
            list.dedup();
        }
        let mut lookups = self.0.into_inner();
        sort(&mut lookups.groups);
        sort(&mut lookups.customers);
        sort(&mut lookups.emails);
        sort(&mut lookups.mobiles);
        lookups
    }
}

impl LookupResults for Recorder {
    fn exists(&self, table: Entity, id: i64) -> bool {
        let mut lookups = self.0.borrow_mut();
        match table {
            Entity::Groups => lookups.groups.push(id),
            Entity::Customers => lookups.customers.push(id),
        }
        true
    }

    fn is_used(&self, column: UniqueField, value: &str) -> bool {
        let mut lookups = self.0.borrow_mut();
        match column {
            UniqueField::Email => lookups.emails.push(value.to_owned()),
            UniqueField::Mobile => lookups.mobiles.push(value.to_owned()),
        }
        false
    }
}
