//! The OpenAPI document is true and at hand.

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestRequest};

/// The whole surface on one screen: method, path, scope.
const ROUTES: &[(&str, &str, &str)] = &[
    ("get", "/admin/v2/customers", "customers.read"),
    ("post", "/admin/v2/customers", "customers.read_write"),
    ("put", "/admin/v2/customers/blacklist/{customer}", "customers.read_write"),
    ("delete", "/admin/v2/customers/blacklist/{customer}", "customers.read_write"),
    ("get", "/admin/v2/customers/groups", "customers.read"),
    ("post", "/admin/v2/customers/groups", "customers.read_write"),
    ("post", "/admin/v2/customers/groups/add_customers", "customers.read_write"),
    ("post", "/admin/v2/customers/groups/default", "customers.read_write"),
    ("put", "/admin/v2/customers/groups/{group}", "customers.read_write"),
    ("delete", "/admin/v2/customers/groups/{group}", "customers.read_write"),
    ("post", "/admin/v2/customers/import", "customers.read_write"),
    ("get", "/admin/v2/customers/import/{import}", "customers.read"),
    ("get", "/admin/v2/customers/{customer}", "customers.read"),
    ("put", "/admin/v2/customers/{customer}", "customers.read_write"),
    ("delete", "/admin/v2/customers/{customer}", "customers.read_write"),
    ("get", "/admin/v2/payment/methods", "payments.read"),
    ("get", "/admin/v2/store/info", ANY),
];

/// Any valid token will do.
const ANY: &str = "any";

fn document() -> Value {
    serde_json::from_str(zumra_server::openapi_document()).unwrap()
}

#[test]
fn the_committed_document_is_fresh() {
    let committed = include_str!("../../../../openapi/zumra.json");
    assert!(
        committed == zumra_server::openapi_document(),
        "openapi/zumra.json is stale: run `cargo run -- openapi > openapi/zumra.json`"
    );
}

#[test]
fn it_holds_every_route_with_its_scope() {
    let document = document();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["bearer"][0].as_str().unwrap_or(ANY);
            routes.push((method.as_str(), path.as_str(), scope));
        }
    }
    assert_eq!(routes, ROUTES);
}

#[tokio::test]
async fn the_scope_in_it_is_the_scope_that_is_asked_for() {
    let app = TestApp::new().await;
    for (method, path, scope) in ROUTES {
        let path =
            path.replace("{customer}", "447121768").replace("{group}", "667738032").replace("{import}", "1");
        let call = TestRequest::new(app.router.clone(), &method.to_uppercase(), &path)
            .token("test-token-with-webhooks");
        let answer = call.send().await;
        if *scope == ANY {
            assert_eq!(answer.status, 200, "{path}");
            continue;
        }
        let message = answer.json()["error"]["message"].clone();
        assert_eq!(
            message,
            format!("The access token should have access to one of those scopes: {scope}"),
            "{path}"
        );
    }
}

#[test]
fn every_reference_in_it_leads_somewhere() {
    fn walk(document: &Value, node: &Value) {
        if let Some(reference) = node["$ref"].as_str() {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match node {
            Value::Object(map) => map.values().for_each(|child| walk(document, child)),
            Value::Array(items) => items.iter().for_each(|child| walk(document, child)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
    assert_eq!(document["openapi"], json!("3.1.0"));
}

#[tokio::test]
async fn document_and_explorer_come_out_of_the_binary() {
    let app = TestApp::new().await;
    let get = async |path: &str| TestRequest::new(app.router.clone(), "GET", path).send().await;
    assert_eq!(get("/openapi.json").await.json(), document());
    assert_eq!(
        (get("/docs").await.status, get("/docs").await.header("location").map(str::to_owned)),
        (308, Some("/docs/".to_owned()))
    );
    let page = get("/docs/").await;
    assert_eq!(page.status, 200);
    // Every script and style of the page is ours to serve.
    let files = page
        .text()
        .split(['"', '\''])
        .filter(|text| matches!(text.rsplit_once('.'), Some((_, "js" | "css"))));
    let mut count = 0;
    for file in files {
        let name = file.strip_prefix("./").unwrap_or(file);
        assert_eq!(get(&format!("/docs/{name}")).await.status, 200, "{file}");
        count += 1;
    }
    assert!(count >= 3, "{}", page.text());
    let start = get("/docs/swagger-initializer.js").await;
    assert!(start.text().contains("/openapi.json") && start.text().contains("\"none\""), "{}", start.text());
    assert_eq!(get("/docs/nothing").await.status, 404);
}
