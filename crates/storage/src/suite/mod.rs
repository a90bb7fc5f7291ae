//! The behaviour that every engine must show. A behaviour that is not here does not exist.
//!
//! What belongs here: one file a noun, each a list of cases that know nothing but the trait. An engine joins by
//! being named in `tests/suite.rs`.

mod customers;
mod customers_written;
mod fixtures;
mod groups;
mod imports;
mod memberships;
mod operations;
mod tokens;

use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_core::{Actor, CustomerId, GroupId, IdGenerator, MerchantId, Operation, PageRequest, TokenId};

use crate::{AddMembersOutcome, Storage};

/// One behaviour.
pub struct Case {
    /// What it says, as a test's name.
    pub name: &'static str,
    /// Shows it on a fresh, empty storage; panics if it does not hold.
    pub run: fn(Scene) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Lists the functions of a file as its cases.
macro_rules! case_list {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { name: stringify!($name), run: |scene| Box::pin($name(scene)) }),*];
    };
}
use case_list;

/// Every case.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        tokens::CASES,
        groups::CASES,
        customers::CASES,
        customers_written::CASES,
        memberships::CASES,
        imports::CASES,
        operations::CASES,
        fixtures::CASES,
    ]
    .into_iter()
    .flatten()
}

/// A storage, and what a case needs to talk to it.
pub struct Scene {
    storage: Arc<dyn Storage>,
    ids: IdGenerator,
}

impl Scene {
    /// A scene on a fresh, empty storage.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, ids: IdGenerator::new(0) }
    }

    /// The moment at which everything happens, unless a case says otherwise.
    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("a moment in 2026")
    }

    fn operation(&self) -> Operation {
        self.operation_at(Self::now())
    }

    fn operation_at(&self, at: Timestamp) -> Operation {
        Operation {
            proposed_id: self.ids.next_operation(at),
            at,
            actor: Actor::Token(TokenId::new(7).expect("positive")),
        }
    }

    /// Loads a shop given as the JSON of one merchant.
    async fn load(&self, merchant: &str) {
        let loaded =
            self.storage.load_fixture(shop(merchant), self.operation()).await.expect("the shop loads");
        assert!(loaded.operation.is_some());
    }

    async fn add(&self, merchant: i64, group: i64, customers: &[i64]) -> AddMembersOutcome {
        let customers = customers.iter().map(|id| CustomerId::new(*id).expect("positive")).collect();
        let group = GroupId::new(group).expect("positive");
        let added = self.storage.add_members(merchant_id(merchant), group, customers, self.operation()).await;
        added.expect("the storage answers")
    }

    /// The groups that a customer is in.
    async fn groups_of(&self, merchant: i64, customer: i64) -> Vec<i64> {
        let customer = CustomerId::new(customer).expect("positive");
        let found =
            self.storage.find_customer(merchant_id(merchant), customer).await.expect("the storage answers");
        found.expect("the customer is there").groups.into_iter().map(GroupId::get).collect()
    }
}

fn group_id(id: i64) -> GroupId {
    GroupId::new(id).expect("positive")
}

fn customer_id(id: i64) -> CustomerId {
    CustomerId::new(id).expect("positive")
}

fn merchant_id(id: i64) -> MerchantId {
    MerchantId::new(id).expect("positive")
}

fn shop(merchant: &str) -> MerchantFixture {
    let file = format!(r#"{{"merchants":[{merchant}]}}"#);
    fixture::parse(file.as_bytes()).expect("the fixture is right").remove(0)
}

fn page(page: u64, per_page: u32) -> PageRequest {
    PageRequest { page, per_page }
}

/// A shop with groups 10 and 20, the default group 30, and customers 1 to 5.
const SHOP: &str = r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP"},{"id":20,"name":"ذهبي"},
    {"id":30,"name":"all","default":true}],"customers":[
    {"id":1,"first_name":"نورة","last_name":"القحطاني","mobile":"512345678","mobile_code":"+966","email":"Noura@example.com"},
    {"id":2,"first_name":"Ahmed","last_name":"Ali","mobile":"599999999","mobile_code":"+971","groups":[20]},
    {"id":3,"first_name":"c"},{"id":4,"first_name":"d"},{"id":5,"first_name":"e"}]}"#;
