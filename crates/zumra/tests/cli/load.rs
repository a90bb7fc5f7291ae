//! `zumra load`.

use serde_json::{Value, json};

use super::Zumra;

fn shops(merchants: i64, customers: i64) -> Value {
    let customer = |id: i64| json!({"id": id, "first_name": "c", "mobile": (500_000_000 + id).to_string(), "groups": [id % 2 + 1]});
    let merchant = |id: i64| {
        json!({"id": id, "name": format!("shop {id}"), "groups": [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "default": true}],
            "customers": (1..=customers).map(customer).collect::<Vec<_>>()})
    };
    json!({"merchants": (1..=merchants).map(merchant).collect::<Vec<_>>()})
}

#[test]
fn loading_many_merchants_again_changes_nothing() {
    let zumra = Zumra::new();
    zumra.write("shops.json", &shops(200, 50).to_string());
    let loaded = zumra.json("load shops.json");
    // Rows of a merchant: itself, its groups, its customers and their memberships.
    let expected = json!({"merchants": 200, "groups": 400, "customers": 10_000,
        "changes": 200 * (1 + 2 + 50 + 50), "changed_merchants": 200});
    assert_eq!(loaded, expected);
    let again = zumra.ok("load shops.json");
    assert_eq!(
        again,
        "Loaded shops.json: 200 merchants, 400 groups, 10000 customers; nothing was changed.\n"
    );
    assert_eq!(zumra.json("merchant list").as_array().map(Vec::len), Some(200));
}

#[test]
fn load_updates_changed_rows_and_deletes_none() {
    let zumra = Zumra::new();
    let mut file = shops(2, 3);
    zumra.write("shops.json", &file.to_string());
    zumra.ok("load shops.json");
    file["merchants"][1]["customers"][0]["first_name"] = json!("d");
    file["merchants"][0]["customers"] = json!([]);
    let output = zumra.run_with("load -", &file.to_string());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        output.stdout,
        "Loaded standard input: 2 merchants, 4 groups, 3 customers; 1 row was inserted or updated, in 1 merchant.\n"
    );
}

#[test]
fn invalid_fixture_changes_nothing_and_the_error_names_the_key() {
    let zumra = Zumra::new();
    let mut file = shops(2, 3);
    file["merchants"][1]["customers"][2]["mobile"] = json!("05x");
    zumra.write("shops.json", &file.to_string());
    let problem = zumra.fails("load shops.json", 2);
    assert!(
        problem.starts_with("shops.json: merchants[1].customers[2].mobile: must be a number"),
        "{problem}"
    );
    zumra.write("shops.json", r#"{"merchants": [{"id": 1, "name": "a", "color": "red"}]}"#);
    assert!(zumra.fails("load shops.json", 2).starts_with("shops.json: merchants[0].color: unknown field"));
    assert!(zumra.fails("load missing.json", 2).starts_with("cannot read missing.json: "));
    assert!(!zumra.path("zumra.db").exists());
}

#[test]
fn error_names_the_merchant_in_conflict() {
    let zumra = Zumra::new();
    zumra.write("shops.json", &shops(3, 1).to_string());
    zumra.ok("load shops.json");
    // Customer 7 has the mobile number of customer 1, which the load does not delete.
    let mut file = shops(3, 1);
    file["merchants"][1]["customers"][0]["id"] = json!(7);
    zumra.write("shops.json", &file.to_string());
    assert_eq!(
        zumra.fails("load shops.json", 3),
        "shops.json: 2 of 3 merchants loaded; merchants[1] (id 2) failed: \
         another customer already has the mobile number of customer 7"
    );
}
