//! A `POST` that names another method, as PHP clients send it.

use serde_json::json;
use zumra_server::Limits;
use zumra_testkit::{SHOP, TestApp, TestResponse, WRITE_TOKEN};

const FORM: &str = "application/x-www-form-urlencoded";
const READ_TOKEN: &str = "test-token-with-read";
const CUSTOMER: &str = "/customers/447121768";

async fn post(app: &TestApp, path: &str, content_type: &str, body: &str) -> TestResponse {
    let request = app.request("POST", path).token(WRITE_TOKEN).header("content-type", content_type);
    request.body(body.to_owned()).send().await
}

/// Returns the first name of [`CUSTOMER`].
async fn first_name(app: &TestApp) -> String {
    app.get(CUSTOMER).send().await.json()["data"]["first_name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn field_names_the_method_in_every_kind_of_body_and_in_the_query() {
    let app = TestApp::new().await;
    let multipart = |name: &str| {
        let part = |field: &str, value: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
        };
        part("_method", "PUT") + &part("first_name", name) + "--B--\r\n"
    };
    let cases = [
        (CUSTOMER.to_owned(), FORM, "_method=PUT&first_name=a".to_owned()),
        (CUSTOMER.to_owned(), FORM, "%5Fmethod=put&first_name=b".to_owned()),
        (CUSTOMER.to_owned(), "multipart/form-data; boundary=B", multipart("c")),
        (CUSTOMER.to_owned(), "application/json", r#"{"_method":"Put","first_name":"d"}"#.to_owned()),
        (CUSTOMER.to_owned(), "application/json", r#"{"\u005fmethod":"PUT","first_name":"e"}"#.to_owned()),
        (format!("{CUSTOMER}?_method=PUT"), "application/json", r#"{"first_name":"f"}"#.to_owned()),
        (format!("{CUSTOMER}?_method=PUT&first_name=g"), "text/plain", String::new()),
    ];
    for ((path, content_type, body), name) in cases.into_iter().zip('a'..) {
        let response = post(&app, &path, content_type, &body).await;
        assert_eq!(response.status, 200, "{body}: {}", response.text());
        assert_eq!(first_name(&app).await, name.to_string(), "{body}");
    }
    let deleted = post(&app, CUSTOMER, FORM, "_method=DELETE").await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(app.get(CUSTOMER).send().await.status, 404);
}

#[tokio::test]
async fn header_has_precedence_and_body_before_query() {
    let app = TestApp::new().await;
    let request = app.request("POST", CUSTOMER).token(WRITE_TOKEN).header("x-http-method-override", "PUT");
    let request = request.header("content-type", FORM).body("_method=DELETE&first_name=a");
    assert_eq!(request.send().await.status, 200);
    assert_eq!(first_name(&app).await, "a");
    let response = post(&app, &format!("{CUSTOMER}?_method=DELETE"), FORM, "_method=PUT&first_name=b").await;
    assert_eq!(response.status, 200);
    assert_eq!(first_name(&app).await, "b");
}

#[tokio::test]
async fn only_post_is_overridden() {
    let app = TestApp::new().await;
    let put = app.request("PUT", CUSTOMER).token(WRITE_TOKEN).header("x-http-method-override", "DELETE");
    let put = put.header("content-type", FORM).body("_method=DELETE&first_name=a");
    assert_eq!(put.send().await.status, 200);
    assert_eq!(first_name(&app).await, "a");
    let get = app.get(CUSTOMER).header("x-http-method-override", "DELETE");
    assert_eq!(get.send().await.status, 200);
    // The same path may have a POST of its own.
    let created = post(&app, "/customers/groups", FORM, "_method=POST&name=g").await;
    assert_eq!(created.status, 200, "{}", created.text());
}

#[tokio::test]
async fn unknown_method_is_405() {
    let app = TestApp::new().await;
    for body in ["_method=BREW", "_method=HEAD", "_method=PATCH", "_method[]=PUT"] {
        let response = post(&app, CUSTOMER, FORM, body).await;
        assert_eq!((response.status, response.header("allow")), (405, Some("GET,HEAD,PUT,DELETE")), "{body}");
    }
    for body in [r#"{"_method":null}"#, r#"{"_method":1}"#, "{}"] {
        let response = post(&app, CUSTOMER, "application/json", body).await;
        assert_eq!(response.status, 405, "{body}: a value that is no text names POST");
    }
    assert_eq!(post(&app, "/no/such/path", FORM, "_method=PUT").await.status, 404);
}

#[tokio::test]
async fn scope_is_that_of_the_meant_method() {
    let app = TestApp::new().await;
    let send = |path: &'static str, body: &'static str| {
        let request = app.request("POST", path).token(READ_TOKEN).header("content-type", FORM);
        request.body(body).send()
    };
    assert_eq!(send("/customers", "_method=GET").await.status, 200);
    let refused = send(CUSTOMER, "_method=PUT").await;
    let message = "The access token should have access to one of those scopes: customers.read_write";
    assert_eq!((refused.status, &refused.json()["error"]["message"]), (401, &json!(message)));
}

#[tokio::test]
async fn request_whose_body_is_not_read_has_no_other_method() {
    let app = TestApp::with_limits(Limits { body_bytes: 100, ..Limits::default() }).await;
    app.load(SHOP).await;
    let request = app.request("POST", CUSTOMER).header("content-type", FORM).body("_method=PUT");
    assert_eq!(request.send().await.status, 401, "the token is checked before the body is read");
    let large = format!("_method=DELETE&first_name={}", "a".repeat(100));
    assert_eq!(post(&app, CUSTOMER, FORM, &large).await.status, 413);
    assert_eq!(post(&app, "/no/such/path", FORM, &large).await.status, 404);
    assert_eq!(app.get(CUSTOMER).send().await.status, 200);
}
