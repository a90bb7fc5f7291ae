//! Reading customers and groups.

use zumra_core::customer::fold_keyword;
use zumra_core::{CustomerId, PageRequest};

use super::{SHOP, Scene, case_list, merchant_id, page};

case_list![
    a_customer_reads_as_it_was_given,
    customers_are_listed_newest_first,
    a_page_past_the_end_is_empty_and_keeps_the_total,
    a_keyword_finds_by_name_mobile_and_email,
    a_keyword_is_no_pattern,
    groups_are_listed_oldest_first,
    another_merchants_rows_are_not_there,
];

async fn a_customer_reads_as_it_was_given(scene: Scene) {
    scene.load(SHOP).await;
    let id = CustomerId::new(1).expect("positive");
    let customer = scene.storage.find_customer(merchant_id(1), id).await.expect("answered").expect("found");
    let details = customer.details;
    assert_eq!(details.first_name.as_str(), "نورة");
    assert_eq!(details.mobile.expect("a mobile").as_str(), "512345678");
    assert_eq!(details.email.expect("an address").as_str(), "Noura@example.com");
    assert_eq!((customer.created_at, customer.updated_at), (Scene::now(), Scene::now()));
    let nobody = CustomerId::new(99).expect("positive");
    assert!(scene.storage.find_customer(merchant_id(1), nobody).await.expect("answered").is_none());
}

async fn ids(scene: &Scene, keyword: Option<&str>, page: PageRequest) -> (Vec<i64>, u64) {
    let keyword = keyword.map(fold_keyword);
    let listed = scene.storage.list_customers(merchant_id(1), keyword, page).await.expect("listed");
    (listed.items.iter().map(|customer| customer.details.id.get()).collect(), listed.total)
}

async fn customers_are_listed_newest_first(scene: Scene) {
    scene.load(SHOP).await;
    assert_eq!(ids(&scene, None, page(1, 2)).await, (vec![5, 4], 5));
    assert_eq!(ids(&scene, None, page(3, 2)).await, (vec![1], 5));
    let listed = scene.storage.list_customers(merchant_id(1), None, page(2, 2)).await.expect("listed");
    assert_eq!(listed.items[1].groups.len(), 1, "a list carries the groups of each customer");
}

async fn a_page_past_the_end_is_empty_and_keeps_the_total(scene: Scene) {
    scene.load(SHOP).await;
    for number in [4, u64::MAX] {
        assert_eq!(ids(&scene, None, page(number, 2)).await, (vec![], 5));
    }
}

async fn a_keyword_finds_by_name_mobile_and_email(scene: Scene) {
    scene.load(SHOP).await;
    let cases = [
        ("نورة", vec![1]),
        ("نورة القحط", vec![1]),
        ("AHMED", vec![2]),
        ("966512345678", vec![1]),
        ("12345678", vec![1]),
        ("٥١٢٣٤٥٦٧٨", vec![1]),
        ("noura@EXAMPLE", vec![1]),
        ("971", vec![2]),
        ("nobody", vec![]),
    ];
    for (keyword, expected) in cases {
        let (found, total) = ids(&scene, Some(keyword), page(1, 15)).await;
        assert_eq!((found, total), (expected.clone(), expected.len() as u64), "{keyword}");
    }
}

async fn a_keyword_is_no_pattern(scene: Scene) {
    scene.load(SHOP).await;
    for keyword in ["%", "_", "*", "\"", "'", "a%d"] {
        assert_eq!(ids(&scene, Some(keyword), page(1, 15)).await.1, 0, "{keyword}");
    }
}

async fn groups_are_listed_oldest_first(scene: Scene) {
    scene.load(r#"{"id":1,"name":"shop","groups":[{"id":30,"name":"old"}]}"#).await;
    let merchant = super::shop(SHOP);
    let later = scene.operation_at(Scene::now() + jiff::SignedDuration::from_secs(1));
    scene.storage.load(merchant, later).await.expect("loaded");
    let listed = scene.storage.list_groups(merchant_id(1), page(1, 2)).await.expect("listed");
    let names: Vec<_> = listed.items.iter().map(|group| group.name.as_str()).collect();
    assert_eq!((names, listed.total), (vec!["old", "VIP"], 3));
}

async fn another_merchants_rows_are_not_there(scene: Scene) {
    scene.load(SHOP).await;
    scene.load(r#"{"id":2,"name":"other"}"#).await;
    let other = merchant_id(2);
    let id = CustomerId::new(1).expect("positive");
    assert!(scene.storage.find_customer(other, id).await.expect("answered").is_none());
    assert_eq!(scene.storage.list_customers(other, None, page(1, 15)).await.expect("listed").total, 0);
    assert_eq!(scene.storage.list_groups(other, page(1, 15)).await.expect("listed").total, 0);
}
