//! A database whose search terms are of the first version: what rebuilding its index must keep and change.

use jiff::Timestamp;
use zumra_core::text::Name;
use zumra_core::{
    Actor, CustomerChange, CustomerId, IdGenerator, MerchantId, Operation, PageRequest, SearchQuery, fixture,
};
use zumra_storage::{CustomerFilter, Storage};

/// Turns the index of [`load`] into that of the first version, as its migration leaves it.
pub(crate) const OUTDATE: &str = "
    UPDATE customers SET search_terms = CASE id WHEN 1 THEN 'josé' WHEN 2 THEN 'علی' ELSE search_terms END;
    INSERT INTO customer_search_terms (merchant_id, term, customer_id) SELECT merchant_id, search_terms, id FROM customers;
    DELETE FROM search_index;
    DELETE FROM search_index_versions;";

/// Rows of the first index, rows of the index, and rows that it should have: one for each term of a customer.
pub(crate) const COUNTS: &str = "
    SELECT (SELECT count(*) FROM customer_search_terms), (SELECT count(*) FROM search_index),
           (SELECT count(*) FROM customers JOIN search_index
              ON search_index.merchant_id = customers.merchant_id AND term = search_terms
                 AND search_index.created_at = customers.created_at AND customer_id = id)";

/// Loads five customers with one search term each.
pub(crate) async fn load(storage: &dyn Storage, now: Timestamp) {
    let names = ["José", "علی", "Sara", "Omar", "Sami"];
    let customers = names.iter().zip(1..).map(|(name, id)| format!(r#"{{"id":{id},"first_name":"{name}"}}"#));
    let customers = customers.collect::<Vec<_>>().join(",");
    let shop = format!(r#"{{"merchants":[{{"id":1,"name":"s","customers":[{customers}]}}]}}"#);
    let shop = fixture::parse(shop.as_bytes()).unwrap().remove(0);
    storage.load_fixture(shop, operation(0, now)).await.unwrap();
}

/// Checks that keywords find customers before, while and after the index is rebuilt, and that changes meanwhile count.
pub(crate) async fn check_rebuild(storage: &dyn Storage, now: Timestamp) {
    for (keyword, ids) in [("josé", &[1][..]), ("JOSÉ", &[1]), ("علی", &[2]), ("sa", &[5, 3]), ("omar", &[4])]
    {
        assert_eq!(find(storage, keyword).await, ids, "{keyword}");
    }
    let sara = CustomerChange { first_name: Some(Name::parse("Zoë").unwrap()), ..CustomerChange::default() };
    let (merchant, third) = (MerchantId::FIRST, CustomerId::new(3).unwrap());
    storage.update_customer(merchant, third, sara, operation(1, now)).await.unwrap();
    storage.delete_customer(merchant, CustomerId::new(4).unwrap(), operation(2, now)).await.unwrap();
    assert_eq!((find(storage, "zoe").await, find(storage, "sara").await), (vec![3], vec![]));
    assert_eq!((find(storage, "sa").await, find(storage, "omar").await), (vec![5], vec![]));

    let first = storage.rebuild_search_index(1).await.unwrap().unwrap();
    assert_eq!((first.customers, first.is_last), (1, false));
    for (keyword, ids) in [("jose", &[1][..]), ("José", &[1]), ("علی", &[2]), ("zoe", &[3]), ("sami", &[5])]
    {
        assert_eq!(find(storage, keyword).await, ids, "{keyword}");
    }
    while storage.rebuild_search_index(1).await.unwrap().is_some() {}
    check_rebuilt(storage).await;
    assert_eq!(storage.rebuild_search_index(1).await.unwrap(), None);
}

/// Checks that keywords find customers by the current form of their names.
pub(crate) async fn check_rebuilt(storage: &dyn Storage) {
    for (keyword, ids) in [("jose", &[1][..]), ("José", &[1]), ("علي", &[2]), ("علی", &[2]), ("sami", &[5])]
    {
        assert_eq!(find(storage, keyword).await, ids, "{keyword}");
    }
}

async fn find(storage: &dyn Storage, keyword: &str) -> Vec<i64> {
    let filter = CustomerFilter { keyword: SearchQuery::parse(keyword), ..CustomerFilter::default() };
    let page = PageRequest { page: 1, per_page: 10 };
    let found = storage.list_customers(MerchantId::FIRST, filter, page).await.unwrap();
    let ids: Vec<_> = found.items.iter().map(|customer| customer.id.get()).collect();
    assert_eq!(found.total, ids.len() as u64);
    ids
}

fn operation(seed: u16, now: Timestamp) -> Operation {
    Operation { proposed_id: IdGenerator::new(seed).next_operation(now), at: now, actor: Actor::Operator }
}
