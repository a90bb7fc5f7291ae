//! Creating, updating and deleting customers.

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestResponse, WRITE_TOKEN};

async fn send(app: &TestApp, method: &str, path: &str, body: Value) -> TestResponse {
    app.request(method, path).token(WRITE_TOKEN).json(&body).send().await
}

/// Returns the contract's example of a request.
fn example_body() -> Value {
    json!({"first_name": "Ahmed", "last_name": "Ali", "mobile": "777777777", "mobile_code_country": "+967",
        "gender": "female", "birthday": "1997-06-03", "email": "ahmedali@test.test", "groups": ["667738032"]})
}

/// Creates the example customer and returns its id.
async fn create_example(app: &TestApp) -> i64 {
    let response = send(app, "POST", "/customers", example_body()).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["data"]["id"].as_i64().unwrap()
}

#[tokio::test]
async fn created_customer_shows_every_field() {
    let app = TestApp::new().await;
    app.clock.advance(jiff::SignedDuration::from_mins(1));
    let response = send(&app, "POST", "/customers", example_body()).await;
    let data = response.json()["data"].clone();
    let id = data["id"].as_i64().unwrap();
    let moment = json!({"date": "2026-12-01 15:01:00.000000", "timezone_type": 3, "timezone": "Asia/Riyadh"});
    let birthday =
        json!({"date": "1997-06-03 00:00:00.000000", "timezone_type": 3, "timezone": "Asia/Riyadh"});
    let expected = json!({
        "id": id, "full_name": "Ahmed Ali", "first_name": "Ahmed", "last_name": "Ali", "mobile": 777_777_777,
        "mobile_code": "+967", "email": "ahmedali@test.test",
        "urls": {"customer": "https://1305146709.example/profile", "admin": format!("https://1305146709.example/customers/{id}")},
        "avatar": "https://zumra.example/avatar.svg", "gender": "female", "birthday": birthday, "city": "",
        "country": "اليمن", "country_code": "YE", "currency": "SAR", "location": "", "lang": "ar",
        "created_at": moment, "updated_at": moment, "groups": [667_738_032, 1_394_760_126]});
    assert_eq!((response.status, &data), (200, &expected));
    assert!((1..1 << 31).contains(&id) && response.header("zumra-operation").is_some());
    assert_eq!(app.get(&format!("/customers/{id}")).send().await.json()["data"], expected);
    let list = app.get("/customers").send().await.json();
    assert_eq!((&list["data"][0], &list["pagination"]["total"]), (&expected, &json!(3)));
}

#[tokio::test]
async fn missing_fields_get_the_documented_messages() {
    let app = TestApp::new().await;
    let response = send(&app, "POST", "/customers", json!({})).await;
    let expected = concat!(
        r#"{"status":422,"success":false,"error":{"code":"error","message":"alert.invalid_fields","fields":{"#,
        r#""first_name":["الاسم الاول للعميل مطلوب"],"last_name":["الاسم الاخير للعميل مطلوبً"],"#,
        r#""mobile_code_country":["حقل رمز الدولة للجوال مطلوب"],"mobile":["رقم الجوال مطلوب"]}}}"#
    );
    assert_eq!((response.status, response.text()), (422, expected));
}

#[tokio::test]
async fn used_contacts_and_missing_groups_are_rejected_by_field() {
    let app = TestApp::new().await;
    let mut body = example_body();
    body["mobile"] = json!(512_345_678);
    body["email"] = json!("A@EXAMPLE.com");
    body["groups"] = json!([667_738_032, "999", "x"]);
    let response =
        app.request("POST", "/customers").token(WRITE_TOKEN).language("en").json(&body).send().await;
    let fields = json!({"mobile": ["The mobile has already been taken."], "email": ["The email has already been taken."],
        "groups.1": ["The selected groups.1 is invalid."], "groups.2": ["The groups.2 must be an integer."]});
    assert_eq!((response.status, &response.json()["error"]["fields"]), (422, &fields));
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 2);
}

#[tokio::test]
async fn concurrent_creations_with_one_mobile_number_create_one_customer() {
    let app = TestApp::new().await;
    let create = async || {
        let response = send(&app, "POST", "/customers", example_body()).await;
        (response.status, response.json()["error"]["fields"].clone())
    };
    let responses = futures_util::future::join_all((0..8).map(|_| create())).await;
    let (created, rejected): (Vec<_>, Vec<_>) = responses.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((created.len(), rejected.len()), (1, 7), "{rejected:?}");
    for (status, fields) in rejected {
        assert_eq!((status, fields.get("mobile").is_some()), (422, true), "{fields}");
    }
    assert_eq!(app.get("/customers").send().await.json()["pagination"]["total"], 3);
}

#[tokio::test]
async fn update_keeps_absent_fields_and_its_own_contacts() {
    let app = TestApp::new().await;
    let id = create_example(&app).await;
    app.clock.advance(jiff::SignedDuration::from_secs(60));
    let path = format!("/customers/{id}");
    let body =
        json!({"first_name": "Sara", "mobile": "777777777", "email": "AHMEDALI@test.test", "birthday": null});
    let data = send(&app, "PUT", &path, body).await.json()["data"].clone();
    assert_eq!(
        (&data["full_name"], &data["mobile"], &data["gender"]),
        (&json!("Sara Ali"), &json!(777_777_777), &json!("female"))
    );
    assert_eq!((&data["email"], &data["birthday"]), (&json!("AHMEDALI@test.test"), &Value::Null));
    assert_eq!(data["groups"], json!([667_738_032, 1_394_760_126]));
    assert_eq!(data["created_at"]["date"], "2026-12-01 15:00:00.000000");
    assert_eq!(data["updated_at"]["date"], "2026-12-01 15:01:00.000000");
    let used = send(&app, "PUT", &path, json!({"email": "a@example.com"})).await;
    assert_eq!(
        used.json()["error"]["fields"],
        json!({"email": ["قيمة حقل البريد الالكتروني مُستخدمة من قبل"]})
    );
    let unchanged = send(&app, "PUT", &path, json!({"first_name": "Sara"})).await;
    assert_eq!((unchanged.status, unchanged.header("zumra-operation")), (200, None));
}

#[tokio::test]
async fn update_replaces_all_groups_except_the_default_group() {
    let app = TestApp::new().await;
    let id = create_example(&app).await;
    let update_groups = async |groups: Value| {
        let body = json!({"first_name": "Ahmed", "groups": groups});
        let response = send(&app, "PUT", &format!("/customers/{id}"), body).await;
        let groups = response.json()["data"]["groups"].clone();
        assert_eq!(app.group_ids(id).await, groups);
        groups
    };
    let other =
        send(&app, "POST", "/customers/groups", json!({"name": "g"})).await.json()["data"]["id"].clone();
    assert_eq!(update_groups(json!([other.to_string()])).await, json!([other, 1_394_760_126]));
    assert_eq!(update_groups(json!(["667738032", other])).await, json!([other, 667_738_032, 1_394_760_126]));
    assert_eq!(
        update_groups(Value::Null).await,
        json!([other, 667_738_032, 1_394_760_126]),
        "null changes nothing"
    );
    assert_eq!(update_groups(json!([])).await, json!([1_394_760_126]));
}

#[tokio::test]
async fn missing_customer_is_404_before_the_body_is_validated() {
    let app = TestApp::new().await;
    for path in ["/customers/5", "/customers/abc", "/customers/blacklist/5"] {
        let response = send(&app, "PUT", path, json!({"reason": [], "first_name": []})).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (404, &json!(404)), "{path}");
        assert_eq!(send(&app, "DELETE", path, json!({})).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn deleted_customer_is_gone_with_its_memberships() {
    let app = TestApp::new().await;
    let id = create_example(&app).await;
    let path = format!("/customers/{id}");
    let response = app.request("DELETE", &path).token(WRITE_TOKEN).send().await;
    assert_eq!(
        (response.status, response.text()),
        (200, r#"{"status":200,"success":true,"data":["تم حذف Customer بنجاح"]}"#)
    );
    assert!(response.header("zumra-operation").is_some());
    assert_eq!(app.get(&path).send().await.status, 404);
    assert_eq!(app.get("/customers?keyword=ahmedali").send().await.json()["pagination"]["total"], 0);
    assert_eq!(app.membership_count().await, 1);
    create_example(&app).await;
}

#[tokio::test]
async fn extra_keys_are_in_the_documented_order() {
    let app = TestApp::new().await;
    let all = [
        "is_blocked",
        "is_whitelisted",
        "block_reason",
        "is_inactive",
        "total_points",
        "country_id",
        "custom_fields",
        "current_store_customer",
        "is_orders_rated",
        "is_notifications_enabled",
        "orders_count",
        "orders_amount",
        "orders_average",
        "orders_complete_ratio",
        "orders_cancel_ratio",
        "orders_cancel",
        "latest_purchase",
        "abandoned_carts_items",
        "wallet_balance",
        "no_such_key",
    ];
    let query: Vec<_> = all.iter().map(|name| format!("fields[]={name}")).collect();
    let response = app.get(&format!("/customers/447121768?{}", query.join("&"))).send().await;
    let keys = [
        "updated_at\":",
        "stats\":{\"orders_count\":0,\"orders_amount\":0}",
        "is_orders_rated",
        "pending_rating_count",
        "\"groups\"",
        "abandoned_carts_items",
        "block_reason",
        "country_id",
        "current_store_customer",
        "custom_fields",
        "is_blocked",
        "is_inactive",
        "is_notifications_enabled",
        "is_whitelisted",
        "latest_purchase",
        "orders_average",
        "\"orders_cancel\"",
        "orders_cancel_ratio",
        "orders_complete_ratio",
        "total_points",
        "wallet_balance",
    ];
    let positions: Vec<_> = keys.iter().map(|key| response.text().find(key)).collect();
    assert!(
        positions.iter().all(Option::is_some) && positions.is_sorted(),
        "{positions:?} {}",
        response.text()
    );
    assert!(!response.text().contains("no_such_key"));
    let customer = &response.json()["data"];
    for key in ["abandoned_carts_items", "country_id", "latest_purchase", "block_reason"] {
        assert_eq!(customer[key], Value::Null, "{key}");
    }
    for key in ["orders_average", "orders_cancel", "orders_cancel_ratio", "total_points", "wallet_balance"] {
        assert_eq!(customer[key], 0, "{key}");
    }
    let listed = app.get(&format!("/customers?{}", query.join("&"))).send().await.json()["data"][0].clone();
    assert_eq!((&listed["is_blocked"], &listed["custom_fields"]), (&json!(false), &json!([])));
    assert!(
        listed.get("stats").is_none() && listed.get("wallet_balance").is_none(),
        "only details contain these keys"
    );
    let plain = app.get("/customers/447121768").send().await.json()["data"].clone();
    assert_eq!(plain.as_object().unwrap().len(), 20);
}

#[tokio::test]
async fn dates_filter_by_local_day() {
    let app = TestApp::new().await; // 1 December, 12:00 UTC, 15:00 in Riyadh
    app.clock.advance(jiff::SignedDuration::from_hours(10)); // 2 December in Riyadh, 1 December in UTC
    create_example(&app).await;
    for (query, total) in [
        ("date_from=2026-12-02", 1),
        ("date_to=2026-12-01", 2),
        ("date_from=2026-12-01&date_to=2026-12-02", 3),
        ("date_from=2026-12-03", 0),
        ("date_from=2026-12-02&keyword=ahmed", 1),
        ("date_to=2026-12-01&keyword=0777777777", 0),
        ("date_from=2026-12-01%2015:00:01", 1),
    ] {
        let found = app.get(&format!("/customers?{query}")).send().await.json();
        assert_eq!(found["pagination"]["total"], total, "{query}");
    }
}

#[tokio::test]
async fn text_that_cannot_be_stored_is_cleaned_or_rejected() {
    let app = TestApp::new().await;
    let mut body = example_body();
    body["first_name"] = json!("Ah\u{0}med");
    body["email"] = Value::Null;
    let data = send(&app, "POST", "/customers", body).await.json()["data"].clone();
    assert_eq!(data["first_name"], "Ahmed");
    let form = "first_name=%FF&last_name=b&mobile=5&mobile_code_country=966";
    let request = app.request("POST", "/customers").token(WRITE_TOKEN);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let response = request.send().await;
    assert_eq!(
        (response.status, response.json()["error"]["fields"].get("first_name").is_some()),
        (422, true)
    );
    let found = app.get("/customers?keyword=%00").send().await;
    assert_eq!(found.status, 200);
}

#[tokio::test]
async fn longest_accepted_values_can_be_read_again() {
    let app = TestApp::new().await;
    let mut body = example_body();
    body["first_name"] = "ع".repeat(25).into();
    body["mobile"] = "9".repeat(64).into();
    body["mobile_code_country"] = "9".repeat(1024).into();
    let created = send(&app, "POST", "/customers", body).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let id = created.json()["data"]["id"].as_i64().unwrap();
    for path in [format!("/customers/{id}"), "/customers".to_owned()] {
        let response = app.get(&path).send().await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
}
