//! What holds for all paths: errors of the framework in the contract's envelope, health, request ids.

use serde_json::json;
use zumra_server::Limits;
use zumra_testkit::app::add_body;
use zumra_testkit::{SHOP, TestApp, TestRequest, WRITE_TOKEN};

#[tokio::test]
async fn unknown_paths_get_the_documented_404() {
    let app = TestApp::new().await;
    for path in ["/admin/v2", "/admin/v2/no-such-path", "/customers", "/admin/v2/customers/1/no/such/path"] {
        let response = TestRequest::new(app.router.clone(), "GET", path).send().await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (404, &json!(404)), "{path}");
    }
}

#[tokio::test]
async fn wrong_method_is_405_with_allow() {
    let app = TestApp::new().await;
    let expected = r#"{"status":405,"success":false,"error":{"code":"method_not_allowed","message":"Method Not Allowed"}}"#;
    let cases = [
        ("GET", "/customers/groups/add_customers", "POST,PUT,DELETE"),
        ("PATCH", "/customers/groups", "GET,HEAD,POST,PUT,DELETE"),
        ("POST", "/customers/447121768", "GET,HEAD,PUT,DELETE"),
        ("BREW", "/customers", "GET,HEAD,POST"),
    ];
    for (method, path, allow) in cases {
        let response = app.request(method, path).token(WRITE_TOKEN).send().await;
        assert_eq!(
            (response.status, response.text(), response.header("allow")),
            (405, expected, Some(allow)),
            "{path}"
        );
        let response = app.request("OPTIONS", path).send().await;
        assert_eq!((response.status, response.header("allow")), (200, Some(allow)), "OPTIONS {path}");
    }
}

#[tokio::test]
async fn words_in_place_of_ids_are_404() {
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
            let request = app.request(method, path).token(WRITE_TOKEN).json(&json!({"reason": []}));
            let response = request.send().await;
            assert_eq!(
                (response.status, &response.json()["error"]["code"]),
                (404, &json!(404)),
                "{method} {path}"
            );
            let response = app.request(method, path).send().await;
            assert_eq!(response.status, 401, "{method} {path}: the token is checked before the id");
        }
    }
}

#[tokio::test]
async fn trailing_slash_is_ignored() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/customers/?per_page=1").send().await.json()["pagination"]["perPage"], 1);
    assert_eq!(app.get("/customers/447121768/").send().await.status, 200);
    let request = app.request("POST", "/customers/groups/add_customers/").token(WRITE_TOKEN);
    let response = request.json(&add_body(667_738_032, &[447_121_768])).send().await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn encoded_characters_that_need_no_encoding_are_the_same_path() {
    let app = TestApp::new().await;
    for path in ["/customers/groups/add%5Fcustomers", "/%63ustomers/groups/add%5fcustomers/"] {
        let request = app.request("POST", path).token(WRITE_TOKEN);
        let response = request.json(&add_body(667_738_032, &[447_121_768])).send().await;
        assert_eq!(response.status, 200, "{path}");
    }
    assert_eq!(app.get("/customers/%34471217%368?x=%2F").send().await.status, 200);
    let base = TestRequest::new(app.router.clone(), "GET", "/%61dmin/v2/customers").token(WRITE_TOKEN);
    assert_eq!(base.send().await.status, 200);
    for path in ["/customers%2Fgroups", "/customers%2f447121768", "/customers/447121768%", "/customers%"] {
        assert_eq!(app.get(path).send().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let app = TestApp::new().await;
    for (path, status) in [("/customers", 200), ("/customers/0", 404), ("/no/such/path", 404)] {
        let get = app.get(path).send().await;
        let head = app.request("HEAD", path).token(WRITE_TOKEN).send().await;
        assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
        let length = get.body.len().to_string();
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
        assert_eq!(head.header("content-length"), Some(length.as_str()), "{path}");
    }
}

#[tokio::test]
async fn client_that_excludes_json_is_rejected() {
    let app = TestApp::new().await;
    let response = app.get("/customers").header("accept", "text/html").send().await;
    assert_eq!((response.status, &response.json()["error"]["code"]), (406, &json!("not_acceptable")));
    for admitted in ["application/json", "*/*", "", " ", ",", ", ,"] {
        let response = app.get("/customers").header("accept", admitted).send().await;
        assert_eq!(response.status, 200, "{admitted:?}");
    }
    let request = app.get("/customers").header("accept", "").header("accept", "text/html");
    assert_eq!(request.send().await.status, 406);
}

/// Returns a service that accepts bodies of up to `body_bytes`.
async fn app_with_body_limit(body_bytes: usize) -> TestApp {
    let app = TestApp::with_limits(Limits { body_bytes, ..Limits::default() }).await;
    app.load(SHOP).await;
    app
}

#[tokio::test]
async fn body_over_the_limit_is_413() {
    let app = app_with_body_limit(1000).await;
    let expected = r#"{"status":413,"success":false,"error":{"code":"payload_too_large","message":"Payload Too Large"}}"#;
    for (bytes, status) in [(1000, 200), (1001, 413), (100_000, 413)] {
        let body = add_body(667_738_032, &[447_121_768]).to_string();
        let padded = format!("{body}{}", " ".repeat(bytes - body.len()));
        let request = app.request("POST", "/customers/groups/add_customers").token(WRITE_TOKEN);
        let response = request.header("content-type", "application/json").body(padded).send().await;
        assert_eq!(response.status, status, "{bytes}");
        if status == 413 {
            assert_eq!(response.text(), expected);
        }
    }
    let request = app.request("POST", "/customers/groups/add_customers").body("x".repeat(2000));
    assert_eq!(request.send().await.status, 401, "the token is checked before the body is read");
}

#[tokio::test]
async fn liveness_does_not_depend_on_the_database() {
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
async fn request_id_is_returned_or_generated() {
    let app = TestApp::new().await;
    let id = |response: zumra_testkit::TestResponse| response.header("x-request-id").map(str::to_owned);
    let returned = app.get("/customers").header("x-request-id", "abc-123").send().await;
    assert_eq!(id(returned).as_deref(), Some("abc-123"));
    let long = "x".repeat(129);
    for invalid in ["", "two words", long.as_str()] {
        let generated = id(app.get("/customers").header("x-request-id", invalid).send().await).unwrap();
        assert!(generated != invalid && !generated.is_empty(), "{invalid:?}");
    }
    let (first, second) = (id(app.get("/nowhere").send().await), id(app.get("/nowhere").send().await));
    assert!(first.is_some() && first != second);
}
