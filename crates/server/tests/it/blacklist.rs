//! Banning customers: `/customers/blacklist/{customer}`.

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

async fn put(app: &TestApp, path: &str, body: Value) -> TestResponse {
    app.request("PUT", path).token(WRITE_TOKEN).json(&body).send().await
}

#[tokio::test]
async fn ban_is_visible_and_can_be_lifted_once() {
    let app = TestApp::new().await;
    let path = "/customers/blacklist/447121768";
    let response = put(&app, path, json!({"reason": "untrusted customer"})).await;
    let expected = r#"{"status":201,"success":true,"data":{"message":"The Blacklist has been updated successfully","code":201}}"#;
    assert_eq!((response.status, response.text()), (201, expected));
    let shown = async || {
        let query = "fields[]=is_blocked&fields[]=block_reason";
        let data = app.get(&format!("/customers/447121768?{query}")).send().await.json()["data"].clone();
        (data["is_blocked"].clone(), data["block_reason"].clone())
    };
    assert_eq!(shown().await, (json!(true), json!("untrusted customer")));
    let again = put(&app, path, json!({"reason": "سبب آخر"})).await;
    assert_eq!((again.status, shown().await.1), (201, json!("سبب آخر")));
    let missing = put(&app, path, json!({})).await;
    assert_eq!(
        (missing.status, &missing.json()["error"]["fields"]),
        (422, &json!({"reason": ["حقل reason مطلوب."]}))
    );
    let unban = async || app.request("DELETE", path).token(WRITE_TOKEN).send().await;
    let response = unban().await;
    let expected = r#"{"status":202,"success":true,"data":{"message":"The customer in the blacklist has been removed successfully","code":202}}"#;
    assert_eq!((response.status, response.text()), (202, expected));
    assert_eq!(shown().await, (json!(false), Value::Null));
    assert_eq!(unban().await.status, 404);
}
