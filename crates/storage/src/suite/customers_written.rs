//! Making, changing, banning and deleting customers.

use jiff::SignedDuration;
use zumra_core::text::Name;
use zumra_core::{Customer, CustomerChange, GroupId, NewCustomer, SearchQuery};

use super::{SHOP, Scene, case_list, customer_id, group_id, merchant_id, page};
use crate::{Conflict, Contacts, CustomerFilter, Resource, Result, StorageError, Written};

case_list![
    a_new_customer_is_kept_and_joins_the_default_group,
    what_is_unique_is_given_once,
    a_group_that_is_not_there_lets_nobody_in,
    a_change_keeps_what_it_does_not_name,
    a_change_of_groups_replaces_all_but_the_default_group,
    a_change_that_changes_nothing_is_no_operation,
    what_is_taken_is_known_beforehand,
    a_deleted_customer_leaves_nothing_behind_but_history,
    a_ban_has_a_reason_and_can_be_lifted,
    totals_and_words_keep_up,
    customers_of_another_merchant_cannot_be_touched,
    many_are_made_at_once,
];

fn new(id: i64, mobile: &str, email: &str) -> NewCustomer {
    NewCustomer {
        last_name: Name::parse("العتيبي").ok(),
        mobile: mobile.parse().ok(),
        mobile_code: "966".parse().ok(),
        email: email.parse().ok(),
        ..NewCustomer::new(customer_id(id), Name::parse("سارة").expect("a name"))
    }
}

fn groups(ids: &[i64]) -> Vec<GroupId> {
    ids.iter().map(|id| group_id(*id)).collect()
}

async fn create(scene: &Scene, customer: NewCustomer, ids: &[i64]) -> Result<Written<Customer>> {
    scene.storage.create_customer(merchant_id(1), customer, groups(ids), scene.operation()).await
}

async fn update(scene: &Scene, id: i64, change: CustomerChange) -> Result<Written<Customer>> {
    scene.storage.update_customer(merchant_id(1), customer_id(id), change, scene.operation()).await
}

async fn find(scene: &Scene, id: i64) -> Option<Customer> {
    scene.storage.find_customer(merchant_id(1), customer_id(id)).await.expect("answered")
}

async fn a_new_customer_is_kept_and_joins_the_default_group(scene: Scene) {
    scene.load(SHOP).await;
    let made = create(&scene, new(50, "555", "s@example.com"), &[20, 10, 20]).await.expect("made");
    assert!(made.operation.is_some());
    assert_eq!(made.value.details, new(50, "555", "s@example.com"));
    assert_eq!(made.value.groups, groups(&[10, 20, 30]));
    assert_eq!(find(&scene, 50).await, Some(made.value));
    let alone = create(&scene, new(51, "556", ""), &[]).await.expect("made");
    assert_eq!(alone.value.groups, groups(&[30]));
}

async fn what_is_unique_is_given_once(scene: Scene) {
    scene.load(SHOP).await;
    let before = scene.storage.inspect().await.expect("inspected");
    let conflict = async |customer| match create(&scene, customer, &[10]).await {
        Err(StorageError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    };
    assert_eq!(conflict(new(1, "555", "")).await, Conflict::Customer(customer_id(1)));
    assert_eq!(conflict(new(50, "512345678", "")).await, Conflict::Mobile(customer_id(50)));
    assert_eq!(conflict(new(51, "555", "NOURA@example.com")).await, Conflict::Email(customer_id(51)));
    let taken = CustomerChange { mobile: "512345678".parse().ok(), ..CustomerChange::default() };
    let refused = update(&scene, 2, taken).await;
    assert!(matches!(refused, Err(StorageError::Conflict(Conflict::Mobile(_)))), "{refused:?}");
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
}

async fn a_group_that_is_not_there_lets_nobody_in(scene: Scene) {
    scene.load(SHOP).await;
    let before = scene.storage.inspect().await.expect("inspected");
    for refused in [
        create(&scene, new(50, "555", ""), &[10, 99]).await,
        update(&scene, 1, CustomerChange { groups: Some(groups(&[10, 99])), ..CustomerChange::default() })
            .await,
    ] {
        let missing = group_id(99);
        assert!(matches!(&refused, Err(StorageError::MissingGroup(id)) if *id == missing), "{refused:?}");
    }
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
    assert_eq!(find(&scene, 50).await, None);
}

async fn a_change_keeps_what_it_does_not_name(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, new(50, "555", "s@example.com"), &[10]).await.expect("made");
    let later = Scene::now() + SignedDuration::from_hours(1);
    let change = CustomerChange {
        first_name: Name::parse("Sara").ok(),
        email: Some(None),
        gender: Some("female".parse().ok()),
        ..CustomerChange::default()
    };
    let operation = scene.operation_at(later);
    let id = customer_id(50);
    let changed =
        scene.storage.update_customer(merchant_id(1), id, change, operation).await.expect("changed");
    let found = find(&scene, 50).await.expect("there");
    assert_eq!(changed.value, found);
    let expected = NewCustomer {
        first_name: Name::parse("Sara").expect("a name"),
        email: None,
        gender: "female".parse().ok(),
        ..new(50, "555", "s@example.com")
    };
    assert_eq!((found.details, found.groups), (expected, groups(&[10, 30])));
    assert_eq!((found.created_at, found.updated_at), (Scene::now(), later));
    create(&scene, new(51, "556", "s@example.com"), &[]).await.expect("the address is free again");
}

async fn a_change_of_groups_replaces_all_but_the_default_group(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, new(50, "555", ""), &[10]).await.expect("made");
    let later = Scene::now() + SignedDuration::from_hours(1);
    let change = async |id, ids: &[i64]| {
        let change = CustomerChange { groups: Some(groups(ids)), ..CustomerChange::default() };
        let operation = scene.operation_at(later);
        let changed = scene.storage.update_customer(merchant_id(1), customer_id(id), change, operation).await;
        let changed = changed.expect("changed");
        assert_eq!(find(&scene, id).await.as_ref(), Some(&changed.value));
        (changed.value.groups, changed.operation.is_some())
    };
    assert_eq!(change(50, &[20, 20]).await, (groups(&[20, 30]), true));
    assert_eq!(change(50, &[20, 30]).await, (groups(&[20, 30]), false));
    assert_eq!(change(50, &[]).await, (groups(&[30]), true));
    assert_eq!(change(2, &[10]).await, (groups(&[10]), true), "who is not in it does not join by this");
    assert_eq!(find(&scene, 50).await.expect("there").updated_at, Scene::now(), "groups are no detail");
    assert_eq!(scene.storage.inspect().await.expect("inspected").past_memberships, 3);
}

async fn a_change_that_changes_nothing_is_no_operation(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, new(50, "555", "s@example.com"), &[10]).await.expect("made");
    let before = scene.storage.inspect().await.expect("inspected");
    let same = CustomerChange {
        first_name: Name::parse("سارة").ok(),
        mobile: "555".parse().ok(),
        groups: Some(groups(&[10])),
        ..CustomerChange::default()
    };
    assert_eq!(update(&scene, 50, same).await.expect("answered").operation, None);
    assert_eq!(update(&scene, 50, CustomerChange::default()).await.expect("answered").operation, None);
    assert_eq!(scene.storage.inspect().await.expect("inspected"), before);
    let nobody = update(&scene, 99, CustomerChange::default()).await;
    assert!(matches!(nobody, Err(StorageError::NotFound(Resource::Customer))), "{nobody:?}");
}

async fn what_is_taken_is_known_beforehand(scene: Scene) {
    scene.load(SHOP).await;
    let contacts = Contacts {
        mobiles: vec!["512345678".to_owned(), "0512345678".to_owned()],
        emails: vec!["noura@example.com".to_owned(), "x@example.com".to_owned()],
    };
    let taken = async |except: Option<i64>| {
        let except = except.map(customer_id);
        scene.storage.find_used_contacts(merchant_id(1), contacts.clone(), except).await.expect("answered")
    };
    let both =
        Contacts { mobiles: vec!["512345678".to_owned()], emails: vec!["noura@example.com".to_owned()] };
    assert_eq!(taken(None).await, both);
    assert_eq!(taken(Some(2)).await, both);
    assert_eq!(taken(Some(1)).await, Contacts::default());
}

async fn a_deleted_customer_leaves_nothing_behind_but_history(scene: Scene) {
    scene.load(SHOP).await;
    create(&scene, new(50, "555", "s@example.com"), &[10, 20]).await.expect("made");
    let delete =
        async || scene.storage.delete_customer(merchant_id(1), customer_id(50), scene.operation()).await;
    delete().await.expect("deleted");
    assert_eq!(find(&scene, 50).await, None);
    assert!(matches!(delete().await, Err(StorageError::NotFound(Resource::Customer))));
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((inspection.customers, inspection.memberships, inspection.past_memberships), (5, 1, 3));
    create(&scene, new(51, "555", "s@example.com"), &[]).await.expect("number and address are free again");
}

async fn a_ban_has_a_reason_and_can_be_lifted(scene: Scene) {
    scene.load(SHOP).await;
    let ban = async |id, reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        scene.storage.ban_customer(merchant_id(1), customer_id(id), reason, scene.operation()).await
    };
    let reason = async || find(&scene, 1).await.expect("there").ban_reason;
    assert!(matches!(ban(1, None).await, Err(StorageError::NotFound(Resource::Ban))));
    assert!(ban(1, Some("سبب")).await.expect("banned").operation.is_some());
    assert_eq!(reason().await.as_deref(), Some("سبب"));
    assert!(ban(1, Some("سبب")).await.expect("banned").operation.is_none(), "nothing new");
    assert!(ban(1, Some("other")).await.expect("banned").operation.is_some());
    assert_eq!(reason().await.as_deref(), Some("other"));
    assert!(ban(1, None).await.expect("lifted").operation.is_some());
    assert_eq!(reason().await, None);
    for reason in [None, Some("x")] {
        assert!(matches!(ban(99, reason).await, Err(StorageError::NotFound(Resource::Customer))));
    }
}

async fn totals_and_words_keep_up(scene: Scene) {
    scene.load(SHOP).await;
    let total = async |keyword: &str| {
        let filter = CustomerFilter { keyword: SearchQuery::parse(keyword), ..CustomerFilter::default() };
        scene.storage.list_customers(merchant_id(1), filter, page(1, 15)).await.expect("listed").total
    };
    assert_eq!((total("").await, total("ساره").await, total("966555").await), (5, 0, 0));
    create(&scene, new(50, "555", "s@example.com"), &[]).await.expect("made");
    assert_eq!((total("").await, total("ساره").await, total("966555").await), (6, 1, 1));
    let change = CustomerChange {
        first_name: Name::parse("هند").ok(),
        mobile: "777".parse().ok(),
        ..CustomerChange::default()
    };
    update(&scene, 50, change).await.expect("changed");
    assert_eq!((total("ساره").await, total("966555").await), (0, 0));
    assert_eq!((total("هند").await, total("0777").await, total("s@").await), (1, 1, 1));
    scene.storage.delete_customer(merchant_id(1), customer_id(50), scene.operation()).await.expect("deleted");
    assert_eq!((total("").await, total("هند").await, total("s@").await), (5, 0, 0));
    scene
        .load(r#"{"id":1,"name":"shop","customers":[{"id":3,"first_name":"زيد"},{"id":6,"first_name":"f"}]}"#)
        .await;
    assert_eq!((total("").await, total("زيد").await, total("c").await), (6, 1, 0));
    let problems = scene.storage.inspect().await.expect("inspected").problems;
    assert!(problems.is_empty(), "{problems:?}");
}

async fn customers_of_another_merchant_cannot_be_touched(scene: Scene) {
    scene.load(SHOP).await;
    scene.load(r#"{"id":2,"name":"other","customers":[{"id":8,"first_name":"h"}]}"#).await;
    let (other, id) = (merchant_id(2), customer_id(1));
    let change = CustomerChange { first_name: Name::parse("mine").ok(), ..CustomerChange::default() };
    let refused = [
        scene.storage.update_customer(other, id, change, scene.operation()).await.map(drop),
        scene.storage.delete_customer(other, id, scene.operation()).await.map(drop),
        scene.storage.ban_customer(other, id, Some("x".to_owned()), scene.operation()).await.map(drop),
    ];
    assert!(
        refused.iter().all(|refused| matches!(refused, Err(StorageError::NotFound(Resource::Customer)))),
        "{refused:?}"
    );
    let operation = scene.operation();
    let into = scene.storage.create_customer(other, new(9, "512345678", ""), groups(&[10]), operation).await;
    assert!(matches!(into, Err(StorageError::MissingGroup(_))), "{into:?}");
    let operation = scene.operation();
    let same_number = scene.storage.create_customer(other, new(9, "512345678", ""), vec![], operation).await;
    assert!(same_number.is_ok(), "what is unique is so within a merchant");
    assert_eq!(find(&scene, 1).await.expect("there").details.first_name.as_str(), "نورة");
}

async fn many_are_made_at_once(scene: Scene) {
    scene.load(SHOP).await;
    let made: Vec<_> = (1..=60)
        .map(|i| {
            // Every number is asked for twice.
            let customer = new(1000 + i, &format!("5{}", i / 2), "");
            let (storage, operation) = (scene.storage.clone(), scene.operation());
            tokio::spawn(async move {
                storage.create_customer(merchant_id(1), customer, groups(&[10]), operation).await
            })
        })
        .collect();
    let mut kept = 0;
    for made in made {
        match made.await.expect("no panic") {
            Ok(_) => kept += 1,
            Err(StorageError::Conflict(Conflict::Mobile(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    let inspection = scene.storage.inspect().await.expect("inspected");
    assert_eq!((kept, inspection.customers, inspection.memberships), (31, 36, 1 + 2 * 31));
    assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
}
