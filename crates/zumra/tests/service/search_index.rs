//! The rebuild task: a service on a database whose search terms are of an older version.

use rusqlite::Connection;
use serde_json::Value;
use zumra_testkit::{DEADLINE, ServerProcess, eventually};

use super::{Installation, TOKEN};

/// Returns the number of customers that a keyword finds.
fn total(server: &ServerProcess, keyword: &str) -> u64 {
    let path = format!("/admin/v2/customers?per_page=1&keyword={keyword}");
    let (status, body) = server.get(&path, TOKEN).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["pagination"]["total"].as_u64().unwrap()
}

#[test]
fn service_rebuilds_an_outdated_search_index() {
    const CUSTOMERS: u64 = 1000;
    let installation = Installation::new(1000);
    let outdate = "UPDATE customers SET first_name = 'José', search_terms = 'josé';
        INSERT INTO customer_search_terms (merchant_id, term, customer_id) SELECT merchant_id, 'josé', id FROM customers;
        DELETE FROM search_index; DELETE FROM search_index_versions;";
    Connection::open(installation.database()).unwrap().execute_batch(outdate).unwrap();
    let server = installation.serve(&[]);
    assert_eq!(total(&server, "jos%C3%A9"), CUSTOMERS);
    eventually(DEADLINE, "every customer is found by the new form", || total(&server, "jose") == CUSTOMERS);
    assert_eq!(total(&server, "jos%C3%A9"), CUSTOMERS);
}
