//! `POST /customers/groups/add_customers`: the contract's examples to the byte, and its edge cases.

use serde_json::json;
use zumra_testkit::app::add_body;
use zumra_testkit::{TestApp, WRITE_TOKEN};

const GROUP: i64 = 667_738_032;
const CUSTOMERS: [i64; 2] = [447_121_768, 1_761_729_493];
const SUCCESS: &str =
    r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;

#[tokio::test]
async fn example_request_gets_the_documented_response() {
    let app = TestApp::new().await;
    let response = app.add_customers(&add_body(GROUP, &CUSTOMERS)).send().await;
    assert_eq!((response.status, response.text()), (200, SUCCESS));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(response.header("zumra-operation").is_some_and(|id| id.parse::<i64>().is_ok_and(|id| id > 0)));
    assert_eq!(app.group_ids(CUSTOMERS[0]).await, json!([GROUP, 1_394_760_126]));
    assert_eq!(app.group_ids(CUSTOMERS[1]).await, json!([GROUP]));
}

#[tokio::test]
async fn missing_fields_get_the_documented_422() {
    let app = TestApp::new().await;
    let response = app.add_customers(&json!({})).send().await;
    let expected = concat!(
        r#"{"status":422,"success":false,"error":{"code":"error","message":"alert.invalid_fields","#,
        r#""fields":{"group_id":["حقل group id مطلوب."],"customers":["حقل customers مطلوب."]}}}"#
    );
    assert_eq!((response.status, response.text()), (422, expected));
}

#[tokio::test]
async fn invalid_values_get_the_documented_422() {
    let app = TestApp::new().await;
    let response = app.add_customers(&json!({"group_id": "VIP", "customers": [1]})).send().await;
    let expected = concat!(
        r#"{"status":422,"success":false,"error":{"code":"error","message":"alert.invalid_fields","#,
        r#""fields":{"group_id":["يجب أن يكون حقل group id عددًا صحيحًا"],"customers.0":["حقل customers.0 غير صالح"]}}}"#
    );
    assert_eq!((response.status, response.text()), (422, expected));
}

#[tokio::test]
async fn token_without_scope_gets_the_documented_401() {
    let app = TestApp::new().await;
    let request = app.request("POST", "/customers/groups/add_customers").token("test-token-with-read");
    let response = request.json(&add_body(GROUP, &CUSTOMERS)).send().await;
    let expected = concat!(
        r#"{"status":401,"success":false,"error":{"code":"Unauthorized","#,
        r#""message":"The access token should have access to one of those scopes: customers.read_write"}}"#
    );
    assert_eq!((response.status, response.text()), (401, expected));
    assert_eq!(app.membership_count().await, 1, "only the membership of the fixture exists");
}

#[tokio::test]
async fn field_messages_are_english_on_request() {
    let app = TestApp::new().await;
    let response = app
        .add_customers(&json!({"group_id": "VIP", "customers": [1]}))
        .language("en-GB,en;q=0.9")
        .send()
        .await;
    let fields = &response.json()["error"]["fields"];
    assert_eq!(fields["group_id"], json!(["The group id must be an integer."]));
    assert_eq!(fields["customers.0"], json!(["The selected customers.0 is invalid."]));
    let response = app.add_customers(&add_body(GROUP, &CUSTOMERS)).language("ar").send().await;
    assert_eq!(response.text(), SUCCESS, "the message of a success is the same in every language");
}

#[tokio::test]
async fn adding_again_succeeds_and_writes_nothing() {
    let app = TestApp::new().await;
    app.add_customers(&add_body(GROUP, &CUSTOMERS)).send().await;
    let before = app.storage.inspect().await.unwrap();
    let response = app.add_customers(&add_body(GROUP, &CUSTOMERS)).send().await;
    assert_eq!((response.status, response.text()), (200, SUCCESS));
    assert_eq!(response.header("zumra-operation"), None);
    assert_eq!(app.storage.inspect().await.unwrap(), before);
}

#[tokio::test]
async fn ids_in_forms_and_strings_are_accepted() {
    let app = TestApp::new().await;
    let request = app.request("POST", "/customers/groups/add_customers").token(WRITE_TOKEN);
    let form = "group_id=667738032&customers%5B%5D=447121768&customers[]=1761729493";
    let response =
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
    assert_eq!((response.status, response.text()), (200, SUCCESS));
    let body = json!({"group_id": "1394760126", "customers": [" 1761729493 "]});
    assert_eq!(app.add_customers(&body).send().await.status, 200);
    assert_eq!(app.group_ids(CUSTOMERS[1]).await, json!([GROUP, 1_394_760_126]));
}

#[tokio::test]
async fn fields_in_the_query_string_are_accepted() {
    let app = TestApp::new().await;
    let path = "/customers/groups/add_customers?group_id=667738032&customers[0]=447121768";
    assert_eq!(app.request("POST", path).token(WRITE_TOKEN).send().await.status, 200);
    assert_eq!(app.membership_count().await, 2);
}

#[tokio::test]
async fn ids_of_another_merchant_are_rejected_as_missing() {
    let app = TestApp::new().await;
    app.load(
        r#"{"merchants":[{"id":2,"name":"other","groups":[{"id":77,"name":"g"}],
            "customers":[{"id":88,"first_name":"x"}]}]}"#,
    )
    .await;
    let response = app.add_customers(&add_body(77, &[CUSTOMERS[0], 88])).language("en").send().await;
    let expected = json!({"group_id": ["The selected group id is invalid."],
        "customers.1": ["The selected customers.1 is invalid."]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &expected));
}

/// Returns a service with one group, id 1, and `customers` customers, ids from 1.
async fn app_with_customers(customers: i64) -> TestApp {
    let app = TestApp::with_limits(zumra_server::Limits::default()).await;
    let customers: Vec<_> = (1..=customers).map(|id| json!({"id": id, "first_name": "c"})).collect();
    let shop = json!({"merchants": [{"id": 1, "name": "large",
        "tokens": [{"token": WRITE_TOKEN, "scopes": ["customers.read_write"]}],
        "groups": [{"id": 1, "name": "VIP"}], "customers": customers}]});
    app.load(&shop.to_string()).await;
    app
}

#[tokio::test]
async fn ten_thousand_customers_are_added_in_one_request() {
    let app = app_with_customers(10_000).await;
    let all: Vec<i64> = (1..=10_000).rev().collect();
    for _ in 0..2 {
        assert_eq!(app.add_customers(&add_body(1, &all)).send().await.text(), SUCCESS);
        assert_eq!(app.membership_count().await, 10_000);
    }
    assert_eq!(app.group_ids(10_000).await, json!([1]));
}

#[tokio::test]
async fn one_missing_id_among_ten_thousand_is_named_and_nothing_is_written() {
    let app = app_with_customers(9_999).await;
    let mut all: Vec<i64> = (1..=9_999).collect();
    all.insert(7_000, 5_000_000);
    let response = app.add_customers(&add_body(1, &all)).language("en").send().await;
    let expected = json!({"customers.7000": ["The selected customers.7000 is invalid."]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &expected));
    assert_eq!(app.membership_count().await, 0);
}

#[tokio::test]
async fn more_ids_than_the_limit_are_rejected() {
    let app = app_with_customers(1).await;
    let response = app.add_customers(&add_body(1, &vec![1; 10_001])).language("en").send().await;
    let expected = json!({"customers": ["The customers may not have more than 10000 items."]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &expected));
    assert_eq!(app.membership_count().await, 0);
}
