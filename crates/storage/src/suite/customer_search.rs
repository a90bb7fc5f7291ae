//! Customers: find, list, search.

use jiff::{SignedDuration, Timestamp};
use zumra_core::{CustomerId, PageRequest, SearchQuery};

use super::context::{SHOP, TestContext, case_list, merchant_id, page, shop};
use crate::CustomerFilter;

case_list![
    customer_is_read_as_loaded,
    customers_are_listed_newest_first,
    page_past_the_end_is_empty_and_has_the_total,
    query_matches_name_mobile_and_email,
    query_characters_are_literal,
    spellings_of_a_name_are_equal,
    unsatisfiable_query_matches_no_customer,
    matches_are_paged,
    creation_time_filters_the_list,
    every_list_is_ordered_by_creation_and_then_id,
    rows_of_another_merchant_are_not_visible,
];

async fn customer_is_read_as_loaded(context: TestContext) {
    context.load(SHOP).await;
    let id = CustomerId::new(1).expect("positive");
    let customer =
        context.storage.find_customer(merchant_id(1), id).await.expect("storage responds").expect("found");
    let details = customer.details;
    assert_eq!(details.first_name.as_str(), "نورة");
    assert_eq!(details.mobile.expect("a mobile").as_str(), "512345678");
    assert_eq!(details.email.expect("an address").as_str(), "Noura@example.com");
    assert_eq!((customer.created_at, customer.updated_at), (TestContext::now(), TestContext::now()));
    let missing = CustomerId::new(99).expect("positive");
    assert!(
        context.storage.find_customer(merchant_id(1), missing).await.expect("storage responds").is_none()
    );
}

async fn ids(context: &TestContext, keyword: Option<&str>, page: PageRequest) -> (Vec<i64>, u64) {
    let filter =
        CustomerFilter { keyword: keyword.and_then(SearchQuery::parse), ..CustomerFilter::default() };
    filtered(context, filter, page).await
}

async fn filtered(context: &TestContext, filter: CustomerFilter, page: PageRequest) -> (Vec<i64>, u64) {
    let listed = context.storage.list_customers(merchant_id(1), filter, page).await.expect("listed");
    (listed.items.iter().map(|customer| customer.id.get()).collect(), listed.total)
}

async fn customers_are_listed_newest_first(context: TestContext) {
    context.load(SHOP).await;
    assert_eq!(ids(&context, None, page(1, 2)).await, (vec![5, 4], 5));
    assert_eq!(ids(&context, None, page(3, 2)).await, (vec![1], 5));
    let all = CustomerFilter::default();
    let listed = context.storage.list_customers(merchant_id(1), all, page(2, 2)).await.expect("listed");
    assert_eq!(listed.items[1].groups.len(), 1, "a list carries the groups of each customer");
}

async fn page_past_the_end_is_empty_and_has_the_total(context: TestContext) {
    context.load(SHOP).await;
    for number in [4, u64::MAX] {
        assert_eq!(ids(&context, None, page(number, 2)).await, (vec![], 5));
    }
}

async fn query_matches_name_mobile_and_email(context: TestContext) {
    context.load(SHOP).await;
    let cases = [
        ("نورة", vec![1]),
        ("نورة القحط", vec![1]),
        ("AHMED", vec![2]),
        ("966512345678", vec![1]),
        ("+966 51 234 5678", vec![1]),
        ("0512345678", vec![1]),
        ("٥١٢٣٤٥٦٧٨", vec![1]),
        ("\u{202A}+966\u{A0}51.234.5678\u{202C}", vec![1]),
        ("12345678", vec![]),
        ("قحطانى", vec![]),
        ("القحطانى", vec![1]),
        ("noura@EXAMPLE", vec![1]),
        ("971", vec![2]),
        ("absent", vec![]),
    ];
    for (keyword, expected) in cases {
        let (found, total) = ids(&context, Some(keyword), page(1, 15)).await;
        assert_eq!((found, total), (expected.clone(), expected.len() as u64), "{keyword}");
    }
}

async fn spellings_of_a_name_are_equal(context: TestContext) {
    let names = ["علی", "José", "مؤمن", "رائد", "Jose\u{301} B", "Straße"];
    let customer = |(name, id)| format!(r#"{{"id":{id},"first_name":"{name}"}}"#);
    let customers: Vec<_> = names.iter().zip(1..).map(customer).collect();
    context.load(&format!(r#"{{"id":1,"name":"shop","customers":[{}]}}"#, customers.join(","))).await;
    for (keyword, expected) in [
        ("علي", vec![1]),
        ("علی", vec![1]),
        ("على", vec![1]),
        ("Jose", vec![5, 2]),
        ("JOSÉ", vec![5, 2]),
        ("jose\u{301}", vec![5, 2]),
        ("مومن", vec![3]),
        ("رايد", vec![4]),
        ("STRASSE", vec![6]),
    ] {
        let total = expected.len() as u64;
        assert_eq!(ids(&context, Some(keyword), page(1, 15)).await, (expected, total), "{keyword}");
    }
}

async fn query_characters_are_literal(context: TestContext) {
    context.load(SHOP).await;
    for keyword in ["%", "_", "*", "\"", "'", "a%d"] {
        assert_eq!(ids(&context, Some(keyword), page(1, 15)).await.1, 0, "{keyword}");
    }
}

async fn unsatisfiable_query_matches_no_customer(context: TestContext) {
    context.load(SHOP).await;
    let keyword = Some(SearchQuery::unsatisfiable());
    for created_from in [None, Some(TestContext::now())] {
        let filter = CustomerFilter { keyword: keyword.clone(), created_from, created_before: None };
        assert_eq!(filtered(&context, filter, page(1, 15)).await, (vec![], 0), "{created_from:?}");
    }
}

async fn matches_are_paged(context: TestContext) {
    let customers: Vec<_> =
        (1..=7).map(|id| format!(r#"{{"id":{id},"first_name":"محمد","last_name":"محمود {id}"}}"#)).collect();
    context.load(&format!(r#"{{"id":1,"name":"shop","customers":[{}]}}"#, customers.join(","))).await;
    for (keyword, number, expected) in [
        ("مح", 1, (vec![7, 6, 5], 7)),
        ("مح", 3, (vec![1], 7)),
        ("محم مح", 2, (vec![4, 3, 2], 7)),
        ("محمد 3", 1, (vec![3], 1)),
        ("محمد", 9, (vec![], 7)),
    ] {
        assert_eq!(ids(&context, Some(keyword), page(number, 3)).await, expected, "{keyword} {number}");
    }
}

async fn creation_time_filters_the_list(context: TestContext) {
    let days = |days: i64| TestContext::now() + SignedDuration::from_hours(24 * days);
    for id in 1..=4 {
        let file = format!(r#"{{"id":1,"name":"shop","customers":[{{"id":{id},"first_name":"Ali {id}"}}]}}"#);
        let loaded = context.storage.load_fixture(shop(&file), context.operation_at(days(id))).await;
        assert!(loaded.expect("loaded").operation.is_some());
    }
    let found = async |from: Option<Timestamp>, before: Option<Timestamp>, keyword: &str| {
        let filter = CustomerFilter {
            created_from: from,
            created_before: before,
            keyword: SearchQuery::parse(keyword),
        };
        filtered(&context, filter, page(1, 2)).await
    };
    assert_eq!(found(Some(days(2)), None, "").await, (vec![4, 3], 3));
    assert_eq!(found(None, Some(days(2)), "").await, (vec![1], 1));
    assert_eq!(found(Some(days(2)), Some(days(4)), "").await, (vec![3, 2], 2));
    assert_eq!(found(Some(days(2)), Some(days(4)), "ali").await, (vec![3, 2], 2));
    assert_eq!(found(Some(days(2)), Some(days(4)), "ali 3").await, (vec![3], 1));
    assert_eq!(found(Some(days(9)), None, "").await, (vec![], 0));
}

async fn every_list_is_ordered_by_creation_and_then_id(context: TestContext) {
    let days = |days: i64| TestContext::now() + SignedDuration::from_hours(24 * days);
    // The higher the id, the earlier the day; 5 and 6 are of one day.
    for (day, ids) in [(1, &[9][..]), (2, &[5, 6]), (3, &[2])] {
        let customer = |id| format!(r#"{{"id":{id},"first_name":"Ali"}}"#);
        let customers = ids.iter().map(customer).collect::<Vec<_>>().join(",");
        let groups = format!(r#"{{"id":{},"name":"g"}}"#, ids[0]);
        let file = format!(r#"{{"id":1,"name":"shop","groups":[{groups}],"customers":[{customers}]}}"#);
        context.storage.load_fixture(shop(&file), context.operation_at(days(day))).await.expect("loaded");
    }
    let found = async |number: u64, from: Option<Timestamp>, keyword: &str| {
        let filter = CustomerFilter {
            created_from: from,
            keyword: SearchQuery::parse(keyword),
            ..CustomerFilter::default()
        };
        filtered(&context, filter, page(number, 3)).await
    };
    for keyword in ["", "ali", "ali al"] {
        assert_eq!(found(1, None, keyword).await, (vec![2, 6, 5], 4), "{keyword:?}");
        assert_eq!(found(2, None, keyword).await, (vec![9], 4), "{keyword:?}");
        assert_eq!(found(1, Some(days(2)), keyword).await, (vec![2, 6, 5], 3), "{keyword:?}");
    }
    let groups = context.storage.list_groups(merchant_id(1), page(1, 9)).await.expect("listed").items;
    let is_listed_first = |first, second| {
        let position = |id| groups.iter().position(|group| group.id.get() == id);
        position(first) < position(second)
    };
    assert!(is_listed_first(9, 5) && is_listed_first(5, 2), "{groups:?}");
}

async fn rows_of_another_merchant_are_not_visible(context: TestContext) {
    context.load(SHOP).await;
    context.load(r#"{"id":2,"name":"other"}"#).await;
    let other = merchant_id(2);
    let id = CustomerId::new(1).expect("positive");
    assert!(context.storage.find_customer(other, id).await.expect("storage responds").is_none());
    let filter =
        |keyword| CustomerFilter { keyword: SearchQuery::parse(keyword), ..CustomerFilter::default() };
    for keyword in ["", "ahmed"] {
        let listed = context.storage.list_customers(other, filter(keyword), page(1, 15)).await;
        assert_eq!(listed.expect("listed").total, 0, "{keyword}");
    }
    let groups = context.storage.list_groups(other, page(1, 15)).await.expect("listed");
    assert!(groups.total == 1 && groups.items[0].is_default, "its own default group alone: {groups:?}");
}
