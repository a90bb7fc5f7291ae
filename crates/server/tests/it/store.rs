//! The shop itself, and its payment methods.

use serde_json::json;
use zumra_testkit::TestApp;

#[tokio::test]
async fn any_valid_token_may_ask_about_its_store() {
    let app = TestApp::new().await;
    let answer = app.request("GET", "/store/info").token("test-token-with-webhooks").send().await;
    let data = answer.json()["data"].clone();
    assert_eq!(answer.status, 200);
    assert_eq!(
        (&data["id"], &data["name"], &data["plan"]),
        (&json!(1_305_146_709), &json!("متجر"), &json!("special"))
    );
    assert_eq!((&data["status"], &data["currency"]), (&json!("active"), &json!("SAR")));
    let keys: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "avatar",
        "currency",
        "description",
        "domain",
        "email",
        "entity",
        "id",
        "licenses",
        "name",
        "plan",
        "social",
        "status",
        "type",
        "verified",
    ];
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let places =
        ["\"id\"", "\"name\"", "\"entity\"", "\"plan\"", "\"verified\"", "\"licenses\"", "\"social\""]
            .map(|key| answer.text().find(key));
    assert!(places.is_sorted(), "keys keep the contract's order");
    assert_eq!(app.request("GET", "/store/info").send().await.status, 401);
}

#[tokio::test]
async fn payment_methods_are_those_whose_slugs_features_name() {
    let app = TestApp::new().await;
    let shop = json!({"merchants": [{"id": 9, "name": "s",
        "tokens": [{"token": "token-of-the-payments-shop", "scopes": ["payments.read"]}]}]});
    app.load(&shop.to_string()).await;
    let get = |path: &str| app.request("GET", path).token("token-of-the-payments-shop");
    let answer = get("/payment/methods?status=enabled").send().await.json();
    assert_eq!(answer["data"][2], json!({"id": 1_298_199_463, "slug": "mada", "name": "mada"}));
    let pagination =
        json!({"count": 10, "total": 10, "perPage": 15, "currentPage": 1, "totalPages": 1, "links": []});
    assert_eq!(answer["pagination"], pagination);
    let second = get("/payment/methods?per_page=6&page=2").send().await.json();
    assert_eq!(second["data"].as_array().unwrap().len(), 4);
    assert_eq!(get("/customers").send().await.status, 401);
}
