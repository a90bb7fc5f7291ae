//! Assigned ids: small, never assigned twice, apart from ids of other origin.

use std::collections::HashSet;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use zumra_core::text::Name;
use zumra_core::{ASSIGNED_ID_MAX, FileDetails, ImportChunk, Language, NewCustomer, NewGroup, NewImport};

use super::context::{SHOP, TestContext, case_list, customer_id, group_id, merchant_id, page};
use crate::{CustomerFilter, Noun, Result, StorageError};

case_list![
    new_ids_are_small_and_differ_from_brought_ones,
    ids_of_each_merchant_are_counted_apart,
    used_ranges_are_left_behind,
    brought_ids_are_not_assigned_after_their_deletion,
    used_up_ids_are_an_error_that_changes_nothing,
    skipped_ids_are_not_assigned,
    concurrent_creates_get_different_ids,
    no_id_is_ever_assigned_twice,
];

async fn create_customer(context: &TestContext, merchant: i64) -> Result<i64> {
    let customer = NewCustomer::new(Name::parse("سارة").expect("a name"));
    let merchant = merchant_id(merchant);
    let created = context.storage.create_customer(merchant, customer, vec![], context.operation()).await?;
    Ok(created.value.id.get())
}

async fn create_group(context: &TestContext, merchant: i64) -> Result<i64> {
    let group = NewGroup::new(Name::parse("VIP").expect("a name"));
    let created = context.storage.create_group(merchant_id(merchant), group, context.operation()).await?;
    Ok(created.value.id.get())
}

async fn create_import(context: &TestContext) -> Result<i64> {
    let import = NewImport { file: vec![1], language: Language::English, details: FileDetails::default() };
    Ok(context.storage.create_import(merchant_id(1), import, context.operation()).await?.id.get())
}

/// Creates customers with an import.
async fn import_customers(context: &TestContext, count: u32) -> Result<()> {
    let import = create_import(context).await?;
    let now = TestContext::now();
    let selected = zumra_core::ImportId::new(import).map(|import| (merchant_id(1), import));
    let until = now + SignedDuration::from_secs(30);
    let lease = context.storage.lease_import(selected, now, until).await?.expect("a lease");
    let customers = (1..=count).map(|row| (row, NewCustomer::new(Name::parse("c").expect("a name"))));
    let chunk =
        ImportChunk { last_row: count, customers: customers.collect(), is_last: true, ..Default::default() };
    context.storage.write_import_chunk(lease.key, until, chunk, context.operation()).await.map(drop)
}

/// Loads customers and groups with these ids into the shop.
async fn load(context: &TestContext, customers: &[i64], groups: &[i64]) {
    let customers: Vec<_> = customers.iter().map(|id| format!(r#"{{"id":{id},"first_name":"c"}}"#)).collect();
    let groups: Vec<_> = groups.iter().map(|id| format!(r#"{{"id":{id},"name":"g"}}"#)).collect();
    let (customers, groups) = (customers.join(","), groups.join(","));
    let file = format!(r#"{{"id":1,"name":"shop","groups":[{groups}],"customers":[{customers}]}}"#);
    context.storage.load_fixture(super::context::shop(&file), context.operation()).await.expect("loaded");
}

async fn delete_customer(context: &TestContext, id: i64) {
    let deleted = context.storage.delete_customer(merchant_id(1), customer_id(id), context.operation()).await;
    deleted.expect("deleted");
}

async fn delete_group(context: &TestContext, id: i64) {
    let deleted = context.storage.delete_group(merchant_id(1), group_id(id), context.operation()).await;
    deleted.expect("deleted");
}

async fn list_customers(context: &TestContext) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 1.. {
        let filter = CustomerFilter::default();
        let listed = context.storage.list_customers(merchant_id(1), filter, page(number, 500)).await;
        let listed = listed.expect("listed");
        ids.extend(listed.items.iter().map(|customer| customer.id.get()));
        if listed.items.is_empty() {
            break;
        }
    }
    ids
}

async fn new_ids_are_small_and_differ_from_brought_ones(context: TestContext) {
    let brought = [1, 2, 3, 5, 8, 17, 20, ASSIGNED_ID_MAX, 1 << 40, i64::MAX];
    load(&context, &brought, &brought).await;
    let (mut customers, mut groups) = (HashSet::from(brought), HashSet::from(brought));
    groups.extend(
        context
            .storage
            .list_groups(merchant_id(1), page(1, 60))
            .await
            .expect("listed")
            .items
            .iter()
            .map(|group| group.id.get()),
    );
    for _ in 0..40 {
        let customer = create_customer(&context, 1).await.expect("created");
        assert!((1..=ASSIGNED_ID_MAX).contains(&customer) && customers.insert(customer), "{customer}");
    }
    for _ in 0..20 {
        let group = create_group(&context, 1).await.expect("created");
        assert!((1..=ASSIGNED_ID_MAX).contains(&group) && groups.insert(group), "{group}");
    }
    import_customers(&context, 30).await.expect("imported");
    let listed = list_customers(&context).await;
    assert_eq!(listed.len(), customers.len() + 30);
    let imported = listed.iter().filter(|id| !customers.contains(id));
    assert!(
        imported.clone().count() == 30 && imported.clone().all(|id| *id <= ASSIGNED_ID_MAX),
        "{listed:?}"
    );
}

async fn ids_of_each_merchant_are_counted_apart(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other"}"#).await;
    context.storage.skip_ids(500).await.expect("skipped");
    context.load(r#"{"id":3,"name":"third"}"#).await;
    assert!(create_customer(&context, 1).await.expect("created") > 500);
    assert!(create_customer(&context, 2).await.expect("created") > 500);
    assert!(create_customer(&context, 3).await.expect("created") < 500);
}

async fn used_ranges_are_left_behind(context: TestContext) {
    let range: Vec<i64> = (1..=2000).collect();
    load(&context, &range, &[]).await;
    for _ in 0..20 {
        let id = create_customer(&context, 1).await.expect("created");
        assert!(id > 2000 && id < 3000, "{id}");
    }
    import_customers(&context, 500).await.expect("imported");
    // A range directly above the counters.
    let highest = list_customers(&context).await.into_iter().max().expect("customers");
    let range: Vec<i64> = (highest + 1..=highest + 300).collect();
    load(&context, &range, &[]).await;
    for _ in 0..20 {
        create_customer(&context, 1).await.expect("created");
    }
    import_customers(&context, 100).await.expect("imported");
    assert_eq!(list_customers(&context).await.len(), 2000 + 20 + 500 + 300 + 20 + 100);
}

async fn brought_ids_are_not_assigned_after_their_deletion(context: TestContext) {
    let brought: Vec<i64> = (1..=50).collect();
    load(&context, &brought, &brought[..30]).await;
    for id in 1..=50 {
        delete_customer(&context, id).await;
    }
    for id in 1..=30 {
        delete_group(&context, id).await;
    }
    while context.storage.archive_deleted_groups(100).await.expect("archived") {}
    for _ in 0..40 {
        let id = create_customer(&context, 1).await.expect("created");
        assert!(id > 50, "{id}");
    }
    for _ in 0..10 {
        let id = create_group(&context, 1).await.expect("created");
        assert!(id > 30, "{id}");
    }
    import_customers(&context, 40).await.expect("imported");
    assert!(list_customers(&context).await.iter().all(|id| *id > 50));
}

async fn used_up_ids_are_an_error_that_changes_nothing(context: TestContext) {
    context.load(SHOP).await;
    // One of the last ids belongs to a customer and a group already.
    load(&context, &[ASSIGNED_ID_MAX - 10], &[ASSIGNED_ID_MAX - 10]).await;
    let nearly_all = u32::try_from(ASSIGNED_ID_MAX - 40).expect("below 2^32");
    context.storage.skip_ids(nearly_all).await.expect("skipped");
    let mut customers = HashSet::new();
    let error = loop {
        match create_customer(&context, 1).await {
            Ok(id) => assert!(id <= ASSIGNED_ID_MAX && customers.insert(id), "{id}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StorageError::IdsUsedUp(Noun::Customer)), "{error:?}");
    assert!((20..=40).contains(&customers.len()), "{customers:?}");
    let before = context.storage.inspect().await.expect("inspected");
    let imported = import_customers(&context, 5).await;
    assert!(matches!(imported, Err(StorageError::IdsUsedUp(Noun::Customer))), "{imported:?}");
    assert!(matches!(create_customer(&context, 1).await, Err(StorageError::IdsUsedUp(_))));
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    let mut groups = 0;
    let error = loop {
        match create_group(&context, 1).await {
            Ok(_) => groups += 1,
            Err(error) => break error,
        }
    };
    assert!(
        (30..=40).contains(&groups) && matches!(error, StorageError::IdsUsedUp(Noun::Group)),
        "{error:?}"
    );
    let error = loop {
        if let Err(error) = create_import(&context).await {
            break error;
        }
    };
    assert!(matches!(error, StorageError::IdsUsedUp(Noun::Import)), "{error:?}");
    // Other writes go on.
    context.add(1, 10, &[1]).await;
    assert!(context.storage.inspect().await.expect("inspected").problems.is_empty());
}

async fn skipped_ids_are_not_assigned(context: TestContext) {
    context.load(SHOP).await;
    let (customer, group, import) = (
        create_customer(&context, 1).await.expect("created"),
        create_group(&context, 1).await.expect("created"),
        create_import(&context).await.expect("created"),
    );
    assert_eq!(context.storage.skip_ids(1000).await.expect("skipped"), 1);
    for _ in 0..20 {
        assert!(create_customer(&context, 1).await.expect("created") > customer + 1000);
    }
    assert!(create_group(&context, 1).await.expect("created") > group + 1000);
    assert!(create_import(&context).await.expect("created") > import + 1000);
}

async fn concurrent_creates_get_different_ids(context: TestContext) {
    let brought: Vec<i64> = (1..=20).collect();
    load(&context, &brought, &brought).await;
    let tasks: Vec<_> = (0..60)
        .map(|_| {
            let (storage, operation, other) =
                (context.storage.clone(), context.operation(), context.operation());
            tokio::spawn(async move {
                let customer = NewCustomer::new(Name::parse("c").expect("a name"));
                let group = NewGroup::new(Name::parse("g").expect("a name"));
                let customer = storage.create_customer(merchant_id(1), customer, vec![], operation).await;
                let group = storage.create_group(merchant_id(1), group, other).await;
                (customer.expect("created").value.id, group.expect("created").value.id)
            })
        })
        .collect();
    let (mut customers, mut groups) = (HashSet::new(), HashSet::new());
    for task in tasks {
        let (customer, group) = task.await.expect("no panic");
        assert!(customers.insert(customer) && groups.insert(group), "{customer} {group}");
        assert!(customer.get() > 20 && group.get() > 20);
    }
}

/// A step of the model test.
#[derive(Debug, Clone)]
enum Step {
    CreateCustomer,
    CreateGroup,
    CreateImport,
    ImportCustomers(u32),
    /// Deletes the customer at this position, if there is one.
    DeleteCustomer(usize),
    DeleteGroup(usize),
    ArchiveGroups,
    Load(Vec<i64>, Vec<i64>),
    Skip(u32),
    Restart,
}

/// Ids as other systems bring them: next to the counters, anywhere, the last one, and longer ones.
fn brought_ids() -> impl Strategy<Value = Vec<i64>> {
    let id = prop_oneof![
        6 => 1..120_i64,
        2 => 1..=ASSIGNED_ID_MAX,
        1 => Just(ASSIGNED_ID_MAX),
        1 => ASSIGNED_ID_MAX..=i64::MAX,
    ];
    proptest::collection::hash_set(id, 0..12).prop_map(|ids| ids.into_iter().collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::CreateCustomer),
        4 => Just(Step::CreateGroup),
        1 => Just(Step::CreateImport),
        1 => (1..40_u32).prop_map(Step::ImportCustomers),
        6 => any::<usize>().prop_map(Step::DeleteCustomer),
        4 => any::<usize>().prop_map(Step::DeleteGroup),
        1 => Just(Step::ArchiveGroups),
        4 => (brought_ids(), brought_ids()).prop_map(|(customers, groups)| Step::Load(customers, groups)),
        1 => (1..50_u32).prop_map(Step::Skip),
        1 => Just(Step::Restart),
    ]
}

/// What the model knows: the ids of each noun that were ever in use, and those in use.
#[derive(Default)]
struct Model {
    used: HashSet<i64>,
    current: Vec<i64>,
}

impl Model {
    fn assign(&mut self, id: i64) {
        assert!((1..=ASSIGNED_ID_MAX).contains(&id), "{id} is too great");
        assert!(self.used.insert(id), "{id} was in use before");
        self.current.push(id);
    }

    fn bring(&mut self, ids: &[i64]) {
        self.used.extend(ids);
        self.current.extend(ids);
        self.current.sort_unstable();
        self.current.dedup();
    }

    fn remove(&mut self, position: usize) -> Option<i64> {
        if self.current.is_empty() {
            None
        } else {
            Some(self.current.swap_remove(position % self.current.len()))
        }
    }
}

async fn no_id_is_ever_assigned_twice(mut context: TestContext) {
    let mut runner = TestRunner::deterministic();
    let steps = proptest::collection::vec(step(), 250).new_tree(&mut runner).expect("steps").current();
    let (mut customers, mut groups, mut imports) = (Model::default(), Model::default(), Model::default());
    load(&context, &[], &[]).await;
    let listed = context.storage.list_groups(merchant_id(1), page(1, 60)).await.expect("listed").items;
    groups.assign(listed[0].id.get());
    let default = groups.current.remove(0);
    for step in steps {
        match step {
            Step::CreateCustomer => customers.assign(create_customer(&context, 1).await.expect("created")),
            Step::CreateGroup => groups.assign(create_group(&context, 1).await.expect("created")),
            Step::CreateImport => imports.assign(create_import(&context).await.expect("created")),
            Step::ImportCustomers(count) => {
                import_customers(&context, count).await.expect("imported");
                let current: HashSet<i64> = customers.current.iter().copied().collect();
                let listed = list_customers(&context).await;
                assert_eq!(listed.len(), current.len() + count as usize);
                listed.into_iter().filter(|id| !current.contains(id)).for_each(|id| customers.assign(id));
            }
            Step::DeleteCustomer(position) => {
                if let Some(id) = customers.remove(position) {
                    delete_customer(&context, id).await;
                }
            }
            Step::DeleteGroup(position) => {
                if let Some(id) = groups.remove(position) {
                    delete_group(&context, id).await;
                }
            }
            Step::ArchiveGroups => {
                while context.storage.archive_deleted_groups(9).await.expect("archived") {}
            }
            Step::Load(customer_ids, mut group_ids) => {
                group_ids.retain(|id| *id != default);
                load(&context, &customer_ids, &group_ids).await;
                customers.bring(&customer_ids);
                groups.bring(&group_ids);
            }
            Step::Skip(count) => {
                context.storage.skip_ids(count).await.expect("skipped");
            }
            Step::Restart => context.restart().await,
        }
    }
    let mut listed = list_customers(&context).await;
    listed.sort_unstable();
    customers.current.sort_unstable();
    assert_eq!(listed, customers.current);
    context.storage.close().await;
}
