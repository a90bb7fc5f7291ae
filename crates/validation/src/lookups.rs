//! Lookups: what rules need to know from storage, and the results.
//!
//! What belongs here: the interface between rules and storage. No I/O; the caller does the lookups.

use std::cell::RefCell;

/// A kind of row that [`crate::Rule::Exists`] looks up by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// Groups of the merchant.
    Groups,
    /// Customers of the merchant.
    Customers,
}

/// A field whose value must be unique among the customers of a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueField {
    /// Email address.
    Email,
    /// Mobile number.
    Mobile,
}

/// Results of lookups in storage.
pub trait LookupResults {
    /// Returns true if the merchant has a row with this id.
    fn exists(&self, entity: Entity, id: i64) -> bool;

    /// Returns true if another customer of the merchant uses this value. The customer that the request updates does not
    /// count. Email addresses are passed in lower case.
    fn is_used(&self, field: UniqueField, value: &str) -> bool;
}

/// Lookups that the rules need for one input. Each list is sorted and has no duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookups {
    /// Ids of groups; may include ids that are not positive.
    pub groups: Vec<i64>,
    /// Ids of customers; may include ids that are not positive.
    pub customers: Vec<i64>,
    /// Email addresses, in lower case.
    pub emails: Vec<String>,
    /// Mobile numbers.
    pub mobiles: Vec<String>,
}

/// A record of every lookup. Its results never cause a violation, so that all rules run.
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
    fn exists(&self, entity: Entity, id: i64) -> bool {
        let mut lookups = self.0.borrow_mut();
        match entity {
            Entity::Groups => lookups.groups.push(id),
            Entity::Customers => lookups.customers.push(id),
        }
        true
    }

    fn is_used(&self, field: UniqueField, value: &str) -> bool {
        let mut lookups = self.0.borrow_mut();
        match field {
            UniqueField::Email => lookups.emails.push(value.to_owned()),
            UniqueField::Mobile => lookups.mobiles.push(value.to_owned()),
        }
        false
    }
}
