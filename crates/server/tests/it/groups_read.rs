//! `GET /customers/groups`, and pagination.

use serde_json::{Value, json};
use zumra_testkit::TestApp;

#[tokio::test]
async fn list_shows_id_and_name() {
    let app = TestApp::new().await;
    let response = app.get("/customers/groups").send().await;
    let expected = concat!(
        r#"{"status":200,"success":true,"data":[{"id":667738032,"name":"VIP"},{"id":1394760126,"name":"ذهبي"}],"#,
        r#""pagination":{"count":2,"total":2,"perPage":15,"currentPage":1,"totalPages":1,"links":[]}}"#
    );
    assert_eq!((response.status, response.text()), (200, expected));
}

/// Returns a service with a merchant of `count` groups. Without any, the merchant gets the default group alone.
async fn app_with_groups(count: i64) -> TestApp {
    let app = TestApp::new().await;
    let groups = (1..=count).map(|id| json!({"id": id, "name": format!("g{id}"), "default": id == 1}));
    let groups: Vec<_> = groups.collect();
    let shop = json!({"merchants": [{"id": 5, "name": "s", "groups": groups,
        "tokens": [{"token": "token-of-the-groups-shop", "scopes": ["customers.read"]}]}]});
    app.load(&shop.to_string()).await;
    app
}

async fn page(app: &TestApp, query: &str) -> Value {
    let path = format!("/customers/groups{query}");
    app.request("GET", &path).token("token-of-the-groups-shop").send().await.json()
}

#[tokio::test]
async fn pages_link_to_adjacent_pages() {
    let app = app_with_groups(5).await;
    let link = |page: u64| format!("https://zumra.example/admin/v2/customers/groups?per_page=2&page={page}");
    let cases = [
        ("?per_page=2", 1, 2, json!({"next": link(2)})),
        ("?per_page=2&page=2", 2, 2, json!({"previous": link(1), "next": link(3)})),
        ("?per_page=2&page=3", 3, 1, json!({"previous": link(2)})),
        ("?per_page=2&page=9", 9, 0, json!({"previous": link(8)})),
    ];
    for (query, current, count, links) in cases {
        let pagination = page(&app, query).await["pagination"].clone();
        let expected = json!({"count": count, "total": 5, "perPage": 2, "currentPage": current,
            "totalPages": 3, "links": links});
        assert_eq!(pagination, expected, "{query}");
    }
}

#[tokio::test]
async fn invalid_page_parameters_use_defaults_and_per_page_is_limited() {
    let app = app_with_groups(70).await;
    let cases = [
        ("?per_page=61", 60, 1),
        ("?per_page=0&page=0", 15, 1),
        ("?per_page=x&page=-1", 15, 1),
        ("?per_page=", 15, 1),
    ];
    for (query, per_page, current) in cases {
        let pagination = page(&app, query).await["pagination"].clone();
        assert_eq!(
            (&pagination["perPage"], &pagination["currentPage"]),
            (&json!(per_page), &json!(current)),
            "{query}"
        );
    }
    let beyond_the_end = page(&app, "?page=9223372036854775807").await;
    assert_eq!((&beyond_the_end["data"], &beyond_the_end["pagination"]["total"]), (&json!([]), &json!(70)));
}

#[tokio::test]
async fn empty_list_has_one_page() {
    let app = app_with_groups(0).await;
    let customers = app.request("GET", "/customers").token("token-of-the-groups-shop").send().await.json();
    let expected =
        json!({"count": 0, "total": 0, "perPage": 15, "currentPage": 1, "totalPages": 1, "links": []});
    assert_eq!(customers["pagination"], expected);
    let groups = page(&app, "").await;
    assert_eq!(groups["pagination"]["total"], 1, "every merchant has a default group");
    assert_eq!(groups["data"][0]["name"], "المجموعة الافتراضية");
}
