//! Creating, updating and deleting groups.

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

async fn send(app: &TestApp, method: &str, path: &str, body: Value) -> TestResponse {
    app.request(method, path).token(WRITE_TOKEN).json(&body).send().await
}

/// Returns the names of all groups.
async fn group_names(app: &TestApp) -> Vec<String> {
    let list = app.get("/customers/groups").send().await.json();
    list["data"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn response_to_create_has_id_and_name() {
    let app = TestApp::new().await;
    app.clock.advance(jiff::SignedDuration::from_mins(1));
    let body = json!({"name": "VIPCustomers", "conditions": [{"type": "total_sales", "symbol": ">", "value": 100}],
        "features": {"payment_method": ["credit_card", "mada"], "shipping": ["all"]}});
    let response = send(&app, "POST", "/customers/groups", body).await;
    let id = response.json()["data"]["id"].as_i64().unwrap();
    let expected = format!(r#"{{"status":200,"success":true,"data":{{"id":{id},"name":"VIPCustomers"}}}}"#);
    assert_eq!((response.status, response.text()), (200, expected.as_str()));
    assert!((1..1 << 31).contains(&id) && response.header("zumra-operation").is_some());
    let next = send(&app, "POST", "/customers/groups", json!({"name": "b", "conditions": []})).await.json();
    assert_ne!(next["data"]["id"].as_i64().unwrap(), id);
    assert_eq!(group_names(&app).await, ["VIP", "ذهبي", "VIPCustomers", "b"]);
    assert_eq!(
        app.add_customers(&json!({"group_id": id, "customers": [447_121_768]})).send().await.status,
        200
    );
    assert_eq!(app.group_ids(447_121_768).await, json!([id, 1_394_760_126]));
}

#[tokio::test]
async fn invalid_group_is_not_created() {
    let app = TestApp::new().await;
    let invalid = json!({"name": "", "conditions": [{"type": "total_sales", "symbol": "=", "value": 1}]});
    let response = send(&app, "POST", "/customers/groups", invalid).await;
    let fields =
        json!({"name": ["حقل الاسم مطلوب."], "conditions.0.symbol": ["حقل conditions.0.symbol غير صالحٍ"]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &fields));
    let infinite = r#"{"name":"x","conditions":[{"type":"total_sales","symbol":">","value":1e400}]}"#;
    let request = app
        .request("POST", "/customers/groups")
        .token(WRITE_TOKEN)
        .header("content-type", "application/json");
    let response = request.language("en").body(infinite).send().await;
    let fields = json!({"conditions.0.value": ["The conditions.0.value must be a number."]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &fields));
    assert_eq!(group_names(&app).await.len(), 2);
}

#[tokio::test]
async fn update_keeps_absent_fields() {
    let app = TestApp::new().await;
    let path = "/customers/groups/667738032";
    let response = send(&app, "PUT", path, json!({"name": "VIP 2"})).await;
    let expected = r#"{"status":200,"success":true,"data":{"id":667738032,"name":"VIP 2"}}"#;
    assert_eq!((response.status, response.text()), (200, expected));
    assert!(response.header("zumra-operation").is_some());
    let between = json!({"conditions": [{"type": "total_sales", "symbol": "between", "min_value": 100, "max_value": 500}]});
    assert_eq!(send(&app, "PUT", path, between.clone()).await.text(), expected);
    let again = send(&app, "PUT", path, between).await;
    assert_eq!((again.status, again.header("zumra-operation")), (200, None), "nothing had to be changed");
    assert_eq!(group_names(&app).await, ["VIP 2", "ذهبي"]);
}

#[tokio::test]
async fn missing_group_is_404_before_the_body_is_validated() {
    let app = TestApp::new().await;
    for id in ["5", "abc"] {
        let response = send(&app, "PUT", &format!("/customers/groups/{id}"), json!({"name": []})).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (404, &json!(404)), "{id}");
        assert_eq!(send(&app, "DELETE", &format!("/customers/groups/{id}"), json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn update_default_changes_only_the_features() {
    let app = TestApp::new().await;
    let body = json!({"name": "mine", "conditions": 7, "features": {"payment_method": ["mada"]}});
    let response = send(&app, "POST", "/customers/groups/default", body).await;
    let expected = r#"{"status":201,"success":true,"data":{"message":"The default group has been updated successfully","code":201}}"#;
    assert_eq!((response.status, response.text()), (201, expected));
    assert!(response.header("zumra-operation").is_some());
    assert_eq!(group_names(&app).await, ["VIP", "ذهبي"]);
    let invalid =
        send(&app, "POST", "/customers/groups/default", json!({"features": {"shipping": [7]}})).await;
    assert_eq!(
        (invalid.status, invalid.json()["error"]["fields"].get("features.shipping.0").is_some()),
        (422, true)
    );
    let put = send(&app, "PUT", "/customers/groups/1394760126", json!({"name": "الكل"})).await;
    assert_eq!(put.status, 200, "the default group can be renamed by its id");
}

#[tokio::test]
async fn deleted_group_is_gone_with_its_memberships() {
    let app = TestApp::new().await;
    app.add_customers(&json!({"group_id": 667_738_032, "customers": [447_121_768, 1_761_729_493]}))
        .send()
        .await;
    let delete =
        async || app.request("DELETE", "/customers/groups/667738032").token(WRITE_TOKEN).send().await;
    let response = delete().await;
    let expected = r#"{"status":202,"success":true,"data":{"message":"The Object has been removed successfully","code":202}}"#;
    assert_eq!((response.status, response.text()), (202, expected));
    assert!(response.header("zumra-operation").is_some());
    assert_eq!(app.group_ids(447_121_768).await, json!([1_394_760_126]));
    assert_eq!(group_names(&app).await, ["ذهبي"]);
    let added = app.add_customers(&json!({"group_id": 667_738_032, "customers": [447_121_768]})).send().await;
    assert_eq!(added.json()["error"]["fields"], json!({"group_id": ["حقل group id غير صالح"]}));
    assert_eq!(delete().await.status, 404);
}

#[tokio::test]
async fn default_group_cannot_be_deleted() {
    let app = TestApp::new().await;
    let path = "/customers/groups/1394760126";
    let response = app.request("DELETE", path).token(WRITE_TOKEN).send().await;
    let expected = r#"{"status":422,"success":false,"error":{"code":"error","message":"لا يمكن حذف المجموعة الافتراضية"}}"#;
    assert_eq!((response.status, response.text()), (422, expected));
    let response = app.request("DELETE", path).token(WRITE_TOKEN).language("en").send().await;
    assert_eq!(response.json()["error"]["message"], "The default group cannot be deleted.");
    assert_eq!(app.group_ids(447_121_768).await, json!([1_394_760_126]));
}
