//! What the cases share: the storage under test, calls with defaults, and a small shop.

use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use zumra_core::fixture::{self, MerchantFixture};
use zumra_core::text::Name;
use zumra_core::{
    Actor, CustomerId, GroupId, IdGenerator, MerchantId, NewMerchant, Operation, PageRequest, Plan, TokenId,
};

use crate::{AddMembersOutcome, Storage};

/// One case.
pub struct Case {
    /// The behavior, as the name of a test.
    pub name: &'static str,
    /// Runs the case on an empty storage. Panics if the behavior differs.
    pub run: fn(TestContext) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Declares functions as the cases of a file.
macro_rules! case_list {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::context::Case] =
            &[$(super::context::Case { name: stringify!($name), run: |context| Box::pin($name(context)) }),*];
    };
}
pub(super) use case_list;

/// Opens the storage under test once more, as a restarted service does.
pub type Reopen = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Arc<dyn Storage>> + Send>> + Send + Sync>;

/// A storage, and helpers for the calls of a case.
pub struct TestContext {
    pub(super) storage: Arc<dyn Storage>,
    reopen: Reopen,
    ids: IdGenerator,
}

impl TestContext {
    /// Returns a context for an empty storage.
    pub fn new(storage: Arc<dyn Storage>, reopen: Reopen) -> Self {
        Self { storage, reopen, ids: IdGenerator::new(0) }
    }

    /// Returns a context with its own generator of operation ids, which cannot restart the storage.
    pub(super) fn with_own_generator(&self) -> Self {
        let storage = Arc::clone(&self.storage);
        let reopen =
            Box::new(|| -> Pin<Box<dyn Future<Output = _> + Send>> { unreachable!("not the owner") });
        Self::new(storage, reopen)
    }

    /// Closes the storage and opens it again.
    pub(super) async fn restart(&mut self) {
        self.storage.close().await;
        self.storage = (self.reopen)().await;
    }

    /// Returns the time of all operations, unless a case chooses another.
    pub(super) fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).expect("a moment in 2026")
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation_at(Self::now())
    }

    pub(super) fn operation_at(&self, at: Timestamp) -> Operation {
        Operation {
            proposed_id: self.ids.next_operation(at),
            at,
            actor: Actor::Token(TokenId::new(7).expect("positive")),
        }
    }

    /// Loads a shop from the JSON of one merchant.
    pub(super) async fn load(&self, merchant: &str) {
        let loaded =
            self.storage.load_fixture(shop(merchant), self.operation()).await.expect("the shop loads");
        assert!(loaded.operation.is_some());
    }

    pub(super) async fn add(&self, merchant: i64, group: i64, customers: &[i64]) -> AddMembersOutcome {
        let customers = customers.iter().map(|id| CustomerId::new(*id).expect("positive")).collect();
        let group = GroupId::new(group).expect("positive");
        let added = self.storage.add_members(merchant_id(merchant), group, customers, self.operation()).await;
        added.expect("storage responds")
    }

    /// Returns the groups of a customer.
    pub(super) async fn find_group_ids(&self, merchant: i64, customer: i64) -> Vec<i64> {
        let customer = CustomerId::new(customer).expect("positive");
        let found =
            self.storage.find_customer(merchant_id(merchant), customer).await.expect("storage responds");
        found.expect("the customer exists").groups.into_iter().map(GroupId::get).collect()
    }
}

pub(super) fn group_id(id: i64) -> GroupId {
    GroupId::new(id).expect("positive")
}

pub(super) fn customer_id(id: i64) -> CustomerId {
    CustomerId::new(id).expect("positive")
}

pub(super) fn merchant(id: i64) -> NewMerchant {
    NewMerchant {
        id: merchant_id(id),
        name: Name::parse("متجر").expect("a name"),
        plan: Plan::Special,
        time_zone: jiff::tz::TimeZone::get("Asia/Dubai").expect("a zone"),
        domain: Some("https://shop.example".parse().expect("a domain")),
    }
}

pub(super) fn merchant_id(id: i64) -> MerchantId {
    MerchantId::new(id).expect("positive")
}

pub(super) fn shop(merchant: &str) -> MerchantFixture {
    let file = format!(r#"{{"merchants":[{merchant}]}}"#);
    fixture::parse(file.as_bytes()).expect("the fixture is valid").remove(0)
}

pub(super) fn page(page: u64, per_page: u32) -> PageRequest {
    PageRequest { page, per_page }
}

/// A shop with groups 10 and 20, the default group 30, and customers 1 to 5.
pub(super) const SHOP: &str = r#"{"id":1,"name":"shop","groups":[{"id":10,"name":"VIP"},{"id":20,"name":"ذهبي"},
    {"id":30,"name":"all","default":true}],"customers":[
    {"id":1,"first_name":"نورة","last_name":"القحطاني","mobile":"512345678","mobile_code":"+966","email":"Noura@example.com"},
    {"id":2,"first_name":"Ahmed","last_name":"Ali","mobile":"599999999","mobile_code":"+971","groups":[20]},
    {"id":3,"first_name":"c"},{"id":4,"first_name":"d"},{"id":5,"first_name":"e"}]}"#;
