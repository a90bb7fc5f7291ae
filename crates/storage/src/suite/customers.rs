//! Customers: create, update, ban, delete.

use jiff::SignedDuration;
use zumra_core::text::Name;
use zumra_core::{Customer, CustomerChange, GroupId, NewCustomer, SearchQuery};

use super::context::{SHOP, TestContext, case_list, customer_id, group_id, merchant_id, page};
use crate::{Conflict, Contacts, CustomerFilter, Resource, Result, StorageError, Written};

case_list![
    created_customer_joins_the_default_group,
    used_mobile_or_email_conflicts,
    missing_group_rejects_create_and_update,
    update_keeps_fields_that_the_change_does_not_set,
    updating_groups_replaces_all_but_the_default_group,
    update_without_effect_writes_no_operation,
    used_contacts_are_found_except_for_one_customer,
    deleted_customer_leaves_only_past_memberships,
    ban_stores_a_reason_and_can_be_lifted,
    totals_and_search_terms_follow_changes,
    customers_of_another_merchant_cannot_be_changed,
    concurrent_creates_keep_mobiles_unique,
];

fn new_customer(mobile: &str, email: &str) -> NewCustomer {
    NewCustomer {
        last_name: Name::parse("العتيبي").ok(),
        mobile: mobile.parse().ok(),
        mobile_code: "966".parse().ok(),
        email: email.parse().ok(),
        ..NewCustomer::new(Name::parse("سارة").expect("a name"))
    }
}

fn groups(ids: &[i64]) -> Vec<GroupId> {
    ids.iter().map(|id| group_id(*id)).collect()
}

async fn create(context: &TestContext, customer: NewCustomer, ids: &[i64]) -> Result<Written<Customer>> {
    context.storage.create_customer(merchant_id(1), customer, groups(ids), context.operation()).await
}

/// Creates a customer. Returns its id.
async fn created(context: &TestContext, customer: NewCustomer, ids: &[i64]) -> i64 {
    create(context, customer, ids).await.expect("created").value.id.get()
}

/// Returns the number of customers that a keyword finds.
async fn total(context: &TestContext, keyword: &str) -> u64 {
    let filter = CustomerFilter { keyword: SearchQuery::parse(keyword), ..CustomerFilter::default() };
    context.storage.list_customers(merchant_id(1), filter, page(1, 15)).await.expect("listed").total
}

async fn update(context: &TestContext, id: i64, change: CustomerChange) -> Result<Written<Customer>> {
    context.storage.update_customer(merchant_id(1), customer_id(id), change, context.operation()).await
}

async fn find(context: &TestContext, id: i64) -> Option<Customer> {
    context.storage.find_customer(merchant_id(1), customer_id(id)).await.expect("storage responds")
}

async fn created_customer_joins_the_default_group(context: TestContext) {
    context.load(SHOP).await;
    let created =
        create(&context, new_customer("555", "s@example.com"), &[20, 10, 20]).await.expect("created");
    assert!(created.operation.is_some());
    assert_eq!(created.value.details, new_customer("555", "s@example.com"));
    assert_eq!(created.value.groups, groups(&[10, 20, 30]));
    assert_eq!(find(&context, created.value.id.get()).await, Some(created.value));
    let without_groups = create(&context, new_customer("556", ""), &[]).await.expect("created");
    assert_eq!(without_groups.value.groups, groups(&[30]));
}

async fn used_mobile_or_email_conflicts(context: TestContext) {
    context.load(SHOP).await;
    let before = context.storage.inspect().await.expect("inspected");
    let conflict = async |customer| match create(&context, customer, &[10]).await {
        Err(StorageError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    };
    assert_eq!(conflict(new_customer("512345678", "")).await, Conflict::Mobile(None));
    assert_eq!(conflict(new_customer("555", "NOURA@example.com")).await, Conflict::Email(None));
    let used = CustomerChange { mobile: "512345678".parse().ok(), ..CustomerChange::default() };
    let rejected = update(&context, 2, used).await;
    let named = Some(customer_id(2));
    assert!(
        matches!(rejected, Err(StorageError::Conflict(Conflict::Mobile(id))) if id == named),
        "{rejected:?}"
    );
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
}

async fn missing_group_rejects_create_and_update(context: TestContext) {
    context.load(SHOP).await;
    let before = context.storage.inspect().await.expect("inspected");
    for rejected in [
        create(&context, new_customer("555", ""), &[10, 99]).await,
        update(&context, 1, CustomerChange { groups: Some(groups(&[10, 99])), ..CustomerChange::default() })
            .await,
    ] {
        let missing = group_id(99);
        assert!(matches!(&rejected, Err(StorageError::MissingGroup(id)) if *id == missing), "{rejected:?}");
    }
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    assert_eq!(total(&context, "966555").await, 0);
}

async fn update_keeps_fields_that_the_change_does_not_set(context: TestContext) {
    context.load(SHOP).await;
    let id = created(&context, new_customer("555", "s@example.com"), &[10]).await;
    let later = TestContext::now() + SignedDuration::from_hours(1);
    let change = CustomerChange {
        first_name: Name::parse("Sara").ok(),
        email: Some(None),
        gender: Some("female".parse().ok()),
        ..CustomerChange::default()
    };
    let operation = context.operation_at(later);
    let changed = context.storage.update_customer(merchant_id(1), customer_id(id), change, operation).await;
    let changed = changed.expect("updated");
    let found = find(&context, id).await.expect("exists");
    assert_eq!(changed.value, found);
    let expected = NewCustomer {
        first_name: Name::parse("Sara").expect("a name"),
        email: None,
        gender: "female".parse().ok(),
        ..new_customer("555", "s@example.com")
    };
    assert_eq!((found.details, found.groups), (expected, groups(&[10, 30])));
    assert_eq!((found.created_at, found.updated_at), (TestContext::now(), later));
    create(&context, new_customer("556", "s@example.com"), &[]).await.expect("the address can be used again");
}

async fn updating_groups_replaces_all_but_the_default_group(context: TestContext) {
    context.load(SHOP).await;
    let created = created(&context, new_customer("555", ""), &[10]).await;
    let later = TestContext::now() + SignedDuration::from_hours(1);
    let change = async |id, ids: &[i64]| {
        let change = CustomerChange { groups: Some(groups(ids)), ..CustomerChange::default() };
        let operation = context.operation_at(later);
        let changed =
            context.storage.update_customer(merchant_id(1), customer_id(id), change, operation).await;
        let changed = changed.expect("updated");
        assert_eq!(find(&context, id).await.as_ref(), Some(&changed.value));
        (changed.value.groups, changed.operation.is_some())
    };
    assert_eq!(change(created, &[20, 20]).await, (groups(&[20, 30]), true));
    assert_eq!(change(created, &[20, 30]).await, (groups(&[20, 30]), false));
    assert_eq!(change(created, &[]).await, (groups(&[30]), true));
    assert_eq!(
        change(2, &[10]).await,
        (groups(&[10]), true),
        "a customer outside the default group does not join it"
    );
    assert_eq!(
        find(&context, created).await.expect("exists").updated_at,
        TestContext::now(),
        "changing groups does not change `updated_at`"
    );
    assert_eq!(context.storage.inspect().await.expect("inspected").past_memberships, 3);
}

async fn update_without_effect_writes_no_operation(context: TestContext) {
    context.load(SHOP).await;
    let id = created(&context, new_customer("555", "s@example.com"), &[10]).await;
    let before = context.storage.inspect().await.expect("inspected");
    let same = CustomerChange {
        first_name: Name::parse("سارة").ok(),
        mobile: "555".parse().ok(),
        groups: Some(groups(&[10])),
        ..CustomerChange::default()
    };
    assert_eq!(update(&context, id, same).await.expect("storage responds").operation, None);
    assert_eq!(
        update(&context, id, CustomerChange::default()).await.expect("storage responds").operation,
        None
    );
    assert_eq!(context.storage.inspect().await.expect("inspected"), before);
    let missing = update(&context, 99, CustomerChange::default()).await;
    assert!(matches!(missing, Err(StorageError::NotFound(Resource::Customer))), "{missing:?}");
}

async fn used_contacts_are_found_except_for_one_customer(context: TestContext) {
    context.load(SHOP).await;
    let contacts = Contacts {
        mobiles: vec!["512345678".to_owned(), "0512345678".to_owned()],
        emails: vec!["noura@example.com".to_owned(), "x@example.com".to_owned()],
    };
    let used = async |except: Option<i64>| {
        let except = except.map(customer_id);
        context
            .storage
            .find_used_contacts(merchant_id(1), contacts.clone(), except)
            .await
            .expect("storage responds")
    };
    let both =
        Contacts { mobiles: vec!["512345678".to_owned()], emails: vec!["noura@example.com".to_owned()] };
    assert_eq!(used(None).await, both);
    assert_eq!(used(Some(2)).await, both);
    assert_eq!(used(Some(1)).await, Contacts::default());
}

async fn deleted_customer_leaves_only_past_memberships(context: TestContext) {
    context.load(SHOP).await;
    let id = created(&context, new_customer("555", "s@example.com"), &[10, 20]).await;
    let delete =
        async || context.storage.delete_customer(merchant_id(1), customer_id(id), context.operation()).await;
    delete().await.expect("deleted");
    assert_eq!(find(&context, id).await, None);
    assert!(matches!(delete().await, Err(StorageError::NotFound(Resource::Customer))));
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.customers, inspection.memberships, inspection.past_memberships), (5, 1, 3));
    create(&context, new_customer("555", "s@example.com"), &[])
        .await
        .expect("number and address can be used again");
}

async fn ban_stores_a_reason_and_can_be_lifted(context: TestContext) {
    context.load(SHOP).await;
    let ban = async |id, reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        context.storage.ban_customer(merchant_id(1), customer_id(id), reason, context.operation()).await
    };
    let reason = async || find(&context, 1).await.expect("exists").ban_reason;
    assert!(matches!(ban(1, None).await, Err(StorageError::NotFound(Resource::Ban))));
    assert!(ban(1, Some("سبب")).await.expect("banned").operation.is_some());
    assert_eq!(reason().await.as_deref(), Some("سبب"));
    assert!(ban(1, Some("سبب")).await.expect("banned").operation.is_none(), "equal reason");
    assert!(ban(1, Some("other")).await.expect("banned").operation.is_some());
    assert_eq!(reason().await.as_deref(), Some("other"));
    assert!(ban(1, None).await.expect("lifted").operation.is_some());
    assert_eq!(reason().await, None);
    for reason in [None, Some("x")] {
        assert!(matches!(ban(99, reason).await, Err(StorageError::NotFound(Resource::Customer))));
    }
}

async fn totals_and_search_terms_follow_changes(context: TestContext) {
    context.load(SHOP).await;
    let total = async |keyword: &str| total(&context, keyword).await;
    assert_eq!((total("").await, total("ساره").await, total("966555").await), (5, 0, 0));
    let id = created(&context, new_customer("555", "s@example.com"), &[]).await;
    assert_eq!((total("").await, total("ساره").await, total("966555").await), (6, 1, 1));
    let change = CustomerChange {
        first_name: Name::parse("هند").ok(),
        mobile: "777".parse().ok(),
        ..CustomerChange::default()
    };
    update(&context, id, change).await.expect("updated");
    assert_eq!((total("ساره").await, total("966555").await), (0, 0));
    assert_eq!((total("هند").await, total("0777").await, total("s@").await), (1, 1, 1));
    context
        .storage
        .delete_customer(merchant_id(1), customer_id(id), context.operation())
        .await
        .expect("deleted");
    assert_eq!((total("").await, total("هند").await, total("s@").await), (5, 0, 0));
    context
        .load(
            r#"{"id":1,"name":"shop","customers":[{"id":3,"first_name":"زيد"},{"id":600,"first_name":"f"}]}"#,
        )
        .await;
    assert_eq!((total("").await, total("زيد").await, total("c").await), (6, 1, 0));
    let problems = context.storage.inspect().await.expect("inspected").problems;
    assert!(problems.is_empty(), "{problems:?}");
}

async fn customers_of_another_merchant_cannot_be_changed(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other","customers":[{"id":8,"first_name":"h"}]}"#).await;
    let (other, id) = (merchant_id(2), customer_id(1));
    let change = CustomerChange { first_name: Name::parse("mine").ok(), ..CustomerChange::default() };
    let rejected = [
        context.storage.update_customer(other, id, change, context.operation()).await.map(drop),
        context.storage.delete_customer(other, id, context.operation()).await.map(drop),
        context.storage.ban_customer(other, id, Some("x".to_owned()), context.operation()).await.map(drop),
    ];
    assert!(
        rejected.iter().all(|result| matches!(result, Err(StorageError::NotFound(Resource::Customer)))),
        "{rejected:?}"
    );
    let operation = context.operation();
    let created =
        context.storage.create_customer(other, new_customer("512345678", ""), groups(&[10]), operation).await;
    assert!(matches!(created, Err(StorageError::MissingGroup(_))), "{created:?}");
    let operation = context.operation();
    let same_number =
        context.storage.create_customer(other, new_customer("512345678", ""), vec![], operation).await;
    assert!(same_number.is_ok(), "mobile numbers are unique within a merchant");
    assert_eq!(find(&context, 1).await.expect("exists").details.first_name.as_str(), "نورة");
}

async fn concurrent_creates_keep_mobiles_unique(context: TestContext) {
    context.load(SHOP).await;
    let tasks: Vec<_> = (1..=60)
        .map(|number| {
            // Two consecutive customers share a mobile number; the first and the last have one of their own.
            let customer = new_customer(&format!("5{}", number / 2), "");
            let (storage, operation) = (context.storage.clone(), context.operation());
            tokio::spawn(async move {
                storage.create_customer(merchant_id(1), customer, groups(&[10]), operation).await
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(_) => created += 1,
            Err(StorageError::Conflict(Conflict::Mobile(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    let inspection = context.storage.inspect().await.expect("inspected");
    assert_eq!((created, inspection.customers, inspection.memberships), (31, 36, 1 + 2 * 31));
    assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
}
