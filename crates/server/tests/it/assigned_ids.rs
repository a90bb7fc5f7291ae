//! Ids of new customers, groups and imports.

use std::collections::HashSet;

use serde_json::json;
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

async fn create_customer(app: &TestApp, mobile: usize) -> TestResponse {
    let body = json!({"first_name": "Ahmed", "last_name": "Ali", "mobile": mobile.to_string(),
        "mobile_code_country": "+967"});
    app.request("POST", "/customers").token(WRITE_TOKEN).json(&body).send().await
}

async fn create_group(app: &TestApp) -> TestResponse {
    app.request("POST", "/customers/groups").token(WRITE_TOKEN).json(&json!({"name": "VIP"})).send().await
}

fn id(response: &TestResponse) -> i64 {
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["data"]["id"].as_i64().unwrap()
}

#[tokio::test]
async fn new_ids_fit_into_32_bits_and_are_not_used_again() {
    let app = TestApp::new().await;
    let (mut customers, mut groups) = (HashSet::from([447_121_768, 1_761_729_493]), HashSet::new());
    for mobile in 1..=20 {
        let customer = id(&create_customer(&app, mobile).await);
        let group = id(&create_group(&app).await);
        for id in [customer, group] {
            assert!(i32::try_from(id).is_ok_and(|id| id > 0), "{id}");
        }
        assert!(customers.insert(customer) && groups.insert(group), "{customer} {group}");
        for path in [format!("/customers/{customer}"), format!("/customers/groups/{group}")] {
            assert!(app.request("DELETE", &path).token(WRITE_TOKEN).send().await.status < 300, "{path}");
        }
        while app.storage.archive_deleted_groups(10).await.unwrap() {}
    }
}

#[tokio::test]
async fn used_up_ids_are_507_and_change_nothing() {
    let app = TestApp::new().await;
    app.storage.skip_ids(i32::MAX.unsigned_abs()).await.unwrap();
    let before = app.storage.inspect().await.unwrap();
    let body = |noun| {
        format!(
            r#"{{"status":507,"success":false,"error":{{"code":"ids_used_up","message":"All ids of {noun} of this store are used up"}}}}"#
        )
    };
    let response = create_customer(&app, 5).await;
    assert_eq!((response.status, response.text()), (507, body("customers").as_str()));
    let response = create_group(&app).await;
    assert_eq!((response.status, response.text()), (507, body("groups").as_str()));
    assert_eq!(app.storage.inspect().await.unwrap(), before);
    assert_eq!(app.get("/customers").send().await.status, 200);
}
