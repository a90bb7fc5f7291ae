//! What the framework would have said leaves in the contract's envelope.

use serde_json::json;
use zumra_server::Limits;
use zumra_testkit::app::add_body;
use zumra_testkit::{SHOP, TestApp, TestRequest, WRITE_TOKEN};

#[tokio::test]
async fn unknown_paths_are_404_in_the_envelope() {
    let app = TestApp::new().await;
    for path in ["/admin/v2", "/admin/v2/orders", "/", "/customers", "/admin/v2/customers/groups/1/customers"]
    {
        let answer = TestRequest::new(app.router.clone(), "GET", path).send().await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!(404)), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let app = TestApp::new().await;
    let expected = r#"{"status":405,"success":false,"error":{"code":"method_not_allowed","message":"Method Not Allowed"}}"#;
    let cases = [
        ("GET", "/customers/groups/add_customers", "POST,PUT,DELETE"),
        ("PATCH", "/customers/groups", "GET,HEAD,POST,PUT,DELETE"),
        ("POST", "/customers/447121768", "GET,HEAD,PUT,DELETE"),
        ("GET", "/customers/groups/667738032", "PUT,DELETE"),
        ("GET", "/customers/blacklist/447121768", "PUT,DELETE"),
        ("BREW", "/customers", "GET,HEAD,POST"),
    ];
    for (method, path, allow) in cases {
        let answer = app.request(method, path).token(WRITE_TOKEN).send().await;
        assert_eq!(
            (answer.status, answer.text(), answer.header("allow")),
            (405, expected, Some(allow)),
            "{path}"
        );
        let answer = app.request("OPTIONS", path).send().await;
        assert_eq!((answer.status, answer.header("allow")), (200, Some(allow)), "OPTIONS {path}");
    }
}

#[tokio::test]
async fn a_word_where_an_id_may_stand_is_no_id() {
    let app = TestApp::new().await;
    let paths = [
        "/customers/groups",
        "/customers/groups/add_customers",
        "/customers/groups/default",
        "/customers/groups/abc",
        "/customers/groups/9223372036854775808",
        "/customers/blacklist/abc",
        "/customers/0",
        "/customers/-1",
    ];
    for path in paths {
        for method in ["PUT", "DELETE"] {
            let call = app.request(method, path).token(WRITE_TOKEN).json(&json!({"reason": []}));
            let answer = call.send().await;
            assert_eq!(
                (answer.status, &answer.json()["error"]["code"]),
                (404, &json!(404)),
                "{method} {path}"
            );
            let answer = app.request(method, path).send().await;
            assert_eq!(answer.status, 401, "{method} {path}: who may not know is not told");
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_is_the_same_path() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/customers/?per_page=1").send().await.json()["pagination"]["perPage"], 1);
    assert_eq!(app.get("/customers/447121768/").send().await.status, 200);
    let call = app.request("POST", "/customers/groups/add_customers/").token(WRITE_TOKEN);
    let answer = call.json(&add_body(667_738_032, &[447_121_768])).send().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let app = TestApp::new().await;
    let answer = app.request("HEAD", "/customers").token(WRITE_TOKEN).send().await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_client_that_excludes_json_is_refused() {
    let app = TestApp::new().await;
    let answer = app.get("/customers").header("accept", "text/html").send().await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (406, &json!("not_acceptable")));
    assert_eq!(app.get("/customers").header("accept", "application/json").send().await.status, 200);
}

async fn with_body_limit(body_bytes: usize) -> TestApp {
    let app = TestApp::with_limits(Limits { body_bytes, ..Limits::default() }).await;
    app.load(SHOP).await;
    app
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_in_the_envelope() {
    let app = with_body_limit(1000).await;
    let expected = r#"{"status":413,"success":false,"error":{"code":"payload_too_large","message":"Payload Too Large"}}"#;
    for (bytes, status) in [(1000, 200), (1001, 413), (100_000, 413)] {
        let body = add_body(667_738_032, &[447_121_768]).to_string();
        let padded = format!("{body}{}", " ".repeat(bytes - body.len()));
        let call = app.request("POST", "/customers/groups/add_customers").token(WRITE_TOKEN);
        let answer = call.header("content-type", "application/json").body(padded).send().await;
        assert_eq!(answer.status, status, "{bytes}");
        if status == 413 {
            assert_eq!(answer.text(), expected);
        }
    }
    let call = app.request("POST", "/customers/groups/add_customers").body("x".repeat(2000));
    assert_eq!(call.send().await.status, 401, "a stranger's body is not even read");
}

#[tokio::test]
async fn a_closed_database_is_503_with_retry_after() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/customers").send().await.status, 200);
    app.storage.close().await;
    let expected = r#"{"status":503,"success":false,"error":{"code":"service_unavailable","message":"Service Unavailable"}}"#;
    let answers = [
        app.get("/customers").send().await,
        app.add_customers(&add_body(667_738_032, &[447_121_768])).send().await,
        TestRequest::new(app.router.clone(), "GET", "/readyz").send().await,
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.text(), answer.header("retry-after")), (503, expected, Some("1")));
    }
}

#[tokio::test]
async fn health_has_two_answers() {
    let app = TestApp::new().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(TestRequest::new(app.router.clone(), "GET", path).send().await.status, 200, "{path}");
    }
    app.storage.close().await;
    assert_eq!(TestRequest::new(app.router.clone(), "GET", "/livez").send().await.status, 200);
}

#[tokio::test]
async fn metrics_are_not_public() {
    let app = TestApp::new().await;
    assert_eq!(TestRequest::new(app.router.clone(), "GET", "/metrics").send().await.status, 404);
}

#[tokio::test]
async fn a_request_id_is_kept_or_given() {
    let app = TestApp::new().await;
    let id = |answer: zumra_testkit::TestResponse| answer.header("x-request-id").map(str::to_owned);
    let kept = app.get("/customers").header("x-request-id", "abc-123").send().await;
    assert_eq!(id(kept).as_deref(), Some("abc-123"));
    let long = "x".repeat(129);
    for bad in ["", "two words", long.as_str()] {
        let given = id(app.get("/customers").header("x-request-id", bad).send().await).unwrap();
        assert!(given != bad && !given.is_empty(), "{bad:?}");
    }
    let (first, second) = (id(app.get("/nowhere").send().await), id(app.get("/nowhere").send().await));
    assert!(first.is_some() && first != second);
}
