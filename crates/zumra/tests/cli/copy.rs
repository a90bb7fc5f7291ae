//! `zumra copy` between the engines.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use zumra_testkit::TestDatabase;

use super::Zumra;

/// Creates a database with a row in every table, more than one chunk of customers, and values of every kind.
fn create_installation(zumra: &Zumra) {
    let customer = |id: i64| {
        json!({"id": id, "first_name": "سارة", "email": format!("c{id}@example.com"), "mobile": (500_000_000 + id).to_string(),
            "groups": [id % 2 + 1]})
    };
    let merchant = |id: i64, customers: i64| {
        json!({"id": id, "name": format!("shop \u{202e}{id}"), "groups": [{"id": 1, "name": "a"}, {"id": 2, "name": "'b'", "default": true,
                "conditions": [{"type": "total_sales", "symbol": ">", "value": 0.5}], "features": {"shipping": ["all"]}}],
            "customers": (1..=customers).map(customer).collect::<Vec<_>>()})
    };
    let shops = json!({"merchants": [merchant(7, 10_001), merchant(9, 3), merchant(i64::MAX, 0)]});
    zumra.write("shops.json", &shops.to_string());
    zumra.ok("load shops.json --database here.db");
    zumra.ok("token create --merchant 7 --scope customers.read --expires-in 90d --database here.db");
    let file = Connection::open(zumra.path("here.db")).unwrap();
    // Fixtures cannot express these.
    file.execute_batch(
        "UPDATE customers SET ban_reason = 'x' WHERE merchant_id = 7 AND id = 2;
         UPDATE groups SET deleted_by = 3 WHERE merchant_id = 7 AND id = 1;
         INSERT INTO imports VALUES (7, 5, 1, 'operator', 'ar', 3, 2, 1, 4, 0, 9, NULL, x'00ff', '{}');
         INSERT INTO import_problems VALUES (7, 5, 1, 3, 'mobile', 'x');
         INSERT INTO past_memberships VALUES (7, 1, 2, 3, 4, 1), (7, 1, 2, 5, 6, 3);
         INSERT INTO retired_ids VALUES (7, 1, 2147483647);
         INSERT INTO id_counters VALUES (7, 1, 0, 20000), (7, 1, 16, 30000), (7, 2, 0, 5);",
    )
    .unwrap();
}

fn server() -> (Runtime, TestDatabase) {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::new());
    (runtime, database)
}

fn rows(copied: &Value) -> Vec<(&str, u64)> {
    let tables = copied["tables"].as_array().unwrap().iter();
    tables.map(|table| (table["table"].as_str().unwrap(), table["rows"].as_u64().unwrap())).collect()
}

#[test]
fn copy_to_postgres_and_back_is_identical() {
    let zumra = Zumra::new();
    create_installation(&zumra);
    let (_runtime, server) = server();
    let first = zumra.json(&format!("copy --from here.db --to {}", server.url()));
    let expected = [
        ("merchants", 3),
        ("operations", 4),
        ("tokens", 1),
        ("groups", 6),
        ("customers", 10_004),
        ("search_index_versions", 3),
        ("memberships", 10_004),
        ("past_memberships", 2),
        ("imports", 1),
        ("import_problems", 1),
        ("retired_ids", 1),
        ("id_counters", 3),
    ];
    assert_eq!(rows(&first), expected);
    let back = zumra.json(&format!("copy --from {} --to back.db", server.url()));
    assert_eq!(first, back);
    assert_eq!(dump(&zumra.path("here.db")), dump(&zumra.path("back.db")));
    // A repeated copy changes nothing.
    assert_eq!(zumra.json(&format!("copy --from back.db --to {}", server.url())), first);
    let output = zumra.ok("copy --from back.db --to third.db");
    assert!(
        output.contains("Copied 20033 rows from back.db to third.db and verified the checksums."),
        "{output}"
    );
}

/// Returns every row of every table, read without the code under test.
fn dump(path: &Path) -> Vec<String> {
    let file = Connection::open(path).unwrap();
    let select_texts = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.map(Result::unwrap).collect()
    };
    let tables = select_texts(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations' ORDER BY name",
    );
    assert_eq!(tables.len(), 15, "the copy covers all tables: {tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let columns =
            select_texts(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        rows.extend(select_texts(&format!(
            "SELECT concat_ws('|', '{table}', {}) AS text FROM {table} ORDER BY text",
            columns.join(", ")
        )));
    }
    rows
}

#[test]
fn interrupted_copy_continues() {
    let zumra = Zumra::new();
    create_installation(&zumra);
    let (runtime, server) = server();
    let copy = format!("copy --from here.db --to {}", server.url());
    let complete = zumra.json(&copy);
    // The state after an interruption among the customers of the first merchant.
    let delete_rest =
        "DELETE FROM import_problems WHERE merchant_id > 0; DELETE FROM imports WHERE merchant_id > 0;
        DELETE FROM past_memberships WHERE merchant_id > 0; DELETE FROM memberships WHERE merchant_id > 0;
        DELETE FROM customers WHERE merchant_id > 7 OR id > 5000;
        DELETE FROM search_index WHERE merchant_id > 7 OR customer_id > 5000;
        DELETE FROM search_index_versions WHERE merchant_id > 7;
        DELETE FROM customer_counters WHERE merchant_id > 7; UPDATE customer_counters SET customers = 5000; DELETE FROM groups WHERE merchant_id > 7;
        DELETE FROM operations WHERE merchant_id > 7; DELETE FROM merchants WHERE merchant_id > 7";
    runtime.block_on(async { server.connect().await.batch_execute(delete_rest).await.unwrap() });
    assert_eq!(zumra.json(&copy), complete);
    zumra.ok(&format!("copy --from {} --to back.db", server.url()));
    assert_eq!(dump(&zumra.path("here.db")), dump(&zumra.path("back.db")));
    let counts = runtime.block_on(async {
        let sql = "SELECT sum(customers)::bigint, (SELECT count(*) FROM customers),
                          (SELECT sum(cardinality(string_to_array(search_terms, ' '))) FROM customers),
                          (SELECT count(*) FROM search_index) FROM customer_counters";
        let row = server.connect().await.query_one(sql, &[]).await.unwrap();
        (0..4).map(|i| row.get(i)).collect::<Vec<i64>>()
    });
    assert!(counts[0] == counts[1] && counts[2] == counts[3], "{counts:?}");
}

#[test]
fn copy_rejects_a_target_with_other_data_and_keeps_it() {
    let zumra = Zumra::new();
    create_installation(&zumra);
    let (runtime, server) = server();
    let copy = format!("copy --from here.db --to {}", server.url());
    for (id, table) in [(8, "merchants"), (7, "merchants")] {
        zumra.ok(&format!("merchant create --id {id} --name Other --database {}", server.url()));
        let problem = zumra.fails(&copy, 3);
        assert!(problem.contains(&format!("in {table} of merchant ")), "{problem}");
    }
    let merchants = runtime.block_on(async {
        let rows = server.connect().await.query("SELECT name FROM merchants", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    });
    assert_eq!(merchants, ["Other", "Other"]);
    assert!(zumra.fails("copy --from here.db --to here.db", 2).contains("the same database"));
    assert!(zumra.fails("copy --from missing.db --to b.db", 4).starts_with("database missing.db: "));
    assert!(!zumra.path("missing.db").exists() && !zumra.path("b.db").exists());
    assert!(zumra.fails("copy --from here.db --to mysql://db/z", 2).starts_with("settings: database: "));
}
