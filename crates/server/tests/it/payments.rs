//! `GET /payment/methods`.

use serde_json::json;
use zumra_testkit::TestApp;

#[tokio::test]
async fn payment_methods_are_listed_in_pages() {
    let app = TestApp::new().await;
    let shop = json!({"merchants": [{"id": 9, "name": "s",
        "tokens": [{"token": "token-of-the-payments-shop", "scopes": ["payments.read"]}]}]});
    app.load(&shop.to_string()).await;
    let get = |path: &str| app.request("GET", path).token("token-of-the-payments-shop");
    let response = get("/payment/methods?status=enabled").send().await.json();
    assert_eq!(response["data"][2], json!({"id": 1_298_199_463, "slug": "mada", "name": "mada"}));
    let pagination =
        json!({"count": 10, "total": 10, "perPage": 15, "currentPage": 1, "totalPages": 1, "links": []});
    assert_eq!(response["pagination"], pagination);
    let second = get("/payment/methods?per_page=6&page=2").send().await.json();
    assert_eq!(second["data"].as_array().unwrap().len(), 4);
    assert_eq!(get("/customers").send().await.status, 401);
}
